"""Logistic regression of answers clustered by item, and functions of its coefficients."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit, ndtr, ndtri
from statsmodels.genmod.cov_struct import Exchangeable
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_estimating_equations import GEE

Floats = NDArray[np.float64]
Linear = tuple[float, Floats]  # a function of the coefficients: its value and its gradient

EXTREME = 1e-8  # a fitted probability this close to 0 or 1 has no finite log odds


@dataclass(frozen=True)
class Estimate:
    """An estimate with its robust standard error, interval and two-sided p (Wald)."""

    value: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Fit:
    """Coefficients, shape (k,), and their covariance, shape (k, k)."""

    coefficients: Floats
    covariance: Floats

    def estimate(self, linear: Linear, confidence: float, df: int | None = None) -> Estimate:
        """A function of the coefficients by the delta method.

        Args:
            linear: its value, and its gradient of shape (k,).
            confidence: coverage of the interval.
            df: degrees of freedom of Student's t; None for the normal distribution.
        """
        value, gradient = linear
        se = float(np.sqrt(gradient @ self.covariance @ gradient))
        if df is None:
            quantile, p = ndtri((1 + confidence) / 2), 2 * ndtr(-abs(value) / se)
        else:
            quantile = stats.t.ppf((1 + confidence) / 2, df)
            p = 2 * stats.t.sf(abs(value) / se, df)
        half = float(quantile) * se
        return Estimate(value, se, value - half, value + half, float(p))


def minus(one: Linear, other: Linear) -> Linear:
    """The difference of two functions."""
    return one[0] - other[0], one[1] - other[1]


def fit(correct: ArrayLike, design: Floats, clusters: ArrayLike) -> Fit | str:
    """Fit generalized estimating equations (Liang and Zeger 1986), or say why there is no fit.

    Logistic, with exchangeable correlation within clusters; the covariance is the sandwich with
    the correction of Mancl and DeRouen (2001) for few clusters.

    Args:
        correct: 0 or 1, shape (answers,).
        design: shape (answers, k), of full rank.
        clusters: whole numbers, shape (answers,).
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model_of_all = GEE(
                correct, design, clusters, family=Binomial(), cov_struct=Exchangeable()
            )
            result = model_of_all.fit(cov_type="bias_reduced")
        except (LinAlgError, ValueError, FloatingPointError) as error:
            return f"the fit failed: {error}"
    found = Fit(np.asarray(result.params), np.asarray(result.cov_params()))
    p = expit(design @ found.coefficients)
    problems = {
        "a fitted probability is 0 or 1: the cells are separated": (
            (p < EXTREME) | (p > 1 - EXTREME)
        ).any(),
        "the fit did not converge": not result.converged,
        "the covariance of the fit is not defined": not np.isfinite(found.covariance).all(),
        **{f"the fit warned: {warning.message}": True for warning in caught},
    }
    return next((reason for reason, holds in problems.items() if holds), found)
