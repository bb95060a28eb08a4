"""An arm's answers against the same persona's to the unchanged items, where answers are labels.

Every measure is a mean over items, nan where an item has none: where the arm could not change it,
or where the measure is of some of the items only. An answer without a label, refused or unreadable,
is a wrong one, as in the accuracy; it is never the option that an arm names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures.metric import Metric
from .measures import Chosen

Floats = NDArray[np.float64]

METRICS = (
    Metric(
        "flip_rate",
        "Answers that flip",
        "share",
        None,
        "paired",
        "Share of the changed items that are answered otherwise than unchanged, two answers "
        "without a label being the same.",
        source="share; that an answer without a label is one of its own is own",
    ),
    Metric(
        "flip_right_to_wrong",
        "Flips from right to wrong",
        "share",
        "low",
        "paired",
        "Share of the changed items that were right and are not any more.",
        source="share",
    ),
    Metric(
        "flip_wrong_to_right",
        "Flips from wrong to right",
        "share",
        "high",
        "paired",
        "Share of the changed items that were not right and are now.",
        source="share",
    ),
    Metric(
        "flip_wrong_to_wrong",
        "Flips between wrong answers",
        "share",
        None,
        "paired",
        "Share of the changed items that are answered wrong in two ways; without a label is one.",
        source="share",
    ),
    Metric(
        "flip_invalid",
        "Flips to or from an invalid answer",
        "share",
        None,
        "paired",
        "Share of the changed items with a label on one side only: flips that say nothing of "
        "another choice.",
        own=True,
    ),
    Metric(
        "lost",
        "Lost of the right ones",
        "share",
        "low",
        "paired",
        "Share of the changed items that were right which are not any more.",
        source="share",
    ),
    Metric(
        "gained",
        "Gained of the wrong ones",
        "share",
        "high",
        "paired",
        "Share of the changed items that were not right which are now.",
        source="share",
    ),
    Metric(
        "kl",
        "Shift of the probabilities",
        "nats",
        None,
        "resampled",
        "Mean of Σ p log(p / q) over the labels of the unchanged item, p with the change and q "
        "without.",
        source="Kullback and Leibler 1951",
    ),
    Metric(
        "p_right_change",
        "Change of the right label's probability",
        "share",
        "high",
        "resampled",
        "Mean of the probability of the right label with the change minus that without; each by "
        "its own key.",
        own=True,
    ),
    # Of arms whose sentence names an option.
    Metric(
        "adopted",
        "Named option adopted",
        "share",
        None,
        "paired",
        "Share of the changed items answered with the option that the arm names, of those that "
        "were not before.",
        own=True,
    ),
    Metric(
        "adopted_of_right",
        "Named option adopted by the right ones",
        "share",
        None,
        "paired",
        "The same of those items that were right before.",
        own=True,
    ),
    Metric(
        "named_rate",
        "Answers with the named option",
        "share",
        None,
        "paired",
        "Share of the changed items answered with the option that the arm names, also where they "
        "were before.",
        source="share; that an unreadable answer is none of them is own",
    ),
    Metric(
        "p_named_change",
        "Change of the named option's probability",
        "share",
        None,
        "resampled",
        "Mean of the probability of the named option with the change minus that without.",
        own=True,
    ),
)


def pairs(
    this: Chosen, before: Chosen, items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, Floats]:
    """What an arm does to every item.

    Args:
        this: the answers to the items of the arm.
        before: those to the unchanged items, in the same order.
        items: the arm's, in this order, with `changed`, and perhaps `named`, the place of the
            option that the arm names.
        view: the measures' view of the task.

    Returns:
        Id of a measure → values of the items, shape (items,), nan where an item has none.
    """
    changed = items["changed"].fill_null(value=False).to_numpy()
    right, was_right = this.hits["accuracy"], before.hits["accuracy"]
    flips = this.differs(before)
    invalid = (this.answer < 0) != (before.answer < 0)
    found = {
        "flip_rate": where(changed, flips),
        "flip_right_to_wrong": where(changed, was_right & ~right),
        "flip_wrong_to_right": where(changed, ~was_right & right),
        "flip_wrong_to_wrong": where(changed, ~was_right & ~right & flips),
        "flip_invalid": where(changed, invalid),
        "lost": where(changed & was_right, ~right),
        "gained": where(changed & ~was_right, right),
    }
    p, q = probabilities(this), probabilities(before)
    found["kl"] = where(changed, divergence(p, q))
    found["p_right_change"] = where(changed, p_right(this, p) - p_right(before, q))
    if "named" in items.columns:
        named = items["named"].fill_null(-1).to_numpy()
        names = changed & (named >= 0)
        taken, was = this.answer == named, before.answer == named
        found["adopted"] = where(names & ~was, taken)
        found["adopted_of_right"] = where(names & ~was & was_right, taken)
        found["named_rate"] = where(names, taken)
        found["p_named_change"] = where(names, at(p, named) - at(q, named))
    return found


# What arms of one attribute are compared in, each with which way worse is: up, down, or neither.
OUTCOMES = {"p_right": 0, "accuracy": 0}


def outcomes(this: Chosen) -> dict[str, Floats]:
    """The values of `OUTCOMES`, each of shape (items,), nan where an item has none."""
    return {
        "p_right": p_right(this, probabilities(this)),
        "accuracy": this.hits["accuracy"].astype(np.float64),
    }


def where(mask: NDArray[np.bool_], values: NDArray[Any]) -> Floats:
    """The values of some items, nan for all others; shape (items,)."""
    return np.where(mask, values.astype(np.float64), np.nan)


def probabilities(this: Chosen) -> Floats:
    """Of the labels of every item, shape (items, labels); nan where an item has no such label."""
    listed = this.scores["label_probabilities"].to_list()
    width = max((len(p) for p in listed if p is not None), default=1)
    found = np.full((len(listed), width), np.nan)
    for row, p in zip(found, listed, strict=True):
        if p is not None:
            row[: len(p)] = p
    return found


def at(p: Floats, place: NDArray[np.integer[Any]]) -> Floats:
    """The probability of one label of every item, shape (items,); nan where there is none."""
    inside = (place >= 0) & (place < p.shape[1])
    found: Floats = np.where(inside, p[np.arange(len(p)), np.where(inside, place, 0)], np.nan)
    return found


def p_right(this: Chosen, p: Floats) -> Floats:
    """The probability of the right label of every item, shape (items,)."""
    return at(p, this.reference)


def divergence(p: Floats, q: Floats) -> Floats:
    """Σ p log(p / q) over the labels that q has, p made to add up to 1 over these.

    Args:
        p: probabilities of labels, shape (items, labels); those of further labels are left out.
        q: the same of the unchanged items.

    Returns:
        In nats, shape (items,); nan where either side has no probabilities, or where it is infinite
        because q is 0 where p is not, as with a server that does not list a label.
    """
    width = min(p.shape[1], q.shape[1])
    p, q = p[:, :width], q[:, :width]
    known = ~np.isnan(q)
    # A label that only one side has is in neither sum.
    lacking = (known & np.isnan(p)).any(axis=1) | ~known.any(axis=1)
    inside = np.where(known, p, 0.0)
    total = inside.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = inside / total
        terms = np.where(inside > 0, inside * np.log(inside / np.where(known, q, 1.0)), 0.0)
    found: Floats = terms.sum(axis=1)
    # Rounding of equal distributions may end below 0.
    found = np.where(lacking | ~np.isfinite(found), np.nan, np.maximum(found, 0.0))
    return found
