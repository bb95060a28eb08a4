"""Differences of two sets of answers to the same items, as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl

from . import paired_tests, statistics
from .answers import Answers, Scored, number, shares_of_some
from .metric import Metric
from .resampling import Draws, Resampled, means

# Confidence → its calibration with the draws of it, and how many items have it.
Calibrated = Mapping[str, tuple[Resampled, int]]

# The share by which answers are told right from wrong, where items have a right answer.
RIGHT = "accuracy"
REFUSED_RATE = "refused_rate"

# The same share of the items that neither side refuses.
RIGHT_ANSWERED = "accuracy_neither_refused"

# What a contrast is against: the baseline persona; the same persona on the unchanged items; both,
# as a difference of differences.
PERSONA, ARM, BOTH = "persona", "arm", "both"

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

# What scored answers have besides: invalid ones by outcome; flips, in the row of the accuracy.
OUTCOMES = {
    f"n_{outcome}{side}": pl.Int64
    for outcome in ("refused", "unreadable")
    for side in ("", "_baseline")
}
FLIPS = {name: pl.Int64 for name in ("n_right_to_wrong", "n_wrong_to_right", "n_wrong_to_wrong")}


# In the row of the accuracy too: how much smaller it is, in percent of the baseline's.
RELATIVE_DROP = {f"relative_drop{end}": pl.Float64 for end in ("", "_low", "_high")}

# What tells one test from another.
_TEST = ("model", "task", "persona", "variant", "against", "metric", "confidence")


def contrast_rows(
    sides: tuple[Scored, Scored],
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    metrics: Sequence[Metric],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of two sets of answers to the same items, as rows of `CONTRAST` and `FLIPS`.

    Args:
        sides: the answers, and those that they are compared with.
        difference: the paired differences of their measures.
        values: the measures themselves.
        metrics: the kind's.
        settings: the statistics'.
    """
    shared = _about(*sides)
    of_right: dict[str, Any] = {}
    if RIGHT in difference.point:
        of_right = {**flips(*sides), **relative_drop(values)}
    return [
        {**shared, "metric": metric.id, "confidence": None}
        | contrast(metric.id, sides, difference, values, settings)
        | (of_right if metric.id == RIGHT else {})
        for metric in metrics
        if metric.contrast != "none" and metric.id in difference.point
    ]


def flips(this: Scored, other: Scored) -> dict[str, int]:
    """Answers that differ, by whether they are right: numbers by the names of `FLIPS`.

    An invalid answer is a wrong one, so that a wrong answer may become another, invalid one.
    """
    right, was_right = this.hits[RIGHT], other.hits[RIGHT]
    found = (
        was_right & ~right,
        ~was_right & right,
        ~was_right & ~right & this.differs(other),
    )
    return {name: int(mask.sum()) for name, mask in zip(FLIPS, found, strict=True)}


def relative_drop(values: tuple[Resampled, Resampled]) -> dict[str, float | None]:
    """How much smaller the accuracy is than the baseline's, in percent of that: 100 (b - a) / b.

    Undefined, null, where the baseline's is 0. The interval is that of the paired draws of which
    it is defined. As in Gupta et al. 2024 (arXiv 2311.04892); the interval is own.
    """
    mine, theirs = values

    def drop(these: Mapping[str, Any], those: Mapping[str, Any]) -> dict[str, Any]:
        if RIGHT not in these:
            return {}
        base = np.asarray(those[RIGHT], dtype=np.float64)
        # Where nothing is right nothing can be lost.
        share = np.divide(these[RIGHT], base, out=np.full(base.shape, np.nan), where=base > 0)
        return {RIGHT: 100 * (1 - share)}

    found = replace(
        mine,
        point={RIGHT: float(drop(mine.point, theirs.point)[RIGHT])},
        drawn=drop(mine.drawn, theirs.drawn),
        left_out=drop(mine.left_out, theirs.left_out),
    )
    point = found.point[RIGHT]
    ends = (point, *((np.nan, np.nan) if np.isnan(point) else found.interval(RIGHT)))
    return dict(zip(RELATIVE_DROP, map(number, ends), strict=True))


