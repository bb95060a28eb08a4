"""What clinicians send back, each file checked against the key of its packet."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
from openpyxl.utils.exceptions import InvalidFileException

from ..data.csv_records import csv_rows, told_separator
from ..data.rows import DataFile
from ..errors import InputError
from ..files import DAMAGED, is_of_disk
from .forms import (
    CONFIDENCE,
    PAIR,
    PREFERENCE,
    SINGLE,
    TIE,
    Form,
    Row,
    criterion_name,
    criterion_questions,
    is_criterion,
    questions_of,
)

ANNOTATIONS: dict[str, type[pl.DataType]] = {
    "annotator": pl.String,
    "item": pl.String,
    "number": pl.Int64,
    "form": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "versus": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "question": pl.String,
    "value": pl.Float64,
    "preferred": pl.String,
    "confidence": pl.Int64,
}


def read_annotations(
    paths: Iterable[Path],
    key: pl.DataFrame,
    forms: Mapping[str, Form],
    criteria: Mapping[str, Sequence[str]] | None = None,
) -> pl.DataFrame:
    """Read the files of all annotators, each checked against the key.

    Args:
        paths: CSV files as the form exports them, filled in by hand, or saved from the
            spreadsheet: UTF-8 with or without a byte order mark, parted by comma, semicolon
            or tab; or the spreadsheet itself. Rows and columns may stand in any order, and columns
            that nobody asks for are ignored.
        key: table `KEY` of the packet.
        forms: id → content of the form's file.
        criteria: item of the packet → the texts of its criteria, of items that have some.

    Returns:
        The table `ANNOTATIONS`, by annotator and number: a row for every question about a single
        answer with the code in `value`, and a row for every pair, where `persona` was
        shown as A and `versus` as B, `value` is 1 if A was preferred, 0 if B, 0.5 if neither,
        and `preferred` is the persona or `TIE`. The question on a criterion is called by
        `criterion_name`, and its `value` is 1 if it is met.

    Raises:
        InputError: one sentence on the first thing that is wrong with a file.
    """
    items: dict[str, list[Row]] = {}
    for row in key.sort("number", "side").iter_rows(named=True):
        items.setdefault(row["item"], []).append(row)
    seen: dict[str, Path] = {}
    rows: list[Row] = []
    for path in sorted(set(paths)):
        sheet = _Sheet(path, key["packet_id"][0], items, forms, criteria or {})
        other = seen.setdefault(sheet.annotator.casefold(), path)
        if other != path:
            raise InputError(
                f"{path}: annotator {sheet.annotator!r} stands in {other} too; remove one of the "
                "two files, or mend column `annotator`"
            )
        rows += sheet.annotations()
    table = pl.DataFrame(rows, schema=ANNOTATIONS)
    return table.sort("annotator", "number", maintain_order=True)


def _csv(path: Path) -> list[list[str]]:
    not_csv = 'is not a CSV file in UTF-8; save the sheet as "CSV UTF-8" and put that here'
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {not_csv}") from error
    lines = io.StringIO(text, newline="")
    separator = told_separator(lines)
    before = 0 if separator is None else 1
    if separator is None:
        separator = max(",;\t", key=lines.readline().count)
        lines.seek(0)
    file = DataFile(path, str(path), "the file")
    return [values for _, values, _ in csv_rows(file, lines, separator, before)]


def _xlsx(path: Path) -> list[list[str]]:
    """The rows of the sheet that has a packet's id in its first row, or below; none without one.

    Of a formula the result that the program stored with it.
    """
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            # They are about parts that hold no values, such as rules for input.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(stream, data_only=True)
    except (InvalidFileException, KeyError, ValueError, TypeError, *DAMAGED) as error:
        if is_of_disk(error):
            raise
        raise InputError(
            f"{path}: is not a spreadsheet that can be read; save it as .xlsx without a password, "
            'or its sheet as "CSV UTF-8"'
        ) from error
    found: dict[str, list[list[str]]] = {}
    for sheet in book.worksheets:
        lines = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
        if any("packet_id" in line for line in lines):
            found[sheet.title] = lines
    if not found:
        return []
    first, *others = found.values()
    if any(lines != first for lines in others):
        raise InputError(
            f"{path}: the sheets {' and '.join(map(repr, found))} are of a packet, and differ; "
            "keep the one that is filled in"
        )
    return first


def _cell(value: Any) -> str:
    """A cell as CSV would have it; some programs write whole numbers as 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _read(path: Path, needed: Sequence[str]) -> dict[int, dict[str, str]]:
    """The rows that are not blank, by their number in a spreadsheet."""
    lines = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    header = [name.strip() for name in lines[0]] if lines else []
    for number, cells in enumerate(lines[1:], start=2):
        if "packet_id" not in header and "packet_id" in cells:
            raise InputError(
                f"{path}: the names of the columns stand in row {number}; remove the rows above it"
            )
    for column in needed:
        if header.count(column) != 1:
            raise InputError(
                f"{path}: column `{column}` stands {header.count(column)} times in the first row; "
                "start from the packet's answers.csv, which has every column once"
            )
    rows = {}
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                f"{path}: row {number} has more cells than the first row; mend the row"
            )
        row = dict.fromkeys(header, "")
        row |= {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        if any(row.values()):
            rows[number] = row
    return rows


_PACKET_ID = re.compile("[bcdfghjkmnpqrstv]{12}")  # see `_letters`


def packet_of(path: Path) -> str:
    """Id of the packet that an annotator's file is of, as its first row says.

    Raises:
        InputError: the file is neither CSV nor a spreadsheet, or holds no row or no id.
    """
    for row in _read(path, ["packet_id"]).values():
        found = row["packet_id"]
        # It becomes part of a path.
        if found and not _PACKET_ID.fullmatch(found):
            raise InputError(
                f"{path}: column `packet_id` holds {found[:40]!r}, which is no id of a packet; "
                "restore it from the packet's answers.csv"
            )
        if found:
            return found
    raise InputError(
        f"{path}: column `packet_id` is empty; start from the packet's answers.csv, where it is not"
    )


class _Sheet:
    """One annotator's file."""

    def __init__(
        self,
        path: Path,
        packet_id: str,
        items: Mapping[str, list[Row]],
        forms: Mapping[str, Form],
        criteria: Mapping[str, Sequence[str]],
    ) -> None:
        self._path, self._items = path, items
        self._asked = {
            item: [
                *questions_of(forms[sides[0]["form"]], PAIR if len(sides) > 1 else SINGLE),
                *criterion_questions(criteria.get(item, ())),
            ]
            for item, sides in items.items()
        }
        self._columns = list(
            dict.fromkeys(question["id"] for asked in self._asked.values() for question in asked)
        )
        rows = _read(path, ["packet_id", "annotator", "item", *self._columns])
        for number, row in rows.items():
            if row["packet_id"] != packet_id:
                raise self._error(
                    f"row {number} is of packet {row['packet_id']!r}, but the key is of packet "
                    f"{packet_id!r}; put the file beside the key of its own packet"
                )
        self.annotator = self._only_annotator(rows)
        self._values = self._by_item(rows)

    def _error(self, text: str) -> InputError:
        return InputError(f"{self._path}: {text}")

    def _only_annotator(self, rows: Mapping[int, Mapping[str, str]]) -> str:
        found = sorted({row["annotator"] for row in rows.values()} - {""})
        if len(found) != 1:
            named = f"names {', '.join(map(repr, found))}" if found else "is empty"
            raise self._error(
                f"column `annotator` {named}; write the code of one annotator in its first row"
            )
        return found[0]

    def _by_item(self, rows: Mapping[int, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = {}
        for number, row in rows.items():
            item = row["item"]
            if item not in self._items:
                raise self._error(
                    f"row {number}, column `item`: the packet has no item {item!r}; restore the id "
                    "from the packet's answers.csv"
                )
            if item in values:
                raise self._error(f"row {number}: item {item!r} stands twice; remove one row")
            values[item] = self._row(number, row)
        missing = [
            item for item in self._items if len(values.get(item, ())) < len(self._asked[item])
        ]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise self._error(
                f"{len(missing)} of {len(self._items)} items are not complete "
                f"({', '.join(missing[:3])}{more}); ask the annotator to complete them"
            )
        return values

    def _row(self, number: int, row: Mapping[str, str]) -> dict[str, Any]:
        """The values of an item, without those that are missing."""
        asked = {question["id"]: question["options"] for question in self._asked[row["item"]]}
        values = {}
        for column in self._columns:
            if row[column] == "":
                continue
            choices = {str(option["value"]): option["value"] for option in asked.get(column, ())}
            if row[column] not in choices:
                allowed = f"use one of {', '.join(choices)}" if choices else "leave it empty"
                raise self._error(
                    f"row {number}, column `{column}`: {row[column]!r} is no choice for item "
                    f"{row['item']!r}; {allowed}"
                )
            values[column] = choices[row[column]]
        return values

    def annotations(self) -> Iterator[Row]:
        """Rows of the table `ANNOTATIONS`."""
        for item, sides in self._items.items():
            values = dict(self._values[item])
            names = ("item", "number", "form", "model", "task", "item_id", "category", "persona")
            about = {name: sides[0][name] for name in names}
            about |= {"annotator": self.annotator, "confidence": values.pop(CONFIDENCE)}
            if len(sides) > 1:
                personas = [side["persona"] for side in sides]
                score, preferred = {
                    "A": (1.0, personas[0]),
                    "equal": (0.5, TIE),
                    "B": (0.0, personas[1]),
                }[values.pop(PREFERENCE)]
                about |= {"versus": personas[1], "preferred": preferred}
                yield {**about, "question": PREFERENCE, "value": score}
            texts = {question["id"]: question["text"] for question in self._asked[item]}
            for question, value in values.items():
                name = criterion_name(texts[question]) if is_criterion(question) else question
                yield {**about, "question": name, "value": float(value)}
