"""The confusion matrix of a cell: answer levels by reference levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....measures import statistics
from ....measures.answers import number
from .. import formulas
from ..measures import Triaged

SCHEMA = {
    "backend": pl.String,
    "reference": pl.Int64,
    "answer": pl.Int64,
    "reference_level": pl.String,
    "answer_level": pl.String,
    "n": pl.Int64,
    "count": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


def rows(
    this: Triaged, view: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of `SCHEMA`, with Wilson intervals of the shares of each reference level.

    Args:
        this: the answers of a cell in one wording.
        view: the measures' view of the task.
        settings: the statistics'.
    """
    counts = formulas.confusion(this.reference, this.answer, this.levels)
    found = []
    for reference, line in enumerate(counts):
        n = int(line.sum())
        for answer, count in enumerate(line.tolist()):
            low, high = statistics.wilson(count, n, settings["confidence"])
            valid = answer < this.levels
            found.append(
                {
                    "backend": this.backend,
                    "reference": reference,
                    "answer": answer if valid else None,
                    "reference_level": view["levels"][reference],
                    "answer_level": view["levels"][answer] if valid else "invalid",
                    "n": n,
                    "count": count,
                    "share": count / n if n else None,
                    "low": number(low),
                    "high": number(high),
                }
            )
    return found
