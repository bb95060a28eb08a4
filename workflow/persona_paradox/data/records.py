"""Files of records: the columns that a configuration names, as text."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from typing import Any

from .csv_records import read_csv
from .json_records import read_json, read_json_lines
from .rows import DataFile, Reader, Records, Wanted
from .sheet_records import read_parquet, read_xlsx

# A text of any length; the module's own limit is 128 KiB.
csv.field_size_limit(sys.maxsize)


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


_READERS: Mapping[str, Reader] = {
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "xlsx": read_xlsx,
}
