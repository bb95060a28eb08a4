"""What every persona adds to the baseline's accuracy, on the same items: a forest plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....figures import ink, marks, typeset, words
from ....figures.cells import (
    DIFFERENCE,
    Cells,
    accuracy_contrasts,
    accuracy_robustness,
    all_invalid,
    read_cells,
)
from ....figures.columns import Column, write
from ....figures.page import Entry, Sheet, model_key
from ....figures.rows import Rows, draw_rows, label_rows, label_width, rows_of

_EQUIVALENT = "≈"

_HEADING_MM = 4.2
_TITLE_MM = 3.6
_TICKS_MM = 8.5
_BETWEEN_BLOCKS_MM = 2.5
_BETWEEN_PANELS_MM = 4.0

_BRACKET: dict[str, Any] = {"color": ink.GREY, "linewidth": 0.6, "zorder": 2}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    with ink.context(tables, settings):
        contrasts = accuracy_contrasts(tables)
        verdicts = accuracy_robustness(tables)
        return _draw(_Shown(read_cells(tables["cells"]), contrasts, verdicts, settings))


@dataclass(frozen=True)
class _Shown:
    """What is drawn: cells, contrasts in accuracy, their rows of robustness, settings."""

    cells: Cells
    contrasts: Cells
    verdicts: Mapping[tuple[str, str, str], Mapping[str, Any]]
    settings: Mapping[str, Any]

    def panels(self) -> list[tuple[str, list[str]]]:
        """Every context with its tasks, in the study's order."""
        of = {task: self.settings["tasks"][task]["context"] for task in self.cells.tasks}
        return [(c, [task for task in of if of[task] == c]) for c in dict.fromkeys(of.values())]


def _draw(study: _Shown) -> Figure:
    cells, contrasts, settings = study.cells, study.contrasts, study.settings
    # The order is that of the cells, for a table of contrasts lacks the baseline.
    personas = [persona for persona in cells.personas if persona in contrasts.personas]
    rows = rows_of(cells, settings, personas)
    labels = label_width(settings, personas) + 3
    columns = _columns(study)
    width = ink.INNER_MM - labels
    width -= sum(column.width for column in columns)
    # The lines above a panel of rows: beside them stand the heads of the columns.
    beside = labels + width - 2 if columns else ink.INNER_MM
    subtitles = {task: _subtitle(study, task, beside) for task in cells.tasks}
    lines = [typeset.height_of(text, ink.SMALL_PT) for text in [*subtitles.values(), "\n"]]
    titles = {
        task: typeset.wrap(words.task_title(settings["tasks"][task]), beside, ink.TEXT_PT, "bold")
        for task in cells.tasks
    }
    more = {
        task: typeset.height_of(title, ink.TEXT_PT) - typeset.height_of("", ink.TEXT_PT)
        for task, title in titles.items()
    }
    head = _TITLE_MM + max(lines) + 1.2
    height = max(rows.height, 6.0)

    tops: dict[str, float] = {}
    headings: dict[str, float] = {}
    top = 0.0
    for context, tasks in study.panels():
        headings[context] = top
        top += _HEADING_MM
        for task in tasks:
            tops[task] = top + more[task] + head
            top = tops[task] + height + _BETWEEN_BLOCKS_MM
        top += _TICKS_MM - _BETWEEN_BLOCKS_MM + _BETWEEN_PANELS_MM

    baseline = settings["personas"][settings["baseline"]]["title"]
    subtitle = f"Persona effect: accuracy under a persona minus accuracy under “{baseline}”"
    sheet = Sheet(
        settings,
        subtitle + words.of_model(cells, settings),
        top - _BETWEEN_PANELS_MM,
        _key(study),
        _notes(study),
    )
    limit = _limit(contrasts, settings)
    for i, (context, tasks) in enumerate(study.panels()):
        letter = f"{'abcdefghijklmnopqrstuvwxyz'[i]}   " if len(headings) > 1 else ""
        title = letter + words.title_of("contexts", context, settings)
        sheet.text(0, headings[context], title, size=ink.PANEL_PT + 0.5, weight="bold")
        for task in tasks:
            top = tops[task]
            sheet.text(0, top - head - more[task], titles[task], weight="bold")
            sheet.text(0, top - head + _TITLE_MM, subtitles[task], size=ink.SMALL_PT)
            axes = sheet.axes(labels, top, width, height)
            marks.points_axis(axes, limit, 8)
            if task == tasks[-1]:
                axes.set_xlabel("Difference in accuracy (percentage points)")
            else:
                axes.tick_params(labelbottom=False)
            if not personas:
                marks.say(axes, words.NO_PERSONA, width)
                continue
            label_rows(sheet, rows, settings, top)
            _draw_rows(axes, rows, study, task)
            write(sheet, rows, columns, task, top=top)
    return sheet.figure


