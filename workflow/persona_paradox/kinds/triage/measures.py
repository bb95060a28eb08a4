"""Measures of triage: what a choice among levels of urgency has, and what follows from their order.

What can only be said of a parsed answer (level error, sensitivity, specificity, c, d′, κ, cost) is
over the valid ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures.metric import Metric
from ..labelled import measures as labelled
from ..labelled.measures import COUNTS, Chosen
from . import formulas

_SDT = "Stanislaw and Todorov 1999"

METRICS = (
    *labelled.METRICS,
    Metric(
        "under_triage_rate",
        "Under-triage",
        "share",
        "low",
        "paired",
        "Share of all items answered less urgent than the reference.",
        own=True,
    ),
    Metric(
        "over_triage_rate",
        "Over-triage",
        "share",
        "low",
        "paired",
        "Share of all items answered more urgent than the reference.",
        own=True,
    ),
    Metric(
        "level_error",
        "Level error",
        "levels",
        None,
        "resampled",
        "Mean of reference minus answer, in levels; positive is over-triage.",
        own=True,
    ),
    Metric(
        "sensitivity",
        "Sensitivity",
        "share",
        "high",
        "resampled",
        "Share of the high-acuity items that are called so.",
        source="usual",
    ),
    Metric(
        "specificity",
        "Specificity",
        "share",
        "high",
        "resampled",
        "Share of the other items that are not called high acuity.",
        source="usual",
    ),
    Metric(
        "criterion",
        "Criterion c",
        "score",
        None,
        "resampled",
        "-(z(H) + z(F)) / 2; positive is reluctant to call an emergency.",
        source=f"{_SDT}. As *risk propensity* own",
    ),
    Metric(
        "d_prime",
        "Sensitivity d′",
        "score",
        "high",
        "resampled",
        "z(H) - z(F).",
        source=f"{_SDT}; correction: Hautus 1995. As *risk sensitivity* own",
    ),
    Metric(
        "kappa_quadratic",
        "Quadratic κ",
        "score",
        "high",
        "resampled",
        "Weighted agreement of answer and reference, weights the squared difference.",
        source="Cohen 1968",
    ),
    Metric(
        "kappa_linear",
        "Linear κ",
        "score",
        "high",
        "resampled",
        "Weighted agreement of answer and reference, weights the difference.",
        source="Cohen 1968",
    ),
    Metric(
        "cost",
        "Cost",
        "score",
        "low",
        "resampled",
        "Mean cost of the valid answers; costs per level stand in the data set.",
        own=True,
    ),
    Metric(
        "high_acuity_auc",
        "AUC of high acuity",
        "share",
        "high",
        "resampled",
        "Area under the ROC curve of the probability of high-acuity labels.",
        source="Hanley and McNeil 1982",
    ),
)

__all__ = ["COUNTS", "METRICS", "Triaged", "answers"]


@dataclass(frozen=True, kw_only=True)
class Triaged(Chosen):
    """The answers of a cell in one wording; a label's number is its level, 0 the most urgent.

    Attributes:
        levels: number of levels.
        high: whether each level is high acuity, shape (levels,).
        cost: cost per level of under-triage and of over-triage.
    """

    levels: int
    high: NDArray[np.bool_]
    cost: tuple[float, float]

    @property
    def costs(self) -> NDArray[np.float64]:
        """Cost of every answer, nan where it is invalid; shape (items,)."""
        return formulas.costs(self.reference, self.answer, *self.cost)

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        confusion = formulas.confusion(self.reference, self.answer, self.levels, counts)
        found: dict[str, Any] = dict(formulas.confusion_metrics(confusion, self.high, *self.cost))
        found |= super().points(counts)
        p = self.scores["high_acuity_probability"]
        known = p.is_not_null().to_numpy()
        if known.any():
            is_high, p_high = self.high[self.reference[known]], p.to_numpy()[known]
            drawn = counts if counts is None or known.all() else counts[:, known]
            found["high_acuity_auc"] = (
                formulas.high_acuity_auc(p_high, is_high)
                if drawn is None
                else formulas.high_acuity_auc_draws(p_high, is_high, drawn)
            )
        return found


def answers(
    scores: pl.DataFrame, view: Mapping[str, Any], baseline: Chosen | None = None
) -> Triaged:
    """Prepare the scores of one wording.

    Args:
        scores: rows of the scores, sampled answers among them.
        view: the measures' view of the task: what `labelled` reads, with `labels` from the most
            urgent, and `levels`, `high_acuity` and `cost`.
        baseline: the answers under the baseline persona, if there are any to compare with.
    """
    chosen = labelled.answers(scores, view, baseline)
    valid = chosen.answer >= 0
    hits = {
        "under_triage_rate": valid & (chosen.answer > chosen.reference),
        "over_triage_rate": valid & (chosen.answer < chosen.reference),
    }
    return Triaged(
        scores=chosen.scores,
        reference=chosen.reference,
        answer=chosen.answer,
        hits=chosen.hits | hits,
        means=chosen.means,
        counts=chosen.counts,
        levels=len(view["levels"]),
        high=np.array([level in view["high_acuity"] for level in view["levels"]]),
        cost=(view["cost"]["under"], view["cost"]["over"]),
    )
