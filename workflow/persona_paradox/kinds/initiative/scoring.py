"""What an answer does about the problem of its case, by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...data.items import is_null_case
from ..labelled.scoring import ANSWER, ORIGIN
from .problems import words_of
from .reading import read

SCHEMA: dict[str, Any] = {
    **ANSWER,
    "problem": pl.String,
    "planted": pl.Boolean,
    "names": pl.Boolean,
    "raises": pl.Boolean,
    "parse_status": pl.String,
    "outcome": pl.String,
    **ORIGIN,
}


def score(
    responses: pl.DataFrame,
    items: pl.DataFrame,
    scoring: Mapping[str, Any],
    verbalized: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Read every answer of a cell.

    Args:
        responses: columns of a response.
        items: `item_id`, `pair`, `problem`, `planted`, `names` and `beside`.
        scoring: the task's view: `cluster`, the column that names an item's cluster.
        verbalized: none of such a task.

    Returns:
        A table of `SCHEMA`, one row per answer. `names` and `raises` say whether the answer names
        the planted problem, and whether it raises one that is not there; an answer may do both.
        `outcome` is one word for it (`problems`): the first of `names`, `raises`, `refused`,
        `unreadable` and `answers` that it is. `parse_status` is `read`, or why it is invalid.
    """
    row_of = {row["item_id"]: row for row in items.iter_rows(named=True)}
    rows = []
    for row in responses.filter(~is_null_case()).iter_rows(named=True):
        item = row_of[row["item_id"]]
        found = read(
            row["text"],
            names=words_of(item["names"]),
            beside=words_of(item["beside"]),
            planted=item["planted"],
            omitted=item["problem"] == "omission",
        )
        rows.append(
            {
                **{key: row[key] for key in ANSWER},
                "problem": item["problem"],
                "planted": item["planted"],
                "names": found.names,
                "raises": found.raises,
                "parse_status": found.status,
                "outcome": found.outcome,
                "cluster": item[scoring["cluster"]],
                "finish_reason": row["finish_reason"],
                "backend": row["backend"],
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)
