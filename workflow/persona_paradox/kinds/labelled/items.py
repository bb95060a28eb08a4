"""What is kept of an item besides its case: the right class, and those that human raters gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...data.columns import mapped


def columns(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """`reference`, and `human_<id>` of every rater, as ids of classes.

    Args:
        raw: rows of the files, as text.
        ids: of the items.
        keys: key `columns` of the data set.
        name: its file, in errors.
    """
    read = {"reference": keys["reference"]["column"]}
    read |= {f"human_{rater['id']}": rater["column"] for rater in keys.get("human", ())}
    values = keys["reference"]["values"]
    return {
        column: mapped(raw, ids, "reference", source, values, name=name)
        for column, source in read.items()
    }
