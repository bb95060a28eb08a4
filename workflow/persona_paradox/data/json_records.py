"""Rows of JSON and of JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .encodings import decoded
from .rows import DataFile, Records, Wanted
from .values import DECODER, NoTextError, Object, filled, reached, steps


def read_json_lines(
    file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records
) -> None:
    """Add the rows of a JSON Lines file."""
    text = decoded(file, form)
    if text.lstrip().startswith("["):
        raise file.error("holds a list, as JSON files do; set key `format.kind` to 'json'")
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = f"row {len(found) + 1} (line {number})"
            try:
                found.append((row, DECODER.decode(line)))
            except json.JSONDecodeError as error:
                raise file.error(
                    f"is no valid JSON in {row} at character {error.pos + 1}; mend it there (a "
                    "comma too many, a quote too few, a line that was cut)"
                ) from error
            except ValueError as error:
                raise file.error(f"has a number of too many digits in {row}; mend it") from error
    _objects(file, found, wanted, records)


def read_json(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    """Add the rows of a JSON file."""
    try:
        value = DECODER.decode(decoded(file, form))
    except json.JSONDecodeError as error:
        remedy = "mend it there (a comma too many, a quote too few)"
        if error.msg == "Extra data":
            remedy = "set key `format.kind` to 'jsonl' if each line is a record, or mend it there"
        raise file.error(
            f"is no valid JSON at line {error.lineno}, character {error.colno}; {remedy}"
        ) from error
    except ValueError as error:
        raise file.error("has a number of too many digits; mend it") from error
    place = form.get("records")
    if place is not None:
        try:
            value = reached(value, steps(place))
        except (LookupError, NoTextError):
            value = None
    rows = _keyed(file, value, form.get("key_column"))
    if rows is None:
        keys = ", ".join(list(value)[:20]) if isinstance(value, dict) else ""
        raise file.error(
            "holds no list of records"
            + ("" if place is None else f" at {place!r} (key `format.records`)")
            + (f", but an object with the keys {keys}" if keys else "")
            + "; say in key `format.records` where the list is"
            + (
                ", or, where these are the keys of records, in key `format.key_column` what they "
                "are"
                if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values())
                else ""
            )
        )
    _objects(file, rows, wanted, records)


def _keyed(file: DataFile, value: Any, column: str | None) -> list[tuple[str, Any]] | None:
    """The rows of a list of records, or of an object of them whose keys make a column."""
    if isinstance(value, list):
        if column is not None:
            raise file.error(
                "holds a list of records, which have no keys; take out key `format.key_column`"
            )
        return [(f"row {number}", one) for number, one in enumerate(value, 1)]
    if column is None or not isinstance(value, Object):
        return None
    if value.twice:
        raise file.error(f"has the key {min(value.twice)!r} twice; remove one")
    rows = []
    for number, (key, one) in enumerate(value.items(), 1):
        if isinstance(one, dict):
            if column in one:
                raise file.error(
                    f"has a column {column!r} of its own; give key `format.key_column` another name"
                )
            one[column] = key
        rows.append((f"row {number} ({key!r})", one))
    return rows


def _objects(
    file: DataFile, found: Sequence[tuple[str, Any]], wanted: Wanted, records: Records
) -> None:
    """Add the rows of a JSON file."""
    for row, one in found:
        if not isinstance(one, dict):
            raise file.error(f'has no object in {row}; write {{"column": value, …}}')
    names = records.names = list(dict.fromkeys(key for _, one in found for key in one))
    # A name that a row has wins over a path of the same text.
    ways = {column: [column] if column in names else steps(column) for column in wanted.columns}
    known = set()
    for row, one in found:
        if not any(map(filled, one.values())):
            records.empty += 1
            known |= {column for column, way in ways.items() if way[0] in one}
            continue
        values = {}
        for column, way in ways.items():
            try:
                values[column] = reached(one, way)
                known.add(column)
            except LookupError:
                # Not every record has everything.
                continue
            except NoTextError as error:
                records.mark(column, error)
                known.add(column)
        records.add(row, values, wanted.nested)
    for column, key in wanted.columns.items():
        if found and column not in known:
            raise file.lacks(column, key, names)
