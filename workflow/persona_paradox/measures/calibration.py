"""How well the confidence in an answer matches how often the answer is right.

All numbers are of the binary event "the answer is correct": `confidence` is the probability
that the model gives to its answer (top-label calibration).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ..names import CALIBRATION
from .calibration_bins import Floats, binned_and_ranked, blocks, checked, gaps, inside_open
from .smooth_ece import Smoother, relplot_place, smooth_ece
from .statistics import roc_auc

_LOG_LOSS_CLIP = 1e-12


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
        bins: number of bins of the binned numbers.

    Returns:
        Figure for every name in `CALIBRATION`; nan where n = 0.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    if confidence.size == 0:
        return dict.fromkeys(CALIBRATION, float("nan"))
    found: dict[str, Any] = dict(
        binned_and_ranked(confidence, correct, bins, np.ones((1, correct.size)))
    )
    found |= {name: value.mean() for name, value in _item_values(confidence, correct).items()}
    gap, share = gaps(confidence, correct, np.linspace(0, 1, bins + 1))
    found |= {"ece_equal_width": np.sum(gap * share), "mce": np.max(gap)}
    place = relplot_place(confidence)
    # It uses the outcome in `confidence - outcome` alone, which is left as it is.
    found["smooth_ece"] = smooth_ece(place, correct + place - confidence)
    found["auroc"] = roc_auc(confidence, correct)
    quantiles = np.quantile(inside_open(confidence), np.linspace(0, 1, bins + 1))
    quantiles[[0, -1]] = 0, 1
    if np.diff(quantiles).all():
        gap, share = gaps(confidence, correct, quantiles)
        found["ece_equal_mass"] = np.sum(gap * share)
    return {name: float(np.squeeze(found[name])) for name in CALIBRATION}


def calibration_draws(
    confidence: ArrayLike, correct: ArrayLike, bins: int, counts: NDArray[Any]
) -> dict[str, Floats]:
    """The numbers of `calibration_metrics` in every bootstrap draw.

    Draws are measured many at a time, because a loop over the libraries is too slow; that
    needs some 4 bytes per draw and item. The formulas are the libraries', but for smECE:
    relplot rounds confidences to a grid of about 1,000 points, here the smoothed residual is a
    cosine series in single precision (`Smoother`). The numbers differ by less than 0.001.

    A calibration error is never negative, so that resampling biases it upwards, most where
    calibration is good: an interval of it may then lie above the number itself.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        bins: number of bins of the binned numbers.
        counts: shape (draws, n), how often every draw takes each item
            (`statistics.bootstrap_counts`); equal counts pair equal items.

    Returns:
        Shape (draws,) for every name in `CALIBRATION`; nan for a draw without items, and for
        `auroc` where all its answers are correct, or all wrong.

    Raises:
        ValueError: the shapes differ, or a confidence is not within 0 and 1.
    """
    confidence, correct = checked(confidence, correct)
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != confidence.size:
        raise ValueError(f"counts {counts.shape} do not fit {confidence.size} items")
    found = {name: np.full(len(counts), np.nan) for name in CALIBRATION}
    some = counts.any(axis=1)
    if not some.any():
        return found
    order = np.argsort(confidence, kind="stable")
    counts = (counts if some.all() else counts[some])[:, order]
    confidence, correct = confidence[order], correct[order]
    values = _item_values(confidence, correct)
    matrix = np.column_stack(list(values.values()))
    parts = []
    # The last bits of a matrix product depend on the number of threads; results must not.
    with threadpool_limits(1):
        for block in blocks(counts):
            means = (block @ matrix).T / block.sum(axis=1)
            parts.append(
                dict(zip(values, means, strict=True))
                | binned_and_ranked(confidence, correct, bins, block)
            )
        smooth = Smoother(confidence, correct, counts).errors()
    for name in CALIBRATION:
        drawn = [smooth] if name == "smooth_ece" else [part[name] for part in parts]
        found[name][some] = np.concatenate(drawn)
    return found


def _item_values(confidence: Floats, correct: NDArray[np.bool_]) -> dict[str, Floats]:
    """The numbers that are means over items: their value for every item, shape (n,)."""
    happened = np.where(correct, confidence, 1 - confidence)
    return {
        "brier": (confidence - correct) ** 2,
        "log_loss": -np.log(np.clip(happened, _LOG_LOSS_CLIP, 1 - _LOG_LOSS_CLIP)),
        "mean_confidence": confidence,
        "accuracy": correct.astype(np.float64),
        "overconfidence": confidence - correct,
    }
