"""Numbers of calibration that need bins or the order of the items, of many resamples at once.

Equal-width bins are netcal's: bin b of B holds b/B <= confidence < (b+1)/B, and the last
one also 1; the edges are the floating-point numbers of `numpy.linspace(0, 1, B + 1)`, so that
0.3 lies just below the edge 0.30000000000000004. Equal-mass bins have their inner edges at the
quantiles of the confidence (linear interpolation); where quantiles coincide, because many items
have the same confidence, the bins between them are empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_SLACK = 1e-9  # a softmax may exceed 1 by its rounding error
_BLOCK = 512  # resamples that are measured at a time: some 5 kB per item


def checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Confidences, within 0 and 1, and outcomes, both of shape (n,).

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    correct = np.asarray(correct, dtype=bool)
    if confidence.ndim != 1 or confidence.shape != correct.shape:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} do not match")
    if not ((confidence >= -_SLACK) & (confidence <= 1 + _SLACK)).all():
        raise ValueError("a confidence is not within 0 and 1")
    return np.clip(confidence, 0.0, 1.0), correct


def inside_open(confidence: Floats) -> Floats:
    """Confidences within the open interval from 0 to 1, as netcal takes them."""
    epsilon = np.finfo(np.float64).eps
    return np.clip(confidence, epsilon, 1 - epsilon)


def gaps(confidence: Floats, correct: NDArray[np.bool_], edges: Floats) -> tuple[Floats, Floats]:
    """|mean confidence - accuracy| of the items between edges, 0 for none, and their share.

    netcal's sums and their order: items are added up one after the other.
    """
    confidence = inside_open(confidence)
    bins = edges.size - 1
    member = np.minimum(np.searchsorted(edges, confidence, side="right") - 1, bins - 1)
    n = np.bincount(member, minlength=bins).astype(np.float64)
    sums = [np.bincount(member, values, bins) for values in (correct, confidence)]
    right, mean = (np.divide(one, n, out=np.zeros(bins), where=n > 0) for one in sums)
    return np.abs(right - mean), n / n.sum()


def bin_of(confidence: Floats, bins: int) -> NDArray[np.intp]:
    """Equal-width bin of every confidence, as in netcal."""
    member = np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="right") - 1
    return np.minimum(member, bins - 1)


def blocks(counts: NDArray[Any]) -> Iterator[Floats]:
    """The resamples, some at a time."""
    for start in range(0, len(counts), _BLOCK):
        yield counts[start : start + _BLOCK].astype(np.float64)


def binned_and_ranked(
    confidence: Floats, correct: NDArray[np.bool_], bins: int, counts: Floats
) -> dict[str, Floats]:
    """The numbers of resamples that need bins or the order of the items.

    Args:
        confidence: shape (n,).
        correct: shape (n,).
        bins: number of bins.
        counts: shape (draws, n), how often each item is in each resample, which is not empty.

    Returns:
        Numbers of shape (draws,), by name.
    """
    if (np.diff(confidence) < 0).any():
        order = np.argsort(confidence, kind="stable")
        confidence, correct, counts = confidence[order], correct[order], counts[:, order]
    values, first = np.unique(confidence, return_index=True)
    everything, right = counts, counts * correct
    if values.size < confidence.size:
        everything, right = (np.add.reduceat(c, first, axis=1) for c in (everything, right))
    return _equal_width(values, bins, everything, right) | _ranked(values, bins, everything, right)


# In what follows the items are collapsed to their distinct confidences, shape (values,), which
# increase; `everything` and `right` count the items, and the correct ones, of each of these in
# every resample, shape (draws, values).


def _equal_width(values: Floats, bins: int, everything: Floats, right: Floats) -> dict[str, Floats]:
    """Numbers of the equal-width bins."""
    inside = (bin_of(values, bins)[:, None] == np.arange(bins)).astype(np.float64)
    sums = everything @ np.hstack([inside, inside * values[:, None]])
    n_bin, confidence_sum, right_sum = sums[:, :bins], sums[:, bins:], right @ inside
    n = n_bin.sum(axis=1)
    accuracy = right_sum.sum(axis=1) / n
    some = np.maximum(n_bin, 1)  # an empty bin adds 0
    mean_confidence, bin_accuracy = confidence_sum / some, right_sum / some
    gap = mean_confidence - bin_accuracy
    return {
        "ece_equal_width": (n_bin * np.abs(gap)).sum(axis=1) / n,
        "mce": np.abs(gap).max(axis=1),
        "reliability": (n_bin * gap**2).sum(axis=1) / n,
        "resolution": (n_bin * (bin_accuracy - accuracy[:, None]) ** 2).sum(axis=1) / n,
        "uncertainty": accuracy * (1 - accuracy),
        "within_bin_variance": np.maximum(
            everything @ values**2 - (confidence_sum * mean_confidence).sum(axis=1), 0.0
        )
        / n,
        "within_bin_covariance": 2
        * (right @ values - (confidence_sum * bin_accuracy).sum(axis=1))
        / n,
    }


def _ranked(values: Floats, bins: int, everything: Floats, right: Floats) -> dict[str, Floats]:
    """Numbers of the equal-mass bins, and of confidence as a score."""
    wrong = everything - right
    n_below, wrong_below = np.cumsum(everything, axis=1), np.cumsum(wrong, axis=1)  # or equal
    n, n_wrong = n_below[:, -1], wrong_below[:, -1]
    pairs = (n - n_wrong) * n_wrong
    # Of two items of the same confidence neither is ranked above the other.
    won = _dot(right, wrong_below) - _dot(right, wrong) / 2
    n_from = n[:, None] - n_below + everything
    wrong_from = n_wrong[:, None] - wrong_below + wrong
    risk = np.divide(wrong_from, n_from, out=np.zeros_like(n_from), where=n_from > 0)
    edges = _mass_edges(values, bins, n_below)
    n_bin = _between(edges, n_below)
    right_bin = n_bin - _between(edges, wrong_below)
    confidence_bin = _between(edges, np.cumsum(everything * values, axis=1))
    surplus = confidence_bin - right_bin
    some = np.maximum(n_bin, 1)
    accuracy = right_bin / some
    noise = accuracy * (1 - accuracy) / np.maximum(n_bin - 1, 1)
    squared = np.where(n_bin > 1, (surplus / some) ** 2 - noise, 0.0)
    return {
        "ece_equal_mass": np.abs(surplus).sum(axis=1) / n,
        "ece_debiased": np.sqrt(np.maximum((n_bin * squared).sum(axis=1) / n, 0.0)),
        "auroc": np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0),
        "aurc": _dot(everything, risk) / n,
    }


def _dot(first: Floats, second: Floats) -> Floats:
    """Product of every row with the same row: (draws, values) → (draws,)."""
    return np.asarray(np.einsum("ij,ij->i", first, second))


def _mass_edges(values: Floats, bins: int, n_below: Floats) -> NDArray[np.intp]:
    """Edges of the equal-mass bins of every resample: how many values lie below each.

    Args:
        values: shape (values,).
        bins: number of bins.
        n_below: shape (draws, values), the number of items up to and with each value.

    Returns:
        Shape (draws, bins + 1), from 0 to the number of values.
    """
    draws, size = n_below.shape
    n = n_below[:, -1:]
    # netcal takes the open interval, so that 0 and 1 lie inside the outer edges.
    epsilon = np.finfo(np.float64).eps
    values = np.clip(values, epsilon, 1 - epsilon)
    # As numpy.quantile does it: between the order statistics on both sides, which are found in
    # all resamples at once by counting on from one resample to the next.
    position = (n - 1) * np.linspace(0, 1, bins + 1)[1:-1]
    rank = np.floor(position)
    offset = (n.max() + 1) * np.arange(draws)[:, None]
    counted = (n_below + offset).ravel()
    start = size * np.arange(draws)[:, None]

    def statistic(rank: Floats) -> Floats:
        return np.asarray(values[np.searchsorted(counted, rank + offset, side="right") - start])

    low, high = statistic(rank), statistic(np.minimum(rank + 1, n - 1))
    share = position - rank
    inner = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    edges = np.empty((draws, bins + 1), dtype=np.intp)
    edges[:, 0], edges[:, -1] = 0, size
    edges[:, 1:-1] = np.searchsorted(values, inner, side="left")
    return edges


def _between(edges: NDArray[np.intp], cumulative: Floats) -> Floats:
    """Sums over the values between edges, from their cumulative sums: (draws, bins)."""
    ends = np.take_along_axis(cumulative, np.maximum(edges - 1, 0), axis=1)
    return np.diff(np.where(edges > 0, ends, 0.0), axis=1)
