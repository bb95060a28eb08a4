"""How well the confidence in an answer matches how often the answer is right.

All figures are of the binary event "the answer is correct": `confidence` is the probability
that the model gives to its answer (top-label calibration).

Equal-width bins are netcal's: bin b of B holds b/B <= confidence < (b+1)/B, and the last
one also 1; the edges are the floating-point numbers of `numpy.linspace(0, 1, B + 1)`, so that
0.3 lies just below the edge 0.30000000000000004.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from .statistics import bootstrap_counts, percentile_interval, wilson

Floats = NDArray[np.float64]

METRICS = (
    "ece_equal_width",
    "ece_equal_mass",
    "smooth_ece",
    "brier",
    "log_loss",
    "mean_confidence",
    "accuracy",
    "overconfidence",
)
_LOG_LOSS_CLIP = 1e-12
_RELPLOT_STEP = 1e-3
_SLACK = 1e-9  # a softmax may exceed 1 by its rounding error


def calibration_metrics(confidence: ArrayLike, correct: ArrayLike, bins: int) -> dict[str, float]:
    """Measure calibration.

    - `ece_equal_width`, `ece_equal_mass`: expected calibration error, the sum over bins of
      n_b / n |mean confidence - accuracy| (Naeini et al. 2015), from netcal. Equal mass has
      its edges at the quantiles of the confidence. netcal refuses quantiles that coincide
      (many equal confidences); the same rule then gives the figure here, a bin between two
      equal edges being empty.
    - `smooth_ece`: the bin-free smECE (Błasiok and Nakkiran 2023), from relplot. Items
      within 0.001 of 0 or 1 are smoothed from 0.001 inside, because relplot halves their weight
      at the very ends; what they add to the error is not changed.
    - `brier`: mean of (confidence - correct)² (Brier 1950).
    - `log_loss`: mean of -log p(what happened), in nats, confidence clipped to
      [1e-12, 1 - 1e-12].
    - `mean_confidence`, `accuracy`, and `overconfidence`, the former minus the latter.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins of the binned errors.

    Returns:
        Figure for every name in `METRICS`; nan where n = 0.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = _checked(confidence, correct)
    if confidence.size == 0:
        return dict.fromkeys(METRICS, float("nan"))
    ece, sm_ece = _libraries()
    outcome = correct.astype(np.float64)
    place = _relplot_place(confidence)
    try:
        equal_mass = ece(int(bins), equal_intervals=False).measure(confidence, outcome)
    except ValueError:
        equal_mass = _ece_equal_mass(confidence, correct, bins, np.ones((1, len(correct))))[0]
    figures = {
        "ece_equal_width": ece(int(bins)).measure(confidence, outcome),
        "ece_equal_mass": equal_mass,
        # relplot uses the outcome in `confidence - outcome` alone, which is left as it is.
        "smooth_ece": sm_ece(place, outcome + place - confidence),
    } | {name: value.mean() for name, value in _item_values(confidence, correct).items()}
    return {name: float(figures[name]) for name in METRICS}


