"""What every persona adds to the baseline's accuracy, on the same items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from . import style
from .style import Cells, Entry, Rows, Sheet

_TICKS_MM = 5.5
_GAP_MM = 4.0
_COLUMN_HEAD_MM = 5.4

# Columns of text at the right: head and distance of their right edge from the page's.
_COLUMNS = {
    "difference": ("difference\n[{level} interval]", 58.0),
    "p": ("McNemar p\n(Holm)", 36.0),
    "changed": ("answers\nchanged", 19.0),
    "invalid": ("invalid\n(baseline)", 0.0),
}
_COLUMNS_MM = 90.0


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; the caption in workflow/report says what it shows."""
    with style.context():
        cells = style.read(tables["cells"])
        contrasts = tables["contrasts"]
        found = style.read(contrasts if "model" in contrasts.columns else tables["cells"].clear())
        return _draw(cells, found, settings)


def _draw(cells: Cells, contrasts: Cells, settings: Mapping[str, Any]) -> Figure:
    # The order is that of the cells: a table of contrasts lacks the baseline.
    personas = [persona for persona in cells.personas if persona in contrasts.personas]
    rows = style.rows_of(cells, settings, personas)
    labels = style.label_width(settings, personas) + 3
    width = style.INNER_MM - labels - _COLUMNS_MM
    subtitles = {task: _subtitle(cells, contrasts, settings, task) for task in cells.tasks}
    lines = max(text.count("\n") + 1 for text in subtitles.values())
    head = 3.6 + 2.9 * lines + _COLUMN_HEAD_MM
    height = max(rows.height, 6.0)
    pitch = head + height + _TICKS_MM + _GAP_MM
    baseline = settings["personas"][settings["baseline"]]["title"]

    sheet = Sheet(
        settings,
        f"Effect of the persona: accuracy minus that of “{baseline}” on the same items, in "
        "percentage points" + style.of_model(cells, settings),
        len(cells.tasks) * pitch,
        _key(cells, contrasts, settings),
        _notes(cells, contrasts, settings),
    )
    limit = _limit(contrasts)
    for i, task in enumerate(cells.tasks):
        top = i * pitch
        title = style.task_title(settings["tasks"][task])
        sheet.text(labels, top, title, size=style.PANEL_PT, weight="bold", va="top")
        sheet.text(labels, top + 3.6, subtitles[task], size=style.SMALL_PT, va="top")
        axes = sheet.axes(labels, top + head, width, height)
        axes.set_xlim(-limit, limit)
        axes.xaxis.set_major_locator(MaxNLocator(8, symmetric=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: style.number(x, 0, signed=True)))
        axes.axvline(0, color=style.DARK, linewidth=0.8, zorder=1)
        if not personas:
            axes.set_ylim(height, 0)
            axes.set_yticks([])
            text = "not available: the study has no persona beside the baseline"
            axes.text(0, height / 2, text, size=style.SMALL_PT, ha="center", va="center")
            continue
        style.label_rows(sheet, rows, settings, top + head)
        _draw_panel(axes, rows, cells, contrasts, task)
        _write_columns(sheet, rows, contrasts, settings, task, top + head)
    return sheet.figure


def _subtitle(
    cells: Cells, contrasts: Cells, settings: Mapping[str, Any], task: str
) -> str:
    """N of the panel, and how many answers of the baseline were invalid."""
    n = style.n_text(row["n"] for row in contrasts.main(task) or cells.main(task))
    parts = []
    for model in cells.models:
        row = cells.get(model, task, settings["baseline"])
        if row is not None:
            of = f" ({settings['models'][model]})" if len(cells.models) > 1 else ""
            parts.append(f"{row['n_invalid']}/{row['n']} invalid{of}")
    text = f"{n} pairs of answers; baseline: {', '.join(parts)}"
    return style.wrap(text, style.INNER_MM - 45, style.SMALL_PT)


