"""Reliability diagrams: how often the top label is right, against its probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ....figures import ink, marks, typeset, words
from ....figures.cells import Cells, all_invalid, read_cells
from ....figures.ink import Look
from ....figures.page import Entry, Sheet, over_panels

_COLUMNS = 5
_LEFT_MM = 8.0
_GAP_MM = 6.5
_PANEL_MM = (ink.INNER_MM - _LEFT_MM - (_COLUMNS - 1) * _GAP_MM) / _COLUMNS
_LINE_MM = 2.5
_STRIP_MM = 4.2  # of the numbers of items per bin
_TICKS_MM = 4.5
_BLOCK_HEAD_MM = 8.5
_TITLE_PT = 6.0
_COUNT_PT = 4.6

# Area of the marker of a bin that holds all items, in square points.
_FULL_AREA = 120.0
_EDGED_FROM = 3.0
_DIAGONAL: dict[str, Any] = {"color": ink.MIDDLE, "linestyle": (0, (4, 2)), "linewidth": 0.6}

# Bins, and rows of calibration errors by metric and recalibration, by model, task and persona.
_Bins = Mapping[tuple[str, str, str], list[dict[str, Any]]]
_OfCell = Mapping[tuple[str, str], Mapping[str, Any]]
_Errors = Mapping[tuple[str, str, str], _OfCell]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    shown = tables["reliability"].filter(
        (pl.col("metric") == "accuracy_in_bin")
        & (pl.col("confidence") == "top_label")
        & (pl.col("variant") == "main")
    )
    bins: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in shown.sort("bin", maintain_order=True).iter_rows(named=True):
        bins.setdefault((row["model"], row["task"], row["persona"]), []).append(row)
    with ink.context(tables, settings):
        errors = _read_errors(tables["calibration"])
        return _draw(read_cells(tables["cells"]), bins, errors, settings)


def _read_errors(calibration: pl.DataFrame) -> _Errors:
    """The rows of the calibration errors of the top label."""
    errors: dict[tuple[str, str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    shown = calibration.filter(
        (pl.col("confidence") == "top_label") & (pl.col("variant") == "main")
    )
    for row in shown.iter_rows(named=True):
        mine = errors.setdefault((row["model"], row["task"], row["persona"]), {})
        mine[row["metric"], row["recalibration"]] = row
    return errors


def _scaled(errors: _OfCell) -> str | None:
    """Smooth ECE before and after temperature scaling, where there are both."""
    rows = [errors.get(("smooth_ece", recalibration)) for recalibration in ("none", "temperature")]
    texts = [words.number(row["value"], 2) for row in rows if row and row["value"] is not None]
    return f"T-scaled: {' → '.join(texts)}" if len(texts) == len(rows) else None


def _draw(cells: Cells, bins: _Bins, errors: _Errors, settings: Mapping[str, Any]) -> Figure:
    titles = {
        persona: typeset.wrap(settings["personas"][persona]["title"], _PANEL_MM, _TITLE_PT, "bold")
        for persona in cells.personas
    }
    title_height = max(typeset.height_of(title, _TITLE_PT) for title in titles.values()) + 0.5
    texts = (5 + any(map(_scaled, errors.values()))) * _LINE_MM + 0.4
    head = title_height + texts + _STRIP_MM + 0.8
    pitch = head + _PANEL_MM + _TICKS_MM + 2
    lines = -(-len(cells.personas) // _COLUMNS)
    block = _BLOCK_HEAD_MM + lines * pitch + 3
    blocks, height = [], 0.0
    for task in cells.tasks:
        for model in cells.models:
            title = words.task_title(settings["tasks"][task])
            if len(cells.models) > 1:
                title += f" · {settings['models'][model]}"
            title, more = over_panels(title)
            blocks.append((height, title, height + more, task, model))
            height += more + block

    sheet = Sheet(
        settings,
        "Reliability of the top label: how often it equals the reference (vertical), against the "
        "probability the model gives it (horizontal)" + words.of_model(cells, settings),
        height - 5,
        _key(settings),
        _notes(cells, bins, errors, settings),
    )
    looks = ink.looks(cells.personas)
    for above, title, top, task, model in blocks:
        sheet.text(0, above, title, size=ink.PANEL_PT, weight="bold")
        _write_head(sheet, cells, settings, (task, model), top)
        for j, persona in enumerate(cells.personas):
            line, column = divmod(j, _COLUMNS)
            left = _LEFT_MM + column * (_PANEL_MM + _GAP_MM)
            figures_top = top + _BLOCK_HEAD_MM + line * pitch + title_height
            look: dict[str, Any] = {"size": _TITLE_PT, "weight": "bold", "anchor": "bottom"}
            sheet.text(left, figures_top - 0.5, titles[persona], **look)
            row = cells.get(model, task, persona) or {}
            key = (model, task, persona)
            _write_figures(sheet, row, errors.get(key, {}), settings, place=(left, figures_top))
            strip = sheet.axes(left, figures_top + texts, _PANEL_MM, _STRIP_MM)
            axes = sheet.axes(left, figures_top + head - title_height, _PANEL_MM, _PANEL_MM)
            axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if column == 0 else [""] * 3)
            mine = [] if _few(row, settings) else bins.get(key, [])
            mine = [one for one in mine if one["n"] and one["value"] is not None]
            _draw_strip(strip, mine, "|".join(key))
            _draw_panel(axes, mine, looks[persona], "|".join(key))
            if not mine:
                instead = "too few" if _few(row, settings) else "not available"
                axes.text(0.5, 0.6, instead, ha="center")
            if row and all_invalid(row):
                axes.set_facecolor(ink.PALE)
                written: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "right", "weight": "bold"}
                axes.text(0.97, 0.04, "all answers invalid", **written)
    return sheet.figure


def _write_head(
    sheet: Sheet, cells: Cells, settings: Mapping[str, Any], block: tuple[str, str], top: float
) -> None:
    """Below the title of a block: n, and the warning where its binned errors are biased."""
    task, model = block
    limit = settings["binned_ece_warning_below"]
    rows = [cells.get(model, task, persona) for persona in cells.personas]
    numbers = [_n(row) for row in rows if row is not None]
    text = words.n_text(numbers)
    sheet.text(0, top + 3.5, text)
    if any(n < limit for n in numbers):
        left = typeset.width_of(text, ink.TEXT_PT) + 4
        warning = f"⚠ n < {limit}: binned ECE is biased upwards"
        sheet.text(left, top + 3.5, warning, weight="bold")


def _n(row: Mapping[str, Any]) -> int:
    """Number of items with a top-label confidence."""
    return row.get("n_top_label") or 0


def _few(row: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a cell has items with a confidence, but too few of them."""
    return 0 < _n(row) < int(settings["too_few_below"])


