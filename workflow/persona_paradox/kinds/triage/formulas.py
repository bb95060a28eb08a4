"""How a set of triage answers stands to its reference.

Levels are indices from 0, the most urgent, to K - 1, the least urgent. An answer that could
not be parsed has the index -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ...measures.statistics import roc_auc

Floats = NDArray[np.float64]


def confusion(
    reference: ArrayLike, answer: ArrayLike, n_levels: int, weights: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Count the answers for every reference level.

    Args:
        reference: shape (n,), 0 to `n_levels` - 1.
        answer: shape (n,), 0 to `n_levels` - 1, or -1 for an answer that is not valid.
        n_levels: number of levels, K.
        weights: shape (draws, n), how often each draw takes each item
            (`statistics.bootstrap_counts`).

    Returns:
        Shape (K, K + 1), or (draws, K, K + 1) with weights: reference by answer, the last
        column for answers that are not valid.

    Raises:
        ValueError: a level out of its range, or arrays that do not match.
    """
    reference, answer = np.asarray(reference, np.intp), np.asarray(answer, np.intp)
    if reference.ndim != 1 or reference.shape != answer.shape:
        raise ValueError(f"reference {reference.shape} and answer {answer.shape} do not match")
    if ((reference < 0) | (reference >= n_levels)).any():
        raise ValueError(f"a reference level is not within 0 to {n_levels - 1}")
    if ((answer < -1) | (answer >= n_levels)).any():
        raise ValueError(f"an answer is not within -1 to {n_levels - 1}")
    shape = (n_levels, n_levels + 1)
    column = np.where(answer < 0, n_levels, answer)
    cell = reference * (n_levels + 1) + column
    if weights is None:
        return np.bincount(cell, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)
    # Single precision halves the memory and is exact for counts up to 2^24.
    one_hot = np.zeros((len(cell), shape[0] * shape[1]), dtype=np.float32)
    one_hot[np.arange(len(cell)), cell] = 1
    counts = np.asarray(weights, dtype=np.float32) @ one_hot
    return counts.astype(np.int64).reshape(-1, *shape)


def confusion_metrics(
    counts: ArrayLike, high_acuity: ArrayLike, under_cost: float, over_cost: float
) -> dict[str, Floats]:
    """Measure how answers stand to the reference, from their confusion counts.

    Over all items, so that the four add up to 1: `accuracy` (an answer that is not valid
    counts as wrong), `under_triage_rate` (less urgent than the reference),
    `over_triage_rate` (more urgent) and `invalid_rate`.

    Among the valid answers alone, all others:

    - `level_error`: mean of reference index minus answer index, in levels; positive =
      over-triage.
    - `sensitivity`, `specificity`: of the decision "high acuity".
    - `d_prime`, `criterion`: z(H) - z(F) and -(z(H) + z(F)) / 2 of the same decision
      (Stanislaw and Todorov 1999), with the log-linear correction, H = (hits + 0.5) /
      (high-acuity items + 1) and F likewise (Hautus 1995). To take them for risk sensitivity
      and risk propensity is our own definition: a positive criterion is reluctant to
      call an emergency.
    - `kappa_linear`, `kappa_quadratic`: Cohen's weighted kappa (Cohen 1968), reference
      against answer.
    - `cost`: mean cost, our own definition; k levels of under-triage cost k `under_cost`, k
      levels of over-triage k `over_cost`.

    Args:
        counts: shape (..., K, K + 1), from `confusion`.
        high_acuity: shape (K,), whether a level is one of high acuity.
        under_cost: cost of one level of under-triage.
        over_cost: cost of one level of over-triage.

    Returns:
        Name of the figure → shape (...). Nan where it is undefined: no item, no valid
        answer, no item that is of high acuity or none that is not (`sensitivity`,
        `specificity`, `criterion`, `d_prime`), no disagreement expected by chance (kappa).

    Raises:
        ValueError: `counts` or `high_acuity` does not have its shape.
    """
    counts = np.asarray(counts, dtype=np.float64)
    high = np.asarray(high_acuity, dtype=bool)
    n_levels = high.size
    if counts.ndim < 2 or counts.shape[-2:] != (n_levels, n_levels + 1):
        raise ValueError(f"counts {counts.shape} do not fit {n_levels} levels")
    valid = counts[..., :n_levels]
    n_items = counts.sum(axis=(-2, -1))
    n_valid = valid.sum(axis=(-2, -1))
    level = np.arange(n_levels)
    gap = level[:, None] - level[None, :]  # reference minus answer: positive = over-triage

    def total(weight: NDArray[np.generic]) -> Floats:
        return np.asarray((valid * weight).sum(axis=(-2, -1)))

    hits = total(high[:, None] & high[None, :])
    false_alarms = total(~high[:, None] & high[None, :])
    n_high = total(high[:, None] & np.ones_like(high))
    n_low = n_valid - n_high
    both = (n_high > 0) & (n_low > 0)
    z_hit = np.where(both, ndtri((hits + 0.5) / (n_high + 1)), np.nan)
    z_false_alarm = np.where(both, ndtri((false_alarms + 0.5) / (n_low + 1)), np.nan)

    def kappa(disagreement: NDArray[np.generic]) -> Floats:
        chance = valid.sum(axis=-1)[..., :, None] * valid.sum(axis=-2)[..., None, :]
        expected = (chance * disagreement).sum(axis=(-2, -1))
        return 1 - _ratio(n_valid * total(disagreement), expected)

    return {
        "accuracy": _ratio(total(gap == 0), n_items),
        "invalid_rate": _ratio(n_items - n_valid, n_items),
        "under_triage_rate": _ratio(total(gap < 0), n_items),
        "over_triage_rate": _ratio(total(gap > 0), n_items),
        "level_error": _ratio(total(gap), n_valid),
        "sensitivity": _ratio(hits, n_high),
        "specificity": _ratio(n_low - false_alarms, n_low),
        "criterion": -(z_hit + z_false_alarm) / 2,
        "d_prime": z_hit - z_false_alarm,
        "kappa_quadratic": kappa(gap**2),
        "kappa_linear": kappa(np.abs(gap)),
        "cost": _ratio(total(np.where(gap < 0, -gap * under_cost, gap * over_cost)), n_valid),
    }