def _subtitle(study: _Shown, task: str, width: float) -> str:
    """N of a block, and accuracy and invalid answers of the baseline."""
    cells, settings = study.cells, study.settings
    n = words.n_text(row["n"] for row in study.contrasts.main(task) or cells.main(task))
    parts = []
    for model in cells.models:
        row = cells.get(model, task, settings["baseline"])
        if row is not None:
            of = f"{settings['models'][model]} " if len(cells.models) > 1 else ""
            right = words.instead(row, settings) or f"{100 * row['accuracy']:.1f}% right"
            parts.append(f"{of}{right}, {row['n_invalid']}/{row['n']} invalid")
    text = f"{n} items, each under the persona and the baseline; baseline: {'; '.join(parts)}"
    return typeset.wrap(text, width, ink.SMALL_PT)


def _limit(contrasts: Cells, settings: Mapping[str, Any]) -> float:
    """Half the width of the panels, the same for all: it holds every mark but the controls'."""
    shares = []
    for row in contrasts.rows.values():
        if not words.instead(row, settings, "difference"):
            ends = ("low", "high", "detectable") if row["variant"] == "main" else ()
            shares += [row[name] for name in ("difference", *ends)]
    return marks.points_limit(shares)


def _draw_rows(axes: Axes, rows: Rows, study: _Shown, task: str) -> None:
    draw_rows(axes, rows)
    cells, contrasts, settings = study.cells, study.contrasts, study.settings
    looks, markers = ink.looks(cells.personas), ink.model_markers(cells.models)
    for (persona, model), y in rows.place.items():
        row = contrasts.get(model, task, persona)
        text = words.instead(row, settings, "difference")
        if text is not None:
            axes.text(0, y, text, size=ink.SMALL_PT, va="center_baseline")
            continue
        name = f"{model}|{task}|{persona}"
        last = y + max(rows.paraphrases.values(), default=0.0)
        ends = (y - 1.6, max(y + 1.6, last + 0.8))
        marks.control_band(axes, study.verdicts.get((model, task, persona)), ends, f"band|{name}")
        if row is not None and row["detectable"] is not None:
            _bracket(axes, 100 * row["detectable"], y, f"detectable|{name}")
    for (model, of_task, persona, variant), row in contrasts.rows.items():
        if of_task != task or words.instead(row, settings, "difference"):
            continue
        y = rows.of(persona, model, variant)
        name = f"{model}|{task}|{persona}|{variant}"
        look = (looks[persona].colour, markers[model] or looks[persona].marker)
        marks.wording(axes, row, scale=100, y=y, name=name, look=look, columns=DIFFERENCE)


def _bracket(axes: Axes, size: float, y: float, gid: str) -> None:
    """Brackets around zero at this many points on either side."""
    foot = 0.02 * axes.get_xlim()[1]
    right = np.array([size - foot, size, size, size - foot])
    x = np.concatenate([-right, [np.nan], right])
    up, down = y - 1.2, y + 1.2
    axes.plot(x, [up, up, down, down, np.nan, up, up, down, down], gid=gid, **_BRACKET)


# --- columns of text -----------------------------------------------------------------------


