"""What each factor of a set of personas does to the answers: main effects, interactions, trends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from ..measures.statistics import bootstrap_counts, percentile_interval
from . import gee
from .gee import Estimate, Floats

# Of fewer the sandwich says little, however it is corrected; our own bound.
FEWEST_ITEMS = 10

_NONE = 1e-9  # a variance in squared points that is rounding alone

Kind = Literal["level", "factor", "interaction_level", "interaction", "trend"]
Term = tuple[int, ...]  # one factor or two, by their places
_Firsts = dict[int, int]  # level → the one that it is compared with, by their places


@dataclass(frozen=True)
class Trend:
    """An order of some levels of a factor, the least of what they have first."""

    id: str
    factor: str
    levels: Sequence[str]


@dataclass(frozen=True)
class Joint:
    """A test of several differences at once: Hotelling's F with `df` and `df_within`."""

    f: float
    df: int
    df_within: int
    p: float


@dataclass(frozen=True)
class Effect:
    """An effect of a set's factors on the share of answers that count.

    Attributes:
        effect: `level`, a level against the first of its order, or else of its factor; `factor`,
            whether any two levels differ; `interaction_level`, how far that difference is another
            one under a level of a second factor than under its first; `interaction`, all of these
            of two factors at once; `trend`, the slope over ordered levels.
        factor, level, versus: the factor, and the levels compared; of a trend `level` is its id.
        factor_2, level_2, versus_2: those of the second factor of an interaction.
        n_clusters: items, or clusters of items, that the estimate rests on.
        n_answers: answers under the levels compared.
        points: in percentage points, of a trend for each step; None of a joint test.
        joint: None of a single difference.
        rho: Spearman's correlation of level and share, of a trend alone: value, low, high.
        reason: why there is no estimate; None where there is one.
    """

    effect: Kind
    factor: str
    level: str | None = None
    versus: str | None = None
    factor_2: str | None = None
    level_2: str | None = None
    versus_2: str | None = None
    n_clusters: int = 0
    n_answers: int = 0
    points: Estimate | None = None
    joint: Joint | None = None
    rho: tuple[float, float, float] | None = None
    reason: str | None = None

    @property
    def p(self) -> float | None:
        """The p value of the estimate or of the joint test."""
        found = self.points or self.joint
        return None if found is None else found.p


@dataclass(frozen=True)
class Answers:
    """The answers under all personas of a set.

    Attributes:
        counts: whether each answer counts, such as being right, shape (answers,).
        levels: the place of each answer's level of each factor, shape (answers, factors).
        clusters: its item, or the cluster of its item, shape (answers,); any labels.
        factors: id → ids of its levels, the first the one that others are compared with.
    """

    counts: NDArray[np.bool_]
    levels: NDArray[np.int64]
    clusters: NDArray[Any]
    factors: Mapping[str, Sequence[str]]


