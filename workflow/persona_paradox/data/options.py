"""Options of items, as rules of arms change them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from ..errors import InputError

# Options that speak of others, so that they mean something else where these change.
_OF_OTHERS = re.compile(
    r"\b(?:all|none|both|neither|either|any|some) of (?:the|these|them)\b|\b(?:above|below)\b"
    r"|\b(?:both|neither) [A-J]\b|\b[A-J] (?:and|or|&) [A-J]\b|\bother (?:options?|answers?)\b",
    re.IGNORECASE,
)


def check_options(items: pl.DataFrame, rule: str) -> None:
    """Check that a rule that changes options finds some.

    Raises:
        InputError: the items have none.
    """
    if "options" not in items.columns:
        raise InputError(
            f"key `rule` is {rule!r}, but the data set's items have no options of their own; use "
            "another rule"
        )


def places_of(letters: str) -> list[int]:
    """The places of options that are written as letters of the file's order."""
    return [ord(letter) - ord("A") for letter in letters]


def letters_of(places: Iterable[int]) -> str:
    """Places of options as letters of the file's order."""
    return "".join(chr(ord("A") + place) for place in sorted(places))


def speaks_of_others(options: Iterable[str]) -> bool:
    """Whether an option speaks of others, such as “all of the above”."""
    return any(_OF_OTHERS.search(option) for option in options)


def plain(option: str) -> str:
    """An option as it is compared with others: without case, blanks and a mark at its end."""
    return " ".join(option.split()).casefold().rstrip(".;, ")


def is_new(text: str, row: Mapping[str, Any]) -> bool:
    """Whether a text is none of an item's options."""
    return plain(text) not in {plain(option) for option in row["options"]}
