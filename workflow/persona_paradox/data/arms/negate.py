"""The right option says that none of the others is right, so that it must be found by exclusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items
from ..options import check_options, is_new, places_of, speaks_of_others


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `text` in the place of the right option; see `changes`.

    Args:
        items: of the base's data set, with `options`.
        arm: `text`, the new option.

    Returns:
        The items; the key is the same letter.
    """
    check_options(items, "negate")

    def negated(row: dict[str, Any]) -> dict[str, Any] | str:
        if len(row["reference"]) > 1:
            return "several options are right"
        if speaks_of_others(row["options"]):
            return "an option speaks of others"
        if not is_new(arm["text"], row):
            return "an option says so"
        (place,) = places_of(row["reference"])
        options = list(row["options"])
        was, options[place] = options[place], arm["text"]
        return {"options": options, "change": f"{row['reference']}: {was} → {arm['text']}"}

    return changed_items(items, negated)