def _limit(contrasts: Cells) -> float:
    """Half of the width of the panels, the same for all, in percentage points."""
    names = ("accuracy", "accuracy_low", "accuracy_high")
    values = [abs(row[name]) for row in contrasts.rows.values() for name in names if row[name]]
    return min(max([10.0, *(108 * value for value in values)]), 104.0)


def _draw_panel(axes: Axes, rows: Rows, cells: Cells, contrasts: Cells, task: str) -> None:
    style.draw_rows(axes, rows)
    looks, markers = style.looks(cells.personas), style.model_markers(cells.models)
    for (model, of_task, persona, variant), row in contrasts.rows.items():
        if of_task != task:
            continue
        y = rows.of(persona, model, variant)
        name = f"{model}|{task}|{persona}|{variant}"
        if row["accuracy"] is None:
            axes.text(0, y, "not available", size=style.SMALL_PT, va="center_baseline")
            continue
        x = 100 * row["accuracy"]
        colour, marker = looks[persona].colour, markers[model] or looks[persona].marker
        if variant == "main":
            ends = [100 * row["accuracy_low"], 100 * row["accuracy_high"]]
            style.interval(axes, ends, [y, y], f"interval|{name}", color=colour)
            style.point(axes, x, y, f"point|{name}", **style.filled(colour, marker))
        else:
            style.point(axes, x, y, f"point|{name}", **style.hollow(colour, marker))
        if style.all_invalid(row):
            style.strike(axes, x, y, f"struck|{name}", small=variant != "main")


def _write_columns(
    sheet: Sheet, rows: Rows, contrasts: Cells, settings: Mapping[str, Any], task: str, top: float
) -> None:
    """Write the figures of the main wordings at the right."""
    level = style.percent(settings["confidence"])
    right = {name: style.INNER_MM - edge for name, (_, edge) in _COLUMNS.items()}
    look = {"size": style.SMALL_PT, "ha": "right"}
    for name, (text, _) in _COLUMNS.items():
        head = text.format(level=level)
        sheet.text(right[name], top - 0.6, head, va="bottom", color=style.MIDDLE, **look)
    for persona, model in rows.place:
        row = contrasts.get(model, task, persona)
        if row is None:
            continue
        weight = "bold" if style.all_invalid(row) else "normal"
        texts = {
            "difference": _difference(row),
            "p": f"{_p(row['mcnemar_p'])} ({_p(row['mcnemar_p_holm'])})",
            "changed": f"{row['n_changed']}/{row['n']}",
            "invalid": f"{row['n_invalid']}/{row['n']} ({row['n_invalid_baseline']}/{row['n']})",
        }
        for name, text in texts.items():
            y = top + rows.of(persona, model)
            sheet.text(right[name], y, text, va="center_baseline", weight=weight, **look)


def _difference(row: Mapping[str, Any]) -> str:
    values = [row[name] for name in ("accuracy", "accuracy_low", "accuracy_high")]
    if any(value is None for value in values):
        return "not available"
    point, low, high = (style.number(100 * value, 1, signed=True) for value in values)
    return f"{point} [{low}, {high}]"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _key(cells: Cells, contrasts: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    level = style.percent(settings["confidence"])
    bar = {"color": style.MIDDLE}
    text = f"main wording, {level} paired bootstrap interval"
    key = style.model_key(cells, settings)
    key.append(Entry(text, style.filled(style.MIDDLE, "o"), bar))
    if contrasts.paraphrases:
        key.append(Entry("paraphrase", style.hollow(style.MIDDLE, "o")))
    if any(style.all_invalid(row) for row in contrasts.rows.values()):
        key.append(Entry("every answer invalid", style.STRUCK))
    return key


def _notes(cells: Cells, contrasts: Cells, settings: Mapping[str, Any]) -> list[str]:
    notes = [
        "n: pairs, the same item under the persona and under the baseline. An invalid answer "
        "counts as wrong.",
        f"Intervals: {style.bootstrap_note(settings)}, the same draws on both sides.",
        f"p: exact McNemar test; Holm: adjusted over all {len(contrasts.rows)} contrasts of the "
        "study, paraphrases included.",
    ]
    return [*notes, style.study_note(settings, cells.tasks)]
