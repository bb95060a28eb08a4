"""The table of cells, for readers: one row per cell and wording, one column per measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .metric import Metric

# Calibration that stands beside the accuracy in the table of cells; the table of calibration has
# it all.
HEADLINES = (
    "ece_equal_width",
    "ece_equal_mass",
    "smooth_ece",
    "brier",
    "log_loss",
    "mean_confidence",
    "accuracy",
    "overconfidence",
)
# The confidences that every study has.
SHOWN = ("top_label", "generated_label")

COUNTED = ("n", "n_invalid", "n_refused", "n_unreadable")
_PARTS = {"": "value", "_low": "low", "_high": "high"}


def schema(metrics: Sequence[Metric], counts: Sequence[str], *, labels: bool) -> dict[str, Any]:
    """Columns of the cells of a kind, behind those that say which cell it is.

    Args:
        metrics: the kind's.
        counts: what it counts besides.
        labels: whether its answers are labels, whose confidences are calibrated.
    """
    names = [metric.id for metric in metrics]
    columns: dict[str, Any] = {"backend": pl.String}
    columns |= dict.fromkeys((*COUNTED, *counts), pl.Int64)
    columns |= {f"{name}{part}": pl.Float64 for name in names for part in _PARTS}
    for confidence in SHOWN if labels else ():
        columns |= {f"{n}_{confidence}{p}": pl.Float64 for n in HEADLINES for p in _PARTS}
        columns[f"n_{confidence}"] = pl.Int64
    return columns


def row(measures: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> dict[str, Any]:
    """The long rows of one cell in one wording, of all items, as one row.

    Args:
        measures: rows with `metric`, `confidence`, `value`, `low`, `high` and what is counted.
        counts: what the kind counts besides.
    """
    first = measures[0]
    wide = {key: first[key] for key in ("backend", *COUNTED)} | dict(counts)
    for one in measures:
        name, confidence = one["metric"], one["confidence"]
        if confidence is not None:
            if confidence not in SHOWN or name not in HEADLINES:
                continue
            name = f"{name}_{confidence}"
            wide[f"n_{confidence}"] = one["n"]
        wide |= {f"{name}{part}": one[key] for part, key in _PARTS.items()}
    return wide
