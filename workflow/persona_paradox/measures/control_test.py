"""Whether personas do more than sentences without meaning: one p value for each, and a verdict.

Our own rule; config/README.md, section "Robust effects", has it in words. A persona that does
nothing but what any sentence does is one more control: the effects of the controls, averaged over
their wordings, have in them all that chance in the items, wordings and sentences do. So the
distance of a persona from the middle of the controls is held against theirs. Effects are
differences persona minus baseline on the same items, as shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .paired_tests import MIN_CONTROLS, MIN_WORDINGS
from .statistics import holm

Floats = NDArray[np.float64]

# One in so many controls, the farthest, tells how the tail falls off.
FARTHEST = 5
_NAN = float("nan")
# Less than this is the rounding of equal effects.
_ROUNDING = 1e-12


def _tail(distances: ArrayLike) -> tuple[Floats, int, float]:
    """Distances from the farthest to the nearest, how many make the tail, and their excess."""
    falling = np.sort(np.asarray(distances, dtype=np.float64))[::-1]
    farthest = max(1, falling.size // FARTHEST)
    excess = float((falling[:farthest] - falling[farthest]).sum())
    return falling, farthest, excess if excess > _ROUNDING else 0.0


def tail_p(distance: float, distances: ArrayLike) -> float:
    """Probability that one further control would be as far out as a persona is.

    Of m controls the k farthest, k = m / 5 rounded down and at least 1, are those beyond a
    threshold u, the distance of the next one. One more control is beyond u with the probability
    (k + 1) / (m + 1), whatever the distribution. How far beyond is taken to be exponential, as in
    the model of peaks over a threshold (Davison and Smith 1990) without its parameter of shape.
    With E the sum of the k excesses, the probability of an excess of x or more is then
    (1 + x / E)^-k, since x over the mean of k others of the same exponential distribution has an
    F distribution with 2 and 2 k degrees of freedom. So the p is exact for tails that fall off as
    an exponential, too large for shorter ones such as the normal, and somewhat too small for
    longer ones.

    Args:
        distance: of the persona, 0 or more.
        distances: shape (m,), of the controls.

    Returns:
        (k + 1) / (m + 1) · (1 + (distance - u) / E)^-k beyond u. Up to u, or where E is 0, the
        rank alone: (1 + controls as far out) / (m + 1). nan for fewer than two controls, and for
        a distance that is nan.
    """
    m = np.asarray(distances).size
    if m < 2 or np.isnan(distance):
        return _NAN
    falling, k, excess = _tail(distances)
    beyond = distance - falling[k]
    if beyond <= 0 or excess == 0:
        return float((1 + np.count_nonzero(falling >= distance)) / (m + 1))
    return float((k + 1) / (m + 1) * (1 + beyond / excess) ** -k)


def tail_limit(distances: ArrayLike, level: float) -> float:
    """The distance of which `tail_p` is `level`; nan where no distance has so small a p.

    Args:
        distances: shape (m,), of the controls.
        level: at most (k + 1) / (m + 1); the limit of a larger one is that of this one.
    """
    m = np.asarray(distances).size
    if m < 2:
        return _NAN
    falling, k, excess = _tail(distances)
    if excess == 0:
        return float(falling[0]) if level >= 1 / (m + 1) else _NAN
    share = max((k + 1) / (m + 1) / level, 1.0)
    return float(falling[k] + excess * (share ** (1 / k) - 1))


def normal_p(effect: float, controls: ArrayLike, widening: float = 1.0) -> float:
    """The same for normally distributed effects of sentences, by Student's t.

    T = |effect - mean| / (SD √(1 + 1/m)) / `widening`, m - 1 degrees of freedom, two-sided: p of
    the prediction interval of one further control (Hahn and Meeker 1991).

    Args:
        effect: of the persona.
        controls: shape (m,), effects of the controls.
        widening: see `widening`.
    """
    controls = np.asarray(controls, dtype=np.float64)
    m = controls.size
    if m < 2 or np.isnan(effect):
        return _NAN
    scale = controls.std(ddof=1) * np.sqrt(1 + 1 / m) * widening
    distance = abs(effect - controls.mean())
    if scale < _ROUNDING:
        return 1.0 if distance < _ROUNDING else 0.0
    return float(2 * scipy.stats.t.sf(distance / scale, m - 1))


def mean_p(mean: float, error: float, least: float = 0.0) -> float:
    """p of the effect averaged over all wordings of a persona, against other items.

    Args:
        mean: the effect averaged over its wordings.
        error: its standard error over items or clusters, by the bootstrap.
        least: smallest p that so few items or clusters can show.

    Returns:
        2 Φ(-|`mean`| / `error`), at least `least`. 1 where no item turned, nan where there is no
        error otherwise, or where one of the two is nan.
    """
    if error < _ROUNDING:
        return 1.0 if abs(mean) < _ROUNDING else _NAN
    return float(max(2 * ndtr(-abs(mean) / error), least))


def _pooled(effects: Sequence[Floats]) -> tuple[float, int]:
    """Variance of the effects of wordings about those of their persona, and its freedom."""
    freedom = sum(max(e.size - 1, 0) for e in effects)
    squares = sum(float(((e - e.mean()) ** 2).sum()) for e in effects if e.size)
    return (squares / freedom if freedom else _NAN), freedom


def widening(
    judged: Sequence[Floats], controls: Sequence[Floats], wordings: int, alpha: float
) -> float:
    """By how much the distances of personas spread more than those of controls.

    The test takes the wordings of personas to differ as those of controls do. Where they differ
    more, by an F test of the pooled variances at `alpha`, what they differ more adds to the
    variance of a persona's mean.

    Args:
        judged: effects of the wordings of every persona judged.
        controls: the same of every control.
        wordings: of the persona, over which it is averaged.
        alpha: level of the F test.

    Returns:
        √(1 + (s² - s_c²) / (`wordings` · V)) with the pooled variances s² and s_c² of personas and
        controls and the variance V of the controls' means; 1 where the F test finds nothing, or
        where one of them is not known or V is 0.
    """
    (own, freedom), (theirs, their_freedom) = _pooled(judged), _pooled(controls)
    means = np.array([e.mean() for e in controls])
    variance = float(means.var(ddof=1)) if means.size > 1 else 0.0
    if not freedom or not their_freedom or variance < _ROUNDING**2:
        return 1.0
    if own <= theirs * scipy.stats.f.isf(alpha, freedom, their_freedom):
        return 1.0
    return float(np.sqrt(1 + (own - theirs) / (wordings * variance)))


@dataclass(frozen=True)
class Judged:
    """A verdict on a persona, and what it rests on.

    Attributes:
        verdict: see `judge`.
        p_mean: that its wordings, on average, do nothing to the items, by `mean_p`.
        p_control: that it does no more than one further control, by `tail_p`.
        p_robust: the larger of the two, adjusted by Holm over the personas judged.
        p_robust_normal: the same with `normal_p` for `tail_p`.
        low: lower limit beyond which `p_control` is at most alpha / personas judged.
        high: the upper one.
    """

    verdict: str
    p_mean: float
    p_control: float
    p_robust: float
    p_robust_normal: float
    low: float
    high: float


def judge(
    personas: Sequence[tuple[ArrayLike, float]],
    control_effects: Sequence[ArrayLike],
    alpha: float,
) -> list[Judged]:
    """Judge all personas of a model and task in one metric.

    p of a persona is the larger one of two, so that it has to pass both tests (an
    intersection-union test, Berger 1982), and Holm's adjustment is over these.

    Args:
        personas: of each the effects of all its wordings, shape (wordings,), and `p_mean`.
        control_effects: of every control the effects of its wordings, as many as a persona has.
            A control with an effect that is not known is left out.
        alpha: level.

    Returns:
        In the order of `personas`, with the first verdict that applies of:

        - "not significant": `p_mean`, adjusted by Holm, is above alpha or not known.
        - "not beyond wording": the effects of its wordings differ in sign.
        - "not beyond controls": `p_robust` is above alpha; with fewer than three controls, one of
          them has an effect as large. A persona that differs from the controls by having less of
          an effect, or none, has `p_control` 1.
        - "too few wordings", "too few controls": fewer than three.
        - "robust".
    """
    effects = [np.asarray(e, dtype=np.float64) for e, _ in personas]
    controls = [np.asarray(e, dtype=np.float64) for e in control_effects]
    controls = [e for e in controls if e.size and not np.isnan(e).any()]
    centres = np.array([e.mean() for e in controls])
    known = [e for e in effects if e.size and not np.isnan(e).any()]

    # Of an effect that is not known, no p is.
    p_mean = np.array([p + 0 * e.sum() for e, (_, p) in zip(effects, personas, strict=True)])
    p_control, p_normal, limits = [], [], []
    for own in effects:
        mean = float(own.mean()) if own.size else _NAN
        middle = float(np.median(np.append(centres, mean)))
        wider = widening(known, controls, own.size, alpha)
        distances = np.abs(centres - middle)
        # Out there is away from the baseline, too.
        unknown = np.isnan(mean) or not centres.size
        outside = unknown or np.sign(mean) == np.sign(mean - middle)
        p_control.append(tail_p(abs(mean - middle) / wider, distances) if outside else 1.0)
        p_normal.append(normal_p(mean, centres, wider) if outside else 1.0)
        half = tail_limit(distances, alpha / len(personas)) * wider
        limits.append((middle - half, middle + half))
    # A p that is not known passes no test.
    both = np.fmax(p_mean, p_control)
    both[np.isnan(p_mean) | np.isnan(p_control)] = 1.0
    both_normal = np.fmax(p_mean, p_normal)
    both_normal[np.isnan(p_mean) | np.isnan(p_normal)] = 1.0
    adjusted, adjusted_normal = holm(both), holm(both_normal)
    adjusted_mean = holm(np.where(np.isnan(p_mean), 1.0, p_mean))

    found = []
    for i, own in enumerate(effects):
        enough = centres.size >= MIN_CONTROLS
        refuted = adjusted[i] > alpha if enough else (abs(centres) >= abs(own.mean())).any()
        verdicts = {
            "not significant": not adjusted_mean[i] <= alpha,
            "not beyond wording": not ((own > 0).all() or (own < 0).all()),
            "not beyond controls": refuted,
            "too few wordings": own.size < MIN_WORDINGS,
            "too few controls": not enough,
            "robust": True,
        }
        found.append(
            Judged(
                verdict=next(verdict for verdict, applies in verdicts.items() if applies),
                p_mean=float(p_mean[i]),
                p_control=float(p_control[i]),
                p_robust=float(adjusted[i]) if enough else _NAN,
                p_robust_normal=float(adjusted_normal[i]) if enough else _NAN,
                low=limits[i][0],
                high=limits[i][1],
            )
        )
    return found
