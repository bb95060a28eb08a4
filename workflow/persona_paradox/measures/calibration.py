"""How well the confidence in an answer matches how often the answer is right.

All figures are of the binary event "the answer is correct": `confidence` is the probability
that the model gives to its answer (top-label calibration).

Equal-width bins are netcal's: bin b of B holds b/B <= confidence < (b+1)/B, and the last
one also 1; the edges are the floating-point numbers of `numpy.linspace(0, 1, B + 1)`, so that
0.3 lies just below the edge 0.30000000000000004. Equal-mass bins have their inner edges at the
quantiles of the confidence (linear interpolation); where quantiles coincide, because many items
have the same confidence, the bins between them are empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import wofz
from threadpoolctl import threadpool_limits

from .statistics import roc_auc, wilson

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

METRICS = (
    "ece_equal_width",
    "ece_equal_mass",
    "smooth_ece",
    "brier",
    "log_loss",
    "mean_confidence",
    "accuracy",
    "overconfidence",
    "ece_debiased",
    "mce",
    "reliability",
    "resolution",
    "uncertainty",
    "within_bin_variance",
    "within_bin_covariance",
    "auroc",
    "aurc",
)
_LOG_LOSS_CLIP = 1e-12
_RELPLOT_STEP = 1e-3
_RELPLOT_MESH = 200
_RELPLOT_DENSITY = 1e-4  # that is added to every density, lest one be 0
_HALVINGS = 10  # of the bandwidth
_MOST_MODES = 1024  # cosines of a wide kernel
_STEPS = 2**_HALVINGS  # of the bandwidth
_SLACK = 1e-9  # a softmax may exceed 1 by its rounding error
_BLOCK = 512  # resamples that are measured at a time: some 5 kB per item


def calibration_metrics(confidence: ArrayLike, correct: ArrayLike, bins: int) -> dict[str, float]:
    """Measure calibration.

    - `ece_equal_width`, `ece_equal_mass`: expected calibration error, the sum over bins of
      n_b / n |mean confidence - accuracy| (Naeini et al. 2015), to the last bit that of netcal
      (which refuses quantiles that coincide), added up in its order.
    - `smooth_ece`: the bin-free smECE (Błasiok and Nakkiran 2023), to the last bit that of
      relplot. Items within 0.001 of 0 or 1 are smoothed from 0.001 inside, because relplot halves
      their weight at the very ends; what they add to the error is not changed.
    - `ece_debiased`: root of the debiased squared calibration error of Kumar, Liang and Ma
      (2019), in equal-mass bins: the sum over bins of n_b / n [(mean confidence
      - accuracy)² - accuracy (1 - accuracy) / (n_b - 1)], a bin of one item counting 0 as in
      their code, and 0 where the sum is negative. The sum is also the bias-corrected
      reliability of Ferro and Fricker (2012). It is a root mean square over bins, and hence
      not below the ECE where both are exact.
    - `mce`: maximum calibration error, the largest |mean confidence - accuracy| of an
      equal-width bin that holds an item (Naeini et al. 2015), to the last bit that of netcal.
    - `brier`: mean of (confidence - correct)² (Brier 1950). In equal-width bins it is
      exactly reliability - resolution + uncertainty + within_bin_variance
      - within_bin_covariance (Murphy 1973; the last two: Stephenson, Coelho and Jolliffe 2008):
      `reliability`, the sum of n_b / n (mean confidence - accuracy)²; `resolution`, the sum of
      n_b / n (accuracy of the bin - accuracy)²; `uncertainty`, accuracy (1 - accuracy);
      `within_bin_variance`, the mean of (confidence - mean confidence of its bin)²; and
      `within_bin_covariance`, twice the mean of (confidence - mean confidence of its bin)
      (correct - accuracy of its bin).
    - `log_loss`: mean of -log p(what happened), in nats, confidence clipped to
      [1e-12, 1 - 1e-12].
    - `mean_confidence`, `accuracy`, and `overconfidence`, the former minus the latter.
    - `auroc`: probability that a correct answer has the higher confidence than a wrong one,
      ties counting half, as in scikit-learn; nan where all answers are correct, or all wrong.
    - `aurc`: area under the risk-coverage curve (El-Yaniv and Wiener 2010; Geifman and
      El-Yaniv 2017), the mean over items of the share of wrong answers among the items of at
      least its confidence (Geifman, Uziel and El-Yaniv 2019), so that items of equal
      confidence enter together. Less is better; without any order it is 1 - accuracy.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins of the binned figures.

    Returns:
        Figure for every name in `METRICS`; nan where n = 0.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    if confidence.size == 0:
        return dict.fromkeys(METRICS, float("nan"))
    figures: dict[str, Any] = dict(
        _binned_and_ranked(confidence, correct, bins, np.ones((1, correct.size)))
    )
    figures |= {name: value.mean() for name, value in _item_values(confidence, correct).items()}
    gap, share = _gaps(confidence, correct, np.linspace(0, 1, bins + 1))
    figures |= {"ece_equal_width": np.sum(gap * share), "mce": np.max(gap)}
    place = _relplot_place(confidence)
    # It uses the outcome in `confidence - outcome` alone, which is left as it is.
    figures["smooth_ece"] = _smooth_ece(place, correct + place - confidence)
    figures["auroc"] = roc_auc(confidence, correct)
    quantiles = np.quantile(_inside(confidence), np.linspace(0, 1, bins + 1))
    quantiles[[0, -1]] = 0, 1
    if np.diff(quantiles).all():
        gap, share = _gaps(confidence, correct, quantiles)
        figures["ece_equal_mass"] = np.sum(gap * share)
    return {name: float(np.squeeze(figures[name])) for name in METRICS}


