"""What a comparison of personas may claim: clustered and accelerated intervals, equivalence,
the smallest effect that could have been seen, and whether an effect is more than wording.

Effects are differences persona minus baseline on the same items, as shares: 0.05 is five
percentage points.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from .statistics import numbered

Floats = NDArray[np.float64]

MIN_WORDINGS = 3
MIN_CONTROLS = 3

# Two measures this close are the same measure; sums in another order differ by their rounding.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12


def bca_interval(
    point: ArrayLike, draws: ArrayLike, jackknife: ArrayLike, confidence: float
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987).

    With z0 the normal quantile of the share of draws below the point (draws equal to it count
    half) and a = Σ U³ / 6 (Σ U²)^(3/2), where U is the mean of the leave-one-out values minus
    each of them (Efron and Tibshirani 1993, eq. 14.15), the bounds are the quantiles of the
    draws at Φ(z0 + w / (1 - a w)), w = z0 ± z. They are those of `scipy.stats.bootstrap`, which
    takes no resamples from outside.

    It needs a measure that moves in many small steps. For a difference of paired shares with few
    discordant pairs (45 items, two on either side) a nominal 95% covers 90%: take
    `tango_interval`.

    Where the method has nothing to work with:

    - A draw that is nan, where the measure is undefined, is left out, and so is a leave-one-out
      value; nan where every draw is, or where the point is.
    - All draws equal to the point: both bounds are the point. Such an interval has no width and
      says nothing of the population; for a share take a score interval.
    - All draws on one side of the point, as with a measure that resampling always
      raises (calibration errors): no bias of that size can be corrected; nan.
    - All leave-one-out values equal, or none defined: a = 0.
    - a w >= 1, for which the formula has no meaning: the smallest or largest draw. |a| is at most
      1/6, so that this needs |w| >= 6.

    Args:
        point: shape (...), the measures of the sample.
        draws: shape (draws, ...), the same of every resample.
        jackknife: shape (items or clusters, ...), the same with one left out
            (`jackknife_counts`).
        confidence: coverage, for example 0.95.

    Returns:
        Lower and upper bound, each of shape (...).
    """
    point = np.asarray(point, dtype=np.float64)
    draws = np.asarray(draws, dtype=np.float64)
    same = np.isclose(draws, point, rtol=_RELATIVE, atol=_ABSOLUTE)
    defined = np.count_nonzero(~np.isnan(draws), axis=0)
    below = np.count_nonzero((draws < point) & ~same, axis=0) + np.count_nonzero(same, axis=0) / 2
    share = below / np.maximum(defined, 1)
    usable = (share > 0) & (share < 1) & (defined > 0) & ~np.isnan(point)
    bias = ndtri(np.where(usable, share, 0.5))
    acceleration = _acceleration(np.asarray(jackknife, dtype=np.float64))

    def level(tail: float) -> Floats:
        w = bias + ndtri(tail)
        room = 1 - acceleration * w
        adjusted = bias + w / np.where(room > 0, room, 1)
        return np.asarray(ndtr(np.where(room > 0, adjusted, np.copysign(np.inf, w))))

    # Undefined columns are blanked below; until then they are kept out of the quantiles.
    filled = np.where(usable, draws, 0.0)

    def bound(tail: float) -> Floats:
        value = scipy.stats.quantile(
            filled, np.asarray(level(tail))[None], axis=0, nan_policy="omit", keepdims=True
        )[0]
        return np.where(usable, value, np.nan)

    alpha = (1 - confidence) / 2
    return bound(alpha), bound(1 - alpha)


def _acceleration(jackknife: Floats) -> Floats:
    """Efron's a from leave-one-out values of shape (n, ...), undefined ones left out."""
    defined = ~np.isnan(jackknife)
    values = np.where(defined, jackknife, 0.0)
    mean = values.sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    influence = np.where(defined, mean - values, 0.0)
    size = np.abs(influence).max(axis=0, initial=0.0)
    varies = size > _ABSOLUTE + _RELATIVE * np.abs(mean)
    # a has no unit; of values near 1 the cubes neither over- nor underflow.
    unit = influence / np.where(varies, size, 1.0)
    squares = np.where(varies, (unit**2).sum(axis=0), 1.0)
    return np.asarray(np.where(varies, (unit**3).sum(axis=0), 0.0) / (6 * squares**1.5))


