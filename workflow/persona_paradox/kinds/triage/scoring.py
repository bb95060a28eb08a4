"""What an answer says of a case: a label, and how far its level is from the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ...data.items import is_null_case
from ..labelled import scoring as labelled


def _schema() -> dict[str, Any]:
    """That of `labelled`, and the level error and what high acuity has, each behind its kin."""
    found: dict[str, Any] = {}
    for column, kind in labelled.SCHEMA.items():
        if column == "correct":
            found["level_error"] = pl.Int64
        found[column] = kind
        if column == "margin":
            found["high_acuity_probability"] = pl.Float64
    return found


SCHEMA = _schema()


def score(
    responses: pl.DataFrame,
    items: pl.DataFrame,
    scoring: Mapping[str, Any],
    verbalized: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Score every answer of a cell.

    Args:
        responses: see `labelled.scoring.score`.
        items: see there.
        scoring: the task's view, with `levels` from the most urgent and `high_acuity` besides.
        verbalized: see there.

    Returns:
        A table of `SCHEMA`, one row per answer to an item. `level_error` counts levels, positive
        for over-triage; `high_acuity_probability` is that of all labels of such levels together.
    """
    scores = labelled.score(responses, items, scoring, verbalized)
    label_of = {entry["level"]: entry["label"] for entry in scoring["labels"]}
    # Urgency counts down from 0, the most urgent.
    urgency = {label_of[level]: i for i, level in enumerate(scoring["levels"])}
    high = np.array([entry["level"] in scoring["high_acuity"] for entry in scoring["labels"]])
    answered = responses.filter(~is_null_case())["label_logprob"].to_list()
    shares = [labelled.probabilities(logprob) for logprob in answered]
    pairs = scores.select("reference", "label").iter_rows()
    return scores.with_columns(
        level_error=pl.Series(
            [None if label is None else urgency[right] - urgency[label] for right, label in pairs],
            dtype=pl.Int64,
        ),
        high_acuity_probability=pl.Series(
            [None if p is None else float(p[high].sum()) for p in shares], dtype=pl.Float64
        ),
    ).select(list(SCHEMA))
