"""Conformal sets: levels of which the right one is among at least as often as declared.

Split conformal prediction (Vovk, Gammerman and Shafer 2005), cross-fitted: every item's set has a
threshold from the items of the other folds alone. Where items, or clusters of one item each, are
exchangeable, a set holds the right label with at least the declared probability, whatever the
model is worth: a poor model has large sets. That is so on the mean over items and not for every
group of them, which is why the table tells the levels apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..kinds.labelled.measures import Chosen
from ..kinds.labelled.pairs import at, probabilities
from ..measures import folds, statistics
from ..measures.answers import measured, number
from ..measures.resampling import Draws, means

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LAC, APS, ORDINAL = "lac", "aps", "ordinal"
ALL = "all"
COVERED, SIZE = "covered", "size"
_ROUNDING = 1e-9

_PLACE = ("model", "task", "context", "dataset", "persona")
_INTERVAL = ("", "_low", "_high")
SCHEMA = {
    **dict.fromkeys((*_PLACE, "score", "level", "backend"), pl.String),
    "declared": pl.Float64,
    **dict.fromkeys(("n", "n_clusters", "n_unknown", "n_invalid"), pl.Int64),
    **{f"{name}{end}": pl.Float64 for name in ("coverage", "size") for end in _INTERVAL},
    **dict.fromkeys(("n_empty", "n_single", "n_all"), pl.Int64),
    **{f"size_difference{end}": pl.Float64 for end in (*_INTERVAL, "_p", "_p_holm")},
}


def nonconformity(p: Floats, score: str) -> Floats:
    """How badly every label fits an item, shape (items, labels); nan where it is none of its.

    - `lac`: 1 - p(k) (Sadinle, Lei and Wasserman 2019). Its sets are the smallest on the mean
      where the probabilities are right, and may be empty.
    - `aps`: the probability of all labels that are likelier (Romano, Sesia and Candès 2020,
      without their random number). Its sets are never empty.
    - `ordinal`: the same with the labels added from the likeliest outwards, each time the
      likelier of both neighbours (Lu, Angelopoulos and Pomerantz 2022), so that a set has no gap.

    Args:
        p: probabilities, shape (items, labels), nan as above.
        score: one of these.

    Raises:
        ValueError: it is none of these.
    """
    if score == LAC:
        return 1 - p
    if score == APS:
        order = np.argsort(-np.nan_to_num(p, nan=-1.0), axis=1, kind="stable")
    elif score == ORDINAL:
        order = outwards(p)
    else:
        raise ValueError(f"no score {score!r}")
    along = np.take_along_axis(np.nan_to_num(p), order, axis=1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.cumsum(along, axis=1) - along, axis=1)
    return np.where(np.isnan(p), np.nan, found)


def outwards(p: Floats) -> Ints:
    """The labels of every item from the likeliest outwards, shape (items, labels).

    Of two equal neighbours the first, of levels the more urgent one.
    """
    n, n_labels = p.shape
    rows = np.arange(n)
    padded = np.pad(np.nan_to_num(p, nan=-1.0), ((0, 0), (1, 1)), constant_values=-2.0)
    first = padded[:, 1:-1].argmax(axis=1)
    order = np.empty((n, n_labels), dtype=np.intp)
    order[:, 0] = first
    low, high = first - 1, first + 1
    for place in range(1, n_labels):
        lower = padded[rows, low + 1] >= padded[rows, high + 1]
        order[:, place] = np.where(lower, low, high)
        low, high = low - lower, high + ~lower
    return order


def threshold(scores: Floats, coverage: float) -> float:
    """The score up to which labels are in a set: the ⌈(n + 1) coverage⌉-th of n right labels.

    Infinite, so that a set holds all labels, where there are too few of them.
    """
    place = ceil((scores.size + 1) * coverage - _ROUNDING)
    return float(np.sort(scores)[place - 1]) if place <= scores.size else float("inf")


def sets_of(scores: Floats, reference: NDArray[Any], fold: Ints, coverage: float) -> Bools:
    """Which labels are in the set of every item, shape (items, labels).

    Args:
        scores: of `nonconformity`.
        reference: number of the right label, shape (items,).
        fold: of the items; the threshold of one is from the others.
        coverage: that is declared.
    """
    right = at(scores, reference)
    found = np.zeros(scores.shape, dtype=np.bool_)
    for one in np.unique(fold):
        inside = fold == one
        found[inside] = scores[inside] <= threshold(right[~inside], coverage) + _ROUNDING
    return found


def set_rows(
    answers: Mapping[str, Chosen],
    score: str,
    asked: Mapping[str, Any],
    settings: Mapping[str, Any],
    levels: Mapping[int, str],
) -> Iterator[dict[str, Any]]:
    """What the sets of the personas are: rows by the names of `SCHEMA`.

    Args:
        answers: persona → its answers to the items, the baseline's first.
        score: of `nonconformity`.
        asked: `coverage` and `folds`.
        settings: the statistics'.
        levels: number → id of the right labels of which sets are told of apart.
    """
    first = next(iter(answers.values()))
    draws = Draws.of(first.clusters, settings)
    clusters = statistics.numbered(first.clusters)
    fold = folds.item_folds(np.zeros(first.n), clusters, asked["folds"], settings["seed"])
    theirs: Floats | None = None
    for persona, cell in answers.items():
        p = probabilities(cell)
        known = ~np.isnan(p).all(axis=1)
        chosen = np.zeros(p.shape, dtype=np.bool_)
        if known.any():
            scores = nonconformity(p[known], score)
            of_known = cell.reference[known], fold[known]
            chosen[known] = sets_of(scores, *of_known, asked["coverage"])
        size = np.where(known, chosen.sum(axis=1), np.nan)
        has_right = chosen[np.arange(cell.n), cell.reference]
        covered = replace(cell, hits={**cell.hits, COVERED: has_right})
        groups = {ALL: known} | {
            level: known & (cell.reference == place) for place, level in levels.items()
        }
        for group, inside in groups.items():
            row = {
                "persona": persona,
                "score": score,
                "level": group,
                "backend": cell.backend,
                "declared": asked["coverage"],
                "n": int(inside.sum()),
                "n_clusters": np.unique(clusters[inside]).size,
                "n_unknown": int((~known).sum()) if group == ALL else None,
            }
            if inside.any():
                n_labels = (~np.isnan(p[inside])).sum(axis=1)
                row |= _measured(covered.among(inside), size[inside], draws.among(inside))
                row["n_all"] = int((size[inside] == n_labels).sum())
            if theirs is not None and (both := inside & ~np.isnan(theirs)).any():
                row |= _difference((size - theirs)[both], draws.among(both))
            yield row
        theirs = size if theirs is None else theirs


def _measured(cell: Chosen, size: Floats, draws: Draws) -> dict[str, Any]:
    """Coverage and size of the sets of some items."""
    found = draws.measure(partial(means, {COVERED: cell.hits[COVERED], SIZE: size}))
    coverage = measured(COVERED, cell, found).values()
    sizes = (found.point[SIZE], *found.interval(SIZE))
    return {
        "n_invalid": cell.n_invalid,
        **{f"coverage{end}": one for end, one in zip(_INTERVAL, coverage, strict=True)},
        **{f"size{end}": number(one) for end, one in zip(_INTERVAL, sizes, strict=True)},
        "n_empty": int((size == 0).sum()),
        "n_single": int((size == 1).sum()),
    }


def _difference(sizes: Floats, draws: Draws) -> dict[str, Any]:
    """By how much sets are larger than the baseline's, on the mean over the same items."""
    found = draws.measure(partial(means, {SIZE: sizes}))
    ends = (found.point[SIZE], *found.interval(SIZE))
    return {
        **{f"size_difference{end}": number(one) for end, one in zip(_INTERVAL, ends, strict=True)},
        "size_difference_p": number(found.p_zero(SIZE)),
    }


def with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Add `size_difference_p_holm`, over all personas, models and tasks; each score apart.

    The sets of single levels have none: they are looked at, and no tests.
    """
    p = pl.when(pl.col("level") == ALL).then("size_difference_p")
    return table.with_columns(
        p.map_batches(
            lambda one: pl.Series(statistics.holm(one.fill_null(np.nan).to_numpy())),
            return_dtype=pl.Float64,
        )
        .over("score")
        .fill_nan(None)
        .alias("size_difference_p_holm")
    )
