"""Numbers of answers to questions with options, by the places at which options are shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def macro_f1(right: ArrayLike, answer: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Mean over labels of F1 = 2 TP / (2 TP + FP + FN).

    The labels are those that are right in at least one item; an invalid answer is none of them,
    and so a miss of the right one.

    Args:
        right: number of the right label of every item, shape (items,).
        answer: number of the label that was answered, shape (items,), -1 where it is invalid.
        counts: how often every draw takes every item, shape (draws, items); None for each once.

    Returns:
        Shape (), or (draws,). A label that a draw has neither as right nor as answered is left out
        of that draw's mean. Nan without items.

    Raises:
        ValueError: the arrays do not match.
    """
    right, answer = np.asarray(right, np.intp), np.asarray(answer, np.intp)
    if right.ndim != 1 or right.shape != answer.shape:
        raise ValueError(f"right {right.shape} and answer {answer.shape} do not match")
    labels = np.unique(right)
    is_right = right[:, None] == labels
    answered = answer[:, None] == labels
    weights = np.ones((1, len(right))) if counts is None else np.asarray(counts, dtype=np.float64)

    def total(of: NDArray[np.bool_]) -> Floats:
        return np.asarray(weights @ of.astype(np.float64))

    hits, size = total(is_right & answered), total(is_right) + total(answered)
    # 2 TP + FP + FN is the number of right ones and that of answers, together.
    with np.errstate(invalid="ignore"):
        f1 = 2 * hits / np.where(size > 0, size, np.nan)
    seen = ~np.isnan(f1)
    n = seen.sum(axis=1)
    mean = np.where(seen, f1, 0.0).sum(axis=1) / np.where(n > 0, n, np.nan)
    return np.asarray(mean[0] if counts is None else mean)
