"""What a user says behind the answers to an item, turn by turn, where a data set brings it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..errors import InputError
from ..names import NULL_CASE
from .places import PLACE, PLACES, TURNS, needed, places
from .values import list_of


def turns_of(given: pl.Series, ids: pl.Series, column: str, name: str) -> pl.Series:
    """Key `columns.turns`: what the user says about every item, a list of texts.

    Args:
        given: JSON lists of texts, as a CSV file has them and other files are read; null for none.
        ids: of the items.
        column: its name, in errors.
        name: the data set's file, in errors.

    Raises:
        InputError: an item has something else.
    """
    found = []
    for id_, text in zip(ids, given, strict=True):
        turns = _list(text)
        if turns is None:
            raise InputError(
                f"{name}: item {id_} has {_short(text)} in column {column!r} (key "
                '`columns.turns`), which is no list of texts; write what the user says as ["first '
                'turn", "second turn"]'
            )
        found.append(turns)
    return pl.Series(found, dtype=pl.List(pl.String))


def _list(text: str | None) -> list[str] | None:
    if text is None:
        return []
    turns = list_of(text)
    texts = turns is not None and all(isinstance(t, str) and t.strip() for t in turns)
    return turns if texts else None


def _short(text: str | None) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= 60 else f"{shown[:60]}…")


def said(turns: Sequence[str], items: pl.DataFrame, answers: pl.DataFrame) -> pl.Series:
    """What the user says in the last turn of a task, behind every answer to an item.

    Args:
        turns: of the task so far. `{turn}` stands for the item's next turn, `{option}` and
            `{letter}` for the answer that an arm names.
        items: `item_id`, and the columns of `PLACES` that the turns have places for.
        answers: their `item_id`; null cases are passed over.

    Returns:
        A text of each, null where its item has nothing for a place.
    """
    told = {row["item_id"]: _filled(turns, row) for row in items.iter_rows(named=True)}
    ids = answers.filter(~pl.col("item_id").str.starts_with(NULL_CASE))["item_id"]
    return pl.Series([told[id_] for id_ in ids], dtype=pl.String)


def _filled(turns: Sequence[str], row: Mapping[str, Any]) -> str | None:
    own = row.get(TURNS) or []
    n = needed(turns[:-1])
    values = {place: row.get(column) for place, column in PLACES.items() if place != "turn"}
    values["turn"] = own[n] if n < len(own) else None
    asked = places(turns[-1])
    # Whose conversation has ended before says nothing more.
    if n > len(own) or any(values[place] is None for place in asked):
        return None
    return PLACE.sub(lambda found: str(values[found[1]]), turns[-1])


def whole(turns: Sequence[str], items: pl.DataFrame) -> tuple[str, list[str]] | None:
    """An item to which all turns of a task are said: its id and these; None where there is none."""
    rounds = [said(turns[: n + 1], items, items).to_list() for n in range(len(turns))]
    for id_, texts in zip(items["item_id"], zip(*rounds, strict=True), strict=True):
        if None not in texts:
            return id_, list(texts)
    return None
