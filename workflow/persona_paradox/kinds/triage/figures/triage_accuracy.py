"""Accuracy of every persona in every task, beside what a guess, a person and words reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ....figures import ink, marks, typeset, words
from ....figures.cells import SAME_ITEMS, Cells, all_invalid, read_cells
from ....figures.page import Entry, Sheet, model_key
from ....figures.rows import Rows, draw_rows, label_rows, label_width, rows_of
from ....names import HUMAN, RATED, WORDS

_COLUMNS = 2
_GAP_MM = 6.0
_INVALID_MM = 18.0
_STRIP_MM = 2.8
_TICKS_MM = 8.5

_CHANCE: dict[str, Any] = {"color": ink.MIDDLE, "linestyle": (0, (1, 1.5)), "linewidth": 0.8}
_RATER: dict[str, Any] = {"color": ink.DARK, "linestyle": (0, (5, 1.5)), "linewidth": 0.9}
_WORDS: dict[str, Any] = {"color": ink.DARK, "linestyle": (0, (5, 1.2, 1, 1.2)), "linewidth": 0.9}
# Line and band of each. The bands of both may lie upon each other.
_LOOKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    HUMAN: (_RATER, {"color": ink.PALE}),
    WORDS: (
        _WORDS,
        {"facecolor": "none", "edgecolor": ink.MIDDLE, "hatch": "//////", "hatch_linewidth": 0.3}
        | {"linewidth": 0},
    ),
}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    with ink.context(tables, settings):
        return _draw(read_cells(tables["cells"]), settings)


def _draw(cells: Cells, settings: Mapping[str, Any]) -> Figure:
    rows = rows_of(cells, settings, cells.personas)
    labels = label_width(settings, cells.personas) + 3
    texts = {
        (model, task, persona): f"{row['n_invalid']}/{row['n']} invalid"
        for (model, task, persona, variant), row in cells.rows.items()
        if model not in RATED and variant == "main"
    }
    beside = 3.5 + max(typeset.width_of(text, ink.SMALL_PT, "bold") for text in texts.values())
    columns = min(_COLUMNS, len(cells.tasks))
    width = (ink.INNER_MM - labels - (columns - 1) * _GAP_MM) / columns
    titles = {
        task: typeset.wrap(words.task_title(settings["tasks"][task]), width, ink.PANEL_PT, "bold")
        for task in cells.tasks
    }
    title_height = max(typeset.height_of(title, ink.PANEL_PT) for title in titles.values()) + 0.3
    strip = _STRIP_MM * (1 + max(len(cells.raters(task)) for task in cells.tasks))
    head = title_height + 3.2 + strip
    pitch = head + rows.height + _TICKS_MM + 2
    lines = -(-len(cells.tasks) // columns)

    subtitle = "Accuracy: share of all items whose answer equals the reference"
    sheet = Sheet(
        settings,
        subtitle + words.of_model(cells, settings),
        lines * pitch - 2,
        _key(cells, settings),
        _notes(cells, settings),
    )
    for i, task in enumerate(cells.tasks):
        line, column = divmod(i, columns)
        left, top = labels + column * (width + _GAP_MM), line * pitch
        n = words.n_text(row["n"] for row in cells.main(task))
        sheet.text(left, top, titles[task], size=ink.PANEL_PT, weight="bold")
        sheet.text(left, top + title_height, n)
        axes = sheet.axes(left, top + head, width - beside, rows.height)
        if column == 0:
            label_rows(sheet, rows, settings, top + head)
        _draw_panel(axes, rows, cells, settings, task)
        for persona, model in rows.place:
            row = cells.get(model, task, persona)
            if row is not None:
                y = top + head + rows.of(persona, model)
                text = texts[model, task, persona]
                weight = "bold" if all_invalid(row) else "normal"
                x = left + width - beside + 2.5
                sheet.text(x, y, text, size=ink.SMALL_PT, anchor="middle", weight=weight)
    return sheet.figure


def _draw_panel(
    axes: Axes, rows: Rows, cells: Cells, settings: Mapping[str, Any], task: str
) -> None:
    draw_rows(axes, rows)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("Accuracy")
    _draw_references(axes, rows, cells, settings, task)
    looks, markers = ink.looks(cells.personas), ink.model_markers(cells.models)
    for persona, model in rows.place:
        text = words.instead(cells.get(model, task, persona), settings)
        if text is not None:
            y = rows.of(persona, model)
            axes.text(0.02, y, text, size=ink.SMALL_PT, va="center_baseline")
    for (model, of_task, persona, variant), row in cells.rows.items():
        if of_task != task or model in RATED or words.instead(row, settings):
            continue
        y = rows.of(persona, model, variant)
        name = f"{model}|{task}|{persona}|{variant}"
        look = (looks[persona].colour, markers[model] or looks[persona].marker)
        marks.wording(axes, row, scale=1, y=y, name=name, look=look)


def _draw_references(
    axes: Axes, rows: Rows, cells: Cells, settings: Mapping[str, Any], task: str
) -> None:
    """Draw what a guess and the raters reach; their labels stand above the panel."""
    n_levels = len(settings["tasks"][task]["levels"])
    guess = f"uniform guess (1/{n_levels})"
    _draw_reference(axes, rows, (1 / n_levels, 0), guess, _CHANCE | {"gid": f"chance|{task}"})
    for i, row in enumerate(cells.raters(task), start=1):
        if words.instead(row, settings):
            continue
        line, band = _LOOKS[row["model"]]
        axes.axvspan(row["accuracy_low"], row["accuracy_high"], zorder=-1, **band)
        items = " on the same items" if row["variant"] == SAME_ITEMS else ""
        text = f"{settings['raters'][row['persona']]}{items}, n = {row['n']}"
        look = line | {"gid": f"rater|{task}|{row['persona']}"}
        _draw_reference(axes, rows, (row["accuracy"], i), text, look)


def _draw_reference(
    axes: Axes, rows: Rows, place: tuple[float, int], text: str, look: Mapping[str, Any]
) -> None:
    """Draw a vertical line; `place` is its x and the line of the strip that its label takes."""
    x, strip = place
    y = -(strip + 0.5) * _STRIP_MM
    axes.plot([x, x], [rows.height, y], clip_on=False, zorder=1, **look)
    half = typeset.width_of(text, ink.SMALL_PT) / 2 / _width_mm(axes)
    label: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "center", "va": "center_baseline"}
    label |= {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.6}, "zorder": 2}
    axes.text(min(max(x, half), 1 - half), y, text, **label)


def _width_mm(axes: Axes) -> float:
    return axes.get_position().width * ink.WIDTH_MM


def _key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    interval = f"{words.percent(settings['confidence'])} interval"
    bar = {"color": ink.MIDDLE}
    key = model_key(cells, settings)
    key.append(Entry(f"main wording, {interval}", ink.filled(ink.MIDDLE, "o"), bar))
    if cells.paraphrases:
        key.append(Entry("paraphrase", ink.hollow(ink.MIDDLE, "o")))
    models = {row["model"] for task in cells.tasks for row in cells.raters(task)}
    if HUMAN in models:
        key.append(Entry(f"human rater, {interval}", line=_RATER, band=ink.PALE))
    if WORDS in models:
        key.append(Entry(f"bag of words, {interval} (hatched)", line=_WORDS))
    key.append(Entry("uniform guess (1 / number of levels)", line=_CHANCE))
    if any(all_invalid(row) for row in cells.rows.values()):
        key.append(Entry("every answer invalid", ink.STRUCK))
    return key


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    notes = [
        "n: items per point. An answer that cannot be read as a label is invalid and counts as "
        "wrong; the right-hand column counts them, in the main wording.",
        f"Intervals: {words.share_note(settings, cells.tasks)}.",
    ]
    if any(row["model"] == WORDS for task in cells.tasks for row in cells.raters(task)):
        notes.append(
            "Bag of words: a logistic regression on words and fields of the cases, cross-fitted in "
            f"{settings['folds']} folds; it reads no sentence, and saw no persona."
        )
    notes += words.too_few_note(settings, cells.rows.values())
    unasked = sum(row["n_not_run"] for task in cells.tasks for row in cells.main(task))
    if unasked:
        notes.append(f"Of the invalid answers {unasked} have no text: no prompt could be given.")
    return [*notes, words.study_note(settings, cells.tasks)]
