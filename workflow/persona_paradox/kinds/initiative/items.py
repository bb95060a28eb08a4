"""What is kept of a case: whether a problem is planted in it, and by which words it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...data.columns import ID, mapped, of
from ...errors import InputError
from .problems import BETWEEN, words_of

# Columns of the rows that are made by rule. No column of a file has such a name.
_OWN = {name: f"\0{name}" for name in ("pair", "problem", "planted", "names", "beside")}

PLANTED, CLEAN = "planted", "clean"


def rows(raw: pl.DataFrame, keys: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The items of a data set: its rows, or the pairs that key `plant` makes of some of them.

    Args:
        raw: rows of the files, as text, with their ids.
        keys: key `columns` of the data set.
        name: its file, in errors.

    Returns:
        Where pairs are made: of every record that is taken a clean row, which is as it was, and
        a planted one, with `_clean` and `_planted` behind its id. Records stand at even distances
        among those of the file, and every one has the next of the rules.

    Raises:
        InputError: there are fewer records than are asked for, or a record has already what would
            be planted in it.
    """
    plant = keys.get("plant")
    if plant is None:
        return raw
    n = plant["records"]
    if raw.height < n:
        raise InputError(
            f"{name}: key `columns.plant.records` asks for {n} records, but there are "
            f"{raw.height}; ask for fewer, or loosen key `where`"
        )
    taken = [number * raw.height // n for number in range(n)]
    made = []
    for number, row in enumerate(raw[taken].iter_rows(named=True)):
        place = number % len(plant["rules"])
        rule = plant["rules"][place]
        if all(row[column] == value for column, value in rule["set"].items()):
            raise InputError(
                f"{name}: item {row[ID]} has already what key `columns.plant.rules.{place}.set` "
                "plants; leave such records out by key `where`, or plant another value"
            )
        about = {
            _OWN["pair"]: row[ID],
            _OWN["problem"]: rule["problem"],
            _OWN["names"]: BETWEEN.join(rule["names"]),
            _OWN["beside"]: BETWEEN.join(rule["beside"]),
        }
        for state, values in ((CLEAN, {}), (PLANTED, rule["set"])):
            own = {ID: f"{row[ID]}_{state}", _OWN["planted"]: state}
            made.append({**row, **values, **about, **own})
    return pl.DataFrame(made, schema=raw.schema | dict.fromkeys(_OWN.values(), pl.String))


def columns(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """What is planted, and how it is named.

    Args:
        raw: rows of the files, as text, or those that `rows` made of them.
        ids: of the items.
        keys: key `columns` of the data set.
        name: its file, in errors.

    Returns:
        - `pair`: the same text for both items of a pair;
        - `problem`: type of what is planted in the pair;
        - `planted`: whether it stands in this item;
        - `names`, `beside`: words that name the planted field, and what it contradicts, with |
          between them; empty where there are none.

    Raises:
        InputError: a value is not mapped, a pair is no pair, or nothing names a problem.
    """
    if "plant" in keys:
        found = {key: of(raw, column) for key, column in _OWN.items()}
    else:
        found = {key: of(raw, keys[key]["column"]) for key in ("pair", "names")}
        for key in ("problem", "planted"):
            asked = keys[key]
            found[key] = mapped(raw, ids, key, asked["column"], asked["values"], name=name)
        beside = keys.get("beside")
        found["beside"] = (
            pl.Series([""] * raw.height) if beside is None else of(raw, beside["column"])
        )
    kept = {
        "pair": found["pair"],
        "problem": found["problem"],
        "planted": found["planted"] == PLANTED,
        "names": found["names"].fill_null(""),
        "beside": found["beside"].fill_null(""),
    }
    _check_pairs(pl.DataFrame({"item_id": ids, **kept}), name)
    return kept


def _check_pairs(items: pl.DataFrame, name: str) -> None:
    """Check that every pair has one planted item and one clean one, of one type."""
    for row in items.iter_rows(named=True):
        if row["pair"] is None:
            raise InputError(
                f"{name}: item {row['item_id']} has no pair (key `columns.pair.column`); write it"
            )
        if not words_of(row["names"]):
            raise InputError(
                f"{name}: item {row['item_id']} has no words that name what is planted (key "
                "`columns.names.column`); write some"
            )
    for (pair,), both in items.group_by("pair", maintain_order=True):
        if sorted(both["planted"]) != [False, True] or both["problem"].n_unique() != 1:
            raise InputError(
                f"{name}: the pair {pair!r} is not one planted and one clean item with the same "
                "problem (keys `columns.pair`, `columns.planted` and `columns.problem`); mend the "
                "file"
            )