def factor_effects(
    answers: Answers,
    trends: Sequence[Trend] = (),
    *,
    confidence: float,
    draws: int = 2000,
    seed: int = 0,
) -> list[Effect]:
    """Estimate what the levels of every factor do, and how far two factors depend on each other.

    Generalized estimating equations as in `interaction`: logistic, all factors and their two-way
    interactions, the answers to an item being one cluster with exchangeable correlation, with
    the covariance of Mancl and DeRouen (2001). From the fit the share of answers that count is
    predicted for every combination of levels; a main effect is the difference of two levels in
    percentage points, on the mean over all combinations of the other factors in equal parts
    (average marginal effect), and an interaction a difference of such differences. Standard
    errors by the delta method. Intervals and p are by Student's t with clusters - 1 degrees of
    freedom, joint tests by Hotelling's F, as if the items were a sample of vectors of answers.
    Interactions of three factors and more are not in the model.

    A trend is the slope of the least-squares line through the predicted shares of ordered levels,
    in points a step. Beside it stands Spearman's correlation of step and observed share, with a
    percentile bootstrap interval over clusters.

    A factor or an interaction is left out of the fit, which goes on for the others, where all
    answers of a level (of two levels together) count, or none: its log odds are infinite.

    Args:
        answers: one row per answer; every combination of levels with equally many.
        trends: orders of levels whose slope is asked for.
        confidence: coverage of the intervals, for example 0.95.
        draws: bootstrap draws of the correlations.
        seed: their seed (PCG64).

    Returns:
        For every factor its levels but the first (of those in an order but its first), then the
        factor; the same for every two factors; then trends. A row without an estimate has its
        `reason`.
    """
    table = _Table(answers)
    reasons = {term: table.reason(term) for term in table.terms}
    for pair in (term for term in table.terms if len(term) > 1):
        # No interaction without both of its factors.
        reasons[pair] = reasons[pair[:1]] or reasons[pair[1:]] or reasons[pair]
    if all(reasons[term] for term in table.terms if len(term) == 1):
        found: _Fit | str = "nothing to fit"
    else:
        found = table.fit([term for term in table.terms if not reasons[term]], confidence)
    firsts = [table.firsts(name, trends) for name in table.names]
    drawn: dict[str, Any] = {"confidence": confidence, "draws": draws, "seed": seed}
    return [
        *(e for term in table.terms for e in _of_term(table, term, reasons[term], found, firsts)),
        *(_of_trend(table, trend, reasons, found, drawn) for trend in trends),
    ]


