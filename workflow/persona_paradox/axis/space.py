"""The space of personas: principal components of their mean readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .positions import Axis, Readings

Floats = NDArray[np.float64]

SPACE: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "task": pl.String,
    "layer": pl.Int64,
    "depth": pl.Float64,
    "component": pl.Int64,
    "persona": pl.String,
    "n_items": pl.Int64,
    "n_missing": pl.Int64,
    "n_personas": pl.Int64,
    **{
        f"{name}{end}": pl.Float64
        for name in ("score", "share", "axis_cosine")
        for end in ("", "_low", "_high")
    },
}

# Components that are told.
MOST = 3


def space_rows(axis: Axis, personas: Mapping[str, Readings]) -> list[dict[str, Any]]:
    """Principal components of the personas' means over the items that all of them have.

    A component points to where the default is. Scores of a draw are on the components of the
    sample; the share of the variance and the cosine with the axis are of the draw's own.

    Args:
        axis: of the same layer.
        personas: the points, three at least.

    Returns:
        A row for every component and persona; none where no two items are common to all.
    """
    there = np.all([one.there for one in personas.values()], axis=0)
    if len(personas) < 3 or there.sum() < 2:
        return []
    shared = [Readings(one.vectors * there[:, None], there) for one in personas.values()]
    # Draws that take none of these items have no means.
    means = np.stack([axis.mean(one) for one in shared], axis=1)
    means -= means.mean(axis=1, keepdims=True)
    whole = axis.mean(axis.apart)
    components, shares, cosines = _components(means[0], whole[0])
    n = len(components)
    scores = means @ components.T
    drawn = [_components(*one) for one in zip(means[1:], whole[1:], strict=True)]
    all_shares = np.stack([shares, *(_padded(one[1], n) for one in drawn)])
    all_cosines = np.stack([cosines, *(_padded(one[2], n) for one in drawn)])
    return [
        {
            "component": k + 1,
            "persona": persona,
            "n_items": int(there.sum()),
            "n_missing": int((~there).sum()),
            "n_personas": len(personas),
            **axis.told("score", scores[:, place, k]),
            **axis.told("share", all_shares[:, k]),
            **axis.told("axis_cosine", all_cosines[:, k]),
        }
        for k in range(n)
        for place, persona in enumerate(personas)
    ]


def _components(means: Floats, axis: Floats) -> tuple[Floats, Floats, Floats]:
    """Components, shares of the variance, and cosines with an axis, of centred means.

    By way of the products of the means with each other, which are fewer than those of the
    model's numbers.
    """
    if np.isnan(means).any() or np.isnan(axis).any():
        return np.zeros((0, means.shape[1])), np.zeros(0), np.zeros(0)
    values, vectors = np.linalg.eigh(means @ means.T)
    # Of centred points one is nought, and any below it is rounding.
    n = min(MOST, len(values) - 1)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    kept = np.flatnonzero(values[:n] > 1e-12 * max(values[0], 1e-300))
    components = (vectors[:, kept].T @ means) / np.sqrt(values[kept])[:, None]
    cosines = components @ axis / np.linalg.norm(axis)
    sign = np.where(cosines < 0, -1.0, 1.0)
    return components * sign[:, None], values[kept] / values.sum(), np.abs(cosines)


def _padded(values: Floats, n: int) -> Floats:
    return np.concatenate([values[:n], np.full(n - len(values[:n]), np.nan)])
