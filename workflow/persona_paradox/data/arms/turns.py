"""The user says something behind the answer: the items stay, and every chat goes on.

What is said are the arm's `turns`, which become those of its task (see `study/turns.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Leave every item as it is, and mark it as changed: all are asked about again."""
    return items.with_columns(
        changed=pl.lit(value=True),
        change=pl.lit("the user goes on behind the answer"),
        unchanged=pl.lit(None, dtype=pl.String),
    )