class _Table:
    """The answers by combination of levels, and what a fit of some terms is made of."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.names = list(answers.factors)
        self.sizes = [len(levels) for levels in answers.factors.values()]
        self.grid = np.array(list(product(*map(range, self.sizes))))
        self.n_clusters = len(np.unique(answers.clusters))
        self.terms: list[Term] = [
            *((i,) for i in range(len(self.sizes)) if self.sizes[i] > 1),
            *(
                pair
                for pair in combinations(range(len(self.sizes)), 2)
                if all(self.sizes[i] > 1 for i in pair)
            ),
        ]
        place = np.ravel_multi_index(answers.levels.T, self.sizes)
        asked = np.bincount(place, minlength=len(self.grid))
        self._broken = None
        if len(set(asked)) > 1:
            self._broken = (
                f"{(asked > 0).sum()} of {len(self.grid)} combinations of levels were asked"
                if (asked == 0).any()
                else "combinations of levels were not asked equally often"
            )
        elif self.n_clusters < FEWEST_ITEMS:
            self._broken = f"fewer than {FEWEST_ITEMS} items"
        elif answers.counts.all() or not answers.counts.any():
            self._broken = "all answers count" if answers.counts.all() else "no answer counts"

    def firsts(self, factor: str, trends: Sequence[Trend]) -> _Firsts:
        """The place of the first level of an order, for every level that is in one."""
        place = {level: k for k, level in enumerate(self.answers.factors[factor])}
        found: _Firsts = {}
        for trend in (trend for trend in trends if trend.factor == factor):
            known = [place[level] for level in trend.levels if level in place]
            found = dict.fromkeys(known, known[0] if known else 0) | found
        return found

    def levels(self, factor: int) -> Sequence[str]:
        return self.answers.factors[self.names[factor]]

    def at(self, levels: Mapping[int, Sequence[int]]) -> NDArray[np.bool_]:
        """Which answers have one of these levels of each of these factors."""
        here = np.ones(len(self.answers.counts), dtype=np.bool_)
        for factor, places in levels.items():
            here &= np.isin(self.answers.levels[:, factor], places)
        return here

    def reason(self, term: Term) -> str | None:
        """Why a term cannot be in the fit, or None."""
        if self._broken:
            return self._broken
        for places in product(*(range(self.sizes[i]) for i in term)):
            of = dict(zip(term, places, strict=True))
            values = self.answers.counts[self.at({i: [k] for i, k in of.items()})]
            if values.all() or not values.any():
                named = " with ".join(self.levels(i)[k] for i, k in of.items())
                return (
                    f"all answers of {named} count"
                    if values.all()
                    else f"no answer of {named} counts"
                )
        return None

    def weights(self, levels: Mapping[int, int]) -> Floats:
        """The mean over all combinations with these levels, shape (combinations,)."""
        here = np.all([self.grid[:, i] == k for i, k in levels.items()], axis=0)
        return np.asarray(here / here.sum())

    def differences(self, compared: Mapping[int, tuple[int, int]]) -> Floats:
        """One level minus another; of two factors the difference of such differences."""
        total = np.zeros(len(self.grid))
        for chosen in product(*((0, 1) for _ in compared)):
            levels = {i: compared[i][which] for i, which in zip(compared, chosen, strict=True)}
            total += (-1) ** sum(chosen) * self.weights(levels)
        return total

    def design(self, terms: Sequence[Term], levels: NDArray[np.int64]) -> Floats:
        """An intercept, and for each term the products of its levels but the first."""
        columns = [np.ones(len(levels))]
        for term in terms:
            for places in product(*(range(1, self.sizes[i]) for i in term)):
                one = np.all([levels[:, i] == k for i, k in zip(term, places, strict=True)], axis=0)
                columns.append(one.astype(np.float64))
        return np.column_stack(columns)

    def fit(self, terms: Sequence[Term], confidence: float) -> _Fit | str:
        found = gee.fit(
            self.answers.counts.astype(np.float64),
            self.design(terms, self.answers.levels),
            np.unique(self.answers.clusters, return_inverse=True)[1],
        )
        if isinstance(found, str):
            return found
        design = self.design(terms, self.grid)
        p = expit(design @ found.coefficients)
        slopes = 100 * (p * (1 - p))[:, None] * design
        return _Fit(found, 100 * p, slopes, self.n_clusters, confidence)

    def shares(self, factor: int, places: Sequence[int]) -> Floats:
        """Sums of what counts and of answers, shape (2, clusters, levels)."""
        which = np.unique(self.answers.clusters, return_inverse=True)[1]
        sums = np.zeros((2, self.n_clusters, self.sizes[factor]))
        at = which, self.answers.levels[:, factor]
        np.add.at(sums[0], at, self.answers.counts)
        np.add.at(sums[1], at, 1)
        return np.asarray(sums[:, :, places])


@dataclass(frozen=True)
class _Fit:
    """The predicted percentages of all combinations, and their slopes by the coefficients."""

    gee: gee.Fit
    predicted: Floats
    slopes: Floats
    n_clusters: int
    confidence: float

    def difference(self, weights: Floats) -> Estimate | str:
        """A weighted sum of the predictions."""
        linear = float(weights @ self.predicted), weights @ self.slopes
        if linear[1] @ self.gee.covariance @ linear[1] < _NONE:
            return "the difference is the same on every item"
        return self.gee.estimate(linear, self.confidence, self.n_clusters - 1)

    def joint(self, weights: Sequence[Floats]) -> Joint | str:
        """Hotelling's test that several weighted sums are all 0."""
        stacked = np.array(weights)
        values, gradients = stacked @ self.predicted, stacked @ self.slopes
        covariance = gradients @ self.gee.covariance @ gradients.T
        df = len(weights)
        within = self.n_clusters - df
        if np.diag(covariance).min() < _NONE or np.linalg.matrix_rank(covariance) < df:
            return "differences of levels depend on each other, or are the same on every item"
        if within < df:
            return f"too few items for {df} differences at once"
        f = float(values @ np.linalg.solve(covariance, values)) * within / (df * (within + df - 1))
        return Joint(f, df, within, float(stats.f.sf(f, df, within)))


