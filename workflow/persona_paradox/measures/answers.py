"""What answers to the same items must tell so that they can be measured and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from . import statistics
from .metric import Metric
from .resampling import Resampled


class Answers(Protocol):
    """Answers to the same items, in the order of the items' ids, of which measures are made."""

    @property
    def hits(self) -> Mapping[str, NDArray[np.bool_]]:
        """Shares of all items: whether each item counts, shape (items,)."""

    @property
    def n(self) -> int:
        """Number of items."""

    @property
    def n_invalid(self) -> int:
        """Number of invalid answers."""

    @property
    def backend(self) -> str:
        """What answered; answers of a `server` are not bit-reproducible."""

    @property
    def clustered(self) -> bool:
        """Whether the data set declares clusters."""

    @property
    def clusters(self) -> NDArray[Any]:
        """Cluster of every item; an item without one is a cluster of its own."""


class Scored(Answers, Protocol):
    """What `answers` of a kind's `measures.py` gives: the scored answers of a cell in one wording.

    Where items have a right answer, `accuracy` is among the `hits`: contrasts tell flips by it.
    """

    @property
    def item_ids(self) -> pl.Series:
        """Ids of the items, sorted."""

    @property
    def n_refused(self) -> int:
        """How many of the invalid answers refuse."""

    @property
    def n_unreadable(self) -> int:
        """How many of the invalid answers do not."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What the kind counts besides, by the names in its `COUNTS`."""

    @property
    def pairs(self) -> Mapping[str, NDArray[np.float64]]:
        """Of an arm: what it does to every item, shape (items,), nan where it does not say.

        Measures of answers against those to the unchanged items, by their ids.
        """

    def with_pairs(self, pairs: Mapping[str, NDArray[np.float64]]) -> Self:
        """The same answers with these."""

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,).

        Args:
            counts: how often every draw takes every item, shape (draws, items); None for the
                sample.
        """

    def among(self, items: NDArray[np.bool_]) -> Self:
        """The answers to some of the items, a mask of shape (items,); without sampled ones."""

    def differs(self, other: Self) -> NDArray[np.bool_]:
        """Which items are answered otherwise than there, shape (items,)."""


@dataclass(frozen=True, kw_only=True)
class OfCell:
    """What scored answers of any kind are, in the order of the items' ids.

    Attributes:
        scores: one row per item, of the greedy answer.
        hits: shares of all items: whether each item counts, shape (items,); `invalid_rate`,
            `refused_rate` and `unreadable_rate` among them.
    """

    scores: pl.DataFrame
    hits: dict[str, NDArray[np.bool_]]

    @property
    def item_ids(self) -> pl.Series:
        """Ids of the items, sorted."""
        return self.scores["item_id"]

    @property
    def n(self) -> int:
        """Number of items."""
        return self.scores.height

    @property
    def n_invalid(self) -> int:
        """Number of invalid answers."""
        return int(self.hits["invalid_rate"].sum())

    @property
    def n_refused(self) -> int:
        """How many of them refuse."""
        return int(self.hits["refused_rate"].sum())

    @property
    def n_unreadable(self) -> int:
        """How many of them do not."""
        return int(self.hits["unreadable_rate"].sum())

    @property
    def backend(self) -> str:
        """What answered; answers of a `server` are not bit-reproducible."""
        name: str = self.scores.item(0, "backend")
        return name

    @property
    def clustered(self) -> bool:
        """Whether the data set declares clusters."""
        return self.scores["cluster"].null_count() < self.n

    @property
    def clusters(self) -> NDArray[Any]:
        """Cluster of every item; an item without one is a cluster of its own."""
        return statistics.clusters_of(self.scores)


def measured(name: str, this: Answers, resampled: Resampled) -> dict[str, float | None]:
    """One measure with its interval: `value`, `low`, `high`; null where it is undefined."""
    if name not in resampled.point:
        return {"value": None, "low": None, "high": None}
    point = resampled.point[name]
    low, high = resampled.interval(name)
    if name in this.hits and (
        not this.clustered or np.unique(np.asarray(this.clusters)).size == this.n
    ):
        hits = int(this.hits[name].sum())
        low, high = statistics.wilson(hits, this.n, resampled.confidence)
    elif name in this.hits and np.isclose(low, high):
        # The same share in every draw, as where none is right: as if each cluster were an item.
        n = np.unique(this.clusters).size
        low, high = statistics.wilson(point * n, n, resampled.confidence)
    elif name in (some := shares_of_some(this)):
        clusters = np.asarray(this.clusters)[~np.isnan(some[name])]
        n = np.unique(clusters).size
        # Of a pair one item is planted: no two of these belong together.
        if n == clusters.size or np.isclose(low, high):
            low, high = statistics.wilson(point * n, n, resampled.confidence)
    return {"value": number(point), "low": number(low), "high": number(high)}


def shares_of_some(this: Answers) -> Mapping[str, NDArray[np.float64]]:
    """Shares of some of the items, where a kind has such: `shares`, nan where an item is not in it.

    Each is a mean of noughts and ones, shape (items,).
    """
    found: Mapping[str, NDArray[np.float64]] = getattr(this, "shares", {})
    return found


def measured_pair(metric: Metric, this: Scored, resampled: Resampled) -> dict[str, Any]:
    """A measure of an arm against the unchanged items, with its interval and what it counts."""
    own = this.among(~np.isnan(this.pairs[metric.id]))
    counted = {key: getattr(own, key) for key in ("n", "n_invalid", "n_refused", "n_unreadable")}
    if metric.id not in resampled.point:
        return counted | {"value": None, "low": None, "high": None}
    point = resampled.point[metric.id]
    low, high = resampled.of(own.clusters).interval(metric.id)
    share = metric.contrast == "paired"
    if share and not this.clustered:
        low, high = statistics.wilson(point * own.n, own.n, resampled.confidence)
    elif share and np.isclose(low, high):
        # As for any share, see `measured`.
        n = np.unique(own.clusters).size
        low, high = statistics.wilson(point * n, n, resampled.confidence)
    return counted | {"value": number(point), "low": number(low), "high": number(high)}


def number(value: Any) -> float | None:
    """A number, or null where it is undefined."""
    return None if value is None or np.isnan(value) else float(value)


def by_wording(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of a cell by wording (`variant`), the main one first."""
    parts = table.partition_by("variant", maintain_order=True, as_dict=True)
    names = sorted((str(key[0]) for key in parts), key=lambda v: (v != "main", v))
    return {name: parts[name,] for name in names}
