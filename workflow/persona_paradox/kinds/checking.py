"""Checks that files of several kinds share, each with a sentence that says what to mend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InputError


def check_once(where: str, values: Sequence[Any], remedy: str) -> None:
    """Check that nothing stands twice in a list."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise InputError(f"{where} has {value!r} twice; {remedy} one")


def check_told_apart(where: str, titles: Iterable[str]) -> None:
    """Check that no title of a list is another's but for blanks and capitals, which nobody sees."""
    seen: dict[str, str] = {}
    for title in titles:
        shown = " ".join(title.split()).casefold()
        if shown in seen:
            raise InputError(
                f"{where} has the titles {seen[shown]!r} and {title!r}, which figures could not "
                "tell apart; rename one"
            )
        seen[shown] = title


def check_listed(where: str, value: str, key: str, known: Sequence[str]) -> None:
    """Check that an id is one of those that another key lists."""
    if value not in known:
        raise InputError(
            f"{where} {value!r}, which key `{key}` does not list; use one of {', '.join(known)}"
        )


def check_shown(name: str, shown: Sequence[str], hidden: Mapping[str, str]) -> None:
    """Check that a case shows no column that is hidden (column → its key), and no part of one."""
    for column in shown:
        for one, key in hidden.items():
            if column == one or column.startswith((f"{one}.", f"{one}[")):
                raise InputError(
                    f"{name}: key `columns.case` shows {column!r}, which gives the answer away "
                    f"(key `columns.{key}`); take it out of the case"
                )


def check_groups(name: str, dataset: Mapping[str, Any]) -> None:
    """Check that clusters and subgroups read columns that are kept."""
    keep = dataset["columns"]["keep"]
    groups = dataset.get("subgroups", [])
    wanted = {"columns.cluster": dataset["columns"]["cluster"]}
    for group in groups:
        wanted[f"subgroups.{group['id']}.column"] = group["column"]
        cuts = group.get("cuts", [])
        if sorted(set(cuts)) != cuts:
            raise InputError(
                f"{name}: key `subgroups.{group['id']}.cuts` must rise ({cuts}); put them in order"
            )
    for key, column in wanted.items():
        if column is not None and column not in keep:
            raise InputError(
                f"{name}: key `{key}` names {column!r}, which key `columns.keep` does not list; "
                "add it there"
            )
    check_once(f"{name}: key `subgroups`", [group["id"] for group in groups], "rename")
    check_told_apart(f"{name}: key `subgroups`", [group["title"] for group in groups])
