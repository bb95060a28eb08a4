"""An arm's answers against the same persona's to the unchanged cases: what urgency adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ...measures.metric import Metric
from ..labelled import pairs as labelled
from ..labelled.measures import Chosen
from ..labelled.pairs import Floats, probabilities, where

METRICS = (
    *labelled.METRICS,
    Metric(
        "expected_level_change",
        "Change of the expected level",
        "levels",
        None,
        "resampled",
        "Mean of Σ k p(k) with the change minus that without, k counted from the most urgent "
        "level; negative is more urgent.",
        own=True,
    ),
    Metric(
        "directional",
        "Changes in the right direction",
        "share",
        "high",
        "paired",
        "Share of the items whose expected level moves towards urgent where the change is worse, "
        "and away where it is better; zeros of either are left out.",
        source="as published with DeVisE (arXiv:2506.15339)",
    ),
)


def pairs(
    this: Chosen, before: Chosen, items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, Floats]:
    """What an arm does to every case.

    Args:
        this: the answers to the cases of the arm.
        before: those to the unchanged cases.
        items: see `labelled.pairs.pairs`; with `severity` perhaps, the change of severity, positive
            for worse.
        view: the measures' view of the task.
    """
    found = labelled.pairs(this, before, items, view)
    changed = items["changed"].fill_null(value=False).to_numpy()
    moved = where(changed, expected_level(this) - expected_level(before))
    found["expected_level_change"] = moved
    if "severity" in items.columns:
        severity = items["severity"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        both = (severity * moved != 0) & ~np.isnan(severity * moved)
        # Urgency counts down: worse is a lower level.
        found["directional"] = where(both, np.sign(severity) == -np.sign(moved))
    return found


# Urgency counts down.
OUTCOMES = {"expected_level": -1, **labelled.OUTCOMES}


def outcomes(this: Chosen) -> dict[str, Floats]:
    """The values of `OUTCOMES`, each of shape (items,), nan where an item has none."""
    return {"expected_level": expected_level(this), **labelled.outcomes(this)}


def expected_level(this: Chosen) -> Floats:
    """Σ k p(k) of every case, k counted from 0, the most urgent; shape (items,)."""
    p = probabilities(this)
    found: Floats = p @ np.arange(p.shape[1])
    return found
