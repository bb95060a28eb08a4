"""Numbers that are no means over items but follow from sums over them, such as an F1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Combined:
    """A number of a sample that follows from sums over its items.

    Attributes:
        parts: what is summed, shape (items, parts); a row of nan where an item is not in it.
        formula: from the sums, shape (..., parts), to the number, shape (...); nan where it is
            undefined.
    """

    parts: Floats
    formula: Callable[[Floats], Floats]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which items are in it, shape (items,)."""
        return np.asarray(~np.isnan(self.parts).any(axis=1))

    def among(self, inside: NDArray[np.bool_]) -> Combined:
        """The same number of some of the items, a mask of shape (items,)."""
        return replace(self, parts=self.parts[inside])

    def value(self, counts: NDArray[Any] | None = None) -> Any:
        """The number of the sample, or of every draw, shape (draws,).

        Args:
            counts: how often every draw takes every item, shape (draws, items); None for the
                sample.
        """
        parts = np.where(self.known[:, None], self.parts, 0.0)
        if counts is None:
            return float(self.formula(parts.sum(axis=0)))
        return self.formula(np.asarray(counts, dtype=np.float64) @ parts)


def told_apart(right: ArrayLike, answer: ArrayLike, labels: Sequence[int]) -> Floats:
    """True positives, false positives and false negatives of every label, for `macro_f1`.

    Args:
        right: number of the right label of every item, shape (items,).
        answer: number of the label that was answered, shape (items,).
        labels: those whose F1 is asked for.

    Returns:
        Shape (items, 3 * labels).
    """
    is_right = np.asarray(right)[:, None] == np.asarray(labels)
    answered = np.asarray(answer)[:, None] == np.asarray(labels)
    found = np.stack([is_right & answered, ~is_right & answered, is_right & ~answered], axis=-1)
    return found.reshape(len(found), -1).astype(np.float64)


def macro_f1(sums: Floats) -> Floats:
    """Mean over labels of F1 = 2 TP / (2 TP + FP + FN).

    Args:
        sums: of what `told_apart` gives, shape (..., 3 * labels); of one label it is the F1.

    Returns:
        Shape (...). A label that nothing has as the right one is left out, nan where all are:
        there is nothing to find.
    """
    hits, false, missed = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0)
    there = hits + missed > 0
    f1 = 2 * hits / np.where(there, 2 * hits + false + missed, 1.0)
    n = there.sum(axis=-1)
    return np.asarray(f1.sum(axis=-1, where=there) / np.where(n > 0, n, np.nan))