def answered_rows(
    sides: tuple[Scored, Scored], draws: Draws, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The difference in accuracy on the items that neither side refuses, as a row of `CONTRAST`.

    Which items these are depends on the answers of both, so that the difference is not that of a
    fixed set of items: it tells errors from refusals (Gupta et al. 2024), and no more.

    Args:
        sides: the answers, and those that they are compared with.
        draws: of all items.
        settings: the statistics'.
    """
    if any(name not in side.hits for name in (RIGHT, REFUSED_RATE) for side in sides):
        return []
    answered = ~(sides[0].hits[REFUSED_RATE] | sides[1].hits[REFUSED_RATE])
    if not answered.any():
        return []
    here = sides[0].among(answered), sides[1].among(answered)
    among = draws.among(answered)
    values = (
        among.measure(partial(means, {RIGHT: here[0].hits[RIGHT]})),
        among.measure(partial(means, {RIGHT: here[1].hits[RIGHT]})),
    )
    found = contrast(RIGHT, here, values[0] - values[1], values, {**settings, "margins": {}})
    return [_about(*here) | {"metric": RIGHT_ANSWERED, "confidence": None} | found]


def arm_rows(
    sides: tuple[Scored, Scored],
    effects: tuple[Resampled, Resampled],
    metrics: Sequence[Metric],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of differences: what an arm does under a persona, beyond the baseline's.

    Args:
        sides: the persona's answers to the changed items, and the baseline's.
        effects: of the arm, changed minus unchanged items, under the persona and the baseline.
        metrics: the kind's.
        settings: the statistics'.

    Returns:
        Rows of `CONTRAST`: `value` is the arm's effect under the persona, `baseline_value` that
        under the baseline. Pairs of pairs have no test of McNemar's.
    """
    difference = effects[0] - effects[1]
    return [
        {**_about(*sides), "metric": metric.id, "confidence": None}
        | difference_row(metric.id, difference, effects, settings)
        for metric in metrics
        if metric.contrast != "none" and metric.id in difference.point
    ]


def _about(this: Scored, other: Scored) -> dict[str, Any]:
    return counted(this, other) | {"n_changed": int(this.differs(other).sum())}


def counted(this: Scored, other: Scored) -> dict[str, Any]:
    """How many answers either side has, and how many of them have no label."""
    return {
        "backend": this.backend,
        "n": this.n,
        "n_baseline": other.n,
        "n_invalid": this.n_invalid,
        "n_invalid_baseline": other.n_invalid,
        "n_refused": this.n_refused,
        "n_refused_baseline": other.n_refused,
        "n_unreadable": this.n_unreadable,
        "n_unreadable_baseline": other.n_unreadable,
    }


def contrast(
    name: str,
    sides: tuple[Answers, Answers],
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """One difference from the baseline, of a share by pairs, of anything else by the bootstrap.

    Args:
        name: of the measure.
        sides: the persona's answers and the baseline's, to the same items.
        difference: the paired differences of their measures.
        values: the measures themselves.
        settings: the statistics'.
    """
    row = difference_row(name, difference, values, settings)
    is_share = name in sides[0].hits or name in shares_of_some(sides[0])
    return row | (paired(name, *sides, settings) if is_share else {})


def difference_row(
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


def paired(
    name: str, this: Answers, baseline: Answers, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the pairs say of a difference of shares, of all items or of the same part of them."""
    mine, theirs = (
        side.hits[name].astype(float) if name in side.hits else shares_of_some(side)[name]
        for side in (this, baseline)
    )
    known = ~np.isnan(mine) & ~np.isnan(theirs)
    turned = (mine - theirs)[known].astype(int)
    n, n_gained, n_lost = turned.size, int((turned > 0).sum()), int((turned < 0).sum())
    row: dict[str, Any] = {"n_gained": n_gained, "n_lost": n_lost}
    if this.clustered and np.unique(clusters := np.asarray(this.clusters)[known]).size < n:
        p = paired_tests.mcnemar_clustered(turned, clusters)
        return row | {"test": "clustered McNemar", "p": number(p)}
    if not n:
        return row
    alpha = 1 - settings["confidence"]
    row |= {
        "test": "exact McNemar",
        "p": statistics.mcnemar_exact(n_gained, n_lost),
        "detectable": number(_detectable(n, n_gained + n_lost, alpha, settings["power"])),
    }
    margin = settings["margins"].get(name)
    if margin is not None:
        tost = paired_tests.equivalence_tost(n_gained, n_lost, n, margin, alpha)
        row |= {"equivalence_p": number(tost.p), "equivalent": bool(tost.p <= alpha)}
    return row


@lru_cache(maxsize=4096)
def _detectable(n: int, discordant: int, alpha: float, power: float) -> float:
    return paired_tests.minimum_detectable_difference(n, discordant / n, alpha, power)


def calibration_contrasts(
    sides: tuple[Scored, Scored],
    measures: tuple[Calibrated, Calibrated],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of the calibration of every confidence, as rows of `CONTRAST`.

    Args:
        sides: the persona's answers, and the baseline's.
        measures: of both, confidence → its calibration, and the number of items that have it.
        settings: the statistics'.
    """
    rows = []
    for confidence in measures[0]:
        if confidence not in measures[1]:
            continue
        (mine, n), (theirs, n_baseline) = measures[0][confidence], measures[1][confidence]
        shared = _about(*sides) | {"confidence": confidence, "n": n, "n_baseline": n_baseline}
        difference = mine - theirs
        for name in difference.point:
            margin = settings["margins"].get(f"{name}_{confidence}")
            own = {**settings, "margins": {} if margin is None else {name: margin}}
            found = difference_row(name, difference, (mine, theirs), own)
            rows.append({**shared, "metric": name, **found})
    return rows


def with_family(
    contrasts: pl.LazyFrame, family: Mapping[str, Any], groups: Mapping[str, str]
) -> pl.LazyFrame:
    """Add `in_family` and `p_holm`: adjusted over the tests that the study declares.

    Args:
        contrasts: the contrasts of the study.
        family: `metrics`, `wordings` and `groups` of the statistics.
        groups: group of every persona.
    """
    chosen = [persona for persona, group in groups.items() if group in family["groups"]]
    inside = full_metric().is_in(family["metrics"]) & pl.col("persona").is_in(chosen)
    inside &= (pl.col("against") == PERSONA) & pl.col("p").is_not_null()
    if family["wordings"] == "main":
        inside &= pl.col("variant") == "main"
    table = contrasts.with_columns(in_family=inside)
    tested = table.filter("in_family").select(*_TEST, "p").collect()
    adjusted = pl.Series(statistics.holm(tested["p"].to_numpy()), dtype=pl.Float64)
    found = tested.select(*_TEST, p_holm=adjusted).lazy()
    return table.join(found, on=_TEST, how="left", nulls_equal=True, maintain_order="left")


def full_metric() -> pl.Expr:
    """Name of a metric, with its confidence for a calibration measure."""
    return pl.concat_str("metric", "confidence", separator="_", ignore_nulls=True)
