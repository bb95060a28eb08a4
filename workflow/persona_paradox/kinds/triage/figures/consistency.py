"""Three consistencies of every persona, side by side and never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ....figures import columns, ink, marks, typeset, words
from ....figures.cells import Cells, Key, all_invalid, read_cells
from ....figures.columns import Column
from ....figures.page import Entry, Sheet, model_key, over_panels
from ....figures.rows import Rows, draw_rows, label_rows, label_width, rows_of
from ....names import RATED

_TICKS_MM = 5.5
_GAP_MM = 4.5
_BETWEEN_MM = 6.0
_HEAD_MM = 3.6


@dataclass(frozen=True)
class _Panel:
    """One consistency: its column of the cells, its title, and a line on what agrees."""

    column: str
    title: str
    about: str

    @property
    def columns(self) -> tuple[str, str, str]:
        return self.column, f"{self.column}_low", f"{self.column}_high"


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    with ink.context(tables, settings):
        return _draw(read_cells(tables["cells"]), settings)


def _draw(cells: Cells, settings: Mapping[str, Any]) -> Figure:
    rows = rows_of(cells, settings, cells.personas)
    labels = label_width(settings, cells.personas) + 3
    texts = _columns(cells)
    width = ink.INNER_MM - labels - sum(column.width for column in texts)
    panels = {task: _panels(cells, settings, task) for task in cells.tasks}
    width = (width - 2 * _BETWEEN_MM) / 3
    abouts = [typeset.wrap(p.about, width, ink.SMALL_PT) for p in panels[cells.tasks[0]]]
    about_height = max(typeset.height_of(text, ink.SMALL_PT) for text in abouts)
    head = 2 * _HEAD_MM + about_height + 1.5
    pitch = head + rows.height + _TICKS_MM + _GAP_MM

    titles = {}
    height = 0.0
    for task in cells.tasks:
        n = words.n_text(row["n"] for row in cells.main(task))
        title, more = over_panels(f"{words.task_title(settings['tasks'][task])}; {n}")
        titles[task] = (title, height, height + more)
        height += more + pitch

    sheet = Sheet(
        settings,
        "Consistency of the answers: with the label probabilities, with themselves when sampled "
        "anew, and with the answers without a persona (our own definitions)"
        + words.of_model(cells, settings),
        height - _GAP_MM,
        _key(cells, settings),
        _notes(cells, settings),
    )
    for task in cells.tasks:
        title, above, top = titles[task]
        sheet.text(0, above, title, size=ink.PANEL_PT, weight="bold")
        label_rows(sheet, rows, settings, top + head)
        for j, panel in enumerate(panels[task]):
            left = labels + j * (width + _BETWEEN_MM)
            sheet.text(left, top + _HEAD_MM, panel.title, weight="bold")
            sheet.text(left, top + 2 * _HEAD_MM - 0.4, abouts[j], size=ink.SMALL_PT)
            axes = sheet.axes(left, top + head, width, rows.height)
            _draw_panel(axes, rows, cells, settings, task, panel=panel)
        columns.write(sheet, rows, texts, task, top=top + head)
    return sheet.figure


def _panels(cells: Cells, settings: Mapping[str, Any], task: str) -> list[_Panel]:
    sampled = sorted({row["n_repeats"] for row in cells.main(task) if row["n_repeats"]})
    answers = "–".join(str(n) for n in dict.fromkeys([*sampled[:1], *sampled[-1:]]))
    return [
        _Panel("consistency_readout", "Read-out", "answer = most probable label"),
        _Panel(
            "consistency_repeat",
            f"Repeat (R = {answers})" if answers else "Repeat",
            "pairs of sampled answers that agree",
        ),
        _Panel(
            "consistency_persona",
            "Persona (1 − flip rate)",
            f"answer = that of “{settings['personas'][settings['baseline']]['title']}”",
        ),
    ]


def _draw_panel(
    axes: Axes,
    rows: Rows,
    cells: Cells,
    settings: Mapping[str, Any],
    task: str,
    *,
    panel: _Panel,
) -> None:
    draw_rows(axes, rows)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    looks, markers = ink.looks(cells.personas), ink.model_markers(cells.models)
    for persona, model in rows.place:
        text = _instead(cells.get(model, task, persona), settings, panel)
        if text is not None:
            y = rows.of(persona, model)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
            look: dict[str, Any] = {"size": ink.SMALL_PT, "va": "center_baseline", "bbox": box}
            axes.text(0.02, y, text, color=ink.MIDDLE, **look)
    for (model, of_task, persona, variant), row in cells.rows.items():
        if of_task != task or model in RATED:
            continue
        if _instead(row, settings, panel) is None:
            y = rows.of(persona, model, variant)
            name = f"{panel.column}|{model}|{task}|{persona}|{variant}"
            shown = _of_repeats(row) if panel.column == "consistency_repeat" else row
            of = (looks[persona].colour, markers[model] or looks[persona].marker)
            marks.wording(axes, shown, scale=1, y=y, name=name, look=of, columns=panel.columns)


def _instead(
    row: Mapping[str, Any] | None, settings: Mapping[str, Any], panel: _Panel
) -> str | None:
    """What is written in the place of a point; None where it can stand."""
    if row is not None:
        if panel.column == "consistency_persona" and row["persona"] == settings["baseline"]:
            return "the baseline itself"  # which agrees with itself, and tells nothing
        if panel.column == "consistency_repeat" and not row["n_repeats"]:
            return "not sampled"
    return words.instead(row, settings, panel.column)


def _columns(cells: Cells) -> list[Column]:
    """The columns of text, with the figures of the main wordings."""
    main = {key: row for key, row in cells.rows.items() if key[0] not in RATED and key[3] == "main"}

    def counts(head: str, rows: Mapping[Key, Mapping[str, Any]]) -> Column:
        texts = {
            k: f"{row['n_invalid']}/{row['n']}" if row["n"] else "–" for k, row in rows.items()
        }
        return Column(head, texts, bold=frozenset(k for k, row in rows.items() if all_invalid(row)))

    answers = counts("invalid\nanswers", main)
    if not any(row["n_repeats"] for row in main.values()):
        return [answers]
    entropy = Column(
        "entropy of\nrepeats (nats)", {key: _entropy(row) for key, row in main.items()}
    )
    repeats = {key: _of_repeats(row) for key, row in main.items()}
    return [entropy, answers, counts("invalid\nrepeats", repeats)]


def _of_repeats(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose counts are those of the sampled answers, all together."""
    n = row["n"] * (row["n_repeats"] or 0)
    return {**row, "n": n, "n_invalid": row["n_invalid_repeats"] or 0}


