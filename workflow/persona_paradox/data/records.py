"""Files of records: the columns that a configuration names, as text."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import InputError

# A text of any length; the module's own limit is 128 KiB.
csv.field_size_limit(sys.maxsize)

# What no text holds: the null character, and half of a pair of a character.
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
_KEY_OR_ELEMENT = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]")


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


class NoTextError(Exception):
    """A value cannot be had as text.

    Attributes:
        why: and how to mend it; `{column}` stands for its column.
        text: what stands there, if that is a text, and might count as not recorded.
    """

    def __init__(self, why: str, text: str | None = None) -> None:
        super().__init__(why)
        self.why, self.text = why, text


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
                text = _text(values.get(column), nested=column in nested)
            except NoTextError as error:
                self.mark(column, error)
                text = error.text
            into.append(text)
        self.rows.append(row)

    def mark(self, column: str, why: NoTextError) -> None:
        """Say of the row that is added next that a value is none."""
        self.wrong.setdefault(len(self.rows), {}).setdefault(column, why)


def read_records(file: DataFile, form: Mapping[str, Any], wanted: Wanted) -> Records:
    """Read the columns of a file that are asked for, and nothing of the others.

    Args:
        file: what to read.
        form: key `format` of a data set.
        wanted: its columns.

    Raises:
        InputError: the file is none of its kind, or lacks a column.
    """
    records = Records({column: [] for column in wanted.columns})
    try:
        _READERS[form["kind"]](file, form, wanted, records)
    except RecursionError:
        raise file.error("nests values too deeply; write them flat") from None
    return records


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


class _Object(dict[str, Any]):
    """An object of a JSON file, which knows the keys that stand in it more than once."""

    twice: frozenset[str] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        made.twice = frozenset(key for key in keys if keys.count(key) > 1)
    return made


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_constant=_NoNumber
)


def _text(value: Any, *, nested: bool = False) -> str | None:
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


def _filled(value: Any) -> bool:
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
        if isinstance(inner, _Object) and inner.twice:
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
    found = text and _NO_CHARACTER.search(text)
    if found:
        what = "the null character"
        if found[0] != "\0":
            what = f"half of a character (U+{ord(found[0]):X})"
        raise NoTextError(f"holds {what}; mend the text, which was cut or damaged")
    return text


def _reached(value: Any, way: Sequence[str | int]) -> Any:
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


# --- text ---------------------------------------------------------------------------------

# How files begin that are no text, and what they are.
_NO_TEXT = {
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"\xfd7zXZ": "compressed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
    b"PK\x03\x04": "an archive or a spreadsheet; unpack it, or set key `format.kind` to 'xlsx'",
    b"PAR1": "Parquet; set key `format.kind` to 'parquet'",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls); save it as .xlsx or CSV",
}

_MARKS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}


def _decoded(file: DataFile, form: Mapping[str, Any]) -> str:
    """The text of a file, without a byte order mark."""
    data, encoding = file.path.read_bytes(), form.get("encoding", "utf-8")
    for start, what in _NO_TEXT.items():
        if data.startswith(start):
            raise file.error(f"is no text, but {what}")
    codec = encoding
    if encoding == "utf-16":
        # Without a mark; the first character of a file is one of the first 256.
        codec = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    for mark, (marked, its_codec) in _MARKS.items():
        if data.startswith(mark):
            if encoding != marked:
                raise file.error(
                    f"begins with the byte order mark of {marked}, but key `format.encoding` is "
                    f"{encoding!r}; set it to {marked!r}"
                )
            data, codec = data[len(mark) :], its_codec
    if encoding not in ("utf-8", "utf-16") and not data.isascii() and _is_utf_8(data):
        raise file.error(
            f"is UTF-8, which would be other letters as {encoding}; set key `format.encoding` to "
            "'utf-8'"
        )
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise file.error(
            f"has the byte 0x{data[error.start]:02X} in line {line}, which is not {encoding}; set "
            "key `format.encoding` to what the file was saved as (by Excel on Windows cp1252, in "
            "Central Europe cp1250, in Cyrillic script cp1251; on a Mac mac-roman)"
        ) from error
    if 3 * text.count("\0") > len(text):
        raise file.error("is full of null characters, as UTF-16 is; set key `format.encoding`")
    return text


def _is_utf_8(data: bytes) -> bool:
    """Whether it can be that; text of other encodings, but for ASCII, hardly ever can."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _csv(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    lines = io.StringIO(_decoded(file, form), newline="")
    before = _pass_separator(file, lines, form["separator"])
    names: list[str] | None = form.get("names")
    if names is not None:
        _check_names(file, names, wanted)
    number = 0
    for line, values, taken in csv_rows(file, lines, form["separator"], before):
        if not values:
            continue
        if names is None:
            names = values
            _check_names(file, names, wanted)
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
            _mark_windows(by_column, records)
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


