"""What is kept of a question besides its text: the options, and which of them are right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ...data.columns import of
from ...data.values import list_of
from ...errors import InputError
from .letters import FEWEST, LETTERS, MOST, written

# The stratum of an item where there is none.
ALL_OF_ONE = "all"
_NOT_RECORDED = "not recorded"

# What may stand around and between the letters or numbers of a key: "A, C", "(B)", "A and C".
_BETWEEN = re.compile(r"[\s,;/&+()\[\]]+|\.(?!\d)|\band\b")

# What programs write where there is no value, and no option says. A model would read it as one.
_NO_VALUE = re.compile(r"(?i)nan|nat|<na>|null|\\N|#N/A|#NV")

# What programs write for a whole number where a comma stands before decimals; or two numbers.
_DECIMAL = re.compile(r"[1-9][0-9]*,0+")

# A whole number, also as a program writes it that takes a column for one of measurements.
_WHOLE = re.compile(r"([0-9]+)(?:\.0+)?")


def columns(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """The options of every item, and its key.

    Args:
        raw: rows of the files, as text.
        ids: of the items.
        keys: key `columns` of the data set.
        name: its file, in errors.

    Returns:
        - `options`: the texts, in the order of the file;
        - `reference`: letters of the right options, such as B or ACD; null where the item is
          excluded;
        - `order`: null, for the task's order; see `order.shown`;
        - `stratum`: what key `stratum` reads, or the same for all;
        - `excluded`: why no model may see the item, in a sentence, or null.

    Raises:
        InputError: an option is what programs write where there is no value.
    """
    found = [_item(row, keys) for row in raw.iter_rows(named=True)]
    for item, (options, _, _) in zip(ids, found, strict=True):
        for option in filter(_NO_VALUE.fullmatch, options):
            raise InputError(
                f"{name}: item {item} has the option {option!r}, which is what programs write "
                "where there is no value; list it in key `format.missing`, or mend the file"
            )
    stratum = keys["stratum"]
    strata = (
        pl.repeat(ALL_OF_ONE, raw.height, dtype=pl.String, eager=True)
        if stratum is None
        else of(raw, stratum).fill_null(_NOT_RECORDED)
    )
    return {
        "options": pl.Series([options for options, _, _ in found], dtype=pl.List(pl.String)),
        "reference": pl.Series([right for _, right, _ in found], dtype=pl.String),
        "order": pl.Series([None] * raw.height, dtype=pl.List(pl.Int64)),
        "stratum": strata,
        "excluded": pl.Series([why for _, _, why in found], dtype=pl.String),
    }


def _item(
    row: Mapping[str, Any], keys: Mapping[str, Any]
) -> tuple[list[str], str | None, str | None]:
    """Options, letters of the right ones, and why the item is excluded."""
    about = keys["options"]
    if "right" in about:
        options = [row[about["right"]], *_wrong(row, about)]
        right: list[int] | str = [0]
        if options[0] is None:
            return [], None, "no right option is recorded"
    else:
        columns = about.get("columns")
        given = about["fixed"] if columns is None else [row[column] for column in columns]
        options = [option for option in given if option is not None]
        right = _right(row, keys["reference"], given)
    if why := _wrong_options(options):
        return options, None, why
    return (options, None, right) if isinstance(right, str) else (options, written(right), None)


def _wrong(row: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    """The wrong options of an item, in the order of the columns."""
    texts = [row[column] for column in about["wrong"] if row[column] is not None]
    if "separator" in about:
        texts = [part for text in texts for part in text.split(about["separator"])]
    return [text.strip() for text in texts if text.strip()]


def _wrong_options(options: Sequence[str]) -> str | None:
    """What is wrong with the options of an item."""
    if not FEWEST <= len(options) <= MOST:
        return f"the number of options is {len(options)}, not {FEWEST} to {MOST}"
    same = [" ".join(option.split()) for option in options]
    if len(set(same)) < len(same):
        return "two options are the same"
    return None


def _right(
    row: Mapping[str, Any], reference: Mapping[str, Any], given: Sequence[str | None]
) -> list[int] | str:
    """Places of the right options among those that are there, or why there are none.

    Args:
        row: of the file.
        reference: key `columns.reference`.
        given: the options as the file has them; None where there is none.
    """
    value = reference["fixed"] if "fixed" in reference else row[reference["column"]]
    if value is None:
        return "no key is recorded"
    form = "letter" if "fixed" in reference else reference["form"]
    listed = _listed(value)
    if form == "text":
        texts = [value] if listed is None else listed
        named = [_place(text, given) for text in texts]
    elif form == "number_from_0" and _DECIMAL.fullmatch(value):
        return "the key may be one number with a decimal comma, or two"
    else:
        parts = [part for one in listed or [value] for part in _BETWEEN.split(one) if part]
        named = [place for part in parts for place in _places(part, form)]
    if not named or any(place is None or not 0 <= place < len(given) for place in named):
        return "the key is none of the options"
    if any(given[place] is None for place in named if place is not None):
        return "the key is an option that is empty"
    # An option that is not there takes no letter.
    there = [place for place, option in enumerate(given) if option is not None]
    return [there.index(place) for place in named if place is not None]


def _place(text: str, given: Sequence[str | None]) -> int | None:
    """The place of the one option that reads like a text, None for none or several.

    Blanks do not count, and capitals do only where they tell options apart.
    """
    wanted = " ".join(text.split())
    read = {place: " ".join(one.split()) for place, one in enumerate(given) if one is not None}
    for same in (str, str.casefold):
        found = [place for place, one in read.items() if same(one) == same(wanted)]
        if len(found) == 1:
            return found[0]
    return None


def _places(part: str, form: str) -> list[int | None]:
    """The places that a part of a key names, None for what names none."""
    if form == "letter":
        known = {letter: place for place, letter in enumerate(LETTERS)}
        # "bad" is a word, and no set of three.
        return [known.get(letter) for letter in (part.upper() if len(part) == 1 else part)]
    first = {"number_from_0": 0, "number_from_1": 1}[form]
    number = _WHOLE.fullmatch(part)
    return [int(number[1]) - first if number else None]


def _listed(value: str) -> list[str] | None:
    """The elements of a value that is a list in JSON; None where it is none."""
    if not value.startswith("["):
        return None
    found = list_of(value)
    return None if found is None else [str(one) for one in found]
