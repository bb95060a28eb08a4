"""Arms of a task: the same items, changed by a rule that is a module of `arms`.

A rule's module has `change(items, arm) -> items`. It takes the items of the base's data set,
the keys of the arm with those of `case` (how the data set makes a case, as its file says). It
returns the same rows with another `case` where it can, and two columns more: `change`, what it did,
and `unchanged`, why it left a case as it was, which ends with `already` where the case has what the
arm would make of it; one of them is null. `reference` stays, but where the
rule says that it moves. Of items that have `options`, it may change these, add some behind them,
and change the `order` in which they are shown. It may add columns: `named`, the place in `options`
(or in the levels) that a text of the arm names, with `named_option` and `named_letter` where it is
the user who names it behind the answer; and `severity`, by how many classes it makes a case worse.
A rule that changes what is said elsewhere gives `changed`, too. The keys of an arm are in
`<rule>.schema.yaml` beside it; a rule that draws has a `seed` among them. An error begins with
`key`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from ..errors import InputError

# Columns that the items of an arm have besides, and those that a rule may add.
_OWN = ("changed", "change", "unchanged")
ADDED = {
    "named": pl.Int64(),
    "severity": pl.Int64(),
    "named_option": pl.String(),
    "named_letter": pl.String(),
}

# What a rule may change, besides the column by which a sample is drawn.
_MAY_CHANGE = ("case", "options", "reference", "order")

# Of an item; each has a letter of its own, from A.
MOST_OPTIONS = 10

# In front of the column by which a sample of the base is drawn, where a rule moves it.
BASE = "base_"

_PLACE = re.compile(r"\{([^{}]+)\}")
CASE = "{case}"  # the place of the whole case

# How a rule ends why it left a case that has already what it would make of it.
ALREADY = "already"

Rule = Callable[[pl.DataFrame, Mapping[str, Any]], pl.DataFrame]


def perturb(
    items: pl.DataFrame,
    rule: Rule,
    arm: Mapping[str, Any],
    name: str,
    *,
    stratum: str = "reference",
) -> pl.DataFrame:
    """The items of an arm.

    Args:
        items: of the base's data set, as `items.read_items` makes them.
        rule: `change` of the rule's module.
        arm: its keys, and `case`; with `key` perhaps, the letters of the options that are right of
            the items that it changes, where items have options.
        name: the arm in errors.
        stratum: column by which a sample is drawn, which the rule may change as well.

    Returns:
        The same rows in the same order, without the levels of human raters, who saw the base's
        cases; `changed`, whether the case or the reference is another one; `change` and
        `unchanged`. Where the reference or category is another one, the base's stands in a column
        `base_reference` or `base_category`.

    Raises:
        InputError: the rule cannot be used on this data set, or changes no item.
    """
    own = (*_OWN, *ADDED)
    taken = [column for column in items.columns if column in own or column.startswith(BASE)]
    if taken:
        raise InputError(
            f"{name}: key `columns.keep` of the data set names {taken[0]!r}, which is what the "
            "items of an arm call a column of their own; rename it in the file"
        )
    seen = items.select(pl.exclude(r"^human_.*$"))
    try:
        made = rule(seen, arm)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    if "key" in arm and "options" in items.columns:
        made = _with_key(made, arm["key"], name)
    _check_kept(seen, made, arm["rule"], stratum)
    moved = made[stratum].ne_missing(items[stratum])
    changed = moved
    for column in _MAY_CHANGE:
        if column in items.columns:
            changed |= made[column].ne_missing(items[column])
    if "changed" in made.columns:
        changed = made["changed"]
    shown = items["excluded"].is_null()
    if not (changed & shown).any():
        why = made.filter(shown)["unchanged"].drop_nulls().unique().sort().to_list()
        raise InputError(
            f"{name}: the rule changes no case of the data set"
            + (f" ({'; '.join(why[:3])})" if why else "")
            + "; mend the arm, or take it out"
        )
    made = made.select(
        pl.exclude(own),
        *(pl.when(changed).then(column).alias(column) for column in ADDED if column in made),
        changed=changed,
        change=pl.when(changed).then("change"),
        unchanged=pl.when(~changed).then(
            pl.col("unchanged").fill_null("the rule leaves the case as it is")
        ),
    )
    return made.with_columns(items[stratum].alias(BASE + stratum)) if moved.any() else made


def _with_key(items: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    """The items with the key of an arm in those that its rule changes."""
    right = "".join(sorted(set(key)))
    ours = pl.col("change").is_not_null()
    few = items.filter(ours & (pl.col("options").list.len() <= ord(right[-1]) - ord("A")))
    if few.height:
        raise InputError(
            f"{name}: key `key` is {key!r}, but item {few.item(0, 'item_id')} has "
            f"{len(few.item(0, 'options'))} options; name letters that every item has"
        )
    return items.with_columns(reference=pl.when(ours).then(pl.lit(right)).otherwise("reference"))


def _check_kept(items: pl.DataFrame, made: pl.DataFrame, rule: str, stratum: str) -> None:
    """Check that a rule has changed nothing but what it may; what it breaks is its author's fault.

    Raises:
        ValueError: it has.
    """
    if made["item_id"].to_list() != items["item_id"].to_list():
        raise ValueError(f"rule {rule!r} has other items than its base")
    may = {*items.columns, *ADDED, *_OWN}
    if extra := [column for column in made.columns if column not in may]:
        raise ValueError(f"rule {rule!r} adds the column {extra[0]!r}")
    for column in items.columns:
        kept = column not in (*_MAY_CHANGE, stratum)
        if kept and made[column].ne_missing(items[column]).any():
            raise ValueError(f"rule {rule!r} changes the column {column!r}")
    for column, dtype in ADDED.items():
        if column in made.columns and made[column].dtype != dtype:
            raise ValueError(f"rule {rule!r} gives {column!r} as {made[column].dtype}")
    if "options" in items.columns:
        shown = made.with_columns(n=items["options"].list.len()).drop_nulls("reference")
        for row in shown.iter_rows(named=True):
            _check_options(row, row["n"] or 0, f"rule {rule!r}, item {row['item_id']}")


def _check_options(item: Mapping[str, Any], n: int, where: str) -> None:
    """Check that the options of an item, of which its file has `n`, its key and order fit."""
    options = item["options"]
    if not n <= len(options) <= MOST_OPTIONS or len(set(options)) < len(options):
        raise ValueError(f"{where}: {len(options)} options of {n}, or two are the same")
    if not set(item["reference"]) <= set(letters(len(options))):
        raise ValueError(f"{where}: key {item['reference']!r} is no option")
    order = item.get("order") or []
    if not set(order) <= set(range(len(options))) or len(set(order)) < len(order):
        raise ValueError(f"{where}: the order {order} has an option twice, or one too many")
    if item.get("named") is not None and not 0 <= item["named"] < len(options):
        raise ValueError(f"{where}: what is named is no option")


def letters(n: int) -> list[str]:
    """The letters of the first `n` options of an item, in the order of its file."""
    return [chr(ord("A") + place) for place in range(n)]


def drawn_as(items: pl.DataFrame) -> pl.DataFrame:
    """The items as a sample of their base is drawn of them."""
    moved = [column for column in items.columns if column.startswith(BASE)]
    return items.with_columns(pl.col(column).alias(column.removeprefix(BASE)) for column in moved)


def has_already(items: pl.DataFrame) -> pl.Series:
    """Which items of an arm have without it what it would make of them, a mask."""
    return items["unchanged"].str.ends_with(ALREADY).fill_null(value=False)


def filled(template: str, row: Mapping[str, Any], key: str) -> str | None:
    """A text with its places filled from an item's columns; None where one of them is empty.

    Raises:
        InputError: a place names no column that may be shown.
    """
    hidden = _HIDDEN | (_OF_OPTIONS if isinstance(row.get("options"), list) else set())
    may = [column for column in row if column not in hidden and not column.startswith(BASE)]
    for place in _PLACE.findall(template):
        if place not in may:
            raise InputError(
                f"key `{key}` has the place {{{place}}}, which is no kept column of the data set; "
                f"use one of {', '.join(may) or 'none'}, or add it to key `columns.keep`"
            )
    found = {place: row[place] for place in _PLACE.findall(template)}
    if any(value is None for value in found.values()):
        return None
    return _PLACE.sub(lambda place: str(found[place[1]]), template)


def framed(template: str, row: Mapping[str, Any], case: str, key: str) -> str | None:
    """A text with a case in its place `{case}`, and its other places filled as `filled` does.

    Raises:
        InputError: it has not that place once, or another one names no column that may be shown.
    """
    sides = template.split(CASE)
    if len(sides) != 2:
        raise InputError(
            f"key `{key}` has the place {CASE} {len(sides) - 1} times; write it once, where the "
            "text of the case is to stand"
        )
    before, behind = (filled(side, row, key) for side in sides)
    return None if before is None or behind is None else before + case + behind


# Columns of items that are no kept columns of the file.
_HIDDEN = {"item_id", "case", "reference", "category", "harm_level", "excluded"}
_HIDDEN |= {"options", "order", "stratum", "turns"}
_OF_OPTIONS = {"options", "order", "stratum"}


def with_cases(
    items: pl.DataFrame, change: Callable[[dict[str, Any]], tuple[str, str] | str]
) -> pl.DataFrame:
    """The items with what `change` makes of each: the case and what was done, or why nothing was.

    Args:
        items: with a `case`; a case that no model sees may be empty, and stays.
        change: of a row.
    """

    def made(row: dict[str, Any]) -> dict[str, Any] | str:
        found = change(row)
        return found if isinstance(found, str) else {"case": found[0], "change": found[1]}

    return changed_items(items, made)


def changed_items(
    items: pl.DataFrame,
    change: Callable[[dict[str, Any]], dict[str, Any] | str],
    added: Mapping[str, pl.DataType] = MappingProxyType({}),
) -> pl.DataFrame:
    """The items with what `change` makes of each.

    Args:
        items: with a `case`; an item that no model sees may have none, and stays.
        change: of a row: its new columns with `change`, what was done; or why nothing was.
        added: the columns that `change` gives besides those of the items, with their types.
    """
    columns = [column for column in _MAY_CHANGE if column in items.columns]
    rows: dict[str, list[Any]] = {one: [] for one in (*columns, *added, "change", "unchanged")}
    for row in items.iter_rows(named=True):
        no_item = row["case"] is None or (row["excluded"] is not None and "options" in row)
        made = "there is no case" if no_item else change(row)
        new: dict[str, Any] = {"unchanged": made} if isinstance(made, str) else made
        for column, values in rows.items():
            values.append(new.get(column, row[column] if column in columns else None))
    types = {column: items.schema[column] for column in columns} | dict(added)
    types |= {"change": pl.String(), "unchanged": pl.String()}
    return items.with_columns(
        pl.Series(column, values, dtype=types[column]) for column, values in rows.items()
    )
