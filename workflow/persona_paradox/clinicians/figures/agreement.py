"""How far all raters agree, judges and clinicians: a matrix per question, and all together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...figures import heat, ink, judged, parts, typeset, words
from ...figures.judged import Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Part
from ..agreement import RULE

_SUBTITLE = "Agreement of all raters, judges and clinicians, on the same answers"
_NO_RATERS = (
    "no two raters rated the same answers, for the study has fewer than two judges of a task and "
    "no annotations of clinicians (resources/annotations)"
)

# Which κ stands in a matrix: the first that its table has.
KAPPAS = ("kappa_quadratic", "kappa")
STATISTICS = {
    "kappa_quadratic": "quadratically weighted κ",
    "kappa": "κ",
    "agreement": "share of equal ratings",
    "ac1": "Gwet's AC1",
    "alpha_nominal": "Krippendorff's α (nominal)",
    "alpha_ordinal": "Krippendorff's α (ordinal)",
}
_OF_PAIRS = {*KAPPAS, "agreement"}
# Of several raters together.
_TOGETHER = {
    "human–human": "Clinicians with each other",
    "judge–human": "Judges with clinicians",
    "judge–judge": "Judges with each other",
    "rule–judge": "Judges with the rule",
}

_CELL_MM, _ROW_MM = 11.8, 7.6  # of a row the least
_NAME_MM = 23.0
_NUMBER_MM = 4.0
_EDGE_MM = 4.0
_GAP_MM = 5.0
_HALF_MM = (ink.INNER_MM - _GAP_MM) / 2
_LINE_MM = typeset.height_of("", ink.SMALL_PT)


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        rows = study.rows("agreement")
        if not any(row["rater_b"] is not None for row in rows):
            return parts.nothing(study, _SUBTITLE, f"Nothing to show: {_NO_RATERS}.")
        tasks = list(dict.fromkeys(row["task"] for row in rows))
        found = [_part(study, task) for task in tasks]
        return parts.page(study, _SUBTITLE, found, _key(study), _notes(study, tasks))


def chosen(rows: Iterable[Row]) -> str:
    """Which κ is shown of some rows."""
    known = {row["statistic"] for row in rows}
    return next((name for name in KAPPAS if name in known), KAPPAS[-1])


@dataclass(frozen=True)
class _Matrix:
    """The raters of a question with their names in lines, and its rows of the table."""

    task: str
    question: str
    raters: dict[str, str]
    rows: list[Row]
    row: float  # height of a row in mm

    @property
    def statistic(self) -> str:
        """Which κ it shows."""
        return chosen(self.rows)

    @property
    def width(self) -> float:
        """Width in mm that it takes with its words: half the page, or more where it must."""
        return max(_HALF_MM, _NUMBER_MM + _NAME_MM + len(self.raters) * _CELL_MM)

    def pair(self, a: str, b: str, statistic: str) -> Row | None:
        """Row of two raters, in whichever order the table has them."""
        return next(
            (
                row
                for row in self.rows
                if {row["rater_a"], row["rater_b"]} == {a, b} and row["statistic"] == statistic
            ),
            None,
        )


def _matrices(study: Judged, task: str) -> list[_Matrix]:
    found = []
    rows = study.rows("agreement", task=task)
    for question in dict.fromkeys(row["question"] for row in rows):
        own = [row for row in rows if row["question"] == question]
        names = [row[side] for row in own for side in ("rater_a", "rater_b")]
        raters = [name for name in dict.fromkeys(names) if name is not None]
        judges = [name for name in raters if study.judge(name)]
        raters = judges + [name for name in raters if name not in judges]
        names_of = {rater: _name(study, rater) for rater in raters}
        lines = [n.count("\n") + 1 + (r in study.unusable) for r, n in names_of.items()]
        if raters:
            row = max(_ROW_MM, max(lines) * _LINE_MM + 1)
            found.append(_Matrix(task, question, names_of, own, row))
    return found


def _name(study: Judged, rater: str) -> str:
    own = "Rule" if rater == RULE else f"Clinician {rater}"
    title = study.title(rater) if study.judge(rater) else own
    return typeset.wrap(title, _NAME_MM - 1.5, ink.SMALL_PT)


def _part(study: Judged, task: str) -> Part:
    lines: list[list[_Matrix]] = []
    for matrix in _matrices(study, task):
        used = sum(other.width + _GAP_MM for other in lines[-1]) if lines else ink.INNER_MM
        if used + matrix.width > ink.INNER_MM + 0.1:
            lines.append([])
        lines[-1].append(matrix)
    heights = [max(_height(study, matrix) for matrix in line) for line in lines]

    def draw_part(sheet: Sheet, top: float) -> None:
        for line, height in zip(lines, heights, strict=True):
            left = 0.0
            for matrix in line:
                _draw_matrix(sheet, study, matrix, left, top)
                left += matrix.width + _GAP_MM
            top += height + 4

    heading = words.task_title(study.settings["tasks"][task])
    height = sum(heights) + 4 * (len(heights) - 1)
    return Part(heading, "", True, "", height, draw_part)


def _head(matrix: _Matrix) -> str:
    """What stands above a matrix: κ and raw agreement, in lines."""
    name = STATISTICS[matrix.statistic]
    text = f"below the diagonal: {name}; above: {STATISTICS['agreement']}"
    return typeset.wrap(text, matrix.width, ink.SMALL_PT)


def _together(study: Judged, matrix: _Matrix) -> str:
    """Figures of several raters together, in lines."""
    found: dict[str, list[str]] = {}
    own = [row for row in matrix.rows if row["statistic"] not in _OF_PAIRS - {matrix.statistic}]
    for row in own:
        if row["rater_b"] is None:
            pairs = [other for other in own if other["kind"] == row["kind"] and other["rater_b"]]
            of_pairs = row["statistic"] in _OF_PAIRS
            if of_pairs and len({(p["rater_a"], p["rater_b"]) for p in pairs}) < 2:
                continue  # the mean of one
            name = "mean " * of_pairs + STATISTICS[row["statistic"]]
            kind = f"{_TOGETHER.get(row['kind'], 'All raters')} (n = {row['n']})"
            text = study.few(row) or words.with_interval(row, 2)
            found.setdefault(kind, []).append(f"{name} {text}")
    lines = [f"{kind}: {'; '.join(texts)}." for kind, texts in found.items()]
    return "\n".join(typeset.wrap(line, matrix.width, ink.SMALL_PT) for line in lines)


def _height(study: Judged, matrix: _Matrix) -> float:
    head = typeset.height_of("", ink.TEXT_PT) + typeset.height_of(_head(matrix), ink.SMALL_PT)
    together = _together(study, matrix)
    foot = typeset.height_of(together, ink.SMALL_PT) + 1.5 if together else 0.0
    return head + 1 + _EDGE_MM + len(matrix.raters) * matrix.row + foot


def _draw_matrix(sheet: Sheet, study: Judged, matrix: _Matrix, left: float, top: float) -> None:
    sheet.text(left, top, study.question(matrix.task, matrix.question), weight="bold")
    top += typeset.height_of("", ink.TEXT_PT)
    head = _head(matrix)
    sheet.text(left, top, head, size=ink.SMALL_PT)
    top += typeset.height_of(head, ink.SMALL_PT) + 1 + _EDGE_MM
    size = len(matrix.raters)
    axes = sheet.axes(left + _NUMBER_MM + _NAME_MM, top, size * _CELL_MM, size * matrix.row)
    axes.set_axis_off()
    axes.set_xlim(0, size * _CELL_MM)
    axes.set_ylim(size * matrix.row, 0)
    small: dict[str, Any] = {"size": ink.SMALL_PT}
    for i, (rater, text) in enumerate(matrix.raters.items()):
        y = (i + 0.5) * matrix.row
        sheet.text(
            left + _NUMBER_MM - 1.2, top + y, str(i + 1), anchor="middle", ha="right", **small
        )
        _write_rater(sheet, study, rater, text, (left + _NUMBER_MM, top + y))
        axes.text(
            (i + 0.5) * _CELL_MM,
            -_EDGE_MM / 2,
            str(i + 1),
            ha="center",
            va="center_baseline",
            **small,
        )
        for j, other in enumerate(matrix.raters):
            box = (j * _CELL_MM, i * matrix.row, _CELL_MM, matrix.row)
            _draw_cell(axes, study, matrix, (rater, other), box, below=j < i)
    down = top + size * matrix.row + 1.5
    sheet.text(left, down, _together(study, matrix), **small)


def _write_rater(
    sheet: Sheet, study: Judged, rater: str, text: str, place: tuple[float, float]
) -> None:
    """Write the name of a rater, and below it that a judge is not usable."""
    left, middle = place
    unusable = rater in study.unusable
    up = 0.55 * _LINE_MM if unusable else 0.0
    sheet.text(left, middle - up, text, size=ink.SMALL_PT, anchor="middle")
    if unusable:
        lines = text.count("\n") + 1
        parts.tag(sheet, left + 0.5, middle - up + (lines / 2 + 0.65) * _LINE_MM, heat.SMALL_PT)


def _draw_cell(
    axes: Axes,
    study: Judged,
    matrix: _Matrix,
    raters: tuple[str, str],
    box: tuple[float, float, float, float],
    *,
    below: bool,
) -> None:
    statistic = matrix.statistic if below else "agreement"
    name = "|".join((matrix.task, matrix.question, *raters, statistic))
    if raters[0] == raters[1]:
        heat.draw(axes, box, [], face=ink.PALE, gid=name)
        return
    row = matrix.pair(*raters, statistic)
    text = "not available" if row is None else study.few(row)
    if row is None or text is not None:
        lines = (text or "").split(" ") if text == "not available" else [text or ""]
        heat.draw(axes, box, lines, face="#FFFFFF", gid=name, color=ink.MIDDLE)
        return
    usable = not any(rater in study.unusable for rater in raters)
    digits, scale = (2, 1.0) if below else (0, 100.0)
    value = words.number(scale * row["value"], digits) + ("" if below else "%")
    ends = "–"
    if row["low"] is not None and row["high"] is not None:
        ends = ", ".join(words.number(scale * row[end], digits) for end in ("low", "high"))
    lines = [value, f"[{ends}]", f"n = {row['n']}"]
    if below:
        face = heat.side(max(-1.0, row["value"]), usable) if row["value"] < 0 else ""
        face = face or heat.amount(row["value"], usable)
    else:
        face = "#FFFFFF"
    heat.draw(axes, box, lines, face=face, gid=name)


def _key(study: Judged) -> list[Entry]:
    key = [
        Entry(
            f"κ = {words.number(value, 2)}",
            band=heat.side(value) if value < 0 else heat.amount(value),
        )
        for value in (-0.5, 0.25, 0.5, 0.75, 1.0)
    ]
    if study.unusable:
        text = "without hue: a judge that is not usable"
        key.append(Entry(text, band=heat.amount(0.7, usable=False)))
    return key


def _notes(study: Judged, tasks: Sequence[str]) -> list[str]:
    rows = study.rows("agreement")
    raters = [row[side] for row in rows for side in ("rater_a", "rater_b")]
    judges = [rater for rater in raters if rater is not None and study.judge(rater)]
    first = [
        "κ: Cohen's; of ordered ratings weighted by the square of the distance. 0 is the agreement "
        "of chance, 1 is perfect. A judge's rating is its likeliest digit, turned round where the "
        "question of the clinicians runs the other way. n: answers that both rated; of several "
        "raters, that at least two rated. Means are over pairs of raters.",
        f"Intervals: {words.bootstrap_note(study.settings, tasks)}, for the raters at hand.",
    ]
    first += words.too_few_note(study.settings, [{"n": row["n"]} for row in rows])
    return judged.notes(study, tasks, judges, first)
