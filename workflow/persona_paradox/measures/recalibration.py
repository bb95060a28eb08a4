"""Confidences corrected by what others of their kind were worth.

Recalibration maps a confidence to how often answers of that confidence are right. The map is
learned from outcomes, so that it is cross-fitted: items are split into folds, and the items of a
fold are mapped by what was learned from the other folds. No item's own outcome then touches its
recalibrated confidence, and calibration can be measured on all items, before and after.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from .calibration_bins import checked

Floats = NDArray[np.float64]

Method = Literal["temperature", "logistic", "beta", "isotonic", "histogram"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Recalibrated:
    """Cross-fitted confidences.

    Attributes:
        confidence: shape (n,); nan where there was nothing to fit the map of the fold to.
        unfitted: the folds without a map, and why there is none.
    """

    confidence: Floats
    unfitted: dict[int, str]


def cross_fitted(
    confidence: ArrayLike, correct: ArrayLike, method: Method, *, fold: ArrayLike, bins: int = 10
) -> Recalibrated:
    """Recalibrate the confidence of each fold by a map that netcal fits to the other folds.

    The maps, with p the confidence and q the probability that the answer is correct:

    - `temperature`: logit q = w logit p (Guo et al. 2017, for two outcomes; w = 1 / T).
    - `logistic`: logit q = w logit p + c (Platt 1999, on the logit).
    - `beta`: logit q = a log p - b log(1 - p) + c with a, b ≥ 0 (Kull et al. 2017).
    - `isotonic`: the best q that never falls with p (Zadrozny and Elkan 2002), constant beyond
      the confidences that were seen. It is often exactly 0 or 1 at the ends, where a surprise
      makes the log loss large.
    - `histogram`: the accuracy of the equal-width bin of p (Zadrozny and Elkan 2001); the
      middle of the bin where it was empty.

    The first three minimize the log loss, from the identity, with a method without randomness;
    w is not bounded, so that it is negative where the more confident answers are the worse.
    Where correct and wrong answers can be told apart without error they have no optimum, and end
    where the loss no longer falls.

    Args:
        confidence: shape (n,), probabilities.
        correct: shape (n,), whether the answer is correct.
        method: one of `METHODS`.
        fold: fold of every item, shape (n,), for example from `stratified_folds`.
        bins: number of bins of `histogram`.

    Returns:
        The confidences and the folds that could not be fitted: those whose training part is
        empty, or correct or wrong throughout.

    Raises:
        ValueError: the shapes differ, a confidence is not within 0 and 1, or there is no such
            method.
    """
    confidence, correct = checked(confidence, correct)
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; there are {', '.join(METHODS)}")
    result = np.full(confidence.size, np.nan)
    unfitted = {}
    # Once for all folds: to find the libraries that have threads takes longer than a fit.
    with _quiet_and_alone():
        for number, inside in _folds(fold, confidence.size):
            reason = _reason(correct[~inside])
            if reason is not None:
                unfitted[number] = reason
                continue
            fitted = _map(method, bins)
            fitted.fit(confidence[~inside], correct[~inside].astype(np.int64))
            # All items are mapped, because netcal drops the axis of a single one.
            result[inside] = fitted.transform(confidence)[inside]
    return Recalibrated(result, unfitted)


def _folds(fold: ArrayLike, n: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Every fold's number, and which items are in it."""
    fold = np.asarray(fold, dtype=np.intp)
    if fold.shape != (n,):
        raise ValueError(f"{n} items, but folds of {fold.shape}")
    for number in np.unique(fold).tolist():
        yield number, fold == number


def _reason(correct: NDArray[np.bool_]) -> str | None:
    """Why nothing can be fitted to these outcomes; None if it can."""
    if not correct.size:
        return "no other items to fit to"
    if correct.all():
        return "all other items are correct"
    if not correct.any():
        return "all other items are wrong"
    return None


def _map(method: Method, bins: int = 10) -> Any:
    """netcal's estimator, which takes seconds to import."""
    from netcal import binning, scaling  # noqa: PLC0415

    if method == "histogram":
        return binning.HistogramBinning(int(bins))
    if method == "isotonic":
        return binning.IsotonicRegression()
    names = {
        "temperature": scaling.TemperatureScaling,
        "logistic": scaling.LogisticCalibration,
        "beta": scaling.BetaCalibration,
    }
    return names[method]()


@contextlib.contextmanager
def _quiet_and_alone() -> Iterator[None]:
    """Without netcal's prints and warnings, and on one thread, lest sums depend on their number."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import torch  # noqa: PLC0415

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                yield
        finally:
            torch.set_num_threads(threads)
