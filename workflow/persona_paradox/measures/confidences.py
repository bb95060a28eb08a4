"""The confidences of a cell, and how well each matches how often it is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..names import CONFIDENCES
from .calibration import calibration_metrics
from .statistics import percentile_interval

Rows = list[dict[str, Any]]

# What being right means for a confidence that is not in the label that the answer gives; where
# several labels are right, a column of the scores says it.
_RIGHT = {
    "top_label": ("label_logprob_argmax", "correct_logprob"),
    "contextual_label": ("label_contextual", "correct_contextual"),
}
# Those that every study has; the others are options of a task. They are recalibrated too, in
# the main wording.
ALWAYS = ("top_label", "generated_label")

# Columns of a calibration measure.
SCHEMA = {
    "variant": pl.String,
    "confidence": pl.String,
    "recalibration": pl.String,
    "metric": pl.String,
    "n": pl.Int64,
    "n_without_confidence": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}

# Columns of the calibration of a cell: measures, bins of a reliability diagram (`bin`, `lower`,
# `upper`, `mean_confidence`), and points of a curve (`coverage`, `threshold`).
CALIBRATION = {
    "variant": pl.String,
    "confidence": pl.String,
    "recalibration": pl.String,
    "metric": pl.String,
    "bin": pl.Int64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "coverage": pl.Float64,
    "threshold": pl.Float64,
    "n": pl.Int64,
    "n_without_confidence": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "mean_confidence": pl.Float64,
}


def known(
    scores: pl.DataFrame,
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]]:
    """The confidences of the answers that have one.

    Args:
        scores: of one wording of a cell.

    Yields:
        Name of a confidence; which rows have it, shape (rows,); and of those, shape (n,), the
        confidence and whether it is right. A confidence that no row has is left out, unless
        every study has it.
    """
    for name, column in CONFIDENCES.items():
        label, said = _RIGHT.get(name, ("label", "correct"))
        right = pl.col(said) if said in scores.columns else pl.col(label) == pl.col("reference")
        has = scores[column].is_not_null().to_numpy()
        if has.any() or name in ALWAYS:
            correct = scores.select(right).to_series().to_numpy()[has].astype(bool)
            yield name, has, scores[column].to_numpy()[has], correct


def measures(
    about: dict[str, Any], confidence: Any, correct: Any, drawn: Any, settings: dict[str, Any]
) -> Rows:
    """All calibration measures of a confidence with their percentile intervals.

    Args:
        about: columns that are the same in every row.
        confidence: shape (n,).
        correct: shape (n,).
        drawn: what `calibration_draws` gives of them.
        settings: of the calibration.

    Returns:
        One row per metric.
    """
    rows: Rows = []
    for metric, value in calibration_metrics(confidence, correct, settings["bins"]).items():
        low, high = percentile_interval(drawn[metric], settings["confidence"])
        if np.isclose(low, high, rtol=1e-9, atol=0):
            # One item or cluster, drawn again and again, or a measure that is the same of all.
            low = high = np.array(np.nan)
        measure = {"n": len(confidence), "value": value, "low": float(low), "high": float(high)}
        rows.append(about | {"metric": metric} | measure)
    return rows
