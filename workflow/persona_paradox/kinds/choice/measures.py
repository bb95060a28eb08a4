"""Measures of answers to questions with options: those of all labels, and what an order does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures.metric import Metric
from ..labelled import measures as labelled
from ..labelled.measures import COUNTS, Chosen
from . import formulas
from .letters import LETTERS, written

METRICS = (
    *labelled.METRICS,
    Metric(
        "macro_f1",
        "Macro F1",
        "share",
        "high",
        "resampled",
        "Mean over labels of 2 TP / (2 TP + FP + FN), by the labels as they are shown; an invalid "
        "answer misses the right one. Of several right ones it is the one answered, or the first.",
        source="usual; that an invalid answer misses, and which of several is meant, is own",
    ),
    Metric(
        "position_bias",
        "Answers beyond keys at the first place",
        "share",
        None,
        "resampled",
        "Share of the answers that are the option shown first, minus the share of the items in "
        "which that option is right; of items with an answer that can be read.",
        own=True,
    ),
    Metric(
        "chance",
        "Accuracy of a uniform guess",
        "share",
        None,
        "none",
        "Mean over items of the share of the options that are right; where all right ones are to "
        "be named, of one set among all that are not empty.",
        source="share",
    ),
    Metric(
        "accuracy_sampled",
        "Accuracy of sampled answers",
        "share",
        "high",
        "resampled",
        "Mean over items of the share of sampled answers that are right.",
        source="share",
    ),
    Metric(
        "majority_of_k",
        "Right in most sampled answers",
        "share",
        "high",
        "paired",
        "Share of all items of which more than half of the sampled answers are right.",
        source="Basil et al. 2025: 13 of 25",
    ),
    Metric(
        "all_of_k",
        "Right in all sampled answers",
        "share",
        "high",
        "paired",
        "Share of all items of which every sampled answer is right.",
        source="Basil et al. 2025: 25 of 25",
    ),
)

__all__ = ["COUNTS", "METRICS", "Picked", "answers"]


@dataclass(frozen=True, kw_only=True)
class Picked(Chosen):
    """The answers of a cell in one wording; a label's number is its place in the file.

    Where all right options are to be named, a number is that of a set: 2 to the power of each
    place, added up. Where one of several right options is enough, `reference` is the first.

    Attributes:
        shown_reference: place at which the right option is shown, shape (items,); of several that
            of the answer, or the first. Sets of options have -1.
        shown_answer: place at which the answered option is shown, shape (items,); -1 where the
            answer is invalid.
    """

    shown_reference: NDArray[np.int64]
    shown_answer: NDArray[np.int64]

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        found = super().points(counts)
        if (self.shown_reference >= 0).all():
            found["macro_f1"] = formulas.macro_f1(self.shown_reference, self.shown_answer, counts)
        return found

    def among(self, items: NDArray[np.bool_]) -> Self:
        """The answers to some of the items, a mask of shape (items,); without sampled ones."""
        return replace(
            super().among(items),
            shown_reference=self.shown_reference[items],
            shown_answer=self.shown_answer[items],
        )


def answers(
    scores: pl.DataFrame, view: Mapping[str, Any], baseline: Chosen | None = None
) -> Picked:
    """Prepare the scores of one wording.

    Args:
        scores: rows of the scores, sampled answers among them.
        view: the measures' view of the task: `select`, and what `labelled` reads.
        baseline: the answers under the baseline persona, if there are any to compare with.
    """
    several = view["select"] == "all"
    sets = [written(p for p in range(len(LETTERS)) if n >> p & 1) for n in range(1 << len(LETTERS))]
    labels = sets if several else list(LETTERS)
    # Where one of several is enough, a number can stand for the first of them alone.
    first = pl.col("reference") if several else pl.col("reference").str.slice(0, 1)
    chosen = labelled.answers(
        scores.with_columns(reference=first), {**view, "labels": labels}, baseline
    )
    greedy = scores.filter(repeat=0).sort("item_id")
    hits = chosen.hits | {"accuracy": greedy["correct"].to_numpy()}
    for name in ("logprob", "contextual"):
        if f"accuracy_{name}" in hits:
            said = greedy[f"correct_{name}"].fill_null(value=False)
            hits[f"accuracy_{name}"] = said.to_numpy()
    found = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    # With all right options, for what is measured behind this.
    found["scores"] = greedy
    found["hits"] = hits | _sampled_hits(scores)
    found["means"] = chosen.means | _sampled_means(scores) | {"chance": _chance(greedy, several)}
    if not several:
        is_first = greedy["label"] == greedy["shown_first"]
        has_first = greedy.select(
            pl.col("reference").str.contains(pl.col("shown_first"), literal=True)
        ).to_series()
        bias = is_first.cast(pl.Float64) - has_first.cast(pl.Float64)
        found["means"]["position_bias"] = bias.fill_null(np.nan).to_numpy()
    right = pl.when("correct").then("label_shown").otherwise("reference_shown")
    nothing = np.full(greedy.height, -1)
    return Picked(
        **found,
        shown_reference=nothing if several else _numbers(greedy.select(right).to_series()),
        shown_answer=nothing if several else _numbers(greedy["label_shown"]),
    )


def _numbers(marks: pl.Series) -> NDArray[np.int64]:
    """The first label of each as a number, -1 where there is none; which number does not matter."""
    return np.array([-1 if mark is None else ord(mark[0]) for mark in marks], dtype=np.int64)


def _chance(greedy: pl.DataFrame, several: bool) -> NDArray[np.float64]:
    """How often a uniform guess is right, shape (items,)."""
    k, right = greedy["n_options"].to_numpy(), greedy["reference"].str.len_chars().to_numpy()
    return np.asarray(1 / (2.0**k - 1) if several else right / k)


def _sampled(scores: pl.DataFrame) -> pl.DataFrame | None:
    """`item_id`, and the share of the sampled answers that is right; None where there are none."""
    sampled = scores.filter(pl.col("repeat") > 0)
    if sampled.is_empty():
        return None
    return sampled.group_by("item_id").agg(pl.col("correct").mean()).sort("item_id")


def _sampled_hits(scores: pl.DataFrame) -> dict[str, NDArray[np.bool_]]:
    shares = _sampled(scores)
    if shares is None:
        return {}
    right = shares["correct"].to_numpy()
    return {"majority_of_k": right > 0.5, "all_of_k": right == 1}


def _sampled_means(scores: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    shares = _sampled(scores)
    return {} if shares is None else {"accuracy_sampled": shares["correct"].to_numpy()}
