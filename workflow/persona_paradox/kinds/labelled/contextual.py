"""Contextual calibration: label probabilities without the model's habit.

It uses no outcomes, unlike recalibration: it divides by the label prior seen on an empty case.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def contextual(label_logprob: ArrayLike, null_logprob: ArrayLike) -> Floats:
    """Contextual calibration (Zhao et al. 2021): divide by the label prior of an empty case.

    q(label) ∝ p(label) / p₀(label), where p₀ is what the model says of a case without content.
    What remains is what the case adds, without the habit of the model.

    Args:
        label_logprob: shape (n, labels), up to a constant for each item.
        null_logprob: shape (labels,) for one empty case, or (cases, labels) for several, whose
            probabilities are averaged, as in the paper.

    Returns:
        Log-probabilities, shape (n, labels), normalized.

    Raises:
        ValueError: the labels differ in number, or a label has no probability in the empty case.
    """
    values = np.asarray(label_logprob, dtype=np.float64)
    null = np.atleast_2d(np.asarray(null_logprob, dtype=np.float64))
    if values.ndim != 2 or values.shape[1] != null.shape[1]:
        raise ValueError(f"labels {values.shape} and empty case {null.shape} do not match")
    if not np.isfinite(null.max(axis=0)).all():
        raise ValueError("a label has no probability in the empty case")
    prior = np.logaddexp.reduce(_log_softmax(null), axis=0)
    return _log_softmax(values - prior)


def _log_softmax(values: Floats) -> Floats:
    """Natural logarithm of the softmax of each row. Shape: (rows, labels), as `values`."""
    return np.asarray(values - np.logaddexp.reduce(values, axis=1, keepdims=True))
