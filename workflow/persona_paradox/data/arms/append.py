"""A text at an end of the case, or behind its first or before its last sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import filled, with_cases
from ..texts import put


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
        case = put(row["case"], text, arm["at"], arm["separator"])
        return "the case has one sentence" if case is None else (case, text)

    return with_cases(items, added)