def _entropy(row: Mapping[str, Any]) -> str:
    values = [row[f"repeat_entropy{end}"] for end in ("", "_low", "_high")]
    if any(value is None for value in values):
        return "–"
    value, low, high = (words.number(value, 2) for value in values)
    return f"{value} [{low}, {high}]"


def _key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    level = words.percent(settings["confidence"])
    key = model_key(cells, settings)
    bar = {"color": ink.MIDDLE}
    key.append(Entry(f"main wording, {level} interval", ink.filled(ink.MIDDLE, "o"), bar))
    if cells.paraphrases:
        key.append(Entry("paraphrase", ink.hollow(ink.MIDDLE, "o")))
    if any(all_invalid(row) for row in cells.rows.values()):
        key.append(Entry("every answer invalid", ink.STRUCK))
    return key


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    notes = [
        "n: items per point. Read-out: the answer is the most probable label; an invalid answer "
        "is not. Repeat: over the R sampled answers of an item, the share of pairs of one label. "
        "Persona: the answer is that of the baseline's main wording. In the last two all invalid "
        "answers count as one label of their own.",
        f"Intervals: read-out and persona: {words.share_note(settings, cells.tasks)}; repeat and "
        f"entropy: {words.bootstrap_note(settings, cells.tasks)}.",
    ]
    rows = [row for task in cells.tasks for row in cells.main(task)]
    notes += words.too_few_note(settings, rows)
    return [*notes, words.study_note(settings, cells.tasks)]
