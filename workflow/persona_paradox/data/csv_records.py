"""Rows of CSV, strictly."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .encodings import decoded
from .rows import DataFile, Records, Wanted, check_names, mark_windows


def read_csv(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    """Add the rows of a CSV file."""
    lines = io.StringIO(decoded(file, form), newline="")
    before = _pass_separator(file, lines, form["separator"])
    names: list[str] | None = form.get("names")
    if names is not None:
        check_names(file, names, wanted)
    number = 0
    for line, values, taken in csv_rows(file, lines, form["separator"], before):
        if not values:
            continue
        if names is None:
            names = values
            check_names(file, names, wanted)
            continue
        number += 1
        row = f"row {number} (line {line})"
        if not any(value.strip() for value in values):
            records.empty += 1
            continue
        if len(values) != len(names):
            raise file.error(
                f"has {len(values)} values in {row}, but {len(names)} columns; mend that row (a "
                "text with the separator in it needs quotes)"
            )
        by_column = {
            # Excel keeps the zeros of ="007".
            name: value[2:-1] if re.fullmatch('="[^"]*"', value) else value
            for name, value in zip(names, values, strict=True)
        }
        if form["encoding"] == "latin-1":
            mark_windows(by_column, records)
        records.add(row, by_column)
        if len(taken) > 1 and wanted.codes:
            plain = csv.reader(taken, delimiter=form["separator"], quoting=csv.QUOTE_NONE)
            _check_swallowed(file, row, plain, names=names, codes=wanted.codes)
    if names is None:
        raise file.error("is empty; put your rows there")
    records.names = names


def told_separator(lines: io.StringIO) -> str | None:
    """What separates columns, by the line that Excel puts first, which is passed over; or None."""
    told = re.fullmatch(r'"?sep=(.)"?\r?\n?', lines.readline())
    if told is None:
        lines.seek(0)
        return None
    return told[1]


def _pass_separator(file: DataFile, lines: io.StringIO, separator: str) -> int:
    """Pass over the line in which Excel says what separates columns; the number of such lines."""
    told = told_separator(lines)
    if told is None:
        return 0
    if told != separator:
        raise file.error(
            f"says in its first line that {told!r} separates columns, but key "
            f"`format.separator` is {separator!r}; set it to that"
        )
    return 1


def csv_rows(
    file: DataFile, lines: io.StringIO, separator: str, before: int
) -> Iterator[tuple[int, list[str], list[str]]]:
    """The rows of a CSV file, each with its first line's number and its lines.

    Args:
        file: as errors name it.
        lines: its text.
        separator: of columns.
        before: number of lines that have been read of it.

    Raises:
        InputError: a quote is not closed, or not doubled, and where.
    """
    taken: list[str] = []

    def tapped() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    # Behind blanks a quote would be a part of the text, and the separators in it would count.
    behind = separator != " "
    reader = csv.reader(tapped(), delimiter=separator, skipinitialspace=behind, strict=True)
    while True:
        first = before + reader.line_num + 1
        taken.clear()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                why = "is never closed; close it, or double it where it is part of a text"
                raise file.error(f"opens a quote in the row of line {first} that {why}") from error
            raise file.error(
                f"has a quote within a quoted text in line {before + reader.line_num} (the row "
                f'begins in line {first}); double it: ""'
            ) from error
        yield first, values, taken


def _check_swallowed(
    file: DataFile,
    row: str,
    lines: Iterable[list[str]],
    *,
    names: Sequence[str],
    codes: Mapping[str, Collection[str]],
) -> None:
    """Refuse a text over several lines of which each is a whole row by itself.

    A quote that begins a text and one that ends another, some rows below, are a valid CSV field,
    and the rows between are gone. Each of its lines that is not blank has the number of columns,
    and at least two have a known code: that of a text which somebody wrote stands in its first
    line or in its last.
    """
    coded = 0
    for values in lines:
        if any(value.strip() for value in values):
            if len(values) != len(names):
                return
            one = dict(zip(names, values, strict=True))
            coded += all(one[column].strip() in codes[column] for column in codes)
    if coded < 2:
        return
    raise file.error(
        f"has lines in {row} that are rows by themselves, between quotes; double the quote that "
        "begins there, and put its text into quotes"
    )
