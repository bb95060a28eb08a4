"""The case in a frame of words, one of several that is drawn for the item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import framed, with_cases
from ..orders import shuffled


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put every case into one of `frames`, word for word; see `changes`.

    Args:
        items: of the base's data set.
        arm: `frames`, texts with the place `{case}`, whose other places are filled from columns;
            `seed` of the draw, which is the same for an item in every arm with as many frames.

    Returns:
        The items; `change` is the frame, with its place.
    """
    frames = arm["frames"]

    def put(row: dict[str, Any]) -> tuple[str, str] | str:
        # All are tried, so that a frame that cannot be used is told whichever is drawn.
        made = [framed(one, row, row["case"], f"frames.{i}") for i, one in enumerate(frames)]
        drawn = shuffled(row["item_id"], len(frames), arm["seed"])[0]
        case = made[drawn]
        return (
            f"a column of key `frames.{drawn}` is empty" if case is None else (case, frames[drawn])
        )

    return with_cases(items, put)
