"""Whether personas that stand apart on the axis answer otherwise: rank correlations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import atanh, sqrt, tanh
from typing import Any

import polars as pl
import scipy
from scipy.special import ndtri

EFFECTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "task": pl.String,
    "layer": pl.Int64,
    "depth": pl.Float64,
    "effect_task": pl.String,
    "same_items": pl.Boolean,
    "metric": pl.String,
    "n_personas": pl.Int64,
    "correlation": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}

# Fewer have no interval.
FEWEST = 4


def spearman(
    first: Sequence[float], second: Sequence[float], confidence: float
) -> tuple[float | None, float | None, float | None]:
    """Spearman's rank correlation with its interval (Bonett and Wright 2000), by Fisher's z.

    None where a side does not vary; no interval of fewer than `FEWEST` pairs, or of a perfect one.
    """
    if len(first) < 3 or len({*first}) == 1 or len({*second}) == 1:
        return None, None, None
    value = float(scipy.stats.spearmanr(first, second).statistic)
    if len(first) < FEWEST or abs(value) > 1 - 1e-12:
        return value, None, None
    reach = float(ndtri((1 + confidence) / 2)) * sqrt((1 + value**2 / 2) / (len(first) - 3))
    return value, tanh(atanh(value) - reach), tanh(atanh(value) + reach)


def effect_rows(
    positions: pl.DataFrame, contrasts: pl.DataFrame, view: Mapping[str, Any], confidence: float
) -> Iterator[dict[str, Any]]:
    """A row for every layer that was read and every measured effect of the same model.

    Args:
        positions: table of `positions.AXIS`.
        contrasts: the study's; those of main wordings with the baseline count.
        view: of the axis.
        confidence: of intervals.
    """
    metrics = view["metrics"]
    asked = contrasts.filter(
        pl.col("metric").is_in(metrics),
        pl.col("difference").is_not_null(),
        pl.col("confidence").is_null(),
        variant="main",
        against="persona",
    )
    places = ("model", "task", "layer", "depth")
    read = positions.filter(turn=0)
    for place, own in read.group_by(places, maintain_order=True):
        where = dict(zip(places, place, strict=True))
        at = dict(own.select("persona", "position").drop_nulls().iter_rows())
        effects = asked.filter(model=where["model"])
        for (task, metric), part in effects.group_by("task", "metric", maintain_order=True):
            both = part.filter(
                pl.col("persona").is_in(list(at)), ~pl.col("persona").is_in(view["steered"])
            )
            value, low, high = spearman(
                [at[persona] for persona in both["persona"]],
                both["difference"].to_list(),
                confidence,
            )
            yield where | {
                "effect_task": task,
                "same_items": view["measured"][task] == view["tasks"][where["task"]]["dataset"],
                "metric": metric,
                "n_personas": both.height,
                "correlation": value,
                "low": low,
                "high": high,
            }
