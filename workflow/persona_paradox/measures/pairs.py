"""Measures of an arm's answers against those to the unchanged items, compared between personas.

Such a measure is of those items that have one, which may be others under another persona: of the
items that were right, say. So each stands with the number of its own items, and how many of their
answers are invalid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import paired_tests, statistics
from .answers import Scored, number
from .contrasts import counted, difference_row
from .metric import Metric
from .resampling import ROUNDING, Resampled


def contrast_rows(
    sides: tuple[Scored, Scored],
    difference: Resampled,
    values: tuple[Resampled, Resampled],
    metrics: Sequence[Metric],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Differences of a persona from the baseline, both of the same arm, as rows of `CONTRAST`.

    Args:
        sides: the persona's answers to the arm's items, and the baseline's.
        difference: the paired differences of their measures.
        values: the measures themselves.
        metrics: of pairs, of the kind.
        settings: the statistics'.
    """
    rows = []
    for name in (metric.id for metric in metrics if metric.id in difference.point):
        own = tuple(side.among(~np.isnan(side.pairs[name])) for side in sides)
        both = ~np.isnan(sides[0].pairs[name]) & ~np.isnan(sides[1].pairs[name])
        changed = sides[0].among(both).differs(sides[1].among(both))
        row = counted(own[0], own[1]) | {"n_changed": int(changed.sum())}
        row |= {"metric": name, "confidence": None}
        few = min((side.clusters for side in own), key=lambda each: np.unique(each).size)
        row |= difference_row(name, difference.of(few), values, settings)
        rows.append(row | tested(name, sides, metrics, settings))
    return rows


def tested(
    name: str, sides: tuple[Scored, Scored], metrics: Sequence[Metric], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The test of a difference of shares; nothing of other measures, whose test is the bootstrap.

    McNemar's where both shares are of the same items; else the persona and the baseline are
    exchanged, see `exchange_p`.
    """
    if next(metric.contrast for metric in metrics if metric.id == name) != "paired":
        return {}
    this, other = (side.pairs[name] for side in sides)
    known = ~np.isnan(this)
    if (known != ~np.isnan(other)).any():
        p = exchange_p(this, other, sides[0].clusters, settings["draws"], settings["seed"])
        return {"test": "exchange", "p": number(p)}
    turned = (this - other)[known].astype(int)
    turns = {"n_gained": int((turned > 0).sum()), "n_lost": int((turned < 0).sum())}
    if sides[0].clustered:
        p = paired_tests.mcnemar_clustered(turned, sides[0].clusters[known])
        return turns | {"test": "clustered McNemar", "p": number(p)}
    p = statistics.mcnemar_exact(turns["n_gained"], turns["n_lost"])
    return turns | {"test": "exact McNemar", "p": p}


def exchange_p(
    this: NDArray[np.float64],
    other: NDArray[np.float64],
    clusters: NDArray[Any],
    draws: int,
    seed: int,
) -> float:
    """Two-sided p of the hypothesis that it makes no difference under which persona an item was.

    Item by item, or cluster by cluster, the two sides are exchanged at random (Pitman 1937), and
    with them which items have a value at all. Few events keep their say, where resampling items
    would call three of three significant.

    Args:
        this: values of the items, shape (items,), nan where an item has none.
        other: the same of the other side.
        clusters: of every item, shape (items,).
        draws: number of exchanges.
        seed: of the generator.

    Returns:
        At least 1 / (draws + 1); nan where a side has no values.
    """
    number_of = statistics.numbered(clusters)
    sums = [
        np.bincount(number_of, weights=values)
        for side in (this, other)
        for values in (np.nan_to_num(side), (~np.isnan(side)).astype(float))
    ]
    top, bottom, other_top, other_bottom = sums
    if not bottom.sum() or not other_bottom.sum():
        return float("nan")
    swapped = _swaps(len(top), draws, seed)
    tops, bottoms = swapped @ (other_top - top), swapped @ (other_bottom - bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (top.sum() + tops) / (bottom.sum() + bottoms)
        found -= (other_top.sum() - tops) / (other_bottom.sum() - bottoms)
    seen = top.sum() / bottom.sum() - other_top.sum() / other_bottom.sum()
    # An exchange that leaves a side without items is as far from 0 as any.
    as_far = ~(np.abs(found) < abs(seen) - ROUNDING)
    return float((as_far.sum() + 1) / (draws + 1))


@lru_cache(maxsize=4)
def _swaps(n: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Which clusters are exchanged in every draw, noughts and ones of shape (draws, clusters)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(0, 2, (draws, n)).astype(np.float64)
