"""Chunks: what a reader of the report may open later.

They stand in the page itself or, for a large study, in files beside it. A chunk is JSON,
compressed; its text is the same for the same input.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import polars as pl
import polars.selectors as cs

from ..files import sha256_bytes

# Items whose answers are loaded together.
BLOCK = 100
# A longer table is named in the page, and not shown.
MOST_ROWS = 50_000

Json = dict[str, Any]


def packed(value: Any) -> str:
    """A value as JSON, compressed, in letters that mean nothing in HTML or JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def chunk_file(name: str, content: str) -> str:
    """A chunk as a file that a page can load from a disk: a script that hands it over."""
    return f"chunk({json.dumps(name)},{json.dumps(content)});\n"


def table_columns(table: pl.DataFrame) -> Json:
    """A table as columns of numbers, texts and nulls."""
    numbers = table.with_columns(cs.float().fill_nan(None))
    return {name: numbers[name].to_list() for name in table.columns}


def shown(table: pl.DataFrame) -> bool:
    """Whether the page shows a table, or only names it."""
    return table.height <= MOST_ROWS


def fingerprint(content: str) -> str:
    """SHA-256 of a chunk, which the page names."""
    return sha256_bytes(content.encode())
