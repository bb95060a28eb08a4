"""What is read of a file of data: which columns are wanted, and the rows that it gives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from .values import NoTextError, text_of


@dataclass(frozen=True)
class DataFile:
    """A file of records, and how errors speak of it.

    Attributes:
        path: where it lies.
        name: the configuration file that names it.
        title: what it is there.
    """

    path: Path
    name: str
    title: str = "the file of key `source`"

    def error(self, text: str) -> InputError:
        """What is wrong with the file."""
        return InputError(f"{self.name}: {self.title} {text}")

    def lacks(self, column: str, key: str, found: Sequence[str]) -> InputError:
        """It has no such column."""
        # Blanks around a name are seen in quotes alone.
        shown = ", ".join(name if name == name.strip() else repr(name) for name in found)
        return InputError(
            f"{self.name}: key `{key}` names {column!r}, which {self.title} does not have; its "
            f"columns are {shown}"
        )


@dataclass(frozen=True)
class Wanted:
    """What is asked of a file of records.

    Attributes:
        columns: column → key of the configuration that names it. A name that no column has is a
            path into a column: `options.A`, `messages[0].content`.
        nested: columns of which lists and objects are kept, as JSON.
        codes: column → the values that it may have, by which rows are told that a quote of a CSV
            file has swallowed.
    """

    columns: Mapping[str, str]
    nested: Collection[str] = ()
    codes: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass
class Records:
    """Some columns of a file, row by row.

    Attributes:
        columns: column → value of every row as text, None where there is none.
        rows: what an error calls every row.
        wrong: row (from 0) → column → why its value is none.
        empty: how many rows of the file hold nothing; they are passed over.
        names: all columns of the file.
    """

    columns: dict[str, list[str | None]]
    rows: list[str] = field(default_factory=list)
    wrong: dict[int, dict[str, NoTextError]] = field(default_factory=dict)
    empty: int = 0
    names: Sequence[str] = ()

    def add(self, row: str, values: Mapping[str, Any], nested: Collection[str] = ()) -> None:
        """Add a row of values as the file has them."""
        for column, into in self.columns.items():
            text = None
            try:
                text = text_of(values.get(column), nested=column in nested)
            except NoTextError as error:
                self.mark(column, error)
                text = error.text
            into.append(text)
        self.rows.append(row)

    def mark(self, column: str, why: NoTextError) -> None:
        """Say of the row that is added next that a value is none."""
        self.wrong.setdefault(len(self.rows), {}).setdefault(column, why)


def check_names(file: DataFile, names: Sequence[str], wanted: Wanted) -> None:
    """Check that a file has the columns that are wanted, each once."""
    for column, key in wanted.columns.items():
        if column not in names:
            raise file.lacks(column, key, names)
        if names.count(column) > 1:
            raise file.error(f"has the column {column!r} (key `{key}`) more than once; rename one")


def mark_windows(values: Mapping[str, str], records: Records) -> None:
    """Mark what is no text in Latin-1; Windows has quotes and dashes in these places."""
    for column in records.columns:
        found = [one for one in values[column] if "\x80" <= one <= "\x9f"]
        if found:
            why = f"holds the byte 0x{ord(found[0]):02X}, which is no text in latin-1; set key "
            why += "`format.encoding` to 'cp1252'"
            records.mark(column, NoTextError(why, values[column]))


Reader = Callable[[DataFile, Mapping[str, Any], Wanted, Records], None]
