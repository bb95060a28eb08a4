"""The case, or the options, as another column of the file has them: a data set of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...errors import InputError
from ..changes import changed_items
from ..options import check_options


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Take the case from `column`, the options from `options`; see `changes`.

    Args:
        items: of the base's data set, which keeps these columns.
        arm: `column`, of the other text of the case, or null; `options`, columns of the other
            texts of the options, one for each, or an empty list.
    """
    named = ([] if arm["column"] is None else [("column", arm["column"])]) + [
        ("options", column) for column in arm["options"]
    ]
    for key, column in named:
        if column not in items.columns:
            raise InputError(
                f"key `{key}` names {column!r}, which is no kept column of the data set; add it to "
                "key `columns.keep`"
            )
    if arm["options"]:
        check_options(items, "column")

    def taken(row: dict[str, Any]) -> dict[str, Any] | str:
        new: dict[str, Any] = {}
        if arm["column"] is not None:
            new["case"] = row[arm["column"]]
        if arm["options"]:
            new["options"] = [row[one] for one in arm["options"] if row[one] is not None]
            if len(new["options"]) != len(row["options"]):
                return "the item has another number of options in these columns"
            if len(set(new["options"])) < len(new["options"]):
                return "two of the other options are the same"
        if new.get("case", "") is None:
            return f"column {arm['column']!r} is empty"
        if all(row[key] == value for key, value in new.items()):
            return "the case reads so already"
        return new | {"change": "from " + ", ".join(column for _, column in named)}

    return changed_items(items, taken)
