"""The user says something behind the answer: the items stay, and every chat goes on.

What is said are the arm's `turns`, which become those of its task (see `study/turns.py`). Where
they name an answer, the items have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items
from ..naming import check_nameable, drawn


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Leave every item as it is, and mark it as changed: all are asked about again.

    Args:
        items: of the base's data set.
        arm: perhaps `names`, `seed` and `answers`, as of rule `name_option`: the items then have
            the place of the answer that is named (`named`), its text and what a model writes for
            it. Of an item that has none of that sort nothing more is asked.
    """
    if "names" in arm:
        return _naming(items, arm)
    return items.with_columns(
        changed=pl.lit(value=True),
        change=pl.lit("the user goes on behind the answer"),
        unchanged=pl.lit(None, dtype=pl.String),
    )


def _naming(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    check_nameable(items, arm["answers"], "turns")

    def named(row: dict[str, Any]) -> dict[str, Any] | str:
        found = drawn(row, arm)
        if found is None:
            return f"no option is {arm['names']}"
        return {
            "named": found.place,
            "named_option": found.option,
            "named_letter": found.letter,
            "change": f"behind the answer the user names {found.option!r}",
        }

    added = {"named": pl.Int64(), "named_option": pl.String(), "named_letter": pl.String()}
    made = changed_items(items, named, added)
    return made.with_columns(changed=pl.col("change").is_not_null())
