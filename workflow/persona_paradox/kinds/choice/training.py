"""What a model is trained to answer: the label of the right option, where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .letters import places
from .order import seed_of, shown

# Between the labels of a set of options.
_BETWEEN = ", "


def completions(items: pl.DataFrame, view: Mapping[str, Any]) -> pl.Series:
    """The right answer to every item, as the task calls it.

    Args:
        items: with `reference`, `options` and `order`.
        view: `labels` in the order in which they are shown, `select`, and perhaps `order_seed`. Of
            several options that are right, one is answered where the task asks for one: the first
            that is shown.
    """
    return pl.Series(
        [_completion(row, view) for row in items.iter_rows(named=True)], dtype=pl.String
    )


def _completion(row: Mapping[str, Any], view: Mapping[str, Any]) -> str | None:
    if row["reference"] is None:
        return None
    right = places(row["reference"])
    labels = [
        label
        for label, place in zip(view["labels"], shown(row, seed_of(view)), strict=False)
        if place in right
    ]
    return _BETWEEN.join(labels if view["select"] == "all" else labels[:1])
