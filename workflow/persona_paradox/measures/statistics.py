"""Intervals, tests and the bootstrap that every comparison of personas shares.

The formulas that statsmodels and scikit-learn have, too, give their results to the last bit; to
import these libraries takes longer than all else that is done with a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def wilson(successes: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), as in statsmodels.

    Args:
        successes: number of successes, 0 to `n`; with ties as halves the interval is too wide,
            never too narrow.
        n: number of trials; 0 gives (nan, nan).
        confidence: coverage, for example 0.95.

    Returns:
        Lower and upper bound, shares between 0 and 1.
    """
    if n == 0:
        return float("nan"), float("nan")
    share, z = successes / n, -ndtri((1 - confidence) / 2)
    scale = 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4.0 * n**2)) / scale
    # At the ends the bound is exact; rounding puts it next to it.
    low = 0.0 if successes == 0 else float(middle - half)
    return low, 1.0 if successes == n else float(middle + half)


def bootstrap_counts(n_items: int, draws: int, seed: int) -> NDArray[np.unsignedinteger[Any]]:
    """How often every item is drawn in every bootstrap resample (Efron 1979).

    The counts follow from the three arguments alone: two personas on the same items get the
    same resamples, so that their difference is resampled as a pair. The first resamples
    stay the same where `draws` grows.

    Args:
        n_items: number of items, also the size of a resample.
        draws: number of resamples.
        seed: seed of the generator (PCG64).

    Returns:
        Shape (draws, n_items); every row sums to `n_items`. The type is the smallest
        unsigned integer that holds `n_items`: convert before multiplying, lest it overflow.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    counts = np.zeros((draws, n_items), dtype=np.min_scalar_type(n_items))
    if n_items:
        # Row by row: all rows at once would need the drawn indices in memory, 8 bytes each.
        for row in counts:
            row[:] = np.bincount(generator.integers(n_items, size=n_items), minlength=n_items)
    return counts


def cluster_counts(clusters: ArrayLike, draws: int, seed: int) -> NDArray[np.unsignedinteger[Any]]:
    """How often every item is drawn when whole clusters are resampled (Davison and Hinkley 1997).

    As many clusters are drawn as there are, with replacement, and all items of a drawn
    cluster count together. Where every item is a cluster of its own, the counts are those of
    `bootstrap_counts`.

    Args:
        clusters: shape (items,), the cluster of every item; any labels. Clusters are numbered in
            the order in which they first appear, so that what they are called has no effect.
        draws: number of resamples.
        seed: seed of the generator (PCG64).

    Returns:
        Shape (draws, items), in the smallest unsigned integer that holds the number of
        clusters. With clusters of unequal size the rows do not all sum to the number of items: a
        mean of a resample is its sum divided by the sum of its counts.

    Raises:
        ValueError: `clusters` is not one-dimensional.
    """
    number = numbered(clusters)
    counts = bootstrap_counts(int(number.max(initial=-1)) + 1, draws, seed)
    return np.asarray(counts[:, number])


def jackknife_counts(clusters: int | ArrayLike) -> NDArray[np.uint8]:
    """Weights that leave out one item, or one cluster of items, at a time (Tukey 1958).

    Args:
        clusters: number of items, each a cluster of its own, or shape (items,), the cluster of
            every item.

    Returns:
        Shape (clusters, items), 0 for what is left out and 1 for what stays, in the order of
        `cluster_counts`; taken wherever bootstrap counts are.

    Raises:
        ValueError: `clusters` is not one-dimensional.
    """
    number = numbered(np.arange(clusters) if isinstance(clusters, int) else clusters)
    every = np.arange(number.max(initial=-1) + 1)
    return np.asarray(every[:, None] != number, dtype=np.uint8)


def numbered(clusters: ArrayLike) -> NDArray[np.intp]:
    """Clusters as numbers from 0, in the order of their first appearance."""
    labels = np.asarray(clusters)
    if labels.ndim != 1:
        raise ValueError(f"clusters of shape {labels.shape}: one per item is needed")
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def clusters_of(scores: pl.DataFrame) -> NDArray[Any]:
    """Cluster of every row of scores; an item without one is a cluster of its own."""
    own = pl.concat_str(pl.lit("item "), pl.col("item_id"))
    named = pl.concat_str(pl.lit("cluster "), pl.col("cluster"))
    return scores.select(pl.coalesce(named, own)).to_series().to_numpy()


def clusters_of_items(
    item_ids: Sequence[str], items: pl.DataFrame, column: str | None
) -> NDArray[Any]:
    """Cluster of some items of a data set, as its column names them; see `clusters_of`."""
    own = pl.col(column).cast(pl.String) if column else pl.lit(None, dtype=pl.String)
    known = items.select("item_id", cluster=own)
    order = pl.DataFrame({"item_id": item_ids}, schema={"item_id": pl.String})
    return clusters_of(order.join(known, on="item_id", how="left", maintain_order="left"))


def percentile_interval(values: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    """Percentile bootstrap interval (Efron 1981).

    Args:
        values: shape (draws, ...), one measure per resample; at least one draw. A draw that
            is nan, where the measure is undefined, is left out.
        confidence: coverage, for example 0.95.

    Returns:
        Lower and upper bound, each of shape (...); nan where every draw is nan.
    """
    values = np.asarray(values, dtype=np.float64)
    undefined = np.isnan(values).all(axis=0)
    tail = (1 - confidence) / 2
    # The filled columns are blanked again below; numpy would warn of a column of nan.
    filled = np.where(undefined, 0.0, values)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test (McNemar 1947), as in statsmodels.

    Args:
        only_first: items that are right under the first condition only.
        only_second: items that are right under the second condition only.

    Returns:
        p value; 1 where no pair is discordant.
    """
    from scipy.stats import binom  # noqa: PLC0415 - slow to import, and of no use for a cell

    fewer = min(only_first, only_second)
    return min(1.0, float(binom.cdf(fewer, only_first + only_second, 0.5) * 2))


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjustment (Holm 1979), as in statsmodels.

    Args:
        p_values: shape (tests,); nan, a test that could not be made, does not count.

    Returns:
        Adjusted p values, shape (tests,); nan stays nan.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(adjusted))
    rising = made[np.argsort(adjusted[made], kind="stable")]
    raised = adjusted[rising] * np.arange(rising.size, 0, -1)
    adjusted[rising] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted


def roc_auc(score: ArrayLike, positive: ArrayLike) -> float:
    """Area under the ROC curve, ties counting half, as in scikit-learn.

    Args:
        score: shape (n,).
        positive: shape (n,), bool; which items should have the higher scores.

    Returns:
        Share between 0 and 1; nan where all items are positive, or none.

    Raises:
        ValueError: the shapes differ, or a score is nan.
    """
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    if score.shape != positive.shape or np.isnan(score).any():
        raise ValueError(f"scores {score.shape} and outcomes {positive.shape} do not match")
    if positive.all() or not positive.any():
        return float("nan")
    falling = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[falling], append=-np.inf))
    right = np.cumsum(positive[falling])[last].astype(np.float64)
    wrong = 1 + last - right
    # Without points between others on a line, as there, where it is the order of the sum.
    corner = np.ones(last.size, dtype=bool)
    corner[1:-1] = (np.diff(right, 2) != 0) | (np.diff(wrong, 2) != 0)
    share, of = (np.concatenate([[0.0], one[corner] / one[-1]]) for one in (right, wrong))
    return float(np.trapezoid(share, of))
