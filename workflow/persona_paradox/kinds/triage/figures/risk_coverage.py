"""Selective accuracy against coverage: how right the surest answers of every persona are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ....figures import ink, marks, typeset, words
from ....figures.cells import Cells, read_cells
from ....figures.ink import Look
from ....figures.page import Entry, Sheet, over_panels

_LEFT_MM = 11.0
_HEAD_MM = 5.0
_BLOCK_GAP_MM = 4.0
_WIDTH_MM = 80.0
_HEIGHT_MM = 52.0
_TICKS_MM = 8.5
_LIST_MM = 8.0  # between the panel and the list at its right
_LIST_HEAD_MM = 5.5
_TITLE_MM = 31.0
_BETWEEN_MM = 1.0
_COLUMNS_MM = (ink.INNER_MM - 18.0, ink.INNER_MM - 9.0, ink.INNER_MM)
_SMALL_COLUMNS = 4
_SMALL_GAP_MM = 7.0
_SMALL_MM = (ink.INNER_MM - _LEFT_MM - (_SMALL_COLUMNS - 1) * _SMALL_GAP_MM) / _SMALL_COLUMNS
_SMALL_HEIGHT_MM = 26.0
_SMALL_HEAD_MM = 2 * typeset.height_of("", ink.SMALL_PT) + 0.6
_SMALL_PITCH_MM = _SMALL_HEAD_MM + _SMALL_HEIGHT_MM + 5.5

_MAIN = "top_label"
# In the order of the panels; any other confidence follows under its own name.
_TITLES = {
    "generated_label": "probability of the generated label",
    "contextual_label": "after contextual calibration",
    "repeat_agreement": "agreement of sampled answers",
    "verbalized": "stated in words",
}
_MARKS = 4  # markers along a line, beside the one at its end

# Steps of a curve by model, task, persona and confidence, coverage rising.
_Curves = Mapping[tuple[str, str, str, str], list[dict[str, Any]]]
_Areas = Mapping[tuple[str, str, str], dict[str, Any]]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    curves: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    steps = tables["risk_coverage"].filter(pl.col("variant") == "main")
    for row in steps.sort("coverage", maintain_order=True).iter_rows(named=True):
        key = (row["model"], row["task"], row["persona"], row["confidence"])
        curve = curves.setdefault(key, [])  # left empty where all its steps are of too few
        if row["n"] >= settings["too_few_below"]:
            curve.append(row)
    areas = tables["calibration"].filter(
        (pl.col("variant") == "main")
        & (pl.col("confidence") == _MAIN)
        & (pl.col("recalibration") == "none")
        & (pl.col("metric") == "aurc")
    )
    by_cell = {(r["model"], r["task"], r["persona"]): r for r in areas.iter_rows(named=True)}
    with ink.context(tables, settings):
        return _draw(_Shown(read_cells(tables["cells"]), curves, by_cell, settings))


@dataclass(frozen=True)
class _Shown:
    """What is drawn: cells, curves, areas under them, settings."""

    cells: Cells
    curves: _Curves
    areas: _Areas
    settings: Mapping[str, Any]

    def others(self, task: str, model: str) -> list[str]:
        """Confidences beside the top label that have a curve in this block."""
        found = {c for m, t, _, c in self.curves if (m, t) == (model, task)} - {_MAIN}
        known = [name for name in _TITLES if name in found]
        return known + sorted(found - {*known})

    def numbers(self, task: str, model: str, confidence: str) -> list[int]:
        """Numbers of items with a confidence, of every curve that is drawn."""
        keys = [(model, task, persona, confidence) for persona in self.cells.personas]
        return [curve[-1]["n"] for curve in map(self.curves.get, keys) if curve]

    def limits(self) -> tuple[float, float]:
        """Ends of the scale of accuracy, in all panels: tenths about all that is drawn."""
        values = [step["accuracy"] for curve in self.curves.values() for step in curve]
        baseline = self.settings["baseline"]
        for (_, _, persona, confidence), curve in self.curves.items():
            if persona == baseline and confidence == _MAIN:
                values += [step[end] for step in curve for end in ("low", "high")]
        low = math.floor(10 * min(values, default=0.0)) / 10
        high = math.ceil(10 * max(values, default=1.0)) / 10
        return max(0.0, min(low, high - 0.3)), min(1.0, high)


def _draw(study: _Shown) -> Figure:
    cells, settings = study.cells, study.settings
    body = max(_HEIGHT_MM + _TICKS_MM, _list_height(study) + 1.0)
    blocks, height = [], 0.0
    for task in cells.tasks:
        for model in cells.models:
            others = study.others(task, model)
            title = words.task_title(settings["tasks"][task])
            if len(cells.models) > 1:
                title += f" · {settings['models'][model]}"
            n = words.n_text(study.numbers(task, model, _MAIN))
            title, more = over_panels(f"{title}; {n}")
            blocks.append((height, title, height + more, task, model, others))
            small = -(-len(others) // _SMALL_COLUMNS) * _SMALL_PITCH_MM
            height += more + _HEAD_MM + body + (_HEAD_MM + small if others else 0.0) + _BLOCK_GAP_MM
    sheet = Sheet(
        settings,
        "Selective accuracy: share of right labels among the surest answers (vertical), against "
        "the share of items that they are (horizontal)" + words.of_model(cells, settings),
        height - _BLOCK_GAP_MM,
        _key(settings),
        _notes(study),
    )
    for above, title, top, task, model, others in blocks:
        sheet.text(0, above, title, size=ink.PANEL_PT, weight="bold")
        axes = sheet.axes(_LEFT_MM, top + _HEAD_MM, _WIDTH_MM, _HEIGHT_MM)
        _draw_panel(axes, study, (task, model), _MAIN)
        axes.set_xlabel("Coverage: share of items answered, the surest first")
        axes.set_ylabel("Accuracy among them")
        _write_list(sheet, study, (task, model), top + _HEAD_MM)
        below = top + _HEAD_MM + body
        if others:
            sheet.text(_LEFT_MM, below, "The same with other confidences")
        for i, confidence in enumerate(others):
            line, column = divmod(i, _SMALL_COLUMNS)
            left = _LEFT_MM + column * (_SMALL_MM + _SMALL_GAP_MM)
            down = below + _HEAD_MM + line * _SMALL_PITCH_MM
            n = words.n_text(study.numbers(task, model, confidence))
            about = f"{_TITLES.get(confidence, confidence)}\n{n}"
            sheet.text(left, down, about, size=ink.SMALL_PT)
            axes = sheet.axes(left, down + _SMALL_HEAD_MM, _SMALL_MM, _SMALL_HEIGHT_MM)
            _draw_panel(axes, study, (task, model), confidence, small=True)
    return sheet.figure


def _draw_panel(
    axes: Axes, study: _Shown, block: tuple[str, str], confidence: str, small: bool = False
) -> None:
    """Draw the curves of a block, those of the baseline on top, with a band."""
    task, model = block
    axes.set_xlim(0, 1)
    axes.set_ylim(*study.limits())
    for axis, ends, step in (
        (axes.xaxis, (0.0, 1.0), 0.5 if small else 0.2),
        (axes.yaxis, study.limits(), 0.2 if small else 0.1),
    ):
        axis.set_ticks(np.arange(ends[0], ends[1] + step / 10, step))
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    looks = ink.looks(study.cells.personas)
    keys = [(model, task, persona, confidence) for persona in study.cells.personas]
    for i, persona in enumerate(study.cells.personas):
        curve = study.curves.get(keys[i])
        if not curve:
            continue
        main = persona == study.settings["baseline"]
        name = f"{model}|{task}|{persona}|{confidence}"
        x = [step["coverage"] for step in curve]
        if main:
            low, high = ([step[end] for step in curve] for end in ("low", "high"))
            band: dict[str, Any] = {"color": ink.PALE, "linewidth": 0, "zorder": 0}
            axes.fill_between(x, low, high, gid=f"band|{name}", **band)
        y = [step["accuracy"] for step in curve]
        _draw_curve(axes, (x, y), looks[persona], name, phase=i / len(looks), bold=main)
    if not any(map(study.curves.get, keys)):
        instead = "too few" if any(key in study.curves for key in keys) else "not available"
        axes.text(0.5, sum(study.limits()) / 2, instead, ha="center", va="center")


def _draw_curve(
    axes: Axes,
    curve: tuple[list[float], list[float]],
    look: Look,
    name: str,
    *,
    phase: float,
    bold: bool,
) -> None:
    """Draw a line, with its marker at its end and, out of phase with others, along it."""
    x, y = curve
    zorder = 3.5 if bold else 3.0
    width = 1.3 if bold else 0.7
    line: dict[str, Any] = {"color": look.colour, "linewidth": width, "zorder": zorder}
    marks.interval(axes, x, y, f"curve|{name}", **line)
    places = [x[0] + (k + phase) / _MARKS * (x[-1] - x[0]) for k in range(_MARKS)]
    along = sorted({int(np.argmin(np.abs(np.array(x) - place))) for place in places})
    marker = ink.filled(look.colour, look.marker, 3.0)
    for k in [*along, len(x) - 1]:
        marks.point(axes, x[k], y[k], "mark", **marker | {"zorder": zorder + 1})
    marks.point(axes, x[-1], y[-1], f"point|{name}", **marker | {"zorder": zorder + 1})


def _titles(study: _Shown) -> dict[str, str]:
    """Titles of the personas, broken to the width of the list."""
    personas = study.settings["personas"]
    return {
        persona: typeset.wrap(personas[persona]["title"], _TITLE_MM, ink.SMALL_PT)
        for persona in study.cells.personas
    }


def _list_height(study: _Shown) -> float:
    lines = [typeset.height_of(title, ink.SMALL_PT) for title in _titles(study).values()]
    return _LIST_HEAD_MM + sum(line + _BETWEEN_MM for line in lines)


def _write_list(sheet: Sheet, study: _Shown, block: tuple[str, str], top: float) -> None:
    """Write the area under every curve beside a panel that begins at `top`."""
    left = _LEFT_MM + _WIDTH_MM + _LIST_MM
    height = _list_height(study)
    axes = sheet.axes(left, top, ink.INNER_MM - left, height)
    axes.set_axis_off()
    axes.set_xlim(0, ink.INNER_MM - left)
    axes.set_ylim(height, 0)
    heads = (
        f"AURC\n[{words.percent(study.settings['confidence'])} interval]",
        "\nn",
        "no con-\nfidence",
    )
    right: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "right"}
    for x, text in zip(_COLUMNS_MM, heads, strict=True):
        sheet.text(x, top, text, color=ink.MIDDLE, **right)
    looks = ink.looks(study.cells.personas)
    y = _LIST_HEAD_MM
    for persona, title in _titles(study).items():
        line = typeset.height_of(title, ink.SMALL_PT)
        y += line / 2
        look = looks[persona]
        marks.interval(axes, [0, 5], [y, y], "key", color=look.colour)
        marks.point(axes, 2.5, y, "key", **ink.filled(look.colour, look.marker, 3.4))
        sheet.text(left + 6.5, top + y, title, size=ink.SMALL_PT, anchor="middle")
        row = study.areas.get((*block[::-1], persona))
        for x, text in zip(_COLUMNS_MM, _figures(row, study.settings), strict=True):
            sheet.text(x, top + y, text, anchor="middle", **right)
        y += line / 2 + _BETWEEN_MM


def _figures(row: Mapping[str, Any] | None, settings: Mapping[str, Any]) -> tuple[str, str, str]:
    """Area under a curve, n, and the number of items without a confidence."""
    area = words.instead(row, settings, "value")
    if row is None:
        return area or "", "–", "–"
    if area is None:
        ends = [row[end] for end in ("low", "high") if row[end] is not None]
        area = words.number(row["value"], 3)
        if ends:
            area += f" [{', '.join(words.number(end, 3) for end in ends)}]"
    return area, str(row["n"]), str(row["n_without_confidence"])


def _key(settings: Mapping[str, Any]) -> list[Entry]:
    level = words.percent(settings["confidence"])
    title = settings["personas"][settings["baseline"]]["title"]
    text = f"“{title}”: pointwise {level} Wilson interval"
    return [Entry(text, line={"color": ink.DARK, "linewidth": 1.3}, band=ink.PALE)]


def _notes(study: _Shown) -> list[str]:
    settings = study.settings
    below = settings["too_few_below"]
    notes = [
        "Main wording; large panels: the confidence is the largest of the label probabilities, "
        "and the label it belongs to is what is right or wrong. Items of equal confidence enter "
        f"together; a line begins where {below} items are answered, fewer are too few. A marker "
        "stands at its end, where all items are answered; the others only tell lines apart. Small "
        "panels: the label that their confidence belongs to is what is right or wrong; n: items "
        "with a confidence.",
        "AURC: area under the risk-coverage curve, the mean share of wrong labels, less is "
        "better. In brackets "
        f"{words.bootstrap_note(settings, study.cells.tasks, 'percentile')}.",
    ]
    return [*notes, words.study_note(settings, study.cells.tasks)]