def tango_interval(
    only_first: int, only_second: int, n: int, confidence: float
) -> tuple[float, float]:
    """Score interval of a difference of paired proportions (Tango 1998).

    All differences that the score test of `equivalence_tost` does not reject. It does not
    shrink to a point where no pair is discordant: it then has the bounds ± z² / (n + z²).

    Args:
        only_first: pairs that are right under the first condition only.
        only_second: pairs that are right under the second condition only.
        n: all pairs; 0 gives (nan, nan).
        confidence: coverage, for example 0.95.

    Returns:
        Lower and upper bound of the share right under the first condition minus the share right
        under the second.
    """
    if n == 0:
        return float("nan"), float("nan")
    z = float(ndtri((1 + confidence) / 2))
    estimate = (only_first - only_second) / n

    def excess(difference: float, sign: int) -> float:
        gap, variance = _score(only_first, only_second, n, difference)
        return gap - sign * z * float(np.sqrt(variance))

    # The variance may vanish at the estimate, which would then pass for a bound.
    root = scipy.optimize.brentq
    low = -1.0 if only_second == n else root(excess, -1.0, estimate - _ABSOLUTE, args=(1,))
    high = 1.0 if only_first == n else root(excess, estimate + _ABSOLUTE, 1.0, args=(-1,))
    return float(low), float(high)


def _score(only_first: int, only_second: int, n: int, difference: float) -> tuple[float, float]:
    """Numerator and variance of Tango's score statistic for a true `difference`.

    The variance is that under the hypothesis: the share of pairs only the second condition
    gets right, q, is the root of A q² + B q + C, its maximum likelihood estimate.
    """
    a = 2 * n
    b = (2 * n - only_first + only_second) * difference - only_first - only_second
    c = -only_second * difference * (1 - difference)
    root = float(np.sqrt(max(b * b - 4 * a * c, 0.0)))
    # The same root twice; each form is the one that does not cancel.
    q = -2 * c / (b + root) if b > 0 else (root - b) / (2 * a)
    variance = n * (2 * q + difference * (1 - difference))
    return only_first - only_second - n * difference, max(variance, 0.0)


def mcnemar_clustered(turned: ArrayLike, clusters: ArrayLike) -> float:
    """Two-sided p of a McNemar test of pairs that come in clusters (Durkalski et al. 2003).

    With d the sum over the pairs of a cluster of +1 (turned right), -1 (turned wrong) and 0,
    divided by its number of pairs, (Σ d)² / Σ d² is chi-squared with one degree of freedom. For
    clusters of one pair it is McNemar's statistic without correction.

    Args:
        turned: shape (pairs,), +1, -1 or 0.
        clusters: shape (pairs,), cluster of every pair.

    Returns:
        p; 1 where the clusters are all balanced.
    """
    number = numbered(clusters)
    size = np.bincount(number)
    share = np.bincount(number, weights=np.asarray(turned, dtype=np.float64)) / size
    squares = float((share**2).sum())
    return float(scipy.stats.chi2.sf(share.sum() ** 2 / squares, 1)) if squares > 0 else 1.0


@dataclass(frozen=True)
class Equivalence:
    """Whether a paired difference lies within a margin.

    Attributes:
        difference: share right under the first condition minus that under the second.
        p_above: of the hypothesis that the difference is -margin or less.
        p_below: of the hypothesis that it is +margin or more.
        p: the larger of the two; the conditions are equivalent at alpha where p <= alpha.
        low: lower bound of the interval with confidence 1 - 2 alpha.
        high: its upper bound. p <= alpha exactly where it lies within ± margin.
    """

    difference: float
    p_above: float
    p_below: float
    p: float
    low: float
    high: float


def equivalence_tost(
    only_first: int, only_second: int, n: int, margin: float, alpha: float
) -> Equivalence:
    """Two one-sided tests that a difference of paired proportions is within ± `margin`.

    Schuirmann's (1987) pair of tests, each with the score statistic of Tango (1998) for paired
    proportions: (b - c - n d) / √(n (2 q + d (1 - d))), d the margin tested, b and c the
    discordant pairs, q as estimated under that margin. Of the paired table (both right, only
    first, only second, both wrong) it needs the discordant pairs and the total.

    Args:
        only_first: pairs that are right under the first condition only.
        only_second: pairs that are right under the second condition only.
        n: all pairs; 0 gives nan throughout.
        margin: the difference that still counts as none, a share between 0 and 1.
        alpha: level of each test.

    Raises:
        ValueError: `margin` is not between 0 and 1, or `alpha` not between 0 and 0.5.
    """
    if not 0 < margin < 1 or not 0 < alpha < 0.5:
        raise ValueError(f"a margin of {margin} or a level of {alpha} is out of range")
    if n == 0:
        nan = float("nan")
        return Equivalence(nan, nan, nan, nan, nan, nan)

    def statistic(difference: float) -> float:
        gap, variance = _score(only_first, only_second, n, difference)
        return gap / float(np.sqrt(variance))

    p_above, p_below = float(ndtr(-statistic(-margin))), float(ndtr(statistic(margin)))
    low, high = tango_interval(only_first, only_second, n, 1 - 2 * alpha)
    difference = (only_first - only_second) / n
    return Equivalence(difference, p_above, p_below, max(p_above, p_below), low, high)


