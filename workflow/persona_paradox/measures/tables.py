"""Rows of the tables on cells, contrasts with the baseline, confusion matrices and subgroups.

Every figure stands with its interval in `<figure>_low` and `<figure>_high`, and every row
with its number of items and of invalid answers. Shares are over all items of the row, and an
invalid answer counts as wrong; what can only be said of a parsed answer (level error,
sensitivity, specificity, c, d′, κ, cost) is over the valid ones. Plain shares have Wilson
intervals, all others bootstrap intervals over items; where a data set declares clusters, all
intervals are bootstrap intervals over these. The draws are the same for every persona of a
task, so that contrasts are paired.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import InputError
from ..kinds.triage import triage
from . import paired_tests, statistics
from .resampling import Resampled, means

# What is compared with the baseline: shares of all items, which are paired, and others.
PAIRED = (
    "accuracy",
    "accuracy_logprob",
    "accuracy_contextual",
    "invalid_rate",
    "under_triage_rate",
    "over_triage_rate",
)
UNPAIRED = (
    "level_error",
    "sensitivity",
    "specificity",
    "criterion",
    "d_prime",
    "kappa_quadratic",
    "kappa_linear",
    "cost",
    "high_acuity_auc",
)

# The figures of a cell: shares, with Wilson intervals; and what is resampled.
SHARES = (*PAIRED, "consistency_readout", "consistency_persona")
RESAMPLED = (*UNPAIRED, "label_mass", "consistency_repeat", "repeat_entropy")

CONTRAST = {
    "metric": pl.String,
    "confidence": pl.String,
    "backend": pl.String,
    "n": pl.Int64,
    "n_baseline": pl.Int64,
    "n_invalid": pl.Int64,
    "n_invalid_baseline": pl.Int64,
    "n_changed": pl.Int64,
    "value": pl.Float64,
    "baseline_value": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n_gained": pl.Int64,
    "n_lost": pl.Int64,
    "test": pl.String,
    "p": pl.Float64,
    "detectable": pl.Float64,
    "margin": pl.Float64,
    "equivalence_p": pl.Float64,
    "equivalent": pl.Boolean,
}


CONFUSION = {
    "backend": pl.String,
    "reference": pl.Int64,
    "answer": pl.Int64,
    "reference_level": pl.String,
    "answer_level": pl.String,
    "n": pl.Int64,
    "count": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}

SUBGROUP = {
    "backend": pl.String,
    "subgroup": pl.String,
    "group": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    "n_invalid_baseline": pl.Int64,
    "small": pl.Boolean,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p": pl.Float64,
}


class Answers(Protocol):
    """Answers to the same items, in the order of the items' ids, of which figures are made."""

    @property
    def hits(self) -> dict[str, NDArray[np.bool_]]:
        """Shares of all items: whether each item counts, shape (items,)."""

    @property
    def n(self) -> int:
        """Number of items."""

    @property
    def n_invalid(self) -> int:
        """Number of invalid answers."""

    @property
    def backend(self) -> str:
        """What answered."""

    @property
    def clustered(self) -> bool:
        """Whether the data set declares clusters."""

    @property
    def clusters(self) -> NDArray[Any]:
        """Cluster of every item; an item without one is a cluster of its own."""


