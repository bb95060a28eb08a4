"""Measures in groups of items, as rows of a table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError
from . import statistics
from .answers import Scored, measured, measured_pair, number, shares_of_some
from .contrasts import RIGHT, paired
from .metric import Metric
from .pairs import tested
from .resampling import Resampled

SUBGROUP = {
    "backend": pl.String,
    "subgroup": pl.String,
    "group": pl.String,
    "relation": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    "n_invalid_baseline": pl.Int64,
    "n_refused": pl.Int64,
    "n_unreadable": pl.Int64,
    "small": pl.Boolean,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p": pl.Float64,
}
P_HOLM = {"p_holm": pl.Float64}


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


def subgroup_rows(
    this: Scored,
    mine: Resampled,
    baseline: tuple[Scored, Resampled] | None,
    metrics: tuple[Sequence[Metric], Sequence[Metric]],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Measures, and differences from the baseline, of the items of one group.

    Args:
        this: a persona's answers to these items.
        mine: their measures.
        baseline: the baseline's answers and their measures, or None for the baseline itself.
        metrics: the kind's, and those of pairs; what is compared is measured in groups.
        settings: the statistics'.
    """
    about = {
        "backend": this.backend,
        "n": this.n,
        "n_invalid": this.n_invalid,
        "n_invalid_baseline": None if baseline is None else baseline[0].n_invalid,
        "n_refused": this.n_refused,
        "n_unreadable": this.n_unreadable,
    }
    difference = None if baseline is None else mine - baseline[1]
    plain, of_pairs = metrics
    rows = []
    for metric in (one for one in (*plain, *of_pairs) if one.contrast != "none"):
        name = metric.id
        if name not in mine.point:
            continue
        if name in this.pairs:
            row = {**about, "metric": name, **measured_pair(metric, this, mine)}
            row |= {"n_invalid_baseline": None}
        else:
            row = {**about, "metric": name, **measured(name, this, mine)}
        row["small"] = row["n"] < settings["small_group_below"]
        if difference is not None and baseline is not None and name in difference.point:
            low, high = difference.interval(name)
            row |= {
                "difference": number(difference.point[name]),
                "difference_low": number(low),
                "difference_high": number(high),
                "p": number(difference.p_zero(name)),
            }
            if name in this.hits or name in shares_of_some(this):
                row["p"] = paired(name, this, baseline[0], settings).get("p", row["p"])
            elif name in this.pairs:
                row |= {
                    "p": tested(name, (this, baseline[0]), of_pairs, settings).get("p", row["p"])
                }
        rows.append(row)
    return rows


def with_holm(subgroups: pl.DataFrame) -> pl.DataFrame:
    """Add `p_holm`: the accuracy adjusted over all groups and personas of a model and task."""
    tested = (pl.col("metric") == RIGHT) & pl.col("p").is_not_null()
    p = subgroups.select(pl.when(tested).then("p").fill_null(np.nan)).to_series().to_numpy()
    return subgroups.with_columns(p_holm=pl.Series(statistics.holm(p)).fill_nan(None))
