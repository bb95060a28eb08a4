"""How often the answer is heads, by persona."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.figure import Figure


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """A bar for each persona."""
    rows = tables["sides"].filter(side="heads", variant="main")
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.bar([settings["personas"][p]["title"] for p in rows["persona"]], rows["n_answered"])
    axes.set_ylabel("answers")
    return figure
