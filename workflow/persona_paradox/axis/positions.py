"""Where personas stand between two ends: the mean of some roles (0) and a default (1).

The axis of a layer is the mean reading of the default less that of the roles (Lu et al. 2026). A
position is measured on answers that had no part in its axis: items are split into two halves, each
half's readings are projected on the axis of the other, and both are averaged. So the noise of an
axis, which is a part of the readings that it was made of, moves nobody. Every bootstrap draw of the
items makes both axes anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..measures.folds import item_folds
from ..measures.statistics import cluster_counts, percentile_interval
from ..names import OK

Floats = NDArray[np.float64]

_HALVES = 2


@dataclass(frozen=True)
class Readings:
    """Readings of a persona behind a layer, in the order of some items.

    Attributes:
        vectors: shape (items, width of the model); noughts where there is none.
        there: which items have one, shape (items,).
    """

    vectors: Floats
    there: NDArray[np.bool_]

    @classmethod
    def of(cls, table: pl.DataFrame, item_ids: Sequence[str]) -> Readings:
        """From the rows of one layer of a table of `reading.SCHEMA`."""
        read = table.filter(pl.col("status") == OK)
        found = dict(read.select("item_id", "vector").iter_rows())
        there = np.array([id_ in found for id_ in item_ids], dtype=bool)
        width = len(next(iter(found.values()), ()))
        vectors = np.zeros((len(item_ids), width))
        for place, id_ in enumerate(item_ids):
            if there[place]:
                vectors[place] = found[id_]
        return cls(vectors, there)

    def __sub__(self, other: Readings) -> Readings:
        """Differences, item by item, where both have a reading."""
        there = self.there & other.there
        if not there.any():
            return Readings(np.zeros_like(self.vectors), there)
        return Readings((self.vectors - other.vectors) * there[:, None], there)


def mean_of(several: Sequence[Readings]) -> Readings:
    """Item by item the mean of those that have a reading."""
    n = np.sum([one.there for one in several], axis=0)
    total = np.sum([one.vectors for one in several if one.vectors.shape[1]], axis=0)
    return Readings(total / np.maximum(n, 1)[:, None], n > 0)


@dataclass(frozen=True)
class Axis:
    """The axis of a layer in every draw of the items.

    Attributes:
        roles: mean readings of the roles.
        apart: readings of the default less these.
        half: 0 or 1 for every item, shape (items,).
        counts: how often every draw takes every item, the sample itself first, shape
            (1 + draws, items).
        confidence: of intervals.
    """

    roles: Readings
    apart: Readings
    half: NDArray[np.intp]
    counts: Floats
    confidence: float

    @classmethod
    def of(
        cls,
        default: Readings,
        roles: Sequence[Readings],
        clusters: ArrayLike,
        settings: Mapping[str, Any],
    ) -> Axis:
        """From readings of both ends; `settings` are the statistics'.

        Whole clusters are drawn, and stand in one half.
        """
        middle = mean_of(roles)
        numbers = np.asarray(clusters)
        half = item_folds(np.zeros(len(numbers)), numbers, _HALVES, settings["seed"])
        drawn = cluster_counts(numbers, settings["draws"], settings["seed"])
        counts = np.vstack([np.ones((1, len(numbers))), drawn])
        return cls(middle, default - middle, half, counts, settings["confidence"])

    def mean(self, readings: Readings, half: int | None = None) -> Floats:
        """Mean readings in every draw, of a half or of all; nan of no item. (1 + draws, width)."""
        taken = self.counts * readings.there * (True if half is None else self.half == half)
        n = taken.sum(axis=1, keepdims=True)
        means: Floats = taken @ readings.vectors / np.where(n > 0, n, np.nan)
        return means

    @cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """The axes of both halves."""
        first, second = (self.mean(self.apart, half) for half in range(_HALVES))
        return first, second

    @cached_property
    def length(self) -> Floats:
        """How far apart the ends are, in units of the stream, without what noise adds.

        Shape (1 + draws,); nan where the halves' axes point away from each other: there is none.
        """
        first, second = self.ends
        product = (first * second).sum(axis=1)
        length: Floats = np.sqrt(np.where(product > 0, product, np.nan))
        return length

    @cached_property
    def cosine(self) -> Floats:
        """Of the angle between the axes of both halves: 1 where they agree. (1 + draws,)."""
        first, second = self.ends
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        product = (first * second).sum(axis=1)
        cosine: Floats = product / np.where(lengths > 0, lengths, np.nan)
        return cosine

    def positions(self, readings: Readings) -> Floats:
        """Where a persona stands, 0 at the roles and 1 at the default, in every draw. (1 + draws,).

        nan where there is no axis, or a half has no reading.
        """
        first, second = self.ends
        own = readings - self.roles
        ahead = (self.mean(own, 0) * second).sum(axis=1) + (self.mean(own, 1) * first).sum(axis=1)
        positions: Floats = ahead / (2 * self.length**2)
        return positions

    def told(self, name: str, draws: Floats) -> dict[str, float | None]:
        """A number with its interval: `name`, `name_low`, `name_high`.

        No interval where more draws have no number than an interval leaves out.
        """
        value, drawn = draws[0], draws[1:]
        few = np.isnan(drawn).mean() > (1 - self.confidence) / 2
        bounds = (np.nan, np.nan)
        if not few and (self.counts[1:] != self.counts[1]).any():
            low, high = percentile_interval(drawn, self.confidence)
            bounds = float(low), float(high)
        low_name, high_name = f"{name}_low", f"{name}_high"
        values = dict(zip((name, low_name, high_name), (float(value), *bounds), strict=True))
        return {key: None if np.isnan(one) else one for key, one in values.items()}


AXIS: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "task": pl.String,
    "turn": pl.Int64,
    "layer": pl.Int64,
    "depth": pl.Float64,
    "persona": pl.String,
    "end": pl.String,
    "n_items": pl.Int64,
    "n_missing": pl.Int64,
    **{
        f"{name}{end}": pl.Float64
        for name in ("position", "change", "axis_cosine", "axis_length")
        for end in ("", "_low", "_high")
    },
    "stream_length": pl.Float64,
}

DEFAULT, ROLE = "default", "role"


def axis_rows(
    axis: Axis, rounds: Mapping[str, Sequence[Readings]], ends: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of one model, task and layer: of every persona one for each turn.

    Args:
        axis: of the answers before any turn.
        rounds: persona → its readings by turns.
        ends: persona → `DEFAULT` or `ROLE`; others are neither.
    """
    rows = []
    shared = axis.told("axis_cosine", axis.cosine) | axis.told("axis_length", axis.length)
    for persona, by_turn in rounds.items():
        first = axis.positions(by_turn[0])
        for turn, readings in enumerate(by_turn):
            there = (readings - axis.roles).there
            now = axis.positions(readings)
            row = {
                "persona": persona,
                "end": ends.get(persona),
                "turn": turn,
                "n_items": int(there.sum()),
                "n_missing": int((~there).sum()),
                **axis.told("position", now),
                **(axis.told("change", now - first) if turn else {}),
                **shared,
            }
            if there.any():
                lengths = np.linalg.norm(readings.vectors[readings.there], axis=1)
                row["stream_length"] = float(lengths.mean())
            rows.append(row)
    return rows