@dataclass(frozen=True)
class Wording:
    """The scored answers of one cell in one wording, in the order of the items' ids.

    Attributes:
        scores: one row per item, of the greedy answer.
        levels: number of levels.
        reference: level index of the reference, shape (items,), 0 the most urgent.
        answer: level index of the answer, -1 where it is invalid.
        high: whether each level is high acuity, shape (levels,).
        cost: cost per level of under-triage and of over-triage.
        hits: shares of all items: whether each item counts, shape (items,).
        means: means of other values of the items that have one; nan where an item has none.
        n_repeats: sampled answers to every item.
        n_invalid_repeats: how many of them all are invalid.
    """

    scores: pl.DataFrame
    levels: int
    reference: NDArray[np.int64]
    answer: NDArray[np.int64]
    high: NDArray[np.bool_]
    cost: tuple[float, float]
    hits: dict[str, NDArray[np.bool_]]
    means: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    n_repeats: int = 0
    n_invalid_repeats: int = 0

    @property
    def n(self) -> int:
        """Number of items."""
        return self.scores.height

    @property
    def n_invalid(self) -> int:
        """Number of invalid answers."""
        return int((self.answer < 0).sum())

    @property
    def backend(self) -> str:
        """What answered; answers of a `server` are not bit-reproducible."""
        name: str = self.scores.item(0, "backend")
        return name

    @property
    def clustered(self) -> bool:
        """Whether the data set declares clusters."""
        return self.scores["cluster"].null_count() < self.n

    @property
    def clusters(self) -> NDArray[Any]:
        """Cluster of every item; an item without one is a cluster of its own."""
        return statistics.clusters_of(self.scores)

    def changed(self, other: Wording) -> int:
        """Number of items that are answered otherwise than there."""
        return int((self.answer != other.answer).sum())

    def figures(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All figures: numbers of the sample, or arrays of shape (draws,)."""
        confusion = triage.confusion(self.reference, self.answer, self.levels, counts)
        found: dict[str, Any] = dict(triage.confusion_metrics(confusion, self.high, *self.cost))
        found |= means({n: hit for n, hit in self.hits.items() if n not in found}, counts)
        for name, values in self.means.items():
            known = ~np.isnan(values)
            if known.any():
                drawn = counts if counts is None or known.all() else counts[:, known]
                found |= means({name: values[known]}, drawn)
        p = self.scores["high_acuity_probability"]
        known = p.is_not_null().to_numpy()
        if known.any():
            is_high, p_high = self.high[self.reference[known]], p.to_numpy()[known]
            drawn = counts if counts is None or known.all() else counts[:, known]
            found["high_acuity_auc"] = (
                triage.high_acuity_auc(p_high, is_high)
                if drawn is None
                else triage.high_acuity_auc_draws(p_high, is_high, drawn)
            )
        return found

    def among(self, items: NDArray[Any]) -> Wording:
        """The answers to some of the items, a mask of shape (items,); without sampled ones."""
        return Wording(
            scores=self.scores.filter(pl.Series(items)),
            levels=self.levels,
            reference=self.reference[items],
            answer=self.answer[items],
            high=self.high,
            cost=self.cost,
            hits={name: hit[items] for name, hit in self.hits.items()},
        )


def wording(
    scores: pl.DataFrame, task: Mapping[str, Any], baseline: Wording | None = None
) -> Wording:
    """Prepare the scores of one wording.

    Args:
        scores: rows of the scores, sampled answers among them.
        task: its entry in the view of all cells.
        baseline: the answers under the baseline persona, if there are any to compare with.
    """
    greedy = scores.filter(pl.col("repeat") == 0).sort("item_id")
    sampled = scores.filter(pl.col("repeat") > 0)
    urgency = {label: i for i, label in enumerate(task["labels_by_urgency"])}

    def indices(column: str) -> NDArray[np.int64]:
        values = greedy.get_column(column).to_list()
        return np.array([-1 if v is None else urgency[v] for v in values], dtype=np.int64)

    reference, answer = indices("reference"), indices("label")
    invalid = answer < 0
    hits = {
        "accuracy": answer == reference,
        "invalid_rate": invalid,
        "under_triage_rate": ~invalid & (answer > reference),
        "over_triage_rate": ~invalid & (answer < reference),
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
        if not greedy["item_id"].equals(baseline.scores["item_id"]):
            raise ValueError("a contrast needs the same items on both sides")
        hits["consistency_persona"] = answer == baseline.answer
    means = {"label_mass": greedy["label_mass"].cast(pl.Float64).fill_null(np.nan).to_numpy()}
    n_repeats = 0
    if sampled.height:
        labels = sampled.sort("item_id", "repeat").group_by("item_id", maintain_order=True)
        answers = labels.agg("label")["label"].to_list()
        n_repeats = len(answers[0])
        found = paired_tests.pairwise_agreement(answers)
        means |= {"consistency_repeat": found.agreement, "repeat_entropy": found.entropy}
    return Wording(
        scores=greedy,
        levels=len(urgency),
        reference=reference,
        answer=answer,
        high=np.array([level in task["high_acuity"] for level in task["levels"]]),
        cost=(task["cost"]["under"], task["cost"]["over"]),
        hits=hits,
        means=means,
        n_repeats=n_repeats,
        n_invalid_repeats=sampled["label"].null_count(),
    )


def by_wording(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of a cell by wording (`variant`), the main one first."""
    parts = table.partition_by("variant", maintain_order=True, as_dict=True)
    names = sorted((str(key[0]) for key in parts), key=lambda v: (v != "main", v))
    return {name: parts[name,] for name in names}


def _true(values: pl.Series) -> NDArray[np.bool_]:
    return values.fill_null(False).to_numpy()


def cell_row(this: Wording, resampled: Resampled, low_mass: float) -> dict[str, Any]:
    """The figures of one cell in one wording, with intervals.

    Args:
        this: the cell's answers in that wording.
        resampled: its figures.
        low_mass: probability of all labels together below which an item is counted.
    """
    row: dict[str, Any] = {
        "backend": this.backend,
        "n": this.n,
        "n_invalid": this.n_invalid,
        "n_not_run": int((this.scores["parse_status"] == "no_answer").sum()),
        "n_repeats": this.n_repeats,
        "n_invalid_repeats": this.n_invalid_repeats,
        "n_low_label_mass": int((this.means["label_mass"] < low_mass).sum()),
    }
    for name in (*SHARES, *RESAMPLED):
        row |= figure(name, this, resampled)
    return row


def figure(name: str, this: Answers, resampled: Resampled) -> dict[str, float | None]:
    """One figure with its interval: `<name>`, `<name>_low`, `<name>_high`."""
    if name not in resampled.point:
        low = high = point = None
    else:
        point = resampled.point[name]
        low, high = resampled.interval(name)
        if name in this.hits and not this.clustered:
            hits = int(this.hits[name].sum())
            low, high = statistics.wilson(hits, this.n, resampled.confidence)
        elif name in this.hits and np.isclose(low, high):
            # The same share in every draw, as where none is right: as if each cluster were an item.
            n = np.unique(this.clusters).size
            low, high = statistics.wilson(point * n, n, resampled.confidence)
    return {name: number(point), f"{name}_low": number(low), f"{name}_high": number(high)}


def number(value: Any) -> float | None:
    """A number, or null where it is undefined."""
    return None if value is None or np.isnan(value) else float(value)


def contrast_rows(
    this: Wording,
    baseline: Wording,
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of a persona from the baseline on the same items, as rows of `CONTRAST`.

    Args:
        this: the persona's answers.
        baseline: the baseline's, to the same items.
        difference: the paired differences of their figures.
        values: the figures themselves, the persona's first.
        settings: the statistics'.
    """
    about = {
        "backend": this.backend,
        "n": this.n,
        "n_baseline": baseline.n,
        "n_invalid": this.n_invalid,
        "n_invalid_baseline": baseline.n_invalid,
        "n_changed": this.changed(baseline),
    }
    return [
        {**about, "metric": name, "confidence": None}
        | contrast(name, (this, baseline), difference, values, settings)
        for name in (*PAIRED, *UNPAIRED)
        if name in difference.point
    ]


def contrast(
    name: str,
    sides: tuple[Answers, Answers],
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """One difference from the baseline, of a share by pairs, of anything else by the bootstrap.

    Args:
        name: of the figure.
        sides: the persona's answers and the baseline's, to the same items.
        difference: the paired differences of their figures.
        values: the figures themselves.
        settings: the statistics'.
    """
    row = _difference(name, difference, values, settings)
    return row | (_paired(name, *sides, settings) if name in sides[0].hits else {})


def _difference(
    name: str,
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """What the bootstrap says of a difference."""
    low, high = difference.interval(name)
    margin = settings["margins"].get(name)
    row = {
        "value": number(values[0].point[name]),
        "baseline_value": number(values[1].point[name]),
        "difference": number(difference.point[name]),
        "low": number(low),
        "high": number(high),
        "test": "bootstrap",
        "p": number(difference.p_zero(name)),
        "margin": margin,
    }
    if margin is not None and row["difference"] is not None:
        p = max(difference.p_beyond(name, side * margin) for side in (-1, 1))
        row |= {"equivalence_p": p, "equivalent": p <= 1 - settings["confidence"]}
    return row


def _paired(
    name: str, this: Answers, baseline: Answers, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the pairs say of a difference of shares."""
    gained = this.hits[name] & ~baseline.hits[name]
    lost = ~this.hits[name] & baseline.hits[name]
    n_gained, n_lost = int(gained.sum()), int(lost.sum())
    row: dict[str, Any] = {"n_gained": n_gained, "n_lost": n_lost}
    if this.clustered:
        p = paired_tests.mcnemar_clustered(gained.astype(int) - lost, this.clusters)
        return row | {"test": "clustered McNemar", "p": number(p)}
    alpha = 1 - settings["confidence"]
    row |= {
        "test": "exact McNemar",
        "p": statistics.mcnemar_exact(n_gained, n_lost),
        "detectable": number(_detectable(this.n, n_gained + n_lost, alpha, settings["power"])),
    }
    margin = settings["margins"].get(name)
    if margin is not None:
        tost = paired_tests.equivalence_tost(n_gained, n_lost, this.n, margin, alpha)
        row |= {"equivalence_p": number(tost.p), "equivalent": bool(tost.p <= alpha)}
    return row


@lru_cache(maxsize=4096)
def _detectable(n: int, discordant: int, alpha: float, power: float) -> float:
    return paired_tests.minimum_detectable_difference(n, discordant / n, alpha, power)


def calibration_contrasts(
    this: Wording,
    baseline: Wording,
    figures: Mapping[str, tuple[Resampled, int]],
    baseline_figures: Mapping[str, tuple[Resampled, int]],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of the calibration figures of every confidence, as rows of `CONTRAST`.

    Args:
        this: the persona's answers.
        baseline: the baseline's.
        figures: confidence → its figures, and the number of items that have it.
        baseline_figures: the same of the baseline.
        settings: the statistics'.
    """
    rows = []
    for confidence in figures:
        if confidence not in baseline_figures:
            continue
        (mine, n), (theirs, n_baseline) = figures[confidence], baseline_figures[confidence]
        about = {
            "backend": this.backend,
            "confidence": confidence,
            "n": n,
            "n_baseline": n_baseline,
            "n_invalid": this.n_invalid,
            "n_invalid_baseline": baseline.n_invalid,
            "n_changed": this.changed(baseline),
        }
        difference = mine - theirs
        for name in difference.point:
            margins = {name: settings["margins"].get(f"{name}_{confidence}")}
            own = {**settings, "margins": {k: v for k, v in margins.items() if v is not None}}
            figure_row = _difference(name, difference, (mine, theirs), own)
            rows.append({**about, "metric": name, **figure_row})
    return rows


def with_family(
    contrasts: pl.DataFrame, family: Mapping[str, Any], groups: Mapping[str, str]
) -> pl.DataFrame:
    """Add `in_family` and `p_holm`: adjusted over the tests that the study declares.

    Args:
        contrasts: the contrasts of the study.
        family: `metrics`, `wordings` and `groups` of the statistics.
        groups: group of every persona.
    """
    chosen = [persona for persona, group in groups.items() if group in family["groups"]]
    inside = full_metric().is_in(family["metrics"]) & pl.col("persona").is_in(chosen)
    if family["wordings"] == "main":
        inside &= pl.col("variant") == "main"
    table = contrasts.with_columns(in_family=inside & pl.col("p").is_not_null())
    tested = table["in_family"].to_numpy()
    adjusted = np.full(table.height, np.nan)
    if tested.any():
        adjusted[tested] = statistics.holm(table["p"].to_numpy()[tested])
    return table.with_columns(p_holm=pl.Series(adjusted, dtype=pl.Float64).fill_nan(None))


def full_metric() -> pl.Expr:
    """Name of a metric, with its confidence for a calibration figure."""
    return pl.concat_str("metric", "confidence", separator="_", ignore_nulls=True)


def confusion_rows(this: Wording, levels: Sequence[str], confidence: float) -> list[dict[str, Any]]:
    """The confusion matrix with Wilson intervals of the shares of each reference level."""
    counts = triage.confusion(this.reference, this.answer, this.levels)
    rows = []
    for reference, line in enumerate(counts):
        n = int(line.sum())
        for answer, count in enumerate(line.tolist()):
            low, high = statistics.wilson(count, n, confidence)
            valid = answer < this.levels
            rows.append(
                {
                    "backend": this.backend,
                    "reference": reference,
                    "answer": answer if valid else None,
                    "reference_level": levels[reference],
                    "answer_level": levels[answer] if valid else "invalid",
                    "n": n,
                    "count": count,
                    "share": count / n if n else None,
                    "low": number(low),
                    "high": number(high),
                }
            )
    return rows


def groups_of(
    items: pl.DataFrame, subgroup: Mapping[str, Any], name: str = "config/datasets"
) -> pl.Series:
    """Group of every item, by its kept column; `not recorded` where that is empty.

    Args:
        items: the data set, with the column.
        subgroup: `id`, `column`, and `values` (value → group) or `cuts` (lower bounds of bands).
        name: the data set's file, named in errors.

    Raises:
        InputError: a value of a column with bands is no number, or one that `values` does not map.
    """
    values: pl.Series = items[subgroup["column"]]
    groups, wrong, why = values, pl.repeat(value=False, n=len(values), eager=True), ""
    if "values" in subgroup:
        groups = values.replace_strict(subgroup["values"], default=None, return_dtype=pl.String)
        wrong = values.is_not_null() & groups.is_null()
        why = f"`values` does not map; the set is {', '.join(subgroup['values'])}"
    elif "cuts" in subgroup:
        cuts, names = subgroup["cuts"], _bands(subgroup["cuts"])
        numbers = values.cast(pl.Float64, strict=False)
        # Of a number that is none it would be said that it is the largest.
        wrong = values.is_not_null() & ~numbers.is_finite().fill_null(value=False)
        why = "`cuts` cannot put into a band, as it is no number; mend it, or list it in key "
        why += "`format.missing` where it stands for nothing"
        place = np.searchsorted(cuts, numbers.fill_null(np.nan).to_numpy(), side="right")
        groups = pl.Series([names[i] for i in place], dtype=pl.String)
        groups = pl.select(pl.when(numbers.is_not_null()).then(groups)).to_series()
    if wrong.any():
        item, value = items.filter(wrong).select("item_id", subgroup["column"]).row(0)
        raise InputError(
            f"{name}: item {item} has {value!r} in column {subgroup['column']!r}, which key "
            f"`subgroups.{subgroup['id']}` with {why}"
        )
    named: pl.Series = groups.fill_null("not recorded").alias(subgroup["id"])
    return named


def ordered_groups(groups: pl.Series, subgroup: Mapping[str, Any]) -> list[str]:
    """The groups that there are: as `subgroup` declares them, then any others by name."""
    declared = list(dict.fromkeys(subgroup.get("values", {}).values()))
    if "cuts" in subgroup:
        declared = _bands(subgroup["cuts"])
    found = groups.unique().sort().to_list()
    return [g for g in declared if g in found] + [g for g in found if g not in declared]


def _bands(cuts: Sequence[float]) -> list[str]:
    """Names of the bands between lower bounds."""
    between = (f"{a:g} to under {b:g}" for a, b in itertools.pairwise(cuts))
    return [f"under {cuts[0]:g}", *between, f"{cuts[-1]:g} and over"]


def subgroup_rows(
    this: Wording,
    mine: Resampled,
    baseline: tuple[Wording, Resampled] | None,
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Figures, and differences from the baseline, of the items of one group.

    Args:
        this: a persona's answers to these items.
        mine: its figures.
        baseline: the baseline's answers and figures, or None for the baseline itself.
        settings: the statistics'.
    """
    about = {
        "backend": this.backend,
        "n": this.n,
        "n_invalid": this.n_invalid,
        "n_invalid_baseline": None if baseline is None else baseline[0].n_invalid,
        "small": this.n < settings["small_group_below"],
    }
    difference = None if baseline is None else mine - baseline[1]
    rows = []
    for name in (*PAIRED, *UNPAIRED):
        if name not in mine.point:
            continue
        value = figure(name, this, mine)
        row = {
            **about,
            "metric": name,
            "value": value[name],
            "low": value[f"{name}_low"],
            "high": value[f"{name}_high"],
        }
        if difference is not None and baseline is not None and name in difference.point:
            low, high = difference.interval(name)
            row |= {
                "difference": number(difference.point[name]),
                "difference_low": number(low),
                "difference_high": number(high),
                "p": number(difference.p_zero(name)),
            }
            if name in PAIRED:
                row["p"] = _paired(name, this, baseline[0], settings)["p"]
        rows.append(row)
    return rows


def calibration_columns(calibration: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The main calibration figures of a cell: variant → columns `<metric>_<confidence>`."""
    shown = calibration.filter(
        pl.col("bin").is_null()
        & (pl.col("recalibration") == "none")
        & pl.col("confidence").is_in(["top_label", "generated_label"])
        & pl.col("metric").is_in(HEADLINES)
    )
    columns: dict[str, dict[str, Any]] = {}
    for row in shown.iter_rows(named=True):
        name = f"{row['metric']}_{row['confidence']}"
        into = columns.setdefault(row["variant"], {})
        into |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
        into[f"n_{row['confidence']}"] = row["n"]
    return columns


# Calibration figures that stand beside the accuracy in the table of cells; the table of
# calibrations has them all.
HEADLINES = (
    "ece_equal_width",
    "ece_equal_mass",
    "smooth_ece",
    "brier",
    "log_loss",
    "mean_confidence",
    "accuracy",
    "overconfidence",
)
