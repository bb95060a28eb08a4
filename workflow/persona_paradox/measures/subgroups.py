"""Measures in groups of items, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

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
