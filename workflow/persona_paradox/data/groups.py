"""The groups of the items of a data set, as its file declares them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError


def groups_of(
    items: pl.DataFrame, subgroup: Mapping[str, Any], name: str = "config/datasets"
) -> pl.Series:
    """Group of every item, by its kept column; `not recorded` where that is empty.

    Args:
        items: the data set, with the column.
        subgroup: `id`, `column`, and `values` (value → group) or `cuts` (lower bounds of bands).
        name: the data set's file, named in errors.

    Raises:
        InputError: a value of a column with bands is no number, or one that `values` does not map.
    """
    values: pl.Series = items[subgroup["column"]]
    groups, wrong, why = values, pl.repeat(value=False, n=len(values), eager=True), ""
    if "values" in subgroup:
        groups = values.replace_strict(subgroup["values"], default=None, return_dtype=pl.String)
        wrong = values.is_not_null() & groups.is_null()
        why = f"`values` does not map; the set is {', '.join(subgroup['values'])}"
    elif "cuts" in subgroup:
        cuts, names = subgroup["cuts"], _bands(subgroup["cuts"])
        numbers = values.cast(pl.Float64, strict=False)
        # Of a number that is none it would be said that it is the largest.
        wrong = values.is_not_null() & ~numbers.is_finite().fill_null(value=False)
        why = "`cuts` cannot put into a band, as it is no number; mend it, or list it in key "
        why += "`format.missing` where it stands for nothing"
        place = np.searchsorted(cuts, numbers.fill_null(np.nan).to_numpy(), side="right")
        groups = pl.Series([names[i] for i in place], dtype=pl.String)
        groups = pl.select(pl.when(numbers.is_not_null()).then(groups)).to_series()
    if wrong.any():
        item, value = items.filter(wrong).select("item_id", subgroup["column"]).row(0)
        raise InputError(
            f"{name}: item {item} has {value!r} in column {subgroup['column']!r}, which key "
            f"`subgroups.{subgroup['id']}` with {why}"
        )
    named: pl.Series = groups.fill_null("not recorded").alias(subgroup["id"])
    return named


def ordered_groups(groups: pl.Series, subgroup: Mapping[str, Any]) -> list[str]:
    """The groups that there are: as `subgroup` declares them, then any others by name."""
    declared = list(dict.fromkeys(subgroup.get("values", {}).values()))
    if "cuts" in subgroup:
        declared = _bands(subgroup["cuts"])
    found = groups.unique().sort().to_list()
    return [g for g in declared if g in found] + [g for g in found if g not in declared]


def _bands(cuts: Sequence[float]) -> list[str]:
    """Names of the bands between lower bounds."""
    between = (f"{a:g} to under {b:g}" for a, b in itertools.pairwise(cuts))
    return [f"under {cuts[0]:g}", *between, f"{cuts[-1]:g} and over"]
