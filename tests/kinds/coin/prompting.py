"""What the places of the user's message are filled with: the case, and the coin's metal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def fields(items: pl.DataFrame, task: Mapping[str, Any]) -> pl.DataFrame:
    """`{metal}`, beside `{case}`, in the order of the items."""
    return items.select(metal=pl.col("metal").str.to_uppercase())
