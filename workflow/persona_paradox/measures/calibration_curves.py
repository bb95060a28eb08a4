"""What figures of calibration draw: the reliability diagram and the risk-coverage curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .calibration_bins import bin_of, checked
from .statistics import wilson


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
    member = bin_of(confidence, bins)
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
