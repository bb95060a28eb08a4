"""A sentence that names an option of the item, or a level: a wrong one, a right one or any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ...errors import InputError
from ..changes import changed_items, filled
from ..orders import shuffled
from ..texts import put


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `text`, in which an option is named, where `at` says; see `changes`.

    Args:
        items: of the base's data set.
        arm: `text`, in which `{option}` is the text of the option that is named (or the title of
            the level), without a full stop at its end, and `{letter}` what a model writes for it;
            `names`: `wrong`, `right` or `random`; `seed` of the draw; `at` and `separator`; and
            `answers`, what the task calls its answers: `labels`, and `levels` with `titles`, or
            `order_seed`.

    Returns:
        The items; `named` is the place of what is named.
    """
    answers = arm["answers"]
    if "options" not in items.columns and "levels" not in answers:
        raise InputError(
            "key `rule` is 'name_option', but the items have neither options nor levels that could "
            "be named; use rule 'append'"
        )

    def named(row: dict[str, Any]) -> dict[str, Any] | str:
        options = row["options"] if "options" in row else answers["titles"]
        place = _drawn(row, _right(row, answers), len(options), arm)
        if place is None:
            return f"no option is {arm['names']}"
        said = {"letter": _letter(place, row, answers), "option": options[place].removesuffix(".")}
        text = filled(arm["text"], row | said, "text")
        if text is None:
            return "a column of key `text` is empty"
        case = put(row["case"], text, arm["at"], arm["separator"])
        if case is None:
            return "the case has one sentence"
        return {"case": case, "named": place, "change": text}

    return changed_items(items, named, {"named": pl.Int64()})


def _right(row: Mapping[str, Any], answers: Mapping[str, Any]) -> set[int]:
    """The places of the right answers of an item."""
    if "levels" in answers:
        return {answers["levels"].index(row["reference"])}
    return {ord(letter) - ord("A") for letter in row["reference"]}


def _drawn(row: Mapping[str, Any], right: set[int], n: int, arm: Mapping[str, Any]) -> int | None:
    """The place of the answer that is named, drawn for the item."""
    may = {"wrong": set(range(n)) - right, "right": right, "random": set(range(n))}[arm["names"]]
    return next((place for place in shuffled(row["item_id"], n, arm["seed"]) if place in may), None)


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
