"""How often the answer is heads, by persona."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per persona."""
    heads = tables["sides"].filter(side="heads", variant="main")
    titles = {id_: persona["title"] for id_, persona in settings["personas"].items()}
    return heads.select(pl.col("persona").replace_strict(titles), "n_answered")


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A bar for each persona."""
    return {
        "title": settings["title"],
        "mark": "bar",
        "encoding": {
            "y": {"field": "persona", "type": "nominal", "title": None},
            "x": {"field": "n_answered", "type": "quantitative", "title": "heads"},
        },
    }
