"""Scores: what an answer says, and how far it is from the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from .answers import parse_label

SCHEMA = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
    "reference": pl.String,
    "label": pl.String,
    "label_logprob_argmax": pl.String,
    "parse_status": pl.String,
    "level_error": pl.Int64,
    "correct": pl.Boolean,
    "confidence": pl.Float64,
    "confidence_generated": pl.Float64,
    "entropy": pl.Float64,
    "margin": pl.Float64,
    "high_acuity_probability": pl.Float64,
    "label_mass": pl.Float64,
    "finish_reason": pl.String,
    "backend": pl.String,
}


def score(responses: pl.DataFrame, items: pl.DataFrame, scoring: Mapping[str, Any]) -> pl.DataFrame:
    """Score every answer of a cell.

    Args:
        responses: columns of a response; `label_logprob` in the order of the task's labels.
        items: columns `item_id` and `reference` (level).
        scoring: the task's view: `labels` (label and level), `levels` from the most urgent,
            `high_acuity`.

    Returns:
        A table of `SCHEMA`, one row per answer. `reference`, `label` and `label_logprob_argmax`
        are labels of the task; `level_error` counts levels, positive for over-triage; entropy is
        in nats; probabilities are a softmax over the labels.
    """
    labels = [entry["label"] for entry in scoring["labels"]]
    label_of = {entry["level"]: entry["label"] for entry in scoring["labels"]}
    urgency = {label_of[level]: i for i, level in enumerate(scoring["levels"])}
    high = [entry["level"] in scoring["high_acuity"] for entry in scoring["labels"]]
    reference_of = dict(items.select("item_id", "reference").iter_rows())
    rows = []
    for row in responses.iter_rows(named=True):
        reference = label_of[reference_of[row["item_id"]]]
        label, status = parse_label(row["text"], labels)
        rows.append(
            {
                **{key: row[key] for key in ("item_id", "prompt_id", "variant", "repeat")},
                "reference": reference,
                "label": label,
                "parse_status": status,
                # Urgency counts down from 0, the most urgent.
                "level_error": None if label is None else urgency[reference] - urgency[label],
                "correct": label == reference,
                "label_mass": row["label_mass"],
                "finish_reason": row["finish_reason"],
                "backend": row["backend"],
                **_confidence(row["label_logprob"], label, labels, high),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def _confidence(
    logprob: Sequence[float] | None, label: str | None, labels: Sequence[str], high: Sequence[bool]
) -> dict[str, Any]:
    """What the label probabilities say; nothing where there are none."""
    if logprob is None or max(logprob) == -np.inf:
        # Among the tokens that a server lists there may be no label at all.
        return {}
    values = np.asarray(logprob)
    log_p = values - np.logaddexp.reduce(values)
    p = np.exp(log_p)
    first, second = np.sort(p)[::-1][:2]
    return {
        # The first of equal labels, in the task's order.
        "label_logprob_argmax": labels[int(np.argmax(values))],
        "confidence": float(first),
        "confidence_generated": None if label is None else float(p[labels.index(label)]),
        "entropy": float(-(p * np.where(p > 0, log_p, 0.0)).sum()),
        "margin": float(first - second),
        "high_acuity_probability": float(p[np.asarray(high)].sum()),
    }