def _write_figures(
    sheet: Sheet,
    row: Mapping[str, Any],
    errors: _OfCell,
    settings: Mapping[str, Any],
    *,
    place: tuple[float, float],
) -> None:
    """Write the calibration errors and n above a panel."""
    n, limit, few = _n(row), settings["binned_ece_warning_below"], _few(row, settings)
    bold: dict[str, Any] = {"weight": "bold"}
    lines: list[tuple[str, dict[str, Any]]] = [
        (f"{title} {'too few' if few else _figure(errors.get((name, 'none'), {}))}", {})
        for title, name in (
            ("ECE", "ece_equal_width"),
            ("debiased", "ece_debiased"),
            ("smooth ECE", "smooth_ece"),
        )
    ]
    scaled = _scaled(errors)
    if scaled is not None and not few:
        lines.append((scaled, {}))
    lines.append((f"n = {n} (< {limit})", bold) if n < limit else (f"n = {n}", {}))
    if row:
        invalid = f"{row['n_invalid']}/{row['n']} answers invalid"
        lines.append((invalid, bold if all_invalid(row) else {}))
    for i, (text, look) in enumerate(lines):
        sheet.text(place[0], place[1] + i * _LINE_MM, text, size=ink.SMALL_PT, **look)


def _figure(row: Mapping[str, Any]) -> str:
    values = [row.get(name) for name in ("value", "low", "high")]
    texts = [words.number(value, 2) for value in values if value is not None]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]" if len(texts) == len(values) else "not available"


