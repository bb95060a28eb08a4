"""Measures of answers that are one of a fixed set of labels, to items with a right answer.

Shares are over all items, and an invalid answer counts as wrong. An answer has one of four
outcomes: it is right, wrong, refused or unreadable; the last two together are invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures import paired_tests
from ...measures.answers import OfCell
from ...measures.metric import Metric
from ...measures.resampling import means
from ...names import REFUSED

METRICS = (
    Metric(
        "accuracy",
        "Accuracy",
        "share",
        "high",
        "paired",
        "Share of all items whose answer is the reference; an invalid answer is wrong.",
        source="share; that an invalid answer is wrong is own",
    ),
    Metric(
        "accuracy_logprob",
        "Accuracy of the read-out",
        "share",
        "high",
        "paired",
        "Share of all items whose label of the largest log-probability is the reference.",
        source="share",
    ),
    Metric(
        "accuracy_contextual",
        "Accuracy after contextual calibration",
        "share",
        "high",
        "paired",
        "The same after contextual calibration by null cases.",
        source="Zhao et al. 2021",
    ),
    Metric(
        "invalid_rate",
        "Invalid answers",
        "share",
        "low",
        "paired",
        "Share of all items without a label that can be read: refused or unreadable.",
        source="share",
    ),
    Metric(
        "refused_rate",
        "Refused",
        "share",
        None,
        "paired",
        "Share of all items whose answer has no label and refuses, by the published phrases.",
        own=True,
    ),
    Metric(
        "unreadable_rate",
        "Unreadable",
        "share",
        "low",
        "paired",
        "Share of all items whose answer has no label and does not refuse, or that have none.",
        source="share",
    ),
    Metric(
        "consistency_readout",
        "Answer and read-out agree",
        "share",
        "high",
        "none",
        "Share of all items whose answer is the label of the largest log-probability.",
        own=True,
    ),
    Metric(
        "consistency_persona",
        "Same answer as the baseline",
        "share",
        None,
        "none",
        "Share of all items answered as under the baseline, two invalid answers being the same.",
        own=True,
    ),
    Metric(
        "label_mass",
        "Probability of all labels",
        "share",
        "high",
        "none",
        "Mean over items of the probability of all labels together.",
        own=True,
    ),
    Metric(
        "consistency_repeat",
        "Sampled answers agree",
        "share",
        "high",
        "none",
        "Mean over items of the share of pairs of sampled answers with the same label.",
        own=True,
    ),
    Metric(
        "repeat_entropy",
        "Entropy of sampled answers",
        "nats",
        "low",
        "none",
        "Mean over items of the entropy of the sampled labels.",
        source="Shannon's; too small by about (labels seen - 1) / 2R (Miller 1955)",
    ),
)

# What is counted of a cell besides.
COUNTS = ("n_not_run", "n_repeats", "n_invalid_repeats", "n_low_label_mass")


@dataclass(frozen=True, kw_only=True)
class Chosen(OfCell):
    """The scored answers of one cell in one wording, in the order of the items' ids.

    Attributes:
        reference: number of the right label, shape (items,), as in the view's `labels`.
        answer: number of the label that was answered, -1 where it is invalid.
        means: means of other values of the items that have one; nan where an item has none.
        counts: numbers by the names of `COUNTS`.
        pairs: of an arm, measures of its answers against those to the unchanged items, as `means`.
    """

    reference: NDArray[np.int64]
    answer: NDArray[np.int64]
    means: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    pairs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def differs(self, other: Self) -> NDArray[np.bool_]:
        """Which items are answered otherwise than there, shape (items,)."""
        return np.asarray(self.answer != other.answer)

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        found = means(self.hits, counts)
        for name, values in (*self.means.items(), *self.pairs.items()):
            known = ~np.isnan(values)
            if known.any():
                drawn = counts if counts is None or known.all() else counts[:, known]
                found |= means({name: values[known]}, drawn)
        return found

    def among(self, items: NDArray[np.bool_]) -> Self:
        """The answers to some of the items, a mask of shape (items,); without sampled ones."""
        return replace(
            self,
            scores=self.scores.filter(pl.Series(items)),
            reference=self.reference[items],
            answer=self.answer[items],
            hits={name: hit[items] for name, hit in self.hits.items()},
            means={},
            counts={},
            pairs={name: values[items] for name, values in self.pairs.items()},
        )

    def with_pairs(self, pairs: Mapping[str, NDArray[np.float64]]) -> Self:
        """The same answers with measures against those to the unchanged items."""
        return replace(self, pairs=pairs)


def answers(
    scores: pl.DataFrame, view: Mapping[str, Any], baseline: Chosen | None = None
) -> Chosen:
    """Prepare the scores of one wording.

    Args:
        scores: rows of the scores, sampled answers among them.
        view: the measures' view of the task: `labels` in their order, and
            `label_mass_warning_below`, a probability of all labels below which an item is counted.
        baseline: the answers under the baseline persona, if there are any to compare with.

    Raises:
        ValueError: the baseline answered other items.
    """
    greedy = scores.filter(pl.col("repeat") == 0).sort("item_id")
    sampled = scores.filter(pl.col("repeat") > 0)
    place = {label: i for i, label in enumerate(view["labels"])}

    def numbers(column: str) -> NDArray[np.int64]:
        values = greedy.get_column(column).to_list()
        return np.array([-1 if v is None else place[v] for v in values], dtype=np.int64)

    reference, answer = numbers("reference"), numbers("label")
    invalid = answer < 0
    refused = invalid & _true(greedy["outcome"] == REFUSED)
    hits = {
        "accuracy": answer == reference,
        "invalid_rate": invalid,
        "refused_rate": refused,
        "unreadable_rate": invalid & ~refused,
    }
    for name, column in (
        ("accuracy_logprob", "label_logprob_argmax"),
        ("accuracy_contextual", "label_contextual"),
    ):
        if greedy[column].null_count() < greedy.height:
            hits[name] = _true(greedy[column] == greedy["reference"])
    if "accuracy_logprob" in hits:
        hits["consistency_readout"] = _true(greedy["label_logprob_argmax"] == greedy["label"])
    if baseline is not None:
        if not greedy["item_id"].equals(baseline.item_ids):
            raise ValueError("a contrast needs the same items on both sides")
        hits["consistency_persona"] = answer == baseline.answer
    mass = greedy["label_mass"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    found = {"label_mass": mass}
    n_repeats = 0
    if sampled.height:
        labels = sampled.sort("item_id", "repeat").group_by("item_id", maintain_order=True)
        drawn = labels.agg("label")["label"].to_list()
        n_repeats = len(drawn[0])
        alike = paired_tests.pairwise_agreement(drawn)
        found |= {"consistency_repeat": alike.agreement, "repeat_entropy": alike.entropy}
    counted = (
        int((greedy["parse_status"] == "no_answer").sum()),
        n_repeats,
        sampled["label"].null_count(),
        int((mass < view["label_mass_warning_below"]).sum()),
    )
    return Chosen(
        scores=greedy,
        reference=reference,
        answer=answer,
        hits=hits,
        means=found,
        counts=dict(zip(COUNTS, counted, strict=True)),
    )


def _true(values: pl.Series) -> NDArray[np.bool_]:
    return values.fill_null(value=False).to_numpy()
