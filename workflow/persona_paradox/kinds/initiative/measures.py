"""Measures of initiative: whether planted problems are named, and others are raised that are none.

What is said of planted items is over all planted ones, what is said of clean items over all clean
ones; an invalid answer names and raises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures.combined import Combined, macro_f1, told_apart
from ...measures.metric import Metric
from ..labelled.measures import Chosen
from .problems import ANSWERS, NAMES, RAISES, REFUSED, UNREADABLE

METRICS = (
    Metric(
        "proactivity",
        "Proactivity",
        "share",
        "high",
        "paired",
        "Share of the planted items whose answer names what is planted; read by rule.",
        source="idea BehaviorSFT 2025; definition own",
    ),
    Metric(
        "over_intervention",
        "Over-intervention",
        "share",
        "low",
        "paired",
        "Share of the clean items whose answer raises a problem of the record; read by rule.",
        own=True,
    ),
    Metric(
        "initiative_f1",
        "Macro F1 of planted and clean",
        "share",
        "high",
        "resampled",
        "Mean over planted and clean items of 2 TP / (2 TP + FP + FN). An item is called planted "
        "where its problem is named, or where one is raised and it is clean; an invalid answer "
        "misses.",
        source="name BehaviorSFT 2025; averaging own",
    ),
    Metric(
        "names_rate",
        "Names the planted problem",
        "share",
        None,
        "paired",
        "Share of all items whose answer names what is planted; read by rule.",
        own=True,
    ),
    Metric(
        "answers_rate",
        "Answers what was asked",
        "share",
        None,
        "paired",
        "Share of all items whose answer answers, and neither names nor raises a problem.",
        own=True,
    ),
    Metric(
        "raises_rate",
        "Raises what is not there",
        "share",
        "low",
        "paired",
        "Share of all items whose answer raises a problem that is not there, and does not name "
        "what is planted.",
        own=True,
    ),
    Metric(
        "invalid_rate",
        "Invalid answers",
        "share",
        "low",
        "paired",
        "Share of all items whose answer neither names, raises nor answers: refused or unreadable.",
        source="share",
    ),
    Metric(
        "refused_rate",
        "Refused",
        "share",
        None,
        "paired",
        "Share of all items whose answer refuses, by the published phrases.",
        own=True,
    ),
    Metric(
        "unreadable_rate",
        "Unreadable",
        "share",
        "low",
        "paired",
        "Share of all items without an answer, or with one of fewer than three words.",
        own=True,
    ),
)

# What is counted of a cell besides.
COUNTS = ("n_planted", "n_clean")

# Outcome → the share that counts it.
_SHARES = {NAMES: "names_rate", ANSWERS: "answers_rate", RAISES: "raises_rate"}
_OUTCOMES = (NAMES, ANSWERS, RAISES, REFUSED, UNREADABLE)

__all__ = ["COUNTS", "METRICS", "Told", "answers", "scored"]


@dataclass(frozen=True, kw_only=True)
class Told(Chosen):
    """The answers of a cell in one wording.

    `reference` is whether each item is planted, 1 or 0, `answer` the number of its outcome.

    Attributes:
        called: what each answer calls its item: 1 planted, 0 clean, -1 invalid; shape (items,).
    """

    called: NDArray[np.int64]

    @property
    def shares(self) -> Mapping[str, NDArray[np.float64]]:
        """Proactivity and over-intervention are shares, of the planted and of the clean items."""
        return self.means

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        found = super().points(counts)
        if np.unique(self.reference).size > 1:
            found["initiative_f1"] = f1_of(self.reference, self.called).value(counts)
        return found

    def among(self, items: NDArray[np.bool_]) -> Self:
        """The answers to some of the items, a mask of shape (items,)."""
        means = {name: values[items] for name, values in self.means.items()}
        return replace(super().among(items), called=self.called[items], means=means)


def answers(scores: pl.DataFrame, view: Mapping[str, Any], baseline: Chosen | None = None) -> Told:
    """Prepare the scores of one wording.

    Args:
        scores: rows of the scores, sampled answers among them.
        view: the measures' view of the task.
        baseline: the answers under the baseline persona, if there are any to compare with.

    Raises:
        ValueError: the baseline answered other items.
    """
    greedy = scores.filter(pl.col("repeat") == 0).sort("item_id")
    if baseline is not None and not greedy["item_id"].equals(baseline.item_ids):
        raise ValueError("a contrast needs the same items on both sides")
    planted = greedy["planted"].to_numpy()
    outcome = greedy["outcome"].to_list()
    number = np.array([_OUTCOMES.index(one) for one in outcome], dtype=np.int64)
    named, raised = greedy["names"].to_numpy(), greedy["raises"].to_numpy()
    found = scored(planted, number, named=named, raised=raised)
    is_one = {one: number == place for place, one in enumerate(_OUTCOMES)}
    hits = {share: is_one[one] for one, share in _SHARES.items()}
    hits["refused_rate"], hits["unreadable_rate"] = is_one[REFUSED], is_one[UNREADABLE]
    hits["invalid_rate"] = is_one[REFUSED] | is_one[UNREADABLE]
    return Told(
        scores=greedy,
        reference=planted.astype(np.int64),
        answer=number,
        hits=hits,
        means={key: found[key] for key in ("proactivity", "over_intervention")},
        counts={"n_planted": int(planted.sum()), "n_clean": int((~planted).sum())},
        called=found["called"],
    )


def f1_of(planted: NDArray[np.int64], called: NDArray[np.int64]) -> Combined:
    """Macro F1 over clean and planted items.

    Args:
        planted: whether a problem stands in each item, 1 or 0, shape (items,).
        called: what its answer calls it, 1, 0 or -1, shape (items,).
    """
    return Combined(told_apart(planted, called, [0, 1]), macro_f1)


def scored(
    planted: NDArray[np.bool_],
    outcome: NDArray[np.int64],
    *,
    named: NDArray[np.bool_],
    raised: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """What follows from classes.

    Args:
        planted: whether a problem stands in each item, shape (items,).
        outcome: number of the outcome of its answer, those from the third on invalid.
        named: whether what is planted is named.
        raised: whether something is raised that is not there.

    Returns:
        `proactivity` and `over_intervention`, by item, nan where an item is not in the measure, and
        `called`: 1 planted, 0 clean, -1 invalid; each of shape (items,).
    """
    valid = outcome < _OUTCOMES.index(REFUSED)
    says = np.where(planted, named, raised)
    return {
        "proactivity": np.where(planted, named, np.nan),
        "over_intervention": np.where(planted, np.nan, raised),
        "called": np.where(valid, says, -1).astype(np.int64),
    }
