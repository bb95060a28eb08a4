"""A sample's numbers together with those of its bootstrap draws.

Cells on the same items get the same draws, so that the difference of two cells is resampled as
a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .paired_tests import bca_interval
from .statistics import cluster_counts, jackknife_counts, numbered, percentile_interval

Floats = NDArray[np.float64]
# A draw this close to a value is at it: equal numbers, summed in another order, differ by less.
ROUNDING = 1e-12

# What a number is called: a string, or a tuple of them.
Name = Any
# From how often each item counts, shape (draws, items), or None for the sample: numbers by name.
Measure = Callable[[NDArray[Any] | None], Mapping[Name, Any]]


@dataclass(frozen=True)
class Resampled:
    """Numbers by name.

    Attributes:
        point: of the sample.
        drawn: of the bootstrap draws, shape (draws,).
        left_out: of the sample without one item or cluster at a time; empty unless the intervals
            are BCa.
        confidence: of the intervals.
        least_p: smallest two-sided p that so few items or clusters can show.
    """

    point: dict[Name, float]
    drawn: dict[Name, Floats]
    left_out: dict[Name, Floats]
    confidence: float
    least_p: float = 0.0

    def __sub__(self, other: Resampled) -> Resampled:
        """Differences, draw by draw, of the numbers that both have."""

        def minus(mine: dict[Name, Any], theirs: dict[Name, Any]) -> dict[Name, Any]:
            return {name: mine[name] - theirs[name] for name in mine if name in theirs}

        return replace(
            self,
            point=minus(self.point, other.point),
            drawn=minus(self.drawn, other.drawn),
            left_out=minus(self.left_out, other.left_out),
        )

    def of(self, clusters: ArrayLike) -> Resampled:
        """The same, of numbers that are of some items only, whose clusters these are."""
        return replace(self, least_p=_least_p(clusters))

    def interval(self, name: Name, confidence: float | None = None) -> tuple[float, float]:
        """Bootstrap interval: BCa where there are leave-one-out numbers, else percentile.

        None, (nan, nan), of one item or cluster, which is drawn again and again.
        """
        if self.least_p >= 1:
            return float("nan"), float("nan")
        level = self.confidence if confidence is None else confidence
        if name in self.left_out:
            bounds = bca_interval(self.point[name], self.drawn[name], self.left_out[name], level)
        else:
            bounds = percentile_interval(self.drawn[name], level)
        return float(bounds[0]), float(bounds[1])

    def p_beyond(self, name: Name, value: float) -> float:
        """Share of draws that are not beyond `value`, seen from 0; at least 1 / (draws + 1), and
        half of `least_p`.

        The p of the one-sided hypothesis that a percentile interval inverts (Efron and
        Tibshirani 1993, section 15.5): nan where the number is undefined.
        """
        drawn = self.drawn[name][~np.isnan(self.drawn[name])]
        if not drawn.size or np.isnan(self.point[name]):
            return float("nan")
        wrong = (drawn <= value + ROUNDING) if value < 0 else (drawn >= value - ROUNDING)
        return float(max((wrong.sum() + 1) / (drawn.size + 1), self.least_p / 2))

    def p_zero(self, name: Name) -> float:
        """Two-sided p of the hypothesis that a difference is 0, by inverting the percentile
        interval, at least `least_p`; nan where it is undefined.

        Resampling three items that all say the same never gives another answer, and alone would
        call any difference significant.
        """
        drawn = self.drawn[name][~np.isnan(self.drawn[name])]
        if not drawn.size or np.isnan(self.point[name]):
            return float("nan")
        sides = min((drawn <= ROUNDING).sum(), (drawn >= -ROUNDING).sum())
        return float(min(max(2 * (sides + 1) / (drawn.size + 1), self.least_p), 1.0))


@dataclass(frozen=True)
class Draws:
    """The draws of a set of items.

    Attributes:
        clusters: number of every item's cluster, shape (items,).
        counts: how often every draw takes every item, shape (draws, items).
        jackknife: every item once, but for one item or cluster, shape (clusters, items); None
            for percentile intervals.
        confidence: of the intervals.
    """

    clusters: NDArray[np.intp]
    counts: NDArray[Any]
    jackknife: NDArray[Any] | None
    confidence: float

    @classmethod
    def of(cls, clusters: ArrayLike, settings: Mapping[str, Any]) -> Draws:
        """Draw; `clusters` has the cluster of every item, `settings` are the statistics'."""
        counts = cluster_counts(clusters, settings["draws"], settings["seed"])
        bca = settings["interval"] == "bca"
        return cls(
            clusters=numbered(clusters),
            # Converted once: every number of every cell multiplies with them.
            counts=counts.astype(np.float32),
            jackknife=jackknife_counts(clusters).astype(np.float32) if bca else None,
            confidence=settings["confidence"],
        )

    def among(self, items: NDArray[Any]) -> Draws:
        """The same draws of some of the items only."""
        jackknife = None if self.jackknife is None else self.jackknife[:, items]
        return replace(
            self,
            clusters=self.clusters[items],
            counts=self.counts[:, items],
            jackknife=jackknife,
        )

    @property
    def least_p(self) -> float:
        """Smallest two-sided p of an exact test: that of exchanging both sides, item by item.

        Of n items or clusters it has 2^n outcomes, each as far from 0 as its opposite (Pitman
        1937).
        """
        return _least_p(self.clusters)

    def measure(self, measure: Measure) -> Resampled:
        """Measure the sample and all its draws."""
        return Resampled(
            point={name: float(value) for name, value in measure(None).items()},
            drawn=dict(measure(self.counts)),
            left_out={} if self.jackknife is None else dict(measure(self.jackknife)),
            confidence=self.confidence,
            least_p=self.least_p,
        )


def _least_p(clusters: ArrayLike) -> float:
    return float(min(2.0 ** (1 - np.unique(np.asarray(clusters)).size), 1.0))


def means(values: Mapping[str, NDArray[Any]], counts: NDArray[Any] | None) -> dict[str, Any]:
    """Means of several values of the items, each of shape (items,), in the sample or every draw."""
    if counts is None:
        return {n: float(np.mean(v)) if v.size else float("nan") for n, v in values.items()}
    matrix = np.column_stack([*values.values(), np.ones(counts.shape[1])])
    # Sums of noughts and ones this small are exact in single precision, and twice as fast.
    exact = len(matrix) < 2**24 and np.isin(matrix, (0.0, 1.0)).all()
    precision = np.float32 if exact else np.float64
    sums = np.asarray(np.asarray(counts, precision) @ matrix.astype(precision), np.float64)
    n = sums[:, -1]
    return {
        name: np.divide(sums[:, i], n, out=np.full(len(n), np.nan), where=n > 0)
        for i, name in enumerate(values)
    }