def calibration_intervals(
    confidence: ArrayLike,
    correct: ArrayLike,
    bins: int,
    *,
    draws: int,
    seed: int,
    confidence_level: float,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals, over items, of the figures of `calibration_metrics`.

    All resamples are measured at once, because a loop over the libraries is too slow; that
    needs some 40 bytes per draw and item. The formulas are the libraries', but for smECE:
    relplot rounds confidences to a grid of about 1,000 points, here the kernel is exact. The
    figures differ by less than 0.0005.

    A calibration error is never negative, so that resampling biases it upwards, most where
    calibration is good: its interval may then lie above the figure itself.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins of the binned errors.
        draws: number of resamples.
        seed: seed of `statistics.bootstrap_counts`; equal seeds pair equal items.
        confidence_level: coverage, for example 0.95.

    Returns:
        Lower and upper bound for every name in `METRICS`; nan where n = 0.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = _checked(confidence, correct)
    if confidence.size == 0:
        return dict.fromkeys(METRICS, (float("nan"), float("nan")))
    counts = bootstrap_counts(confidence.size, draws, seed).astype(np.float64)
    # The last bits of a matrix product depend on the number of threads; results must not.
    with threadpool_limits(1):
        figures = {
            "ece_equal_width": _ece_equal_width(confidence, correct, bins, counts),
            "ece_equal_mass": _ece_equal_mass(confidence, correct, bins, counts),
            "smooth_ece": _smooth_ece(confidence, correct, counts),
        } | {
            name: counts @ value / confidence.size
            for name, value in _item_values(confidence, correct).items()
        }
    intervals = {}
    for name in METRICS:
        low, high = percentile_interval(figures[name], confidence_level)
        intervals[name] = (float(low), float(high))
    return intervals


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
    confidence, correct = _checked(confidence, correct)
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


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    confidence = np.asarray(confidence, dtype=np.float64)
    correct = np.asarray(correct, dtype=bool)
    if confidence.ndim != 1 or confidence.shape != correct.shape:
        raise ValueError(f"confidence {confidence.shape} and correct {correct.shape} do not match")
    if not ((confidence >= -_SLACK) & (confidence <= 1 + _SLACK)).all():
        raise ValueError("a confidence is not within 0 and 1")
    return np.clip(confidence, 0.0, 1.0), correct


def _libraries() -> tuple[Any, Any]:
    """netcal's ECE and relplot's smECE, which take seconds to import; quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from netcal.metrics.confidence import ECE  # noqa: PLC0415
        from relplot import smECE  # noqa: PLC0415
    return ECE, smECE


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


def _ece_equal_width(
    confidence: Floats, correct: NDArray[np.bool_], bins: int, counts: Floats
) -> Floats:
    """Equal-width ECE of resamples: `counts` has shape (draws, n), the result (draws,)."""
    surplus = np.zeros((confidence.size, bins))
    surplus[np.arange(confidence.size), _bin_of(confidence, bins)] = confidence - correct
    return np.asarray(np.abs(counts @ surplus).sum(axis=1) / confidence.size)


def _ece_equal_mass(
    confidence: Floats, correct: NDArray[np.bool_], bins: int, counts: Floats
) -> Floats:
    """Equal-mass ECE of resamples, each with its own edges: (draws, n) → (draws,)."""
    order = np.argsort(confidence, kind="stable")
    # netcal takes the open interval, so that 0 and 1 lie inside the outer edges.
    epsilon = np.finfo(np.float64).eps
    ordered = np.clip(confidence[order], epsilon, 1 - epsilon)
    counts = counts[:, order]
    draws, n = counts.shape
    resampled = np.repeat(np.tile(ordered, draws), counts.astype(np.intp).ravel())
    edges = np.quantile(resampled.reshape(draws, n), np.linspace(0, 1, bins + 1), axis=1).T
    edges[:, 0], edges[:, -1] = 0.0, 1.0
    # The surplus of confidence of a bin is the difference of the cumulative one at its edges.
    cumulative = np.zeros((draws, n + 1))
    np.cumsum(counts * (ordered - correct[order]), axis=1, out=cumulative[:, 1:])
    below = np.searchsorted(ordered, edges, side="left")
    surplus = np.diff(np.take_along_axis(cumulative, below, axis=1), axis=1)
    return np.asarray(np.abs(surplus).sum(axis=1) / n)


def _smooth_ece(confidence: Floats, correct: NDArray[np.bool_], counts: Floats) -> Floats:
    """smECE of resamples, (draws, n) → (draws,): relplot's kernel, mesh and search.

    smECE is the smoothed error at the bandwidth that equals that error; relplot finds it by
    halving 0 to 1 ten times. Smoothing is linear in the items, so that the resamples that
    look at the same bandwidth share one matrix product.
    """
    surplus = counts * (confidence - correct)
    place = _relplot_place(confidence)

    def smoothed(bandwidth: float, rows: NDArray[np.bool_]) -> Floats:
        mesh = np.linspace(0, 1, max(round(10 / bandwidth), 200))[:, None]
        kernel = np.zeros((len(mesh), confidence.size))
        # Gaussian, reflected at 0 and at 1, cut at a distance of one half.
        for distance in (mesh - place, mesh + place, 2 - mesh - place):
            kernel += np.exp(-0.5 * (distance / bandwidth) ** 2) * (np.abs(distance) <= 0.5)
        density = counts[rows] @ kernel.sum(axis=0)
        residual = surplus[rows] @ kernel.T
        return np.asarray(np.abs(residual, out=residual).sum(axis=1) / density)

    draws = len(counts)
    result = smoothed(1.0, np.ones(draws, dtype=bool))
    low, high = np.zeros(draws), np.ones(draws)
    for _ in range(10):
        middle = (low + high) / 2
        error = np.empty(draws)
        for bandwidth in np.unique(middle):
            rows = middle == bandwidth
            error[rows] = smoothed(float(bandwidth), rows)
        narrow = (middle < 0.001) | (middle < error)
        result = np.where(narrow, result, error)
        low, high = np.where(narrow, middle, low), np.where(narrow, high, middle)
    return result
