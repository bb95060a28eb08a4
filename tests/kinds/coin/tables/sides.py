"""How often each side fell, and how often it was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...labelled.measures import Chosen

SCHEMA = {"side": pl.String, "n_fell": pl.Int64, "n_answered": pl.Int64}


def rows(
    this: Chosen, view: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One row per side."""
    return [
        {
            "side": side,
            "n_fell": int((this.reference == number).sum()),
            "n_answered": int((this.answer == number).sum()),
        }
        for number, side in enumerate(view["levels"])
    ]
