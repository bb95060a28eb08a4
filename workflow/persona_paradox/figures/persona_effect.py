"""What every persona adds to the baseline's accuracy, on the same items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from . import style
from .style import Cells, Entry, Rows, Sheet

_TICKS_MM = 8.5
_GAP_MM = 3.5
_COLUMN_GAP_MM = 4.0


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; the caption in workflow/report says what it shows."""
    with style.context():
        contrasts = tables["contrasts"]
        if "model" not in contrasts.columns:  # no persona beside the baseline
            contrasts = tables["cells"].clear()
        return _draw(style.read(tables["cells"]), style.read(contrasts), settings)


@dataclass(frozen=True)
class _Column:
    """A column of text at the right: its head, its texts by cell, its width in mm."""

    head: str
    texts: dict[style.Key, str]

    @property
    def width(self) -> float:
        lines = [*self.head.split("\n"), *self.texts.values()]
        return max(style.width_of(line, style.SMALL_PT, "bold") for line in lines)


def _draw(cells: Cells, contrasts: Cells, settings: Mapping[str, Any]) -> Figure:
    # The order is that of the cells, for a table of contrasts lacks the baseline.
    personas = [persona for persona in cells.personas if persona in contrasts.personas]
    rows = style.rows_of(cells, settings, personas)
    labels = style.label_width(settings, personas) + 3
    columns = _columns(contrasts, settings)
    width = style.INNER_MM - labels
    width -= sum(column.width + _COLUMN_GAP_MM for column in columns)
    subtitles = {task: _subtitle(cells, contrasts, settings, task) for task in cells.tasks}
    lines = max(style.height_of(text, style.SMALL_PT) for text in subtitles.values())
    head = 3.6 + lines + style.height_of("\n", style.SMALL_PT) + 1.2
    height = max(rows.height, 6.0)
    pitch = head + height + _TICKS_MM + _GAP_MM
    baseline = settings["personas"][settings["baseline"]]["title"]

    sheet = Sheet(
        settings,
        f"Effect of the persona: accuracy minus that of “{baseline}” on the same items"
        + style.of_model(cells, settings),
        len(cells.tasks) * pitch - _GAP_MM,
        _key(cells, contrasts, settings),
        _notes(cells, contrasts, settings),
    )
    limit = _limit(contrasts)
    for i, task in enumerate(cells.tasks):
        top = i * pitch
        title = style.task_title(settings["tasks"][task])
        sheet.text(labels, top, title, size=style.PANEL_PT, weight="bold")
        sheet.text(labels, top + 3.6, subtitles[task], size=style.SMALL_PT)
        axes = sheet.axes(labels, top + head, width, height)
        axes.set_xlim(-limit, limit)
        axes.xaxis.set_major_locator(MaxNLocator(8, symmetric=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: style.number(x, 0, signed=True)))
        axes.set_xlabel("Difference in accuracy (percentage points)")
        axes.axvline(0, color=style.DARK, linewidth=0.8, zorder=1)
        if personas:
            style.label_rows(sheet, rows, settings, top + head)
            _draw_panel(axes, rows, cells, contrasts, task, baseline=settings["baseline"])
            _write_columns(sheet, rows, contrasts, columns, task, top=top + head)
        else:
            axes.set_ylim(height, 0)
            axes.set_yticks([])
            text = "not available: the study has no persona beside the baseline"
            axes.text(0, height / 2, text, size=style.SMALL_PT, ha="center", va="center")
    return sheet.figure


def _subtitle(cells: Cells, contrasts: Cells, settings: Mapping[str, Any], task: str) -> str:
    """N of the panel, and how many answers of the baseline were invalid."""
    n = style.n_text(row["n"] for row in contrasts.main(task) or cells.main(task))
    parts = []
    for model in cells.models:
        row = cells.get(model, task, settings["baseline"])
        if row is not None:
            of = f" ({settings['models'][model]})" if len(cells.models) > 1 else ""
            parts.append(f"{row['n_invalid']}/{row['n']} invalid{of}")
    text = f"{n} items, each under the persona and the baseline; baseline: {', '.join(parts)}"
    return style.wrap(text, 0.75 * style.INNER_MM, style.SMALL_PT)


def _limit(contrasts: Cells) -> float:
    """Half of the width of the panels, the same for all, in percentage points."""
    names = ("accuracy", "accuracy_low", "accuracy_high")
    values = [abs(row[name] or 0.0) for row in contrasts.rows.values() for name in names]
    return float(min(max([10.0, *(108 * value for value in values)]), 104.0))


def _draw_panel(
    axes: Axes, rows: Rows, cells: Cells, contrasts: Cells, task: str, *, baseline: str
) -> None:
    style.draw_rows(axes, rows)
    looks, markers = style.looks(cells.personas), style.model_markers(cells.models)
    for persona, model in rows.place:
        row = contrasts.get(model, task, persona)
        if (row is None and persona != baseline) or (row and row["accuracy"] is None):
            y = rows.of(persona, model)
            axes.text(0, y, "not available", size=style.SMALL_PT, va="center_baseline")
    for (model, of_task, persona, variant), row in contrasts.rows.items():
        if of_task != task or row["accuracy"] is None:
            continue
        y = rows.of(persona, model, variant)
        name = f"{model}|{task}|{persona}|{variant}"
        look = (looks[persona].colour, markers[model] or looks[persona].marker)
        style.wording(axes, row, scale=100, y=y, name=name, look=look)


def _columns(contrasts: Cells, settings: Mapping[str, Any]) -> list[_Column]:
    """The columns of text, with the figures of the main wordings."""
    level = style.percent(settings["confidence"])
    main = {key: row for key, row in contrasts.rows.items() if key[3] == "main"}
    if not main:
        return []

    def column(head: str, text: Any) -> _Column:
        return _Column(head, {key: text(row) for key, row in main.items()})

    return [
        column(f"difference\n[{level} interval]", _difference),
        column("McNemar p\n(Holm)", lambda r: f"{_p(r['mcnemar_p'])} ({_p(r['mcnemar_p_holm'])})"),
        column("answers\nchanged", lambda r: f"{r['n_changed']}/{r['n']}"),
        column(
            "invalid\n(baseline)",
            lambda r: f"{r['n_invalid']}/{r['n']} ({r['n_invalid_baseline']}/{r['n']})",
        ),
    ]


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


def _write_columns(
    sheet: Sheet,
    rows: Rows,
    contrasts: Cells,
    columns: list[_Column],
    task: str,
    *,
    top: float,
) -> None:
    """Write the columns beside a panel that begins at `top`."""
    right = style.INNER_MM
    for column in reversed(columns):
        look: dict[str, Any] = {"size": style.SMALL_PT, "ha": "right"}
        sheet.text(right, top - 0.6, column.head, anchor="bottom", color=style.MIDDLE, **look)
        for persona, model in rows.place:
            row = contrasts.get(model, task, persona)
            if row is not None:
                text = column.texts[model, task, persona, "main"]
                y = top + rows.of(persona, model)
                weight = "bold" if style.all_invalid(row) else "normal"
                sheet.text(right, y, text, anchor="middle", weight=weight, **look)
        right -= column.width + _COLUMN_GAP_MM


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
    ends = [(row["accuracy_low"], row["accuracy_high"]) for row in contrasts.rows.values()]
    if any(low is not None and low == high for low, high in ends):
        notes.append(
            "An interval without width: no item turned right or wrong; the doubt that remains "
            "with so few items is beyond the bootstrap."
        )
    return [*notes, style.study_note(settings, cells.tasks)]
