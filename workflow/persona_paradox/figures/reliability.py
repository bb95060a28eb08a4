"""Reliability diagrams: how often the top label is right, against its probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from . import style
from .style import Cells, Entry, Look, Sheet

_COLUMNS = 5
_LEFT_MM = 8.0
_GAP_MM = 6.5
_PANEL_MM = (style.INNER_MM - _LEFT_MM - (_COLUMNS - 1) * _GAP_MM) / _COLUMNS
_LINE_MM = 2.5
_TICKS_MM = 4.5
_BLOCK_HEAD_MM = 9.5

# Area of the marker of a bin that holds all items, in square points.
_FULL_AREA = 90.0
_DIAGONAL = {"color": style.MIDDLE, "linestyle": (0, (4, 2)), "linewidth": 0.6}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; the caption in workflow/report says what it shows."""
    shown = tables["reliability"].filter(
        (pl.col("metric") == "accuracy_in_bin")
        & (pl.col("confidence") == "top_label")
        & (pl.col("variant") == "main")
    )
    bins: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in shown.sort("bin", maintain_order=True).iter_rows(named=True):
        bins.setdefault((row["model"], row["task"], row["persona"]), []).append(row)
    with style.context():
        return _draw(style.read(tables["cells"]), bins, settings)


def _draw(
    cells: Cells,
    bins: Mapping[tuple[str, str, str], list[dict[str, Any]]],
    settings: Mapping[str, Any],
) -> Figure:
    titles = {
        persona: style.wrap(
            settings["personas"][persona]["title"], _PANEL_MM, style.SMALL_PT + 0.5, "bold"
        )
        for persona in cells.personas
    }
    title = 2.7 * max(text.count("\n") + 1 for text in titles.values())
    head = title + 4 * _LINE_MM + 1.2
    pitch = head + _PANEL_MM + _TICKS_MM + 2.5
    lines = -(-len(cells.personas) // _COLUMNS)
    block = _BLOCK_HEAD_MM + lines * pitch + 3
    blocks = [(task, model) for task in cells.tasks for model in cells.models]

    sheet = Sheet(
        settings,
        "Reliability of the top label: how often it equals the reference (vertical), against the "
        "probability the model gives it (horizontal)" + style.of_model(cells, settings),
        len(blocks) * block - 3,
        _key(settings),
        _notes(cells, bins, settings),
    )
    looks = style.looks(cells.personas)
    for i, (task, model) in enumerate(blocks):
        top = i * block
        _write_head(sheet, cells, settings, task, model, top)
        for j, persona in enumerate(cells.personas):
            line, column = divmod(j, _COLUMNS)
            left = _LEFT_MM + column * (_PANEL_MM + _GAP_MM)
            panel_top = top + _BLOCK_HEAD_MM + line * pitch
            look = {"size": style.SMALL_PT + 0.5, "weight": "bold", "va": "top"}
            sheet.text(left, panel_top, titles[persona], linespacing=1.1, **look)
            row = cells.get(model, task, persona) or {}
            _write_figures(sheet, row, settings, left, panel_top + title)
            _draw_panel(
                sheet,
                (left, panel_top + head),
                bins.get((model, task, persona), []),
                looks[persona],
                (f"{model}|{task}|{persona}", column == 0),
            )
    return sheet.figure