def _check_names(file: DataFile, names: Sequence[str], wanted: Wanted) -> None:
    for column, key in wanted.columns.items():
        if column not in names:
            raise file.lacks(column, key, names)
        if names.count(column) > 1:
            raise file.error(f"has the column {column!r} (key `{key}`) more than once; rename one")


def _mark_windows(values: Mapping[str, str], records: Records) -> None:
    """Mark what is no text in Latin-1; Windows has quotes and dashes in these places."""
    for column in records.columns:
        found = [one for one in values[column] if "\x80" <= one <= "\x9f"]
        if found:
            why = f"holds the byte 0x{ord(found[0]):02X}, which is no text in latin-1; set key "
            why += "`format.encoding` to 'cp1252'"
            records.mark(column, NoTextError(why, values[column]))


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


def _json_lines(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    text = _decoded(file, form)
    if text.lstrip().startswith("["):
        raise file.error("holds a list, as JSON files do; set key `format.kind` to 'json'")
    found: list[tuple[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = f"row {len(found) + 1} (line {number})"
            try:
                found.append((row, _DECODER.decode(line)))
            except json.JSONDecodeError as error:
                raise file.error(
                    f"is no valid JSON in {row} at character {error.pos + 1}; mend it there (a "
                    "comma too many, a quote too few, a line that was cut)"
                ) from error
            except ValueError as error:
                raise file.error(f"has a number of too many digits in {row}; mend it") from error
    _objects(file, found, wanted, records)


def _json(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    try:
        value = _DECODER.decode(_decoded(file, form))
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
            value = _reached(value, steps(place))
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
    if column is None or not isinstance(value, _Object):
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
        if not any(map(_filled, one.values())):
            records.empty += 1
            known |= {column for column, way in ways.items() if way[0] in one}
            continue
        values = {}
        for column, way in ways.items():
            try:
                values[column] = _reached(one, way)
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


# --- Parquet ------------------------------------------------------------------------------

# Of some damaged files polars says so by a panic.
_DAMAGED = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def _parquet(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    unreadable = f"cannot be read as {form['kind']}; mend the file, or key `format.kind`"
    try:
        schema = pl.scan_parquet(file.path, glob=False).collect_schema()
    except _DAMAGED as error:
        raise file.error(unreadable) from error
    records.names = list(schema)
    ways = {}
    for column, key in wanted.columns.items():
        ways[column] = [column] if column in schema else steps(column)
        if not _leads(schema, ways[column]):
            raise file.lacks(column, key, list(schema))
    # By their places: a name such as `*` stands for others to polars, and so it does in a path.
    tops = sorted({records.names.index(str(way[0])) for way in ways.values()})
    try:
        table = pl.read_parquet(file.path, columns=tops, glob=False)
    except _DAMAGED as error:
        raise file.error(unreadable) from error
    leaves = []
    for column, way in ways.items():
        try:
            leaves.append(_leaf(table, way))
        except _DAMAGED as error:
            raise file.error(
                f"has a value in column {column!r} that cannot be had as text, such as a date "
                "after the year 9999; mend it"
            ) from error
    filled = [any(map(_filled, values)) for values in zip(*leaves, strict=True)]
    if not all(filled):
        # What is not asked for may stand there, and the row is none that is passed over.
        whole = pl.read_parquet(file.path, glob=False)
        filled = [any(row) for row in zip(*map(_stands, whole.get_columns()), strict=True)]
    for number, something in enumerate(filled):
        values = {column: leaf[number] for column, leaf in zip(ways, leaves, strict=True)}
        if something:
            records.add(f"row {number + 1}", values, wanted.nested)
        else:
            records.empty += 1


def _stands(column: pl.Series) -> pl.Series:
    """Whether anything stands there, row by row."""
    column = column.alias("")
    if column.dtype == pl.String:
        return column.str.strip_chars().fill_null("") != ""
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_not_null()


def _leads(schema: Mapping[str, pl.DataType], way: Sequence[str | int]) -> bool:
    """Whether keys and elements lead anywhere in a table."""
    dtype: Any = pl.Struct(dict(schema))
    for step in way:
        if isinstance(step, str) and isinstance(dtype, pl.Struct):
            dtype = {one.name: one.dtype for one in dtype.fields}.get(step)
        elif isinstance(step, int) and isinstance(dtype, pl.List | pl.Array):
            dtype = dtype.inner
        else:
            return False
    return dtype is not None


def _leaf(table: pl.DataFrame, way: Sequence[str | int]) -> list[Any]:
    leaf = table.get_column(str(way[0])).alias("")
    for step in way[1:]:
        if isinstance(step, str):
            leaf = leaf.struct.unnest().get_column(step)
        elif isinstance(leaf.dtype, pl.List):
            leaf = leaf.list.get(step, null_on_oob=True)
        else:
            leaf = leaf.arr.get(step, null_on_oob=True)
    if leaf.dtype.is_float():
        # In the digits of its own precision. What is no number is what pandas writes for nothing.
        found = leaf.fill_nan(None).cast(pl.String)
        return [text and f"{Decimal(text):f}".removesuffix(".0") for text in found]
    if isinstance(leaf.dtype, pl.Decimal):
        # Whole numbers without decimals, as floats.
        return [text and re.sub(r"\.0+$", "", text) for text in leaf.cast(pl.String)]
    if isinstance(leaf.dtype, pl.Categorical | pl.Enum):
        leaf = leaf.cast(pl.String)
    return leaf.to_list()


# --- spreadsheets -------------------------------------------------------------------------

# In a number's format, what is shown as it stands.
_SHOWN = re.compile(r'"[^"]*"|\\.')


def _xlsx(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    sheet = _sheet(file, form.get("sheet"), results=False)
    rows = _with_results(file, sheet)
    names = ["" if one.value is None else str(one.value) for one in next(rows, ())]
    if not any(names):
        raise file.error(
            f"has no names of columns in the first row of sheet {sheet.title!r}; write them there"
        )
    _check_names(file, names, wanted)
    records.names = names
    places = {column: names.index(column) for column in wanted.columns}
    for area in sheet.merged_cells.ranges:
        if any(area.min_col <= place + 1 <= area.max_col for place in places.values()):
            raise file.error(
                f"has merged cells ({area.coord}) in sheet {sheet.title!r}; unmerge them, and "
                "write into every row what it holds"
            )
    for number, cells in enumerate(rows, 2):
        if not any(_filled(one.value) for one in cells):
            records.empty += 1
            continue
        values = {}
        for column, place in places.items():
            cell = cells[place]
            values[column] = _shown(cell.value, str(cell.number_format))
            if cell.data_type == "f":
                why = "holds a formula without its result; save the file in a spreadsheet program"
                records.mark(column, NoTextError(why))
            elif cell.data_type == "e":
                why = f"holds the error {cell.value}; list it in key `format.missing` where it "
                why += "stands for nothing, or mend the cell"
                records.mark(column, NoTextError(why, str(cell.value)))
        records.add(f"row {number}", values)


def _with_results(file: DataFile, sheet: Any) -> Iterator[list[Any]]:
    """The rows of a sheet, with the results of formulas for those that were saved with one."""
    results = None
    for cells in sheet.iter_rows():
        row = list(cells)
        for place, one in enumerate(row):
            if one.data_type == "f":
                results = results or _sheet(file, sheet.title, results=True)
                result = results.cell(one.row, one.column)
                # A result that is a text without letters has its type alone.
                if result.value is not None or result.data_type == "str":
                    row[place] = result
        yield row


def _shown(value: Any, number_format: str) -> Any:
    """The value of a cell as a reader of the sheet sees it, where the program writes otherwise."""
    if isinstance(value, str):
        from openpyxl.utils.escape import unescape  # noqa: PLC0415 - see `_sheet`

        return unescape(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and "%" in _SHOWN.sub("", number_format):
        return f"{_text(float(value * 100))}%"
    return value


def _sheet(file: DataFile, title: str | None, *, results: bool) -> Any:
    """A sheet of a spreadsheet, without a title the first that is seen; formulas, or results."""
    # Every stage loads this module, and none but this one reads spreadsheets.
    import openpyxl  # noqa: PLC0415

    try:
        with warnings.catch_warnings(), file.path.open("rb") as stream:
            # They are about parts that hold no values, such as rules for input.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(stream, data_only=results)
    except MemoryError:
        raise
    except Exception as error:
        # What it raises of a damaged part is of the libraries below it, and in no list.
        raise file.error(
            "cannot be read as xlsx; save it as an Excel workbook (.xlsx) without a password"
        ) from error
    titles = [sheet.title for sheet in book.worksheets]
    if not titles:
        raise file.error("has no sheet with cells; save it as an Excel workbook (.xlsx) again")
    if title is not None and title not in titles:
        raise file.error(
            f"has no sheet {title!r} (key `format.sheet`); its sheets are {', '.join(titles)}"
        )
    seen = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    return book[title] if title is not None else (seen or book.worksheets)[0]


Reader = Callable[[DataFile, Mapping[str, Any], Wanted, Records], None]

_READERS: Mapping[str, Reader] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _json_lines,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
