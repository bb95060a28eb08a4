"""Columns of the rows of a data set, for what kinds of tasks keep of its items."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..errors import InputError

# Column of the item's id. No column of a file has such a name.
ID = "\0id"


def of(raw: pl.DataFrame, column: str) -> pl.Series:
    """A column under no name: to polars one such as `*` or `^a$` stands for others."""
    return raw.get_column(column).alias("")


def mapped(
    raw: pl.DataFrame,
    ids: pl.Series,
    key: str,
    column: str,
    values: Mapping[str, str],
    *,
    name: str,
    gaps: bool = False,
) -> pl.Series:
    """A column of codes as what key `columns.{key}.values` maps them to.

    Nothing is null in it, but what is empty where there may be `gaps`.

    Raises:
        InputError: a value is not mapped; `name` is the file in errors.
    """
    given = of(raw, column)
    for item, value in zip(ids, given, strict=True):
        if value not in values and not (gaps and value is None):
            shown = "empty" if value is None else repr(value)
            raise InputError(
                f"{name}: item {item} has {shown} in column {column!r}, which key "
                f"`columns.{key}.values` does not map; the set is {', '.join(values)}"
            )
    return given.replace_strict(dict(values), return_dtype=pl.String)
