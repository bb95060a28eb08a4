"""The options of a question in another order, for what an answer owes to their places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...errors import InputError
from ..orders import shuffled


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Move the options from where the task shows them; see `changes`.

    Args:
        items: of the base's data set, with `options`.
        arm: `rotate`, by how many positions they move up, the first ones to the end; or `shuffle`
            and `seed`.

    Returns:
        The items with an `order`: for every position, the position that the task would show there.
        Case, options and reference stay.
    """
    if "options" not in items.columns:
        raise InputError(
            "key `rule` is 'order', but the data set's items have no options of their own; use "
            "another rule"
        )
    orders, done, why = [], [], []
    for row in items.iter_rows(named=True):
        k = len(row["options"])
        order = (
            shuffled(row["item_id"], k, arm["seed"])
            if "shuffle" in arm
            else [(position + arm["rotate"]) % k for position in range(k)]
        )
        same = order == list(range(k))
        orders.append(None if same else order)
        listed = ", ".join(str(position + 1) for position in order)
        done.append(None if same else f"options in the order {listed}")
        why.append("the order is the same" if same else None)
    return items.with_columns(
        pl.Series("order", orders, dtype=pl.List(pl.Int64)),
        pl.Series("change", done, dtype=pl.String),
        pl.Series("unchanged", why, dtype=pl.String),
    )
