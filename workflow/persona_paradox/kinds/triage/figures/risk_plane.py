"""Over-triage against under-triage: in which direction every persona errs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ....figures import ink, plane, words
from ....figures.cells import Cells, all_invalid, read_cells
from ....figures.page import Entry
from ....figures.plane import Measure, Plane, Scale

_OVER = Measure("over_triage_rate", "over", "Over-triage rate")
_UNDER = Measure("under_triage_rate", "under", "Under-triage rate")


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    cells = read_cells(tables["cells"])
    limit = _limit(cells, settings)
    with ink.context(tables, settings):
        return plane.draw(
            cells,
            settings,
            (Scale(_OVER, 0.0, limit), Scale(_UNDER, 0.0, limit)),
            _draw_lines,
            subtitle="Risk plane: under-triage against over-triage, as shares of all items (our "
            "own definition: an invalid answer counts in neither)",
            key=_key(cells, settings),
            notes=_notes(cells, settings),
        )


def _limit(cells: Cells, settings: Mapping[str, Any]) -> float:
    """End of both scales in all panels: the next step of 10 points above all intervals."""
    values = [value for axis in plane.extent(cells, settings, (_OVER, _UNDER)) for value in axis]
    return min(1.0, max(0.2, math.ceil(10 * max(values, default=1.0)) / 10))


def _draw_lines(panel: Plane, taken: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Draw the lines of equal total error."""
    axes, limit = panel.axes, panel.scales[0].high
    step = 0.2 if limit > 0.5 else 0.1
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(np.arange(0, limit + step / 2, step))
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    labels: list[tuple[float, float]] = []
    for k in np.arange(step, min(1.0, 2 * limit) + step / 2, step):
        low, high = max(0.0, k - limit), min(k, limit)
        if high - low >= step / 2:
            ends = [(low, k - low), (high, k - high)]
            labels.append(plane.line(panel, ends, f"{100 * k:.0f}%", taken=taken))
    return labels


def _key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    level = words.percent(settings["confidence"])
    key = [
        Entry(f"{level} intervals", line={"color": ink.MIDDLE, "linewidth": 0.5}),
        Entry("equal total error", line={"color": ink.LIGHT, "linewidth": 0.8}),
    ]
    if any(all_invalid(row) for name, row in cells.rows.items() if name[3] == "main"):
        key.append(Entry("every answer invalid: no rate to read", ink.STRUCK))
    return key


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    return [
        "n: items per point. Main wording.",
        "Total error: under-triage plus over-triage, our own definition; with the accuracy and "
        "the share of invalid answers it makes 100%.",
        f"Intervals: {words.share_note(settings, cells.tasks)}.",
    ]