def _of_term(
    table: _Table, term: Term, reason: str | None, found: _Fit | str, firsts: Sequence[_Firsts]
) -> Iterator[Effect]:
    """The effects of a factor or of two: of levels, then of all at once."""
    kinds: tuple[Kind, Kind] = ("level", "factor")
    if len(term) > 1:
        kinds = ("interaction_level", "interaction")
    about = Effect(kinds[0], table.names[term[0]], n_clusters=table.n_clusters)
    if len(term) > 1:
        about = replace(about, factor_2=table.names[term[1]])
    weights = []
    for places in product(*(range(1, table.sizes[i]) for i in term)):
        weights.append(table.differences(dict(zip(term, [(k, 0) for k in places], strict=True))))
    for places in product(*(range(table.sizes[i]) for i in term)):
        compared = {i: (k, firsts[i].get(k, 0)) for i, k in zip(term, places, strict=True)}
        if any(k == first for k, first in compared.values()):
            continue
        named = [(table.levels(i)[k], table.levels(i)[first]) for i, (k, first) in compared.items()]
        effect = replace(about, level=named[0][0], versus=named[0][1])
        if len(term) > 1:
            effect = replace(effect, level_2=named[1][0], versus_2=named[1][1])
        effect = replace(effect, n_answers=int(table.at(compared).sum()))
        estimate = reason or _difference(found, table.differences(compared))
        yield _filled(effect, estimate)
    about = replace(about, effect=kinds[1], n_answers=len(table.answers.counts))
    yield _filled(about, reason or (found if isinstance(found, str) else found.joint(weights)))


def _difference(found: _Fit | str, weights: Floats) -> Estimate | str:
    return found if isinstance(found, str) else found.difference(weights)


def _filled(effect: Effect, estimate: Estimate | Joint | str) -> Effect:
    """An effect with its estimate, or with the reason why there is none."""
    if isinstance(estimate, str):
        return replace(effect, reason=estimate)
    if isinstance(estimate, Joint):
        return replace(effect, joint=estimate)
    return replace(effect, points=estimate)


def _of_trend(
    table: _Table,
    trend: Trend,
    reasons: Mapping[Term, str | None],
    found: _Fit | str,
    drawn: Mapping[str, Any],
) -> Effect:
    """The slope over ordered levels, in points a step, and the correlation of step and share."""
    factor = table.names.index(trend.factor)
    about = Effect("trend", trend.factor, trend.id, n_clusters=table.n_clusters)
    missing = [level for level in trend.levels if level not in table.levels(factor)]
    if missing:
        return replace(about, reason=f"no answers of {missing[0]}")
    places = [table.levels(factor).index(level) for level in trend.levels]
    about = replace(about, n_answers=int(table.at({factor: places}).sum()))
    step = np.arange(len(places)) - (len(places) - 1) / 2
    shares = np.array([table.weights({factor: k}) for k in places])
    slope = step @ shares / (step**2).sum()
    effect = _filled(about, reasons[factor,] or _difference(found, slope))
    return effect if effect.reason else replace(effect, rho=_rho(table, factor, places, drawn))


def _rho(
    table: _Table, factor: int, places: Sequence[int], drawn: Mapping[str, Any]
) -> tuple[float, float, float]:
    """Spearman's correlation of step and share, with its interval; nan where all shares are one."""
    counted, asked = table.shares(factor, places)
    counts = bootstrap_counts(table.n_clusters, drawn["draws"], drawn["seed"]).astype(np.float64)
    every = np.vstack([np.ones(table.n_clusters), counts])
    # Shares that are equal but for rounding are ties.
    ranks = stats.rankdata(np.round((every @ counted) / (every @ asked), 12), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    step = np.arange(len(places)) - (len(places) - 1) / 2
    with np.errstate(invalid="ignore"):
        rho = ranks @ step / np.sqrt((ranks**2).sum(axis=1) * (step**2).sum())
    low, high = percentile_interval(rho[1:], drawn["confidence"])
    return float(rho[0]), float(low), float(high)
