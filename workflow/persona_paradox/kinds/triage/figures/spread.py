"""How far the effects of the wordings of a persona, and those of the controls, lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....figures import ink, marks, typeset, words
from ....figures.cells import (
    Cells,
    accuracy_contrasts,
    accuracy_robustness,
    all_invalid,
    read_cells,
)
from ....figures.page import Entry, Sheet, model_key
from ....figures.rows import Rows, draw_rows, label_rows, label_width, rows_of

_COLUMNS = 2
_GAP_MM = 5.0
_TICKS_MM = 8.5
_APART_MM = 3.0
_ASIDE_MM = 0.75  # paraphrases from the line of their main wording, above and below in turn
_LINE_MM = typeset.height_of("", ink.SMALL_PT)
_HEADS = ("SD in points (of effects)", "over wordings", "over controls")
_VERDICT = "verdict"
_WIDEST_MM = 80.0

# Behind the points: what stands out above and below them is enough to see it.
_MEAN: dict[str, Any] = {"color": ink.DARK, "linewidth": 1.0, "zorder": 3}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    with ink.context(tables, settings):
        found = tables["spread"].filter(pl.col("metric") == "accuracy").iter_rows(named=True)
        return _draw(
            _Shown(
                read_cells(tables["cells"]),
                accuracy_contrasts(tables),
                accuracy_robustness(tables),
                {(row["model"], row["task"], row["kind"]): row for row in found},
                settings,
            )
        )


@dataclass(frozen=True)
class _Shown:
    """What is drawn: cells, contrasts in accuracy, their robustness and spread, settings."""

    cells: Cells
    contrasts: Cells
    verdicts: Mapping[tuple[str, str, str], Mapping[str, Any]]
    spreads: Mapping[tuple[str, str, str], Mapping[str, Any]]
    settings: Mapping[str, Any]

    def effects(self, model: str, task: str, persona: str) -> list[Mapping[str, Any]]:
        """The contrasts of a persona's wordings that can be drawn, the main one first."""
        variants = ("main", *self.contrasts.paraphrases)
        found = [self.contrasts.get(model, task, persona, variant) for variant in variants]
        return [
            row
            for row in found
            if row is not None and not words.instead(row, self.settings, "difference")
        ]


