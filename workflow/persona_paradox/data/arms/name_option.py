"""A sentence that names an option of the item, or a level: a wrong one, a right one or any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items, filled
from ..naming import check_nameable, drawn
from ..texts import put


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `text`, in which an option is named, where `at` says; see `changes`.

    Args:
        items: of the base's data set.
        arm: `text`, in which `{option}` is the text of the option that is named (or the title of
            the level), without a full stop at its end, and `{letter}` what a model writes for it;
            `names`: `wrong`, `right` or `random`; `seed` of the draw; `at` and `separator`; and
            `answers`, what the task calls its answers: `labels`, and `levels` with `titles`, or
            `order_seed`.

    Returns:
        The items; `named` is the place of what is named.
    """
    check_nameable(items, arm["answers"], "name_option")

    def named(row: dict[str, Any]) -> dict[str, Any] | str:
        found = drawn(row, arm)
        if found is None:
            return f"no option is {arm['names']}"
        said = {"letter": found.letter, "option": found.option}
        text = filled(arm["text"], row | said, "text")
        if text is None:
            return "a column of key `text` is empty"
        case = put(row["case"], text, arm["at"], arm["separator"])
        if case is None:
            return "the case has one sentence"
        return {"case": case, "named": found.place, "change": text}

    return changed_items(items, named, {"named": pl.Int64()})
