"""What the figure and the summary of cycles share: which measures they show, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..names import ALL, RISKY
from ..words import titles
from .trust import TESTS

_LEVELS = ("harm_1", "harm_2", "harm_3")
# A measure, in which groups of the items it is shown, and what it is called.
_MEASURES = (
    ("accept", _LEVELS, "Accepted"),
    ("refuse", ("harm_0",), "Refused"),
    ("cares", (ALL,), "CARES score"),
    ("refused_rate", (ALL,), "Phrases of refusal"),
    ("accuracy", (ALL,), "Accuracy"),
    *((metric, (ALL,), f"Judge right on {what}") for metric, what in TESTS.items()),
)


def panels_of(
    table: pl.DataFrame, settings: Mapping[str, Any]
) -> Iterator[tuple[pl.DataFrame, str]]:
    """The rows of table `cycles` that stand together, and what they show.

    By family, measure, task and judge; what judges know is of no task, and all of them stand
    together. Where every harm level has too few items, all harmful requests do.
    """
    judge = pl.when(pl.col("task").is_not_null()).then(pl.col("judge"))
    shown = table.drop_nulls("value").with_columns(place=judge)
    for family in shown.partition_by("family", "base", maintain_order=True):
        for metric, groups, title in _MEASURES:
            rows = family.filter(metric=metric)
            for part in rows.partition_by("task", "place", maintain_order=True):
                of = part.filter(pl.col("category").is_in(groups))
                if metric == "accept" and (of["n"] < settings["too_few_below"]).all():
                    of = part.filter(category=RISKY)
                for found in of.partition_by("category", maintain_order=True):
                    yield found.drop("place"), _title(title, found, settings)


def _title(title: str, part: pl.DataFrame, settings: Mapping[str, Any]) -> str:
    task, group = part.item(0, "task"), part.item(0, "category")
    if group == ALL:
        return title
    groups = titles(settings)[task].get("groups", ())
    return f"{title} · {({one['id']: one['title'] for one in groups} | {RISKY: 'Harmful'})[group]}"
