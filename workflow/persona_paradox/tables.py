"""Tables: one row per cell and wording, and one per contrast with the baseline.

Every figure stands with its interval in `<figure>_low` and `<figure>_high`, and every row
with its number of items and of invalid answers. Shares are over all items of the row, and an
invalid answer counts as wrong; what can only be said of a parsed answer (level error,
sensitivity, specificity, c, d′, κ, cost) is over the valid ones. Plain shares have Wilson
intervals, all others percentile bootstrap intervals over items. The draws are the same for
every persona of a task, so that contrasts are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from . import statistics, triage

# Shares of all items, with Wilson intervals.
SHARES = (
    "accuracy",
    "accuracy_logprob",
    "invalid_rate",
    "under_triage_rate",
    "over_triage_rate",
    "consistency_readout",
    "consistency_persona",
)

# Figures of the confusion matrix that are resampled.
RESAMPLED = (
    "level_error",
    "sensitivity",
    "specificity",
    "criterion",
    "d_prime",
    "kappa_quadratic",
    "kappa_linear",
    "cost",
)

# Figures of a contrast, persona minus baseline on the same items.
DIFFERENCES = (
    "accuracy",
    "invalid_rate",
    "under_triage_rate",
    "over_triage_rate",
    *RESAMPLED,
)


@dataclass(frozen=True)
class Wording:
    """The scored answers of one cell in one wording, in the order of the items' ids.

    Attributes:
        scores: one row per item.
        levels: number of levels.
        reference: level index of the reference, shape (items,), 0 the most urgent.
        answer: level index of the answer, -1 where it is invalid.
        high: whether each level is high acuity, shape (levels,).
        cost: cost per level of under-triage and of over-triage.
    """

    scores: pl.DataFrame
    levels: int
    reference: NDArray[np.int64]
    answer: NDArray[np.int64]
    high: NDArray[np.bool_]
    cost: tuple[float, float]

    @property
    def n(self) -> int:
        """Number of items."""
        return self.scores.height

    @property
    def backend(self) -> str:
        """What answered; answers of a `server` are not bit-reproducible."""
        name: str = self.scores.item(0, "backend")
        return name

    def metrics(self, weights: NDArray[Any] | None = None) -> dict[str, Any]:
        """Figures of the confusion matrix: numbers, or arrays of shape (draws,)."""
        counts = triage.confusion(self.reference, self.answer, self.levels, weights)
        return triage.confusion_metrics(counts, self.high, *self.cost)


def wording(scores: pl.DataFrame, task: Mapping[str, Any]) -> Wording:
    """Prepare the scores of one wording; `task` is its entry in the view of all cells."""
    scores = scores.sort("item_id")
    urgency = {label: i for i, label in enumerate(task["labels_by_urgency"])}

    def indices(column: str) -> NDArray[np.int64]:
        values = scores.get_column(column).to_list()
        return np.array([-1 if v is None else urgency[v] for v in values], dtype=np.int64)

    return Wording(
        scores=scores,
        levels=len(urgency),
        reference=indices("reference"),
        answer=indices("label"),
        high=np.array([level in task["high_acuity"] for level in task["levels"]]),
        cost=(task["cost"]["under"], task["cost"]["over"]),
    )


def cell_row(
    this: Wording, baseline: Wording | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures of one cell in one wording, with intervals.

    Args:
        this: its answers.
        baseline: the answers under the baseline persona, or None for a human rater.
        settings: `draws`, `confidence` and `seed` of the statistics.
    """
    level = settings["confidence"]
    invalid = this.answer < 0
    row: dict[str, Any] = {
        "backend": this.backend,
        "n": this.n,
        "n_invalid": int(invalid.sum()),
        "n_not_run": int((this.scores["parse_status"] == "no_answer").sum()),
    }
    argmax = this.scores["label_logprob_argmax"]
    has_logprob = argmax.null_count() < this.n
    hits = {
        "accuracy": this.answer == this.reference,
        "invalid_rate": invalid,
        "under_triage_rate": ~invalid & (this.answer > this.reference),
        "over_triage_rate": ~invalid & (this.answer < this.reference),
    }
    if has_logprob:
        hits["accuracy_logprob"] = _true(argmax == this.scores["reference"])
        hits["consistency_readout"] = _true(argmax == this.scores["label"])
    if baseline is not None:
        hits["consistency_persona"] = this.answer == baseline.answer
    for name in SHARES:
        if name in hits:
            low, high = statistics.wilson(int(hits[name].sum()), this.n, level)
            row |= _with_interval(name, float(hits[name].mean()), low, high)
        else:
            row |= _with_interval(name, None, None, None)
    weights = statistics.bootstrap_counts(this.n, settings["draws"], settings["seed"])
    point, drawn = this.metrics(), this.metrics(weights)
    for name in RESAMPLED:
        interval = statistics.percentile_interval(drawn[name], level)
        row |= _with_interval(name, point[name], *interval)
    row |= _resampled_mean("label_mass", this.scores["label_mass"], settings)
    row |= _auc(this, settings)
    return row


