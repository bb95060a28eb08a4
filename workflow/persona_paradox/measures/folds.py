"""Folds: items are told about by what was learned from the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def stratified_folds(stratum: ArrayLike, folds: int, seed: int) -> NDArray[np.intp]:
    """Split items at random into folds that have, as far as can be, equal shares of every stratum.

    Without that, a fold with more items of one, such as correct ones, would leave fewer of them to
    its own training part, and what is learned there would run against the outcomes.

    Args:
        stratum: shape (n,), such as whether the answer is correct.
        folds: number of folds, at least 2.
        seed: seed of the generator (PCG64).

    Returns:
        Fold of every item, shape (n,), from 0. The folds' numbers of items, and of those of every
        stratum, differ by 1 at most; some are empty where there are fewer items than folds.

    Raises:
        ValueError: there are fewer than two folds.
    """
    if folds < 2:
        raise ValueError(f"{folds} folds: no item could be left out")
    stratum = np.asarray(stratum)
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(stratum.size)
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(stratum.size, dtype=np.intp)
    fold[order] = np.arange(stratum.size) % folds
    return fold


def item_folds(stratum: ArrayLike, clusters: ArrayLike, folds: int, seed: int) -> NDArray[np.intp]:
    """Folds of items: `stratified_folds`, or whole clusters at random where items have company.

    Args:
        stratum: shape (n,), such as whether the answer is correct.
        clusters: shape (n,), cluster of every item.
        folds: number of folds, at least 2.
        seed: seed of the generator (PCG64).

    Raises:
        ValueError: there are fewer than two folds.
    """
    number = np.unique(np.asarray(clusters), return_inverse=True)[1]
    n_clusters = int(number.max(initial=-1)) + 1
    if n_clusters == len(number):
        return stratified_folds(stratum, folds, seed)
    return stratified_folds(np.zeros(n_clusters), folds, seed)[number]
