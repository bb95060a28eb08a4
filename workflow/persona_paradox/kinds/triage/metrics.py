"""What is measured of triage: what a choice has, and what follows from the order of levels."""

from __future__ import annotations

from ...measures.metric import Metric
from ..choice import metrics as choice

COUNTS = choice.COUNTS

_SDT = "Stanislaw and Todorov 1999"

METRICS = (
    *choice.METRICS,
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