def _columns(study: _Shown) -> list[Column]:
    """The columns of text, with the figures of the main wordings."""
    settings, verdicts = study.settings, study.verdicts
    main = {key: row for key, row in study.contrasts.rows.items() if key[3] == "main"}
    if not main:
        return []

    def column(head: str, text: Callable[[Mapping[str, Any]], str], align: str = "right") -> Column:
        texts = {key: text(row) for key, row in main.items()}
        return Column(
            head, texts, align, frozenset(key for key in texts if texts[key] == words.ROBUST)
        )

    def shown(text: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
        return lambda row: "" if words.instead(row, settings, "difference") else text(row)

    def difference(row: Mapping[str, Any]) -> str:
        return words.instead(row, settings, "difference") or words.with_interval(
            row, 1, 100, signed=True
        )

    def invalid(row: Mapping[str, Any]) -> str:
        return f"{row['n_invalid']}/{row['n']} ({row['n_invalid_baseline']}/{row['n']})"

    def verdict(row: Mapping[str, Any]) -> str:
        found = verdicts.get((row["model"], row["task"], row["persona"]))
        return "–" if found is None else str(found["verdict"])

    level = words.percent(settings["confidence"])
    columns = [
        column(f"difference\n[{level} interval]", difference),
        column("p\n(Holm)", shown(lambda row: words.p_text(row["p_holm"]))),
        column("answers\nchanged", lambda row: f"{row['n_changed']}/{row['n']}"),
        replace(
            column("invalid\n(baseline)", invalid),
            bold=frozenset(key for key, row in main.items() if all_invalid(row)),
        ),
    ]
    if verdicts:
        columns.append(column("verdict on\nrobustness", shown(verdict), "left"))
    if any(row["equivalent"] is not None for row in main.values()):
        mark = shown(lambda row: _EQUIVALENT if row["equivalent"] else "")
        columns.append(column(f"within\n±{100 * settings['margin']:g}", mark, "center"))
    return columns


# --- key and notes -------------------------------------------------------------------------


def _key(study: _Shown) -> list[Entry]:
    contrasts, settings = study.contrasts, study.settings
    main = [row for row in contrasts.rows.values() if row["variant"] == "main"]
    level = words.percent(settings["confidence"])
    bar = {"color": ink.MIDDLE}
    key = model_key(study.cells, settings)
    text = f"main wording, {level} paired bootstrap interval"
    key.append(Entry(text, ink.filled(ink.MIDDLE, "o"), bar))
    if contrasts.paraphrases:
        key.append(Entry("paraphrase", ink.hollow(ink.MIDDLE, "o")))
    if any(row["beyond_low"] is not None for row in study.verdicts.values()):
        key.append(Entry("effects that any sentence may have", band=ink.PALE))
    if any(row["detectable"] is not None for row in main):
        power = words.percent(settings["power"])
        text = f"smallest difference detectable with {power} power"
        key.append(Entry(text, sign="[   ]"))
    if any(row["equivalent"] for row in main):
        text = f"equivalent to the baseline within ±{100 * settings['margin']:g} points"
        key.append(Entry(text, sign=_EQUIVALENT))
    if any(all_invalid(row) for row in contrasts.rows.values()):
        key.append(Entry("every answer invalid", ink.STRUCK))
    return key


def _notes(study: _Shown) -> list[str]:
    contrasts, settings = study.contrasts, study.settings
    rows = list(contrasts.rows.values())
    alpha = f"{100 * (1 - settings['confidence']):g}%"
    notes = [
        "n: pairs, the same item under the persona and under the baseline. An invalid answer "
        "counts as wrong (our own definition).",
        f"Intervals: {words.bootstrap_note(settings, study.cells.tasks)}, the same draws on both "
        "sides.",
    ]
    tests = sorted({row["test"] for row in rows if row["in_family"]})
    if tests:
        notes.append(
            f"p: {' or '.join(tests)} test, adjusted by Holm's method over the study's family of "
            "contrasts; – outside of it."
        )
    if study.verdicts:
        notes.append(f"{words.verdict_note(study.verdicts.values())} A control has no verdict (–).")
    if any(row["equivalent"] for row in rows):
        notes.append(f"Equivalent: both of two one-sided tests significant at {alpha}.")
    if any(row["detectable"] is not None for row in rows):
        notes.append(
            f"Detectable: by a two-sided exact McNemar test at {alpha}, with as many discordant "
            "pairs as were seen."
        )
    if any(row["low"] is not None and row["low"] == row["high"] for row in rows):
        notes.append(
            "An interval without width: no item turned right or wrong; the doubt that remains "
            "with so few items is beyond the bootstrap."
        )
    notes += words.too_few_note(settings, rows)
    return [*notes, words.study_note(settings, study.cells.tasks)]