def costs(reference: ArrayLike, answer: ArrayLike, under_cost: float, over_cost: float) -> Floats:
    """What the answer to every item costs: that of `confusion_metrics`, whose `cost` is its mean.

    Args:
        reference: shape (n,), levels.
        answer: shape (n,), levels, or -1 for an answer that is not valid.
        under_cost: cost of one level of under-triage.
        over_cost: cost of one level of over-triage.

    Returns:
        Shape (n,); nan for an answer that is not valid.
    """
    answer = np.asarray(answer)
    gap = np.asarray(reference) - answer
    found = np.where(gap < 0, -gap * under_cost, gap * over_cost)
    return np.where(answer < 0, np.nan, found)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient of two arrays of one shape; nan, without a warning, where we would divide by 0."""
    undefined = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) > 0)
    return undefined


def high_acuity_auc(p_high: ArrayLike, is_high: ArrayLike) -> float:
    """Area under the ROC curve of P(high acuity), as in scikit-learn.

    Args:
        p_high: shape (n,), probability that the model gives to the levels of high acuity.
        is_high: shape (n,), whether the reference is of high acuity.

    Returns:
        Area between 0 and 1; nan where the reference has one class only.

    Raises:
        ValueError: the shapes differ, or a probability is nan.
    """
    is_high = np.asarray(is_high, dtype=bool)
    return roc_auc(p_high, is_high)


def high_acuity_auc_draws(p_high: ArrayLike, is_high: ArrayLike, counts: ArrayLike) -> Floats:
    """The area of `high_acuity_auc` in every bootstrap draw.

    The share of (high-acuity, other) pairs of items in which the first has the larger
    probability, ties counted half (Hanley and McNeil 1982), every item as often as drawn.

    Args:
        p_high: probability of high acuity, shape (items,).
        is_high: whether the reference is high acuity, shape (items,).
        counts: how often each item is drawn, shape (draws, items).

    Returns:
        Shape (draws,); nan for a draw with items of one kind only.
    """
    p = np.asarray(p_high, dtype=np.float64)
    high = np.asarray(is_high, dtype=bool)
    drawn = np.asarray(counts)
    # Sums of halves this small are exact in single precision, which is twice as fast.
    exact = 2 * p.size < 2**24
    drawn = drawn.astype(np.float32 if exact else np.float64, copy=False)
    above = (np.sign(p[high][:, None] - p[~high][None, :]) / 2 + 0.5).astype(drawn.dtype)
    of_high, of_other = drawn[:, high], drawn[:, ~high]
    won = np.einsum("dl,dl->d", of_high @ above, of_other, dtype=np.float64)
    pairs = of_high.sum(axis=1, dtype=np.float64) * of_other.sum(axis=1, dtype=np.float64)
    return _ratio(won, pairs)
