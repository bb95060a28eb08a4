"""Values of JSON as text: what stands where, and what has no text of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_KEY_OR_ELEMENT = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]")


def steps(path: str) -> list[str | int]:
    """The keys and the numbers of elements that a path goes through; a name that is none alone."""
    found: list[str | int] = []
    end = 0
    for match in _KEY_OR_ELEMENT.finditer(path):
        if match.start() != end:
            break
        found.append(match[1] if match[2] is None else int(match[2]))
        end = match.end()
    return found if end == len(path) and isinstance(found[0], str) else [path]


# --- values -------------------------------------------------------------------------------


class _Number(float):
    """A number of a JSON file that is no whole one, with the digits that stand there."""

    written = ""

    def __new__(cls, written: str) -> _Number:
        made = super().__new__(cls, written)
        made.written = written
        return made


@dataclass(frozen=True)
class _NoNumber:
    """What Python and pandas write where there is no number, and JSON does not know."""

    written: str


class Object(dict[str, Any]):
    """An object of a JSON file, which knows the keys that stand in it more than once."""

    twice: frozenset[str] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> Object:
    made = Object(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        made.twice = frozenset(key for key in keys if keys.count(key) > 1)
    return made


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_Number, parse_constant=_NoNumber)


def text_of(value: Any, *, nested: bool = False) -> str | None:
    """A value of JSON as text; None where it stands for nothing."""
    if isinstance(value, dict | list):
        if not nested:
            raise _not_whole(value)
        value = _as_json(value)
    if value is None or isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, _Number):
        text = value.written
    elif isinstance(value, float):
        # A spreadsheet shows 15 digits, and no exponent.
        text = f"{Decimal(f'{value:.15g}'):f}"
    elif isinstance(value, datetime):
        whole = value.time() == time() and value.tzinfo is None
        text = str(value.date()) if whole else value.isoformat(sep=" ")
    elif isinstance(value, int | date | time):
        text = str(value)
    elif isinstance(value, _NoNumber):
        raise NoTextError(
            f"holds {value.written}, which is no JSON; write null where nothing is recorded, or "
            "list it in key `format.missing`",
            value.written,
        )
    else:
        what = "a length of time" if isinstance(value, timedelta) else "bytes"
        raise NoTextError(f"holds {what}, which no text is; write a text or a number there")
    return _checked(text)


def list_of(text: str) -> list[Any] | None:
    """The list that a text holds in JSON; None where it holds none, or what no text can be."""
    try:
        found = json.loads(text)
        if NO_CHARACTER.search(json.dumps(found, ensure_ascii=False)):
            return None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def filled(value: Any) -> bool:
    """Whether anything stands there."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def _not_whole(value: dict[str, Any] | list[Any]) -> NoTextError:
    if isinstance(value, list):
        return NoTextError("holds a list; name an element of it, such as `{column}[0]`")
    first = next(iter(value), "key")
    return NoTextError(f"holds an object; name a key of it, such as `{{column}}.{first}`")


def _as_json(value: Any) -> str:
    for inner in _inside(value):
        if isinstance(inner, _NoNumber) or (isinstance(inner, float) and inner - inner != 0):
            raise NoTextError("holds a number that is none, such as NaN; write null there")
        if isinstance(inner, Object) and inner.twice:
            raise NoTextError(f"has the key {min(inner.twice)!r} twice; remove one")
    return _written(value)


def _written(value: Any) -> str:
    """As `json.dumps` writes it, with the digits that numbers have in the file."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(k)}: {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, _Number):
        return value.written
    return json.dumps(value, ensure_ascii=False, default=str)


def _inside(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _inside(inner)


def _checked(text: str | None) -> str | None:
    found = text and NO_CHARACTER.search(text)
    if found:
        what = "the null character"
        if found[0] != "\0":
            what = f"half of a character (U+{ord(found[0]):X})"
        raise NoTextError(f"holds {what}; mend the text, which was cut or damaged")
    return text


def reached(value: Any, way: Sequence[str | int]) -> Any:
    """What keys and elements lead to.

    Raises:
        LookupError: it is not there: no such key, a list that is too short, null on the way.
        NoTextError: the way leads through a text or a number, or a key that stands twice.
    """
    for step in way:
        if value is None:
            raise LookupError
        if isinstance(step, int):
            if not isinstance(value, list):
                raise NoTextError(f"has no list where `{{column}}` asks for the element {step}")
        elif not isinstance(value, dict):
            raise NoTextError(f"has no object where `{{column}}` asks for the key {step!r}")
        elif step in getattr(value, "twice", ()):
            raise NoTextError(f"has the key {step!r} twice; remove one")
        value = value[step]
    return value


# --- spreadsheets -------------------------------------------------------------------------

# In a number's format, what is shown as it stands.
_SHOWN = re.compile(r'"[^"]*"|\\.')


def shown(value: Any, number_format: str) -> Any:
    """The value of a cell as a reader of the sheet sees it, where the program writes otherwise."""
    if isinstance(value, str):
        from openpyxl.utils.escape import unescape  # noqa: PLC0415 - see `_sheet`

        return unescape(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and "%" in _SHOWN.sub("", number_format):
        return f"{text_of(float(value * 100))}%"
    return value


# What no text holds: the null character, and half of a pair of a character.
NO_CHARACTER = re.compile("[\0\ud800-\udfff]")


class NoTextError(Exception):
    """A value cannot be had as text.

    Attributes:
        why: and how to mend it; `{column}` stands for its column.
        text: what stands there, if that is a text, and might count as not recorded.
    """

    def __init__(self, why: str, text: str | None = None) -> None:
        super().__init__(why)
        self.why, self.text = why, text
