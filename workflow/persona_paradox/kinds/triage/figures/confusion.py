"""Confusion matrices: which level every persona calls for which level of the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ....figures import ink, marks, typeset, words
from ....figures.cells import Cells, all_invalid, read_cells
from ....figures.ink import Look
from ....figures.page import Entry, Sheet, over_panels
from ....names import RATED, WORDS

_CELL_MM = 3.6  # height; a cell is as wide as its counts need
_EDGE_MM = 3.2  # of the numbers of the levels, at the left and on top
_APART_MM = 0.8  # between the levels and the invalid answers
_GAP_MM = 4.0
_LINE_MM = 2.5
_TITLE_PT = 6.0
_COUNT_PT = 5.0
_GLYPH_MM = 3.0
_MOST_COLUMNS = 6

# From white to a dark blue, lighter to darker in grey as well.
_SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", "#7FB2D6", "#0B3C5D"])
_WHITE_FROM = 0.6  # share from which a count is written in white

# Counts by model, task, persona and wording: reference → answer (None: invalid) → row.
_Counts = dict[tuple[str, str, str, str], dict[int, dict[int | None, dict[str, Any]]]]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    counts: _Counts = {}
    for row in tables["confusion"].iter_rows(named=True):
        key = (row["model"], row["task"], row["persona"], row["variant"])
        counts.setdefault(key, {}).setdefault(row["reference"], {})[row["answer"]] = row
    with ink.context(tables, settings):
        return _draw(read_cells(tables["cells"]), counts, settings)


@dataclass(frozen=True)
class _Matrix:
    """One matrix: what it stands for, its title and look, its row of the cells, its counts."""

    name: str
    title: str
    look: Look
    row: dict[str, Any]
    counts: dict[int, dict[int | None, dict[str, Any]]]


@dataclass(frozen=True)
class _Grid:
    """Measures of the matrices of a block, in mm."""

    levels: int
    cell: float
    edge: float
    columns: int
    title: float

    @property
    def width(self) -> float:
        return _EDGE_MM + (self.levels + 1) * self.cell + _APART_MM + self.edge

    @property
    def height(self) -> float:
        return _EDGE_MM + self.levels * _CELL_MM

    @property
    def pitch(self) -> float:
        return self.title + 2 * _LINE_MM + 0.8 + self.height + 3.5

    def left(self, answer: int | None) -> float:
        """Left edge of a column of answers."""
        column = self.levels if answer is None else answer
        return _EDGE_MM + column * self.cell + (_APART_MM if answer is None else 0.0)


def _draw(cells: Cells, counts: _Counts, settings: Mapping[str, Any]) -> Figure:
    blocks = []
    height = 0.0
    for task in cells.tasks:
        for model in cells.models:
            matrices = _matrices(cells, counts, settings, (task, model))
            grid = _grid(matrices, len(settings["tasks"][task]["levels"]))
            levels = _levels(settings, task)
            title = words.task_title(settings["tasks"][task])
            if len(cells.models) > 1:
                title += f" · {settings['models'][model]}"
            n = words.n_text(row["n"] for row in cells.main(task) if row["model"] == model)
            title, more = over_panels(f"{title}; {n}")
            head = more + 4.0 + typeset.height_of(levels, ink.TEXT_PT) + 1.5
            blocks.append((height, head, (title, more), levels, matrices, grid))
            height += head + -(-len(matrices) // grid.columns) * grid.pitch + 2
    sheet = Sheet(
        settings,
        "Confusion matrices: reference (rows) against answer (columns), counts of items, shaded "
        "by their share of the row" + words.of_model(cells, settings),
        height - 5,
        _key(),
        _notes(cells, counts, settings),
    )
    for top, head, (title, more), levels, matrices, grid in blocks:
        sheet.text(0, top, title, size=ink.PANEL_PT, weight="bold")
        sheet.text(0, top + more + 4.0, levels)
        for i, matrix in enumerate(matrices):
            line, column = divmod(i, grid.columns)
            left = column * (ink.INNER_MM + _GAP_MM) / grid.columns
            place = (left, top + head + line * grid.pitch)
            _draw_matrix(sheet, grid, matrix, settings["too_few_below"], place)
    return sheet.figure


def _levels(settings: Mapping[str, Any], task: str) -> str:
    """Words on what the numbers of the levels stand for."""
    titles = settings["tasks"][task]["levels"]
    named = "; ".join(f"{i} = {title}" for i, title in enumerate(titles, start=1))
    text = f"Rows: reference, columns: answer. {named}; inv. = invalid answer"
    return typeset.wrap(text, ink.INNER_MM, ink.TEXT_PT)


def _matrices(
    cells: Cells, counts: _Counts, settings: Mapping[str, Any], block: tuple[str, str]
) -> list[_Matrix]:
    """The matrices of a block: every persona, then the raters."""
    task, model = block
    looks, stars = ink.looks(cells.personas), marks.rater_looks(cells)
    found = []
    for persona in cells.personas:
        row = cells.get(model, task, persona) or {"n": 0, "n_invalid": 0}
        title = settings["personas"][persona]["title"]
        mine = counts.get((model, task, persona, "main"), {})
        name = f"{model}|{task}|{persona}"
        found.append(_Matrix(name, title, looks[persona], row, mine))
    for row in cells.raters(task):
        rater = row["persona"]
        title = marks.rater_title(settings, rater)
        mine = counts.get((row["model"], task, rater, row["variant"]), {})
        name = f"{model}|{row['model']}|{task}|{rater}"
        found.append(_Matrix(name, title, stars[rater], row, mine))
    return found


def _grid(matrices: Sequence[_Matrix], levels: int) -> _Grid:
    rows = [row for matrix in matrices for of in matrix.counts.values() for row in of.values()]
    widths = [typeset.width_of(str(row["count"]), _COUNT_PT) for row in rows]
    cell = max([_CELL_MM, typeset.width_of("inv.", _COUNT_PT), *widths]) + 0.4
    edge = max([typeset.width_of(str(row["n"]), _COUNT_PT) for row in rows], default=0.0) + 1.2
    width = _EDGE_MM + (levels + 1) * cell + _APART_MM + edge
    texts = [typeset.width_of(text, ink.SMALL_PT) for m in matrices for text in _figures(m, None)]
    fit = int((ink.INNER_MM + _GAP_MM) / (max([width, *texts]) + _GAP_MM))
    lines = -(-len(matrices) // max(1, min(_MOST_COLUMNS, fit)))
    columns = max(-(-len(matrices) // lines), min(3, fit))  # lines that are about equally full
    room = (ink.INNER_MM + _GAP_MM) / columns - _GAP_MM - _GLYPH_MM
    titles = [typeset.wrap(matrix.title, room, _TITLE_PT, "bold") for matrix in matrices]
    title = max(typeset.height_of(text, _TITLE_PT) for text in titles)
    return _Grid(levels, cell, edge, columns, title)


def _figures(matrix: _Matrix, below: int | None) -> tuple[str, str]:
    """Agreement and n of a matrix; `below` is what too few items are, None for none."""
    row = matrix.row
    values = [row.get(f"kappa_quadratic{end}") for end in ("", "_low", "_high")]
    texts = [words.number(value, 2) for value in values if value is not None]
    kappa = "κ not available"
    if below is not None and row["n"] < below:
        kappa = "κ: too few"
    elif len(texts) == 3:
        kappa = f"κ {texts[0]} [{texts[1]}, {texts[2]}]"
    return kappa, f"n = {row['n']}, {row['n_invalid']} invalid"


def _draw_matrix(
    sheet: Sheet,
    grid: _Grid,
    matrix: _Matrix,
    below: int,
    place: tuple[float, float],
) -> None:
    """Draw a matrix at its place; a share of fewer items than `below` is not shown."""
    left, top = place
    room = (ink.INNER_MM + _GAP_MM) / grid.columns - _GAP_MM - _GLYPH_MM
    title = typeset.wrap(matrix.title, room, _TITLE_PT, "bold")
    bold: dict[str, Any] = {"size": _TITLE_PT, "weight": "bold", "anchor": "bottom"}
    sheet.text(left + _GLYPH_MM, top + grid.title, title, **bold)
    texts = _figures(matrix, below)
    for i, text in enumerate(texts):
        weight = "bold" if i and all_invalid(matrix.row) else "normal"
        y = top + grid.title + 0.3 + i * _LINE_MM
        sheet.text(left, y, text, size=ink.SMALL_PT, weight=weight)
    down = grid.title + 2 * _LINE_MM + 0.8
    axes = sheet.axes(left, top + down, grid.width, grid.height)
    axes.set_axis_off()
    axes.set_xlim(0, grid.width)
    axes.set_ylim(grid.height, 0)
    look = ink.filled(matrix.look.colour, matrix.look.marker, 3.8)
    first = grid.title - typeset.height_of(title, _TITLE_PT) + 1.3
    marks.point(axes, 1.1, first - down, f"glyph|{matrix.name}", **look)
    if not matrix.counts:
        axes.text(grid.width / 2, grid.height / 2, "not available", ha="center", va="center")
        return
    _label(axes, grid)
    for reference in range(grid.levels):
        _draw_row(axes, grid, matrix, reference, below)


def _label(axes: Axes, grid: _Grid) -> None:
    """Number the levels along both edges."""
    look: dict[str, Any] = {"size": _COUNT_PT, "color": ink.MIDDLE, "va": "center_baseline"}
    for level in range(grid.levels):
        y = _EDGE_MM + (level + 0.5) * _CELL_MM
        axes.text(_EDGE_MM - 0.8, y, str(level + 1), ha="right", **look)
        x = grid.left(level) + grid.cell / 2
        axes.text(x, _EDGE_MM / 2, str(level + 1), ha="center", **look)
    axes.text(grid.left(None) + grid.cell / 2, _EDGE_MM / 2, "inv.", ha="center", **look)
    axes.text(grid.width, _EDGE_MM / 2, "n", ha="right", **look)


def _draw_row(axes: Axes, grid: _Grid, matrix: _Matrix, reference: int, below: int) -> None:
    """Draw the counts of a level of the reference, shaded where they are enough for a share."""
    mine = matrix.counts.get(reference, {})
    total = max((row["n"] for row in mine.values()), default=0)
    top = _EDGE_MM + reference * _CELL_MM
    text: dict[str, Any] = {"size": _COUNT_PT, "va": "center_baseline"}
    for answer in [*range(grid.levels), None]:
        row = mine.get(answer, {"count": 0, "share": None})
        share = row["share"] if total >= below else None
        left = grid.left(answer)
        right = answer == reference
        gid = f"{matrix.name}|{reference}|{'invalid' if answer is None else answer}"
        box = Rectangle(
            (left, top),
            grid.cell,
            _CELL_MM,
            facecolor="white" if share is None else _SHADES(share),
            edgecolor=ink.DARK if right else ink.LIGHT,
            linewidth=0.8 if right else 0.3,
            clip_on=False,
            zorder=2 if right else 1,
            gid=f"cell|{gid}",
        )
        axes.add_patch(box)
        colour = "white" if share is not None and share >= _WHITE_FROM else ink.DARK
        if not row["count"]:
            colour = ink.MIDDLE
        x, y = left + grid.cell / 2, top + _CELL_MM / 2
        look = text | {"ha": "center", "color": colour, "zorder": 3, "gid": f"count|{gid}"}
        axes.text(x, y, str(row["count"]), **look)
    look = text | {"ha": "right", "color": ink.MIDDLE, "gid": f"n|{matrix.name}|{reference}"}
    axes.text(grid.width, top + _CELL_MM / 2, str(total), **look)


def _key() -> list[Entry]:
    shares = (0.1, 0.25, 0.5, 0.75, 1.0)
    return [
        Entry(f"{words.percent(share)} of the row", band=to_hex(_SHADES(share))) for share in shares
    ]


def _notes(cells: Cells, counts: _Counts, settings: Mapping[str, Any]) -> list[str]:
    below = settings["too_few_below"]
    notes = [
        "Main wording. The first level is the most urgent one. Framed: answers that equal the "
        "reference; to the right of them under-triage, to the left over-triage. n, at the right "
        "edge: items of a level of the reference.",
        "κ: quadratically weighted, of the valid answers; in brackets "
        f"{words.bootstrap_note(settings, cells.tasks)}.",
    ]
    shown = [key for key in counts if key[3] == "main" or key[0] in RATED]
    totals = [row["n"] for key in shown for of in counts[key].values() for row in of.values()]
    if any(total < below for total in totals):
        notes.append(f"Rows of fewer than {below} items are not shaded.")
    # Learned from all records, and not only from those that the models were asked.
    of_words = [of for key, of in counts.items() if key[0] == WORDS and key[3] == "main"]
    totals = [row["n"] for of in of_words for level in of.values() for row in level.values()]
    if totals and min(totals) < settings["folds"]:
        few = f"A level of fewer than {settings['folds']} items, the folds of the bag of words"
        notes.append(f"{few}, can hardly be learned from words.")
    rows = [row for task in cells.tasks for row in [*cells.main(task), *cells.raters(task)]]
    notes += words.too_few_note(settings, rows)
    return [*notes, words.study_note(settings, cells.tasks)]