def minimum_detectable_difference(
    n: int, discordant_share: float, alpha: float, power: float
) -> float:
    """Smallest paired difference that the exact McNemar test shows with a given power.

    The power is that before the data are seen, exact: the number of discordant pairs is
    binomial (n, share), and of these those in favour of one side are binomial with the
    probability (1 + difference / share) / 2 (Miettinen 1968; Duffy 1984). Connor's (1987)
    formula is its normal approximation.

    Args:
        n: number of pairs.
        discordant_share: share of pairs of which one side alone is right, usually as observed.
        alpha: level of the two-sided test.
        power: probability to be significant, above `alpha`.

    Returns:
        Difference as a share, at most `discordant_share`; nan where the power is lacking even
        with all discordant pairs on one side: no difference of this many discordant pairs could
        have been shown.

    Raises:
        ValueError: the share is not within 0 and 1, or not 0 < `alpha` < `power` < 1.
    """
    if not 0 <= discordant_share <= 1 or not 0 < alpha < power < 1:
        raise ValueError(f"a share {discordant_share}, level {alpha} or power {power} is off")
    if n == 0 or discordant_share == 0:
        return float("nan")
    discordant = np.arange(n + 1)
    likely = scipy.stats.binom.pmf(discordant, n, discordant_share)
    discordant, likely = discordant[likely > 1e-12], likely[likely > 1e-12]
    # Significant where the smaller side has at most this many; -1 where nothing is.
    critical = scipy.stats.binom.ppf(alpha / 2, discordant, 0.5)
    critical -= scipy.stats.binom.cdf(critical, discordant, 0.5) > alpha / 2

    def lack(difference: float) -> float:
        side = (1 + difference / discordant_share) / 2
        few = scipy.stats.binom.cdf(critical, discordant, side)
        many = scipy.stats.binom.sf(discordant - critical - 1, discordant, side)
        return float(likely @ (few + many)) - power

    if lack(discordant_share) < 0:
        return float("nan")
    return float(scipy.optimize.brentq(lack, 0.0, discordant_share))


