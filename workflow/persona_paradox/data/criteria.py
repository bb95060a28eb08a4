"""Criteria of an item: what an answer to it should say or must not say, with points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import InputError
from ..names import ALL, CRITERIA
from .values import list_of

# Of the objects of column `criteria` of the items.
_KEYS = ("criterion", "points", "tags")
_MOST_POINTS = 1_000_000
EACH: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "number": pl.Int64,
    "criterion": pl.String,
    "points": pl.Float64,
    "tags": pl.List(pl.String),
}


@dataclass(frozen=True)
class Criterion:
    """A criterion of an item.

    Attributes:
        text: what is met or not met.
        points: what it counts where it is met; below 0 for what an answer must not do.
        tags: what it is about, such as `axis:accuracy`.
    """

    text: str
    points: float
    tags: tuple[str, ...] = ()


def criteria_of(text: str | None) -> list[Criterion]:
    """The criteria of an item, from column `criteria` of the items; none of null."""
    found = [] if text is None else json.loads(text)
    return [Criterion(one["criterion"], one["points"], tuple(one["tags"])) for one in found]


def each_criterion(items: pl.DataFrame) -> pl.DataFrame:
    """The criteria of items, one row each: `item_id`, `number` (from 1) and those of `Criterion`.

    Args:
        items: of a data set that has some: `item_id` and `criteria`.
    """
    rows = [
        (id_, number, one.text, float(one.points), list(one.tags))
        for id_, text in items.select("item_id", CRITERIA).iter_rows()
        for number, one in enumerate(criteria_of(text), start=1)
    ]
    return pl.DataFrame(rows, schema=EACH, orient="row")


def checked(given: pl.Series, ids: pl.Series, column: str, name: str) -> pl.Series:
    """Check the criteria of all items.

    Args:
        given: of every item a JSON list of objects with `criterion` (a text), `points` (a number)
            and perhaps `tags` (a list of texts); what else these hold is left out.
        ids: of the items.
        column: of the file, in errors.
        name: the data set's file, in errors.

    Returns:
        The same with these keys alone.

    Raises:
        InputError: an item has no criteria, one has no text or no points, or no points can be
            reached.
    """
    texts = []
    for item, text in zip(ids, given, strict=True):
        where = f"{name}: item {item}, column {column!r} of key `columns.criteria`"
        texts.append(json.dumps([_one(one, where) for one in _listed(text, where)]))
        if not any(one.points > 0 for one in criteria_of(texts[-1])):
            raise InputError(
                f"{where}: no criterion has points above 0, so that no answer can earn any; write "
                "one that a good answer meets, or leave the row out by key `where`"
            )
    return pl.Series(texts, dtype=pl.String)


def _listed(text: str | None, where: str) -> list[Any]:
    found = list_of(text or "[]")
    if found is None:
        raise InputError(
            f"{where} holds no list of criteria; write a list such as "
            '[{"criterion": "Says when to get help.", "points": 5}]'
        )
    if not found:
        raise InputError(
            f"{where} holds no criteria; write some, or leave the row out by key `where`"
        )
    return found


def _one(criterion: Any, where: str) -> dict[str, Any]:
    """The keys of a criterion that are read."""
    about: Mapping[str, Any] = criterion if isinstance(criterion, dict) else {}
    text, points, tags = (about.get(key) for key in _KEYS)
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"{where} has a criterion without a text in `criterion`; write what an answer must say"
        )
    shown = f"{where}: the criterion {text.strip()[:60]!r}"
    if (
        not isinstance(points, int | float)
        or isinstance(points, bool)
        or not -_MOST_POINTS <= points <= _MOST_POINTS
    ):
        raise InputError(
            f"{shown} has the points {points!r:.20}, which is no number up to a million; "
            "write one without quotes, below 0 for what an answer must not do"
        )
    tags = [] if tags is None else tags
    if not isinstance(tags, list) or not all(isinstance(t, str) and t.strip() for t in tags):
        raise InputError(f"{shown} has `tags` that are no list of texts; write such a list")
    if ALL in tags:
        raise InputError(
            f"{shown} has the tag {ALL!r}, by which tables mean all criteria; rename it"
        )
    return {"criterion": text.strip(), "points": points, "tags": list(dict.fromkeys(tags))}
