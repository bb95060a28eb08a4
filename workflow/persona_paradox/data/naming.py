"""Which answer an arm names: an option of the item, or a level, as a model would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import InputError
from .orders import shuffled


@dataclass(frozen=True)
class Named:
    """An answer that is named.

    Attributes:
        place: in `options` of the item, or among the levels.
        option: its text, without a full stop at its end, or the title of the level.
        letter: what a model writes for it.
    """

    place: int
    option: str
    letter: str


def check_nameable(items: pl.DataFrame, answers: Mapping[str, Any], rule: str) -> None:
    """Check that an arm that names an answer finds some.

    Raises:
        InputError: the items have neither options nor levels.
    """
    if "options" not in items.columns and "levels" not in answers:
        raise InputError(
            f"key `rule` is {rule!r}, but the items have neither options nor levels that could be "
            "named; use rule 'append', or take key `names` out"
        )


def drawn(row: Mapping[str, Any], arm: Mapping[str, Any]) -> Named | None:
    """The answer that an arm names of an item; None where there is none of that sort.

    Args:
        row: the item.
        arm: `names`: `wrong`, `right` or `random`; `seed` of the draw; and `answers`, what the task
            calls its answers: `labels`, and `levels` with `titles`, or `order_seed`.
    """
    answers = arm["answers"]
    options = row["options"] if "options" in row else answers["titles"]
    right, n = _right(row, answers), len(options)
    may = {"wrong": set(range(n)) - right, "right": right, "random": set(range(n))}[arm["names"]]
    order = shuffled(row["item_id"], n, arm.get("seed", 0))
    place = next((place for place in order if place in may), None)
    if place is None:
        return None
    return Named(place, options[place].removesuffix("."), _letter(place, row, answers))


def _right(row: Mapping[str, Any], answers: Mapping[str, Any]) -> set[int]:
    """The places of the right answers of an item."""
    if "levels" in answers:
        return {answers["levels"].index(row["reference"])}
    return {ord(letter) - ord("A") for letter in row["reference"]}


def _letter(place: int, row: Mapping[str, Any], answers: Mapping[str, Any]) -> str:
    """What a model writes for an answer, in the order in which the task shows them."""
    labels: Sequence[str] = answers["labels"]
    if "order_seed" in answers:
        place = shuffled(row["item_id"], len(row["options"]), answers["order_seed"]).index(place)
    if place >= len(labels):
        raise InputError(
            f"item {row['item_id']} has {len(row['options'])} options, but key `labels` of the "
            f"task has {len(labels)}; give it more, or leave the key out"
        )
    return labels[place]