@dataclass(frozen=True)
class Spread:
    """Location and spread of a few effects.

    Attributes:
        n: number of effects.
        mean: their mean; nan without any.
        sd: sample standard deviation (divisor n - 1); nan for fewer than two.
        low: smallest effect; nan without any.
        high: largest effect; high - low is the range.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


def spread(values: ArrayLike) -> Spread:
    """Describe effects, shape (n,), such as those of the paraphrases of a persona."""
    values = np.asarray(values, dtype=np.float64)
    if not values.size:
        return Spread(0, *4 * (float("nan"),))
    sd = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    return Spread(
        int(values.size), float(values.mean()), sd, float(values.min()), float(values.max())
    )


@dataclass(frozen=True)
class Robustness:
    """A verdict on an effect, and the measures that it rests on.

    Attributes:
        verdict: see `robust`.
        effect: effect of the main wording.
        low: lower bound of its interval over items.
        high: upper bound.
        p_adjusted: its adjusted p.
        wordings: effects of all its wordings, the main one included.
        wording_low: lower bound of the t interval of their mean; nan for a single wording.
        wording_high: upper bound.
        controls: effects of the control personas.
        control_low: lower bound of their prediction interval; nan for a single control.
        control_high: upper bound.
    """

    verdict: str
    effect: float
    low: float
    high: float
    p_adjusted: float
    wordings: Spread
    wording_low: float
    wording_high: float
    controls: Spread
    control_low: float
    control_high: float


def robust(
    effect: float,
    interval: tuple[float, float],
    paraphrase_effects: ArrayLike,
    control_effects: ArrayLike,
    *,
    p_adjusted: float,
    alpha: float,
    family: int = 1,
) -> Robustness:
    """Decide whether an effect is more than chance, more than wording and more than any sentence.

    Our own definition. An effect is robust where all of these hold:

    1. *Items.* `p_adjusted` is at most `alpha`, and the interval over items excludes 0.
    2. *Wordings.* The effects of all its wordings, the main one included, have one sign, and
       the t interval of their mean, mean ± t(k - 1) SD / √k, excludes 0.
    3. *Controls.* The mean over its wordings is larger in absolute value than the effect of every
       control, and outside the t prediction interval of one further control,
       mean ± t(m - 1) SD √(1 + 1/m) (Hahn and Meeker 1991), the controls being a sample of
       sentences without the meaning under study.

    All have to hold, so that the levels need no correction for their number (an
    intersection-union test, Berger 1982). The interval of 2 has the confidence 1 - `alpha`, that
    of 3 has 1 - `alpha` / `family` (Bonferroni): with `family` the number of personas judged
    together and p values adjusted over them, the probability of any false "robust" is at most
    `alpha`, be the personas without effect or be their effects such as any sentence, or any
    wording of one, has, as long as the effects of sentences are normally distributed.

    Args:
        effect: effect of the main wording.
        interval: its interval over items.
        paraphrase_effects: shape (k - 1,), those of its other wordings.
        control_effects: shape (m,), one per control persona: the mean over its wordings, as
            many as the persona has. Controls with fewer wordings spread more and make the
            verdict stricter.
        p_adjusted: p of the main wording, adjusted over the personas (`statistics.holm`).
        alpha: level.
        family: number of personas judged together.

    Returns:
        With the verdict, the first that applies of:

        - "not significant": 1 fails, or the effect is unknown (nan).
        - "not beyond wording": 2 fails.
        - "not beyond controls": 3 fails.
        - "too few wordings": 2 needs three; with one or two a difference in sign can only
          refute it.
        - "too few controls": 3 needs three; with one or two only a control with an effect as
          large can refute it.
        - "robust".
    """
    low, high = (float(bound) for bound in interval)
    wordings = spread(np.append(effect, paraphrase_effects))
    controls = spread(control_effects)
    wording_low, wording_high = _t_interval(wordings, alpha, 1 / wordings.n)
    control_low, control_high = _t_interval(controls, alpha / family, 1 + 1 / max(controls.n, 1))
    largest_control = max(abs(controls.low), abs(controls.high)) if controls.n else 0.0
    enough_wordings = wordings.n >= MIN_WORDINGS
    enough_controls = controls.n >= MIN_CONTROLS

    significant = p_adjusted <= alpha and (low > 0 or high < 0)
    one_sign = wordings.low > 0 or wordings.high < 0
    beyond_wording = one_sign and (not enough_wordings or wording_low > 0 or wording_high < 0)
    beyond_controls = abs(wordings.mean) > largest_control and (
        not enough_controls or not control_low <= wordings.mean <= control_high
    )
    verdicts = {
        "not significant": not significant,
        "not beyond wording": not beyond_wording,
        "not beyond controls": not beyond_controls,
        "too few wordings": not enough_wordings,
        "too few controls": not enough_controls,
        "robust": True,
    }
    return Robustness(
        verdict=next(verdict for verdict, applies in verdicts.items() if applies),
        effect=float(effect),
        low=low,
        high=high,
        p_adjusted=float(p_adjusted),
        wordings=wordings,
        wording_low=wording_low,
        wording_high=wording_high,
        controls=controls,
        control_low=control_low,
        control_high=control_high,
    )


def _t_interval(of: Spread, level: float, variance: float) -> tuple[float, float]:
    """mean ± t SD √variance, with n - 1 degrees of freedom; nan for fewer than two values."""
    if of.n < 2:
        return float("nan"), float("nan")
    half = float(scipy.stats.t.isf(level / 2, of.n - 1)) * of.sd * float(np.sqrt(variance))
    return of.mean - half, of.mean + half


@dataclass(frozen=True)
class Agreement:
    """How alike repeated answers to the same items are.

    Attributes:
        agreement: shape (items,), share of the pairs of repeats that have the same label; nan
            for fewer than two repeats.
        entropy: shape (items,), entropy of the labels' distribution in nats, from 0 (always the
            same) to the logarithm of the number of labels. Too small on average with few
            repeats, by about (labels seen - 1) / (2 repeats) (Miller 1955).
    """

    agreement: Floats
    entropy: Floats


def pairwise_agreement(labels: Sequence[Sequence[Hashable | None]]) -> Agreement:
    """Agreement and entropy of repeated answers, item by item.

    Args:
        labels: items × repeats; None, an answer that is not valid, is a label of its own: two of
            them agree.

    Raises:
        ValueError: the items do not all have the same number of repeats.
    """
    known = {label: i for i, label in enumerate(dict.fromkeys(x for row in labels for x in row))}
    rows = [[known[label] for label in row] for row in labels]
    repeats = len(rows[0]) if rows else 0
    if any(len(row) != repeats for row in rows):
        raise ValueError("the items do not all have the same number of repeats")
    counts = np.array([np.bincount(row, minlength=len(known)) for row in rows], dtype=np.float64)
    counts = counts.reshape(len(rows), len(known))
    undefined = np.full(len(rows), np.nan)
    if repeats < 1:
        return Agreement(undefined, undefined)
    agreement = undefined
    if repeats > 1:
        agreement = (counts * (counts - 1)).sum(axis=1) / (repeats * (repeats - 1))
    return Agreement(agreement, np.asarray(scipy.stats.entropy(counts, axis=1)))
