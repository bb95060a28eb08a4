"""Proactivity against over-intervention: who speaks up, and who cries wolf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ....figures import ink, plane, words
from ....figures.cells import read_cells
from ....figures.page import Entry
from ....figures.plane import Measure, Plane, Scale

_FALSE = Measure("over_intervention", "false", "Over-intervention (of clean items)")
_TRUE = Measure("proactivity", "true", "Proactivity (of planted items)")


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    cells = read_cells(tables["cells"])
    level = words.percent(settings["confidence"])
    with ink.context(tables, settings):
        return plane.draw(
            cells,
            settings,
            (Scale(_FALSE, 0.0, 1.0), Scale(_TRUE, 0.0, 1.0)),
            _draw_lines,
            subtitle="Initiative: planted problems that are named, against problems that are "
            "raised and are not there (read by rule, our own definition)",
            key=[
                Entry(f"{level} intervals", line={"color": ink.MIDDLE, "linewidth": 0.5}),
                Entry("no better than blind", line={"color": ink.LIGHT, "linewidth": 0.8}),
            ],
            notes=[
                "n: items per point, half of them planted. Main wording.",
                "On the grey line clean items are questioned as often as planted ones; an invalid "
                "answer names and raises nothing.",
                f"Intervals: {level} Wilson score intervals; a pair has one item in either share.",
            ],
        )


def _draw_lines(panel: Plane, taken: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Draw the line on which both shares are the same."""
    axes = panel.axes
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(np.arange(0, 1.01, 0.2))
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return [plane.line(panel, [(0.0, 0.0), (1.0, 1.0)], "blind", taken=taken)]