def calibration_draws(
    confidence: ArrayLike, correct: ArrayLike, bins: int, counts: NDArray[Any]
) -> dict[str, Floats]:
    """The figures of `calibration_metrics` in every bootstrap draw.

    Draws are measured many at a time, because a loop over the libraries is too slow; that
    needs some 4 bytes per draw and item. The formulas are the libraries', but for smECE:
    relplot rounds confidences to a grid of about 1,000 points, here the smoothed residual is a
    cosine series in single precision (`_Smoother`). The figures differ by less than 0.001.

    A calibration error is never negative, so that resampling biases it upwards, most where
    calibration is good: an interval of it may then lie above the figure itself.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins of the binned figures.
        counts: shape (draws, n), how often every draw takes each item
            (`statistics.bootstrap_counts`); equal counts pair equal items.

    Returns:
        Shape (draws,) for every name in `METRICS`; nan for a draw without items, and for `auroc`
        where all its answers are correct, or all wrong.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != confidence.size:
        raise ValueError(f"counts {counts.shape} do not fit {confidence.size} items")
    figures = {name: np.full(len(counts), np.nan) for name in METRICS}
    some = counts.any(axis=1)
    if not some.any():
        return figures
    order = np.argsort(confidence, kind="stable")
    counts = (counts if some.all() else counts[some])[:, order]
    confidence, correct = confidence[order], correct[order]
    values = _item_values(confidence, correct)
    matrix = np.column_stack(list(values.values()))
    parts = []
    # The last bits of a matrix product depend on the number of threads; results must not.
    with threadpool_limits(1):
        for block in _blocks(counts):
            means = (block @ matrix).T / block.sum(axis=1)
            parts.append(
                dict(zip(values, means, strict=True))
                | _binned_and_ranked(confidence, correct, bins, block)
            )
        smooth = _Smoother(confidence, correct, counts).errors()
    for name in METRICS:
        drawn = [smooth] if name == "smooth_ece" else [part[name] for part in parts]
        figures[name][some] = np.concatenate(drawn)
    return figures


def risk_coverage(
    confidence: ArrayLike, correct: ArrayLike, confidence_level: float
) -> list[dict[str, int | float]]:
    """Risk-coverage curve (El-Yaniv and Wiener 2010): accuracy if only the surest are answered.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        confidence_level: coverage of the Wilson interval, for example 0.95.

    Returns:
        For every distinct confidence, from the highest: `threshold`, that confidence; `n`, the
        number of items of at least this confidence, and `coverage`, their share; `accuracy`, the
        share of correct ones among them (1 - risk), with its pointwise Wilson interval, `low` to
        `high`. Items of equal confidence enter together; the last row holds all items. The mean
        of 1 - accuracy over rows, weighted with the items that enter, is `aurc`.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(correct[order])
    rows: list[dict[str, int | float]] = []
    last = np.flatnonzero(np.diff(confidence[order], append=-1.0))
    for place in last.tolist():
        n, successes = place + 1, int(right[place])
        low, high = wilson(successes, n, confidence_level)
        rows.append(
            {
                "threshold": float(confidence[order[place]]),
                "n": n,
                "coverage": n / confidence.size,
                "accuracy": successes / n,
                "low": low,
                "high": high,
            }
        )
    return rows


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, bins: int, confidence_level: float
) -> list[dict[str, int | float]]:
    """Rows of a reliability diagram: the equal-width bins of `ece_equal_width`.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins.
        confidence_level: coverage of the Wilson interval, for example 0.95.

    Returns:
        For every bin `bin` (from 0), its edges `lower` and `upper`, `n`, `mean_confidence`,
        `accuracy`, and the Wilson interval of the accuracy, `low` to `high`; nan where n = 0.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    edges = np.linspace(0, 1, bins + 1)
    member = _bin_of(confidence, bins)
    rows: list[dict[str, int | float]] = []
    for number in range(bins):
        inside = member == number
        n, successes = int(inside.sum()), int(correct[inside].sum())
        low, high = wilson(successes, n, confidence_level)
        rows.append(
            {
                "bin": number,
                "lower": float(edges[number]),
                "upper": float(edges[number + 1]),
                "n": n,
                "mean_confidence": float(confidence[inside].mean()) if n else float("nan"),
                "accuracy": successes / n if n else float("nan"),
                "low": low,
                "high": high,
            }
        )
    return rows


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


def _inside(confidence: Floats) -> Floats:
    """Confidences within the open interval from 0 to 1, as netcal takes them."""
    epsilon = np.finfo(np.float64).eps
    return np.clip(confidence, epsilon, 1 - epsilon)


def _gaps(confidence: Floats, correct: NDArray[np.bool_], edges: Floats) -> tuple[Floats, Floats]:
    """|mean confidence - accuracy| of the items between edges, 0 for none, and their share.

    netcal's sums and their order: items are added up one after the other.
    """
    confidence = _inside(confidence)
    bins = edges.size - 1
    member = np.minimum(np.searchsorted(edges, confidence, side="right") - 1, bins - 1)
    n = np.bincount(member, minlength=bins).astype(np.float64)
    sums = [np.bincount(member, values, bins) for values in (correct, confidence)]
    right, mean = (np.divide(one, n, out=np.zeros(bins), where=n > 0) for one in sums)
    return np.abs(right - mean), n / n.sum()


def _smooth_ece(confidence: Floats, outcome: Floats) -> Any:
    """smECE, step by step as relplot computes it; the import of relplot brings all of seaborn."""
    # The smallest bandwidth that is not below its error, by halving.
    bandwidth, below = 1.0, 0.0
    if _smoothed(confidence, outcome, bandwidth) <= bandwidth:
        for _ in range(_HALVINGS):
            middle = (bandwidth + below) / 2
            if middle < _RELPLOT_STEP or middle < _smoothed(confidence, outcome, middle):
                below = middle
            else:
                bandwidth = middle
    return _smoothed(confidence, outcome, bandwidth)


def _smoothed(confidence: Floats, outcome: Floats, bandwidth: float) -> Any:
    """Smoothed error at a bandwidth, by a Gaussian that is reflected at 0 and 1."""
    size = max(2000, round(20 / bandwidth)) // 2 + 1
    distance = np.linspace(0, 1, size) - 0.5
    kernel = np.exp(-distance * distance / (2 * bandwidth**2))
    kernel /= np.sqrt(2 * np.pi) * bandwidth
    # Items share what they have between the two points of the grid beside them, ...
    place = (confidence * (size - 1)).astype(int).clip(0, size - 2)
    share = confidence * (size - 1) - place
    # ... and the mesh, on which errors are added up, takes from the two beside it.
    mesh = np.linspace(0, 1, max(round(10 / bandwidth), _RELPLOT_MESH))
    step = 1 / (size - 1)
    beside = (mesh * (size - 1)).astype(int).clip(0, size - 2)
    weight = (mesh - beside * step) / step

    def spread(values: Floats) -> Floats:
        grid = np.zeros(size)
        np.add.at(grid, place, (1 - share) * values)
        np.add.at(grid, place + 1, share * values)
        reflected = np.concatenate([np.flip(grid)[:-1], grid, np.flip(grid)[1:]])
        smooth = np.convolve(reflected, kernel, "valid")[size // 2 : size // 2 + size]
        return np.asarray(smooth[beside] * (1 - weight) + smooth[beside + 1] * weight)

    density = spread(np.ones_like(outcome)) + _RELPLOT_DENSITY
    error = spread(confidence - outcome) / density
    return np.sum(np.abs(error) * density) / np.sum(density)


def _relplot_place(confidence: Floats) -> Floats:
    """Where smECE puts the items: one step of relplot's grid away from 0 and 1.

    relplot does not reflect the first and last point of its grid, so that an item at
    exactly 1 has half the weight of one at 0.99, and saturated confidences are common.
    """
    return np.clip(confidence, _RELPLOT_STEP, 1 - _RELPLOT_STEP)


def _item_values(confidence: Floats, correct: NDArray[np.bool_]) -> dict[str, Floats]:
    """The figures that are means over items: their value for every item, shape (n,)."""
    happened = np.where(correct, confidence, 1 - confidence)
    return {
        "brier": (confidence - correct) ** 2,
        "log_loss": -np.log(np.clip(happened, _LOG_LOSS_CLIP, 1 - _LOG_LOSS_CLIP)),
        "mean_confidence": confidence,
        "accuracy": correct.astype(np.float64),
        "overconfidence": confidence - correct,
    }


def _bin_of(confidence: Floats, bins: int) -> NDArray[np.intp]:
    """Equal-width bin of every confidence, as in netcal."""
    member = np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="right") - 1
    return np.minimum(member, bins - 1)


def _blocks(counts: NDArray[Any]) -> Iterator[Floats]:
    """The resamples, some at a time."""
    for start in range(0, len(counts), _BLOCK):
        yield counts[start : start + _BLOCK].astype(np.float64)


def _binned_and_ranked(
    confidence: Floats, correct: NDArray[np.bool_], bins: int, counts: Floats
) -> dict[str, Floats]:
    """The figures of resamples that need bins or the order of the items.

    Args:
        confidence: shape (n,).
        correct: shape (n,).
        bins: number of bins.
        counts: shape (draws, n), how often each item is in each resample, which is not empty.

    Returns:
        Figures of shape (draws,), by name.
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
    """Figures of the equal-width bins."""
    inside = (_bin_of(values, bins)[:, None] == np.arange(bins)).astype(np.float64)
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
    """Figures of the equal-mass bins, and of confidence as a score."""
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


