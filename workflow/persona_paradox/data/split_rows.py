"""The rows of a data set's file that are on one side of its training split; see `split`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..errors import InputError
from .columns import ID, of
from .split import REST, side_of


def part_of(raw: pl.DataFrame, split: Mapping[str, Any] | None, name: str) -> pl.DataFrame:
    """The rows of one side of a split; all, where there is none.

    Args:
        raw: rows as text, with their ids.
        split: `share`, `seed`, perhaps `validation`, `by` (see `split_by`) and `part`, the side.
        name: the data set's file, in errors.

    Raises:
        InputError: no row is left.
    """
    if split is None:
        return raw
    keys = of(raw, ID)
    if split["by"] is not None:
        together = of(raw, split["by"])
        # What belongs to nothing stands for itself.
        keys = pl.select(pl.coalesce(together, keys)).to_series()
    sides = [side_of(key, split) == split["part"] for key in keys]
    found = raw.filter(pl.Series(sides, dtype=pl.Boolean))
    if found.is_empty():
        what = "the tasks that ask about the others" if split["part"] == REST else split["part"]
        raise InputError(
            f"{name}: key `training` leaves none of {raw.height} rows for {what}; change its "
            "`share`, `validation` or `seed`"
        )
    return found