def _draw(study: _Shown) -> Figure:
    cells, contrasts, settings = study.cells, study.contrasts, study.settings
    personas = [persona for persona in cells.personas if persona in contrasts.personas]
    # All wordings of a persona stand on one line.
    rows = rows_of(replace(cells, paraphrases=[]), settings, personas)
    labels = label_width(settings, personas) + 3
    columns = min(_COLUMNS, len(cells.tasks))
    width = (ink.INNER_MM - labels - (columns - 1) * _GAP_MM) / columns
    verdicts = [row["verdict"] for row in study.verdicts.values()]
    beside = max([typeset.width_of(text, ink.SMALL_PT, "bold") for text in verdicts], default=-2)
    titles = {
        task: typeset.wrap(words.task_title(settings["tasks"][task]), width, ink.PANEL_PT, "bold")
        for task in cells.tasks
    }
    facts_width = min(width, _WIDEST_MM)
    facts = {task: _facts(study, task, facts_width) for task in cells.tasks}
    facts_height = max(
        sum(typeset.height_of(fact[0], ink.SMALL_PT) for fact in of_task)
        for of_task in facts.values()
    )
    title_height = max(typeset.height_of(title, ink.PANEL_PT) for title in titles.values()) + 0.3
    head = title_height + _LINE_MM + facts_height + 1.5 + (_LINE_MM if verdicts else 0.0)
    height = max(rows.height, 6.0)
    pitch = head + height + _TICKS_MM + 3
    lines = -(-len(cells.tasks) // columns)

    subtitle = "Spread of the effects on accuracy over wordings and over controls"
    sheet = Sheet(
        settings,
        subtitle + words.of_model(cells, settings),
        lines * pitch - 3,
        _key(study),
        _notes(study),
    )
    drawn = [
        row for row in contrasts.rows.values() if not words.instead(row, settings, "difference")
    ]
    limit = marks.points_limit(row["difference"] for row in drawn)
    for i, task in enumerate(cells.tasks):
        line, column = divmod(i, columns)
        left, top = labels + column * (width + _GAP_MM), line * pitch
        sheet.text(left, top, titles[task], size=ink.PANEL_PT, weight="bold")
        sheet.text(left, top + title_height, _subtitle(study, task), size=ink.SMALL_PT)
        _write_facts(sheet, facts[task], left, top + title_height + _LINE_MM, facts_width)
        axes = sheet.axes(left, top + head, width - beside - 2, height)
        marks.points_axis(axes, limit, 6)
        axes.set_xlabel("Difference in accuracy (percentage points)")
        if not personas:
            marks.say(axes, words.NO_PERSONA, width)
            continue
        if column == 0:
            label_rows(sheet, rows, settings, top + head)
        _draw_panel(axes, rows, study, task)
        if verdicts:
            faint: dict[str, Any] = {"size": ink.SMALL_PT, "color": ink.MIDDLE}
            sheet.text(left + width - beside, top + head - 0.8, _VERDICT, anchor="bottom", **faint)
        for persona, model in rows.place:
            row = study.verdicts.get((model, task, persona))
            if row is not None and study.effects(model, task, persona):
                y = top + head + rows.of(persona, model)
                weight = "bold" if row["verdict"] == words.ROBUST else "normal"
                look: dict[str, Any] = {"size": ink.SMALL_PT, "weight": weight}
                sheet.text(left + width - beside, y, row["verdict"], anchor="middle", **look)
    return sheet.figure


def _subtitle(study: _Shown, task: str) -> str:
    rows = study.contrasts.main(task) or study.cells.main(task)
    wordings = [row for row in study.contrasts.rows.values() if row["task"] == task]
    invalid, answers = (sum(row[name] for row in wordings) for name in ("n_invalid", "n"))
    of = f"; {invalid} of {answers} answers invalid" if answers else ""
    return f"{words.n_text(row['n'] for row in rows)} items{of}"


def _facts(study: _Shown, task: str, width: float) -> list[tuple[str, str, str]]:
    """For every model the standard deviations over wordings and over controls, with a head."""
    found = [_HEADS]
    for model in study.cells.models:
        rows = [study.spreads.get((model, task, kind)) for kind in ("paraphrase", "control")]
        if rows != [None, None]:
            wordings, controls = (_sd(row, study.settings) for row in rows)
            found.append((study.settings["models"][model], wordings, controls))
    if len(found) == 1:
        return []
    room = width - sum(_column_width(found, i) + _APART_MM for i in (1, 2))
    return [(typeset.wrap(fact[0], room, ink.SMALL_PT), *fact[1:]) for fact in found]


def _column_width(facts: list[tuple[str, str, str]], i: int) -> float:
    return max(typeset.width_of(fact[i], ink.SMALL_PT) for fact in facts)


def _sd(row: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> str:
    text = words.instead(row, settings, "sd")
    if row is None or text is not None:
        return text or ""
    ends = ["–" if row[end] is None else words.number(100 * row[end], 1) for end in ("low", "high")]
    return f"{words.number(100 * row['sd'], 1)} [{ends[0]}, {ends[1]}] ({row['n_effects']})"


def _write_facts(
    sheet: Sheet, facts: list[tuple[str, str, str]], left: float, top: float, width: float
) -> None:
    """Write the standard deviations as a small table, `width` wide, that begins at `top`."""
    for i, fact in enumerate(facts):
        look: dict[str, Any] = {"size": ink.SMALL_PT}
        look |= {"color": ink.MIDDLE} if i == 0 else {}
        right = left + width
        sheet.text(left, top, fact[0], **look)
        for column in (2, 1):
            sheet.text(right, top, fact[column], ha="right", **look)
            right -= _column_width(facts, column) + _APART_MM
        top += typeset.height_of(fact[0], ink.SMALL_PT)


def _draw_panel(axes: Axes, rows: Rows, study: _Shown, task: str) -> None:
    draw_rows(axes, rows)
    looks, markers = ink.looks(study.cells.personas), ink.model_markers(study.cells.models)
    for (persona, model), y in rows.place.items():
        effects = study.effects(model, task, persona)
        name = f"{model}|{task}|{persona}"
        if not effects:
            main_row = study.contrasts.get(model, task, persona)
            text = words.instead(main_row, study.settings, "difference") or "not available"
            axes.text(0, y, text, size=ink.SMALL_PT, va="center_baseline")
            continue
        verdict = study.verdicts.get((model, task, persona))
        marks.control_band(axes, verdict, (y - 1.7, y + 1.7), f"band|{name}")
        marker = markers[model] or looks[persona].marker
        paraphrase = 0
        for row in effects:
            main = row["variant"] == "main"
            look = ink.filled if main else ink.hollow
            side = 0 if main else (-1) ** paraphrase
            paraphrase += not main
            x, y_here = 100 * row["difference"], y + side * _ASIDE_MM
            marks.point(
                axes,
                x,
                y_here,
                f"point|{name}|{row['variant']}",
                **look(looks[persona].colour, marker),
            )
            if all_invalid(row):
                marks.strike(axes, x, y_here, f"struck|{name}|{row['variant']}", small=not main)
        if len(effects) > 1:
            mean = _mean(effects, verdict)
            axes.plot([mean, mean], [y - 1.7, y + 1.7], gid=f"mean|{name}", **_MEAN)


def _mean(effects: list[Mapping[str, Any]], verdict: Mapping[str, Any] | None) -> float:
    """Mean over wordings in points: that of the verdict; controls have none."""
    if verdict is not None and verdict["wording_mean"] is not None:
        return 100 * float(verdict["wording_mean"])
    return 100 * float(np.mean([row["difference"] for row in effects]))


def _key(study: _Shown) -> list[Entry]:
    key = model_key(study.cells, study.settings)
    key.append(Entry("main wording", ink.filled(ink.MIDDLE, "o")))
    if study.contrasts.paraphrases:
        key.append(Entry("paraphrase", ink.hollow(ink.MIDDLE, "o")))
        look = {"marker": "|", "color": ink.DARK, "markersize": 8, "markeredgewidth": 1.1}
        key.append(Entry("mean over wordings", look))
    if any(row["beyond_low"] is not None for row in study.verdicts.values()):
        key.append(Entry("effects that any sentence may have", band=ink.PALE))
    if any(all_invalid(row) for row in study.contrasts.rows.values()):
        key.append(Entry("every answer invalid", ink.STRUCK))
    return key


def _notes(study: _Shown) -> list[str]:
    settings = study.settings
    notes = [
        "A point is the effect of one wording: accuracy under it minus accuracy under the "
        "baseline, on the same n items; an invalid answer counts as wrong (our own definition)."
        + " Paraphrases stand above and below the line of their main wording in turn."
        * bool(study.contrasts.paraphrases),
        "SD over wordings: pooled over personas, each about its own mean; SD over controls: of "
        "the means over wordings; both without the part that chance in the items has in them (our "
        "own definition). In brackets: "
        f"{words.bootstrap_note(settings, study.cells.tasks, 'basic')}; in parentheses: the "
        "number of effects.",
    ]
    if study.verdicts:
        notes.append(words.verdict_note(study.verdicts.values()))
    notes += words.too_few_note(settings, study.contrasts.rows.values())
    return [*notes, words.study_note(settings, study.cells.tasks)]
