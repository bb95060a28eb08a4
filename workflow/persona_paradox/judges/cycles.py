"""Adapters of several cycles beside their base: every cycle's numbers, against those before all.

The items are the same in all cycles, and so are the bootstrap draws: differences are paired by
item. What tuning does to the effects of personas is in table `tuning`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..measures import contrasts
from ..measures.answers import Scored, measured
from ..measures.metric import Metric
from ..measures.resampling import Draws
from ..measures.statistics import holm
from ..names import ALL, RUBRIC_EXPECTED
from .assessment import LENGTH, Judged, contrast_rows, measure_rows
from .trust import TRUST

SCHEMA = {
    **dict.fromkeys(("family", "base", "model"), pl.String),
    "cycle": pl.Int64,
    "chosen": pl.String,
    **dict.fromkeys(("task", "context", "dataset", "persona"), pl.String),
    **dict.fromkeys(("judge", "category", "metric", "backend"), pl.String),
    **dict.fromkeys(("n", "n_invalid", "n_invalid_before"), pl.Int64),
    **dict.fromkeys(("value", "low", "high", "value_before"), pl.Float64),
    **dict.fromkeys(("difference", "difference_low", "difference_high"), pl.Float64),
    **dict.fromkeys(("n_gained", "n_lost"), pl.Int64),
    "test": pl.String,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    **TRUST,
}
# Of a row of a contrast, what it is called here.
_CONTRAST = {
    "n_invalid_baseline": "n_invalid_before",
    "baseline_value": "value_before",
    "difference": "difference",
    "low": "difference_low",
    "high": "difference_high",
    **{name: name for name in ("n_gained", "n_lost", "test", "p")},
}


def _compared(row: Mapping[str, Any]) -> dict[str, Any]:
    return {new: row[old] for old, new in _CONTRAST.items() if old in row}


def scored_rows(
    answers: Mapping[int, Scored], metrics: Sequence[Metric], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The rows of scored answers under one persona, from `cycle` on as in `SCHEMA`.

    Args:
        answers: cycle → answers to the same items; 0 is the base.
        metrics: the kind's; of those that personas are compared in there is a row.
        settings: the statistics'; differences here have no margins.

    Raises:
        ValueError: the items are not the same.
    """
    settings = {**settings, "margins": {}}
    first = answers[0]
    draws = Draws.of(first.clusters, settings)
    before = draws.measure(first.points)
    for cycle, this in answers.items():
        if not this.item_ids.equals(first.item_ids):
            raise ValueError("cycles need the same items")
        values = draws.measure(this.points), before
        found: dict[str, dict[str, Any]] = {}
        if cycle:
            rows = contrasts.contrast_rows(
                (this, first), values[0] - before, values, metrics, settings
            )
            found = {row["metric"]: _compared(row) for row in rows}
        for metric in metrics:
            if metric.contrast != "none" and metric.id in values[0].point:
                about = {"cycle": cycle, "metric": metric.id, "category": ALL}
                about |= {"backend": this.backend, "n": this.n, "n_invalid": this.n_invalid}
                about |= measured(metric.id, this, values[0])
                yield about | found.get(metric.id, {})


def judged_rows(
    answers: Mapping[int, Judged],
    groups: Mapping[str, NDArray[np.bool_]],
    settings: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """The same of judged answers, in all groups of their items.

    Args:
        answers: cycle → judged answers to the same items; 0 is the base.
        groups: name → mask of shape (items,).
        settings: the statistics'.

    Raises:
        ValueError: the items are not the same.
    """
    settings = {**settings, "margins": {}}
    if any(this.item_ids != answers[0].item_ids for this in answers.values()):
        raise ValueError("cycles need the same items")
    draws = Draws.of(answers[0].clusters, settings)
    for category, inside in groups.items():
        among, first = draws.among(inside), answers[0].among(inside)
        before = among.measure(first.points)
        for cycle, whole in answers.items():
            this = whole.among(inside)
            values = among.measure(this.points), before
            found: dict[str, dict[str, Any]] = {}
            if cycle:
                rows = contrast_rows((this, first), values, settings)
                found = {row["metric"]: _compared(row) for row in rows}
            for row in measure_rows(this, values[0]):
                about = {"cycle": cycle, "category": category, "n_invalid": row.pop("n_unjudged")}
                yield about | row | found.get(row["metric"], {})


def with_holm(table: pl.DataFrame, metrics: Sequence[str]) -> pl.DataFrame:
    """Add `p_holm`: adjusted over cycles, personas and metrics of a family, task and judge.

    Of scored answers in the metrics of the study's family, of judged ones in all but the length,
    on all items; as the tables of contrasts do.

    Args:
        table: rows of `SCHEMA`, without it.
        metrics: of the statistics' family.
    """
    scored = pl.col("judge").is_null() & pl.col("metric").is_in(list(metrics))
    judged = pl.col("judge").is_not_null() & ~pl.col("metric").is_in([LENGTH, RUBRIC_EXPECTED])
    inside = (pl.col("category") == ALL) & pl.col("p").is_not_null() & (scored | judged)
    numbered = table.with_row_index("row")
    tested = numbered.filter(inside)
    adjusted = [
        part.select("row", p_holm=pl.Series(holm(part["p"].to_numpy()), dtype=pl.Float64))
        for part in tested.partition_by("family", "base", "task", "judge", maintain_order=True)
    ]
    empty = tested.select("row", p_holm="p").clear()
    return (
        numbered.drop("p_holm", strict=False)
        .join(pl.concat([empty, *adjusted]), on="row", how="left", maintain_order="left")
        .select(*SCHEMA)
    )