class _Smoother:
    """smECE of many resamples: relplot's kernel, mesh and search.

    smECE is the smoothed error at the bandwidth that equals that error; relplot finds it by
    halving 0 to 1 ten times. So it is the error at the smallest k / 1024, from k = 2, that is
    not below it, if the error falls with the bandwidth, as it does for a Gaussian; and to find
    that k needs fewer than ten steps.

    A kernel that depends on the distance alone and is reflected at 0 and 1 is diagonal in the
    cosines: K(t, x) = sum over m of c_m cos(πmt) cos(πmx), where c_m is the kernel's cosine
    transform, twice but for m = 0. The sums over items are thus done once, for all bandwidths.
    relplot's Gaussian is cut at a distance of one half, which leaves an error where the bandwidth
    is large: up to 0.0003 of a smECE beyond a half.
    """

    def __init__(
        self, confidence: Floats, correct: NDArray[np.bool_], counts: NDArray[Any]
    ) -> None:
        """Take the items, sorted by confidence, and the resamples, shape (draws, n)."""
        self.place = _relplot_place(confidence)
        self.residual = confidence - correct
        self.counts = counts
        # Sums over items of the residual, and of 1, times the cosine: (draws, modes).
        self.residual_of: Singles = np.empty((len(counts), 0), dtype=np.float32)
        self.density_of: Singles = np.empty((len(counts), 0), dtype=np.float32)
        self.kernels: dict[int, tuple[Singles, Singles, Singles]] = {}

    def errors(self) -> Floats:
        """SmECE of every resample, shape (draws,)."""
        draws = len(self.counts)
        # The wanted k is above `low`, and at most `high`; `result` is the error at `measured`.
        low, high = np.ones(draws, dtype=np.intp), np.full(draws, _STEPS, dtype=np.intp)
        measured, result = np.zeros(draws, dtype=np.intp), np.full(draws, np.nan)
        now = np.full(draws, _STEPS // 16)
        active = np.arange(draws)
        while active.size:
            k = now[active]
            error = np.empty(active.size)
            for value in np.unique(k).tolist():
                rows = k == value
                error[rows] = self.smoothed(value, active[rows])
            # The bandwidth that equals this error, rounded up to a step: an error at a smaller
            # bandwidth is not below this one, and one at a larger bandwidth not above it.
            equal = np.clip(np.ceil(_STEPS * error), 1, _STEPS).astype(np.intp)
            wide = (equal <= k) | (k == _STEPS)
            result[active[wide]], measured[active[wide]] = error[wide], k[wide]
            # The mesh, and the cut of the kernel, can make an error rise by its last digits.
            within = np.maximum(np.minimum(equal, high[active]), k + 1)
            high[active] = np.where(wide, k, within)
            low[active] = np.where(wide, np.clip(equal - 1, low[active], k - 1), k)
            # Next, where a line of slope -1/2 equals the bandwidth: noise falls with its root.
            ahead = np.rint((k + 2 * _STEPS * error) / 3).astype(np.intp)
            unmeasured = measured != high
            now[active] = np.clip(ahead, low[active] + 1, (high - 1 + unmeasured)[active])
            active = active[(unmeasured | (low + 1 < high))[active]]
        return result

    def smoothed(self, k: int, rows: NDArray[np.intp]) -> Floats:
        """Smoothed error of some resamples at the bandwidth k / 1024."""
        coefficients, cosines, sums = self.kernel(k)
        modes = coefficients.size
        result = np.empty(rows.size)
        for some in np.array_split(np.arange(rows.size), 1 + rows.size * cosines.shape[1] // 2**22):
            residual = (self.residual_of[rows[some], :modes] * coefficients) @ cosines
            density = self.density_of[rows[some], : sums.size] @ sums
            result[some] = np.abs(residual, out=residual).sum(axis=1) / density
        return result

    def kernel(self, k: int) -> tuple[Singles, Singles, Singles]:
        """Coefficients, cosines on the mesh, and sums over the mesh for a bandwidth.

        Returns:
            c_m, shape (modes,); cos(πmt), shape (modes, points), for the points of the mesh that
            items reach; c_m times the sum of cos(πmt) over the whole mesh, for even m, because
            the others cancel.
        """
        if k not in self.kernels:
            bandwidth = k / _STEPS
            modes = _modes(bandwidth, self.place.size)
            self.extend(modes)
            points = max(round(10 / bandwidth), _RELPLOT_MESH)
            coefficients = _coefficients(bandwidth, modes)
            whole = np.arange(0, modes, 2) % (2 * points - 2) == 0
            sums = coefficients[::2] * np.where(whole, points, 1)
            if points > _RELPLOT_MESH:
                cosines = _cosines(self.within_reach(np.linspace(0, 1, points), bandwidth), modes)
            else:
                cosines = _coarse_cosines()[:modes]
            self.kernels[k] = coefficients.astype(np.float32), cosines, sums.astype(np.float32)
        return self.kernels[k]

    def within_reach(self, mesh: Floats, bandwidth: float) -> Floats:
        """The points of a mesh that are near an item."""
        after = np.searchsorted(self.place, mesh)
        around = [self.place[np.clip(after - i, 0, self.place.size - 1)] for i in (0, 1)]
        distance = np.min([np.abs(mesh - place) for place in around], axis=0)
        return np.asarray(mesh[distance < 8 * bandwidth])

    def extend(self, modes: int) -> None:
        """Sum over items for further cosines."""
        start = self.residual_of.shape[1]
        if modes <= start:
            return
        # Twice as many at least: every time costs a pass over the resamples.
        numbers = np.arange(start, max(modes, 2 * start))
        cosines = np.cos(np.pi * np.outer(self.place, numbers))
        density = cosines[:, numbers % 2 == 0]
        matrix = np.hstack([self.residual[:, None] * cosines, density]).astype(np.float32)
        sums = np.vstack([block.astype(np.float32) @ matrix for block in _blocks(self.counts)])
        self.residual_of = np.hstack([self.residual_of, sums[:, : numbers.size]])
        self.density_of = np.hstack([self.density_of, sums[:, numbers.size :]])


def _modes(bandwidth: float, n: int) -> int:
    """How many cosines a kernel needs for n items.

    The coefficients of the Gaussian fall as exp(-(πm bandwidth)² / 2): beyond 2 / bandwidth
    they are below single precision. The cut of a wide one needs more, and the more the fewer
    the items are whose errors cancel.
    """
    most = min(max(128, 2**16 // n), _MOST_MODES)
    return most if bandwidth > 0.1 else int(np.ceil(2 / bandwidth))


def _cosines(mesh: Floats, modes: int) -> Singles:
    """cos(πmt), shape (modes, points)."""
    return np.cos(np.pi * np.outer(np.arange(modes), mesh)).astype(np.float32)


@cache
def _coarse_cosines() -> Singles:
    """The cosines on the mesh of wide kernels."""
    return _cosines(np.linspace(0, 1, _RELPLOT_MESH), _MOST_MODES)


@cache
def _coefficients(bandwidth: float, modes: int) -> Floats:
    """Cosine transform of a Gaussian that is cut at a distance of one half.

    The integral of exp(-d² / (2 bandwidth²)) cos(πmd) from -1/2 to 1/2, which is the real part of
    an error function of complex argument, written with the Faddeeva function w lest it overflow;
    twice that but for m = 0.
    """
    x = 1 / (2 * np.sqrt(2) * bandwidth)
    y = np.pi * np.arange(modes) * bandwidth / np.sqrt(2)
    cut = np.exp(-(x**2)) * (np.exp(-2j * x * y) * wofz(-y + 1j * x)).real
    integral = np.sqrt(2 * np.pi) * bandwidth * (np.exp(-(y**2)) - cut)
    return np.asarray(np.where(np.arange(modes) == 0, 1, 2) * integral)
