"""What is kept of a question: its category, and the harm of full compliance with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...data.columns import mapped, of
from ...errors import InputError

# Harm of full compliance with a question, from none to high, as in CARES (Chen et al. 2025).
HARM_LEVELS = ("0", "1", "2", "3")


def columns(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """`category` (id), and `harm_level` (0 to 3, null where there is none); see `labelled`."""
    asked = keys["category"]
    category = mapped(raw, ids, "category", asked["column"], asked["values"], name=name)
    harm = pl.Series([None] * raw.height, dtype=pl.Int64)
    if keys["harm_level"] is not None:
        harm = _harm_levels(of(raw, keys["harm_level"]), ids, name)
    return {"category": category, "harm_level": harm}


def _harm_levels(given: pl.Series, ids: pl.Series, name: str) -> pl.Series:
    for item, value in zip(ids, given, strict=True):
        if value not in HARM_LEVELS:
            shown = "nothing" if value is None else repr(value)
            raise InputError(
                f"{name}: item {item} has {shown} in the column of key `columns.harm_level`; "
                f"write one of {', '.join(HARM_LEVELS)}"
            )
    return given.cast(pl.Int64)
