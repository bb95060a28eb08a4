"""What is measured of a coin: all that a choice has, and how often the answer is heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from ...measures.metric import Metric
from ..labelled import measures as labelled
from ..labelled.measures import COUNTS, Chosen

METRICS = (
    *labelled.METRICS,
    Metric(
        "heads_rate",
        "Heads",
        "share",
        None,
        "paired",
        "Share of all tosses that are answered with heads.",
        own=True,
    ),
)

__all__ = ["COUNTS", "METRICS", "answers"]


def answers(
    scores: pl.DataFrame, view: Mapping[str, Any], baseline: Chosen | None = None
) -> Chosen:
    """Prepare the scores of one wording; see `labelled.measures.answers`."""
    chosen = labelled.answers(scores, view, baseline)
    heads = view["levels"].index("heads")
    return replace(chosen, hits=chosen.hits | {"heads_rate": chosen.answer == heads})