def _draw_strip(axes: Axes, bins: list[dict[str, Any]], name: str) -> None:
    """Draw how many items every bin holds, a faint bar behind the number."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    most = max((row["n"] for row in bins), default=0)
    for row in bins:
        left, width = row["lower"], row["upper"] - row["lower"]
        look: dict[str, Any] = {"facecolor": ink.PALE, "edgecolor": "white", "linewidth": 0.4}
        gid = f"{name}|{row['bin']}"
        axes.add_patch(Rectangle((left, 0), width, row["n"] / most, gid=f"bar|{gid}", **look))
        written: dict[str, Any] = {
            "size": _COUNT_PT,
            "rotation": 90,
            "ha": "center",
            "va": "bottom",
        }
        axes.text(left + width / 2, 0.06, str(row["n"]), gid=f"count|{gid}", **written)


def _draw_panel(axes: Axes, bins: list[dict[str, Any]], look: Look, name: str) -> None:
    """Draw the bins of a cell."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.plot([0, 1], [0, 1], zorder=1, gid="diagonal", **_DIAGONAL)
    total = sum(row["n"] for row in bins)
    # A large marker must not hide a small one.
    for row in sorted(bins, key=lambda row: -row["n"]):
        x, y, gid = row["mean_confidence"], row["value"], f"{name}|{row['bin']}"
        bar = {"color": look.colour, "linewidth": 0.6, "alpha": 0.7}
        marks.interval(axes, [x, x], [row["low"], row["high"]], f"interval|{gid}", **bar)
        marks.point(axes, x, y, f"point|{gid}", **_bin(look, row["n"] / total))


def _bin(look: Look, share: float) -> dict[str, Any]:
    """Look of a bin that holds this share of the items: the area of the marker tells it."""
    size = math.sqrt(_FULL_AREA * share) + 0.4  # the white edge takes half of its width
    marker = ink.filled(look.colour, look.marker, size)
    edge = "white" if size > _EDGED_FROM else look.colour  # a white edge would hide a small one
    return marker | {"markeredgecolor": edge, "markeredgewidth": 0.4}


def _key(settings: Mapping[str, Any]) -> list[Entry]:
    grey = Look(ink.MIDDLE, "o")
    level = words.percent(settings["confidence"])
    shares = {share: f"bin with {words.percent(share)} of the items" for share in (0.05, 0.25, 1.0)}
    return [
        *(Entry(text, _bin(grey, share)) for share, text in shares.items()),
        Entry(f"{level} Wilson interval", line={"color": ink.MIDDLE, "linewidth": 0.6}),
        Entry("perfect calibration", line=_DIAGONAL),
    ]


def _notes(cells: Cells, bins: _Bins, errors: _Errors, settings: Mapping[str, Any]) -> list[str]:
    widths = " or ".join(str(n) for n in sorted({len(rows) for rows in bins.values()}))
    missing = sum(rows[0]["n_without_confidence"] for rows in bins.values())
    notes = [
        "n: items with a top-label confidence, the largest of the label probabilities after a "
        f"softmax over the labels; main wording; {widths or 'no'} equal-width bins, empty ones "
        "not drawn; above a panel the items of every bin.",
        "Debiased: root of the debiased squared error in equal-mass bins, 0 where that is "
        "negative.",
        f"In brackets: {words.bootstrap_note(settings, cells.tasks, 'percentile')}; a calibration "
        "error cannot be negative, so resampling biases it upwards.",
    ]
    if any(map(_scaled, errors.values())):
        notes.append(
            "T-scaled: smooth ECE before → after temperature scaling, fitted on other items than "
            "those it is measured on."
        )
    if missing:
        notes.append(f"Answers without a confidence, left out: {missing} in all panels together.")
    rows = [{"n": _n(row)} for task in cells.tasks for row in cells.main(task) if _n(row)]
    notes += words.too_few_note(settings, rows)
    return [*notes, words.study_note(settings, cells.tasks)]
