"""How far raters agree, and how much of it chance would give them.

Ratings have the shape (items, raters), or (items,) for one rater, with nan where a rater did not
rate an item. Every measure is a float, that of the sample, or with `counts`, how often every draw
takes every item, one per draw: `resampling.Draws.measure` makes intervals of it over items. The
raters are those at hand: an interval says nothing of other raters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
# Of the sample, or of every draw, shape (draws,).
Figure = float | Floats
Counts = NDArray[Any] | None

Weights = Literal["linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


def observed_agreement(a: ArrayLike, b: ArrayLike, counts: Counts = None) -> Figure:
    """Share of the items that both raters rated on which their ratings are the same.

    Args:
        a: shape (items,), ratings of one rater.
        b: shape (items,), ratings of another.
        counts: shape (draws, items).

    Returns:
        The share; nan without an item that both rated.
    """
    a, b = _raters(a, b)
    both = ~np.isnan(a) & ~np.isnan(b)
    same, n = _sums(np.column_stack([a == b, both]), counts)
    return _figure(_ratio(same, n), counts)


def cohen_kappa(
    a: ArrayLike,
    b: ArrayLike,
    weights: Weights | None,
    categories: Sequence[float],
    counts: Counts = None,
) -> Figure:
    """Cohen's kappa of two raters (Cohen 1960), or weighted kappa (Cohen 1968).

    1 minus the disagreement seen over that expected of two raters who each keep to their own
    distribution of ratings, on the items that both rated. The disagreement of two categories is
    1 (no weights), the number of steps between them (linear) or its square (quadratic).

    Args:
        a: shape (items,), ratings of one rater.
        b: shape (items,), ratings of another.
        weights: of the disagreements.
        categories: all ratings there are, in order. Their order counts, not their values.
        counts: shape (draws, items).

    Returns:
        Kappa, at most 1, 0 for chance; nan where no disagreement is expected, since both gave one
        and the same rating to all items, or where no item has two ratings.

    Raises:
        ValueError: the ratings do not match, or one is not among the categories.
    """
    a, b = _raters(a, b)
    of_a, of_b = _indicators(a, categories), _indicators(b, categories)
    q = len(categories)
    cells = of_a[:, :, None] * of_b[:, None, :]
    table = _sums(cells.reshape(-1, q * q), counts).reshape(q, q, -1)
    gap = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
    disagreement = {None: gap > 0, "linear": gap, "quadratic": gap**2}[weights]
    seen = np.einsum("ab,abd->d", disagreement, table)
    # Times the number of items, as whole numbers: where it is 0 it is exactly 0.
    expected = np.einsum("ab,ad,bd->d", disagreement, table.sum(axis=1), table.sum(axis=0))
    return _figure(1 - _ratio(seen * table.sum(axis=(0, 1)), expected), counts)


def gwet_ac1(ratings: ArrayLike, categories: Sequence[float], counts: Counts = None) -> Figure:
    """Gwet's AC1 of two or more raters (Gwet 2008; with missing ratings, Gwet 2014).

    (p_a - p_e) / (1 - p_e). p_a is the mean, over the items with two ratings or more, of the
    share of their pairs of ratings that agree. p_e = Σ π_k (1 - π_k) / (q - 1) over the q
    categories, where π_k is the mean, over the items with any rating, of the share of an item's
    ratings that are k. Unlike kappa it stays high where nearly all ratings are in one category
    and nearly all agree.

    Args:
        ratings: shape (items, raters).
        categories: all ratings there are; those that nobody gave count in q.
        counts: shape (draws, items).

    Returns:
        AC1, at most 1; nan where no item has two ratings.

    Raises:
        ValueError: a rating is not among the categories.
    """
    given = _indicators(_panel(ratings), categories).sum(axis=1)
    n = given.sum(axis=1, keepdims=True)
    alike = _ratio((given * (given - 1)).sum(axis=1, keepdims=True), n * (n - 1))
    shares = _ratio(given, n)
    columns = np.hstack([np.nan_to_num(alike), n > 1, np.nan_to_num(shares), n > 0])
    agree, paired, *rated, items = _sums(columns, counts)
    p_agree = _ratio(agree, paired)
    pi = _ratio(np.array(rated), items)
    p_chance = (pi * (1 - pi)).sum(axis=0) / (len(categories) - 1)
    return _figure((p_agree - p_chance) / (1 - p_chance), counts)


def krippendorff_alpha(
    ratings: ArrayLike, categories: Sequence[float], level: Level, counts: Counts = None
) -> Figure:
    """Krippendorff's alpha of two or more raters (Krippendorff 2004, 2011).

    1 - D_o / D_e from the coincidences of ratings: an item with m ratings adds each of its
    m (m - 1) ordered pairs with the weight 1 / (m - 1), and an item with one rating nothing. D_o
    is the mean of δ² over the coincidences, D_e over all ordered pairs of the n ratings in them.
    δ² of two ratings is 1 where they differ (nominal), the squared difference of their values
    (interval), or the squared number of ratings from one category to the other, these two
    counting half (ordinal); that number is of the draw, not of the sample.

    A draw repeats whole items, as for every other measure here; Krippendorff's own bootstrap
    draws pairs of ratings.

    Args:
        ratings: shape (items, raters).
        categories: all ratings there are, in order; their values matter at the interval level.
        level: of measurement.
        counts: shape (draws, items).

    Returns:
        Alpha, at most 1, 0 for chance; nan where all paired ratings are in one category, or where
        no item has two ratings.

    Raises:
        ValueError: a rating is not among the categories.
    """
    given = _indicators(_panel(ratings), categories).sum(axis=1)
    q = len(categories)
    m = given.sum(axis=1)
    pairs = given[:, :, None] * given[:, None, :] - given[:, :, None] * np.eye(q)
    pairs /= np.maximum(m - 1, 1)[:, None, None]
    coincidences = _sums(pairs.reshape(-1, q * q), counts).reshape(q, q, -1)
    paired = _sums(given * (m > 1)[:, None], counts)
    n = paired.sum(axis=0)
    if level == "nominal":
        apart = 1 - np.eye(q)[:, :, None]
    else:
        # From one category to another, half of either: the distance of their mean ranks.
        ranks = np.cumsum(paired, axis=0) - paired / 2
        place = ranks if level == "ordinal" else np.asarray(categories, np.float64)[:, None]
        apart = (place[:, None] - place[None, :]) ** 2
    seen = (apart * coincidences).sum(axis=(0, 1))
    expected = (apart * paired[:, None] * paired[None, :]).sum(axis=(0, 1))
    return _figure(1 - _ratio((n - 1) * seen, expected), counts)


@dataclass(frozen=True)
class Pair:
    """Agreement of two raters.

    Attributes:
        items: number of items that both rated.
        agreement: `observed_agreement`.
        kappa: `cohen_kappa` without weights.
        kappa_quadratic: with quadratic weights.
    """

    items: Figure
    agreement: Figure
    kappa: Figure
    kappa_quadratic: Figure


def pairwise(
    raters: Mapping[str, ArrayLike], categories: Sequence[float], counts: Counts = None
) -> dict[tuple[str, str], Pair]:
    """Agreement of every two raters.

    Args:
        raters: ratings by rater, each of shape (items,).
        categories: all ratings there are, in order.
        counts: shape (draws, items).

    Returns:
        By the names of the two, in the order of `raters`.

    Raises:
        ValueError: the ratings do not match, or one is not among the categories.
    """
    pairs = {}
    for first, second in combinations(raters, 2):
        a, b = _raters(raters[first], raters[second])
        both = ~np.isnan(a) & ~np.isnan(b)
        pairs[first, second] = Pair(
            items=_figure(_sums(both[:, None], counts)[0], counts),
            agreement=observed_agreement(a, b, counts),
            kappa=cohen_kappa(a, b, None, categories, counts),
            kappa_quadratic=cohen_kappa(a, b, "quadratic", categories, counts),
        )
    return pairs


def average_kappa(kappas: Sequence[Figure]) -> tuple[Figure, Figure]:
    """Mean of the pairs' kappas; a pair without one, in the sample or in a draw, is left out.

    Args:
        kappas: one per pair, floats or arrays of shape (draws,).

    Returns:
        The mean, nan where no pair has a kappa, and the number of pairs in it.
    """
    values = np.array(kappas, dtype=np.float64)
    if not len(values):
        return float("nan"), 0.0
    defined = ~np.isnan(values)
    n = np.asarray(defined.sum(axis=0), np.float64)
    mean = _ratio(np.where(defined, values, 0.0).sum(axis=0), n)
    return (float(mean), float(n)) if values.ndim == 1 else (mean, n)


def measures(
    ratings: ArrayLike,
    names: Sequence[str],
    categories: Sequence[float],
    ordered: bool,
    counts: Counts = None,
) -> dict[tuple[str, ...], Any]:
    """All numbers of several raters, for `resampling.Draws.measure`.

    Args:
        ratings: shape (items, raters).
        names: of the raters.
        categories: all ratings there are, in order.
        ordered: whether their order means anything.
        counts: shape (draws, items).

    Returns:
        `("agreement",)`, `("kappa",)`, averages over pairs, `("kappa_pairs",)` (the number of
        pairs in that of κ), `("ac1",)`, `("alpha_nominal",)`, and of every two raters
        `("agreement", a, b)` and `("kappa", a, b)`; for ordered categories also
        `("kappa_quadratic",)`, `("kappa_quadratic", a, b)` and `("alpha_ordinal",)`.

    Raises:
        ValueError: a rating is not among the categories, or the names are not one per rater.
    """
    panel = _panel(ratings)
    if panel.shape[1] != len(names):
        raise ValueError(f"{len(names)} names for {panel.shape[1]} raters")
    pairs = pairwise(dict(zip(names, panel.T, strict=True)), categories, counts)
    by_pair = {
        "agreement": [pair.agreement for pair in pairs.values()],
        "kappa": [pair.kappa for pair in pairs.values()],
    }
    if ordered:
        by_pair["kappa_quadratic"] = [pair.kappa_quadratic for pair in pairs.values()]
    found: dict[tuple[str, ...], Any] = {}
    for name, values in by_pair.items():
        found[name,], n = average_kappa(values)
        if name == "kappa":
            found["kappa_pairs",] = n
    found["ac1",] = gwet_ac1(panel, categories, counts)
    found["alpha_nominal",] = krippendorff_alpha(panel, categories, "nominal", counts)
    if ordered:
        found["alpha_ordinal",] = krippendorff_alpha(panel, categories, "ordinal", counts)
    for name, values in by_pair.items():
        found |= {(name, a, b): v for (a, b), v in zip(pairs, values, strict=True)}
    return found


def _raters(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Two raters' ratings of the same items."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"ratings of shape {first.shape} and {second.shape} do not match")
    return first, second


def _panel(ratings: ArrayLike) -> Floats:
    panel = np.asarray(ratings, dtype=np.float64)
    if panel.ndim != 2:
        raise ValueError(f"ratings of shape {panel.shape}: items by raters are needed")
    return panel


def _indicators(ratings: Floats, categories: Sequence[float]) -> Floats:
    """1 for the category of a rating, shape (..., categories); all 0 for a missing one."""
    values = np.asarray(categories, dtype=np.float64)
    if len(np.unique(values)) != len(values) or len(values) < 2:
        raise ValueError(f"categories {list(categories)}: two or more different ones are needed")
    found = ratings[..., None] == values
    strange = ratings[~found.any(axis=-1) & ~np.isnan(ratings)]
    if strange.size:
        raise ValueError(f"a rating of {strange[0]:g} is not among {list(categories)}")
    return np.asarray(found, dtype=np.float64)


def _sums(values: NDArray[Any], counts: Counts) -> Floats:
    """Sums of the columns over items, shape (columns, draws); one draw for the sample."""
    columns = np.asarray(values, dtype=np.float64)
    if counts is None:
        return np.asarray(columns.sum(axis=0)[:, None])
    # Mostly zeros; and a dense product would round in another way with other numbers of cores.
    return np.asarray(csr_array(columns.T) @ np.asarray(counts, dtype=np.float64).T)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """part / whole, nan where `whole` is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    undefined = np.full(part.shape, np.nan)
    return np.asarray(np.divide(part, whole, out=undefined, where=whole > 0))


def _figure(values: Floats, counts: Counts) -> Figure:
    return float(values[0]) if counts is None else values
