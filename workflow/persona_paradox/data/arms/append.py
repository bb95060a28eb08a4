"""A text at an end of the case, or behind its first or before its last sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import filled, with_cases

# Where a sentence ends: behind its mark and what closes a quotation, before a blank.
_END = re.compile(r"[.!?]['\"”’)]*(?=\s)")


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `text` where `at` says; see `changes`.

    Args:
        items: of the base's data set.
        arm: `text`, whose places are filled from columns; `at` and `separator`.
    """

    def added(row: dict[str, Any]) -> tuple[str, str] | str:
        text = filled(arm["text"], row, "text")
        if text is None:
            return "a column of key `text` is empty"
        case = _with(row["case"], text, arm["at"], arm["separator"])
        return "the case has one sentence" if case is None else (case, text)

    return with_cases(items, added)


def _with(case: str, text: str, at: str, separator: str) -> str | None:
    if at == "end":
        return case.rstrip() + separator + text
    if at == "beginning":
        return text + separator + case.lstrip()
    ends = [match.end() for match in _END.finditer(case.rstrip())]
    if not ends:
        return None
    place = ends[0] if at == "after_first_sentence" else ends[-1]
    return case[:place] + separator + text + case[place:]