def _true(values: pl.Series) -> NDArray[np.bool_]:
    return values.fill_null(False).to_numpy()


def _with_interval(name: str, value: Any, low: Any, high: Any) -> dict[str, float | None]:
    return {name: _number(value), f"{name}_low": _number(low), f"{name}_high": _number(high)}


def _number(value: Any) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _resampled_mean(
    name: str, values: pl.Series, settings: Mapping[str, Any]
) -> dict[str, float | None]:
    known = values.drop_nulls().to_numpy()
    if not len(known):
        return _with_interval(name, None, None, None)
    weights = statistics.bootstrap_counts(len(known), settings["draws"], settings["seed"])
    drawn = weights @ known / len(known)
    low, high = statistics.percentile_interval(drawn, settings["confidence"])
    return _with_interval(name, known.mean(), low, high)


def _auc(this: Wording, settings: Mapping[str, Any]) -> dict[str, float | None]:
    name = "high_acuity_auc"
    known = this.scores["high_acuity_probability"].is_not_null().to_numpy()
    if not known.any():
        return _with_interval(name, None, None, None)
    p = this.scores["high_acuity_probability"].to_numpy()[known]
    is_high = this.high[this.reference[known]]
    weights = statistics.bootstrap_counts(len(p), settings["draws"], settings["seed"])
    drawn = triage.high_acuity_auc_draws(p, is_high, weights)
    low, high = statistics.percentile_interval(drawn, settings["confidence"])
    return _with_interval(name, triage.high_acuity_auc(p, is_high), low, high)


def contrast_row(this: Wording, baseline: Wording, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Differences of a persona from the baseline on the same items, with paired intervals."""
    if not this.scores["item_id"].equals(baseline.scores["item_id"]):
        raise ValueError("a contrast needs the same items on both sides")
    right, right_baseline = this.answer == this.reference, baseline.answer == this.reference
    gained, lost = int((right & ~right_baseline).sum()), int((~right & right_baseline).sum())
    row: dict[str, Any] = {
        "backend": this.backend,
        "n": this.n,
        "n_invalid": int((this.answer < 0).sum()),
        "n_invalid_baseline": int((baseline.answer < 0).sum()),
        "n_changed": int((this.answer != baseline.answer).sum()),
        "n_gained": gained,
        "n_lost": lost,
        "mcnemar_p": statistics.mcnemar_exact(gained, lost),
    }
    weights = statistics.bootstrap_counts(this.n, settings["draws"], settings["seed"])
    point, point_baseline = this.metrics(), baseline.metrics()
    drawn, drawn_baseline = this.metrics(weights), baseline.metrics(weights)
    for name in DIFFERENCES:
        low, high = statistics.percentile_interval(
            drawn[name] - drawn_baseline[name], settings["confidence"]
        )
        row |= _with_interval(name, point[name] - point_baseline[name], low, high)
    return row


def holm_column(contrasts: pl.DataFrame) -> pl.DataFrame:
    """Add `mcnemar_p_holm`: adjusted over all contrasts of the table."""
    if contrasts.is_empty():
        return contrasts.with_columns(mcnemar_p_holm=pl.lit(None, pl.Float64))
    adjusted = statistics.holm(contrasts["mcnemar_p"].to_numpy())
    place = contrasts.get_column_index("mcnemar_p") + 1
    return contrasts.insert_column(place, pl.Series("mcnemar_p_holm", adjusted))


def calibration_columns(calibration: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The calibration figures of a cell: variant → columns named `<metric>_<confidence>`."""
    columns: dict[str, dict[str, Any]] = {}
    for row in calibration.filter(pl.col("bin").is_null()).iter_rows(named=True):
        name = f"{row['metric']}_{row['confidence']}"
        into = columns.setdefault(row["variant"], {})
        into |= _with_interval(name, row["value"], row["low"], row["high"])
        into[f"n_{row['confidence']}"] = row["n"]
    return columns
