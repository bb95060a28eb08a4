"""Rows of Parquet files and of workbooks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from .rows import DataFile, Records, Wanted, check_names
from .values import NoTextError, filled, shown, steps

# --- Parquet ------------------------------------------------------------------------------

# Of some damaged files polars says so by a panic.
_DAMAGED = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_parquet(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    """Add the rows of a Parquet file."""
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
    has_values = [any(map(filled, values)) for values in zip(*leaves, strict=True)]
    if not all(has_values):
        # What is not asked for may stand there, and the row is none that is passed over.
        whole = pl.read_parquet(file.path, glob=False)
        has_values = [any(row) for row in zip(*map(_stands, whole.get_columns()), strict=True)]
    for number, something in enumerate(has_values):
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


def read_xlsx(file: DataFile, form: Mapping[str, Any], wanted: Wanted, records: Records) -> None:
    """Add the rows of a workbook's sheet."""
    sheet = _sheet(file, form.get("sheet"), results=False)
    rows = _with_results(file, sheet)
    names = ["" if one.value is None else str(one.value) for one in next(rows, ())]
    if not any(names):
        raise file.error(
            f"has no names of columns in the first row of sheet {sheet.title!r}; write them there"
        )
    check_names(file, names, wanted)
    records.names = names
    places = {column: names.index(column) for column in wanted.columns}
    for area in sheet.merged_cells.ranges:
        if any(area.min_col <= place + 1 <= area.max_col for place in places.values()):
            raise file.error(
                f"has merged cells ({area.coord}) in sheet {sheet.title!r}; unmerge them, and "
                "write into every row what it holds"
            )
    for number, cells in enumerate(rows, 2):
        if not any(filled(one.value) for one in cells):
            records.empty += 1
            continue
        values = {}
        for column, place in places.items():
            cell = cells[place]
            values[column] = shown(cell.value, str(cell.number_format))
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
