"""Judges against clinicians: agreement below its ceiling, and what both say of personas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...figures import ink, judged, parts, typeset, words
from ...figures.judged import Block, Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Column, Part
from ...figures.rows import Rows, draw_rows, label_rows, label_width
from ...names import ALL, CLINICIANS
from . import agreement

_SUBTITLE = (
    "Judges against clinicians: agreement on the same answers, below that of clinicians with each "
    "other, and mean ratings of every persona by both"
)
_HUMANS, _BOTH = "human–human", "judge–human"
_ROW_MM = 3.8
_TICKS_MM = 8.0
_GAP_MM = 5.0
_BETWEEN_MM = 5.0
_LINE_MM = typeset.height_of("", ink.SMALL_PT)
_HEAD_MM = 3.6 * _LINE_MM
_LABELS_MM = 58.0
_WIDEST_MM = 34.0
_CEILING: dict[str, Any] = {"color": ink.DARK, "linewidth": 0.8, "linestyle": (0, (4, 2))}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        rows = study.rows("clinicians")
        if not rows:
            why = (
                "Nothing to show: there are no annotations of clinicians (resources/annotations), "
                "so that judges cannot be held against them."
            )
            return parts.nothing(study, _SUBTITLE, why)
        tasks = list(dict.fromkeys(row["task"] for row in rows))
        found = [_part(study, task) for task in tasks]
        return parts.page(study, _SUBTITLE, found, _key(study), _notes(study, tasks))


def _part(study: Judged, task: str) -> Part:
    forests = _forests(study, task)
    lines = _ratings(study, task)

    def draw_part(sheet: Sheet, top: float) -> None:
        for forest in forests:
            _draw_forest(sheet, study, forest, top)
            top += forest.height + _BETWEEN_MM
        for line in lines:
            _draw_line(sheet, study, line, top)
            top += line.height + _BETWEEN_MM

    heights = [forest.height for forest in forests] + [line.height for line in lines]
    heading = words.task_title(study.settings["tasks"][task])
    height = sum(heights) + _BETWEEN_MM * (len(heights) - 1)
    return Part(heading, "", True, "", height, draw_part)


# --- agreement -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Pairs of raters under a heading: those of clinicians, or of one judge with them."""

    heading: str
    judge: str | None
    rows: list[Row]

    @property
    def head(self) -> float:
        """Height of the heading."""
        return typeset.height_of(self.heading, ink.SMALL_PT) + 1.8


@dataclass(frozen=True)
class _Forest:
    """Agreement on one question: pairs of raters, and the mean of the clinicians' pairs."""

    task: str
    question: str
    statistic: str
    groups: list[_Group]
    mean: Row | None
    lowest: float  # end of the axis

    @property
    def rows(self) -> float:
        """Height of the rows."""
        return sum(group.head + len(group.rows) * _ROW_MM for group in self.groups)

    @property
    def height(self) -> float:
        """Height with head and ticks."""
        return _HEAD_MM + self.rows + _TICKS_MM


def _forests(study: Judged, task: str) -> list[_Forest]:
    """One per question that judges and clinicians, or two clinicians, rated."""
    found = []
    rows = [r for r in study.rows("agreement", task=task) if r["kind"] in (_HUMANS, _BOTH)]
    ends = [row["low"] for row in rows if row["low"] is not None and not study.few(row)]
    lowest = max(-1.0, 10 * min([0.0, *ends]) // 1 / 10)
    for question in dict.fromkeys(row["question"] for row in rows):
        own = [row for row in rows if row["question"] == question]
        own = [row for row in own if row["statistic"] == agreement.chosen(own)]
        pairs = [row for row in own if row["rater_b"] is not None]
        humans = [row for row in pairs if row["kind"] == _HUMANS]
        groups = [_Group("Clinicians with each other", None, humans)] if humans else []
        both = [row for row in pairs if row["kind"] == _BOTH]
        for judge in dict.fromkeys(_judge_of(study, row) for row in both):
            of_judge = [row for row in both if _judge_of(study, row) == judge]
            groups.append(_Group(_heading(study, judge), judge, of_judge))
        mean = [row for row in own if row["rater_b"] is None and row["kind"] == _HUMANS]
        if groups:
            statistic = agreement.chosen(own)
            one = mean[0] if mean else None
            found.append(_Forest(task, question, statistic, groups, one, lowest))
    return found


def _heading(study: Judged, judge: str) -> str:
    text = f"{study.title(judge)} with"
    return typeset.wrap(text, _LABELS_MM - parts.TAG_MM - 4, ink.SMALL_PT, "bold")


def _judge_of(study: Judged, row: Row) -> str:
    return str(row["rater_a"] if study.judge(row["rater_a"]) else row["rater_b"])


def _draw_forest(sheet: Sheet, study: Judged, forest: _Forest, top: float) -> None:
    name = agreement.STATISTICS[forest.statistic]
    title = f"{study.question(forest.task, forest.question)}: {name}"
    sheet.text(0, top, title, weight="bold")
    level = words.percent(study.settings["confidence"])
    y, places, headings = 0.0, [], []
    for group in forest.groups:
        headings.append((y + group.head / 2, group))
        y += group.head
        for row in group.rows:
            places.append((y + _ROW_MM / 2, group, row))
            y += _ROW_MM
    values = [(at, study.few(row) or words.with_interval(row, 2)) for at, _, row in places]
    counts = [(at, str(row["n"])) for at, _, row in places]
    columns = [Column(f"κ\n[{level} int.]", values), Column("n", counts)]
    width = ink.INNER_MM - _LABELS_MM - parts.width_of(columns) - 1
    top += _HEAD_MM
    parts.write(sheet, columns, ink.INNER_MM, top)
    axes = sheet.axes(_LABELS_MM, top, width, forest.rows)
    _prepare(axes, study, forest)
    for at, group in headings:
        _write_group(sheet, study, group, top + at)
    for at, group, row in places:
        unusable = group.judge in study.unusable
        axes.axhline(at, color=ink.PALE, linewidth=0.4, zorder=0)
        sheet.text(3, top + at, _pair(study, row), size=ink.SMALL_PT, anchor="middle")
        gid = "|".join((forest.task, forest.question, row["rater_a"], row["rater_b"]))
        look = (ink.GREY if unusable else ink.DARK, "o")
        parts.mark(axes, study, row, (axes.get_xlim()[0], at), name=gid, look=look)


def _prepare(axes: Axes, study: Judged, forest: _Forest) -> None:
    """Prepare the axis, and draw the ceiling: the range of the clinicians' pairs, their mean."""
    axes.set_xlim(forest.lowest, 1)
    axes.set_ylim(forest.rows, 0)
    axes.set_yticks([])
    axes.axvline(0, color=ink.DARK, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x, 1)))
    axes.set_xlabel("Agreement (0 = chance, 1 = perfect)")
    pairs = [row for group in forest.groups for row in group.rows if not study.few(row)]
    humans = [row for row in pairs if row["kind"] == _HUMANS]
    if humans:
        low, high = (f(row["value"] for row in humans) for f in (min, max))
        axes.axvspan(low, high, color=ink.PALE, zorder=-1, gid="ceiling")
    if forest.mean is not None and not study.few(forest.mean):
        x = forest.mean["value"]
        axes.plot([x, x], [0, forest.rows], gid=f"mean|{forest.question}", zorder=1, **_CEILING)


def _write_group(sheet: Sheet, study: Judged, group: _Group, middle: float) -> None:
    bold: dict[str, Any] = {"size": ink.SMALL_PT, "weight": "bold", "anchor": "middle"}
    sheet.text(0, middle, group.heading, color=ink.MIDDLE, **bold)
    if group.judge in study.unusable:
        lines = group.heading.split("\n")
        lowest = middle + (len(lines) - 1) * _LINE_MM / 2
        parts.tag(sheet, typeset.width_of(lines[-1], ink.SMALL_PT, "bold") + 3, lowest)


def _pair(study: Judged, row: Row) -> str:
    """The clinicians of a pair."""
    names = [row[side] for side in ("rater_a", "rater_b") if not study.judge(row[side])]
    return f"Clinician{'s' * (len(names) > 1)} {' and '.join(names)}"


# --- mean ratings of the personas ----------------------------------------------------------


@dataclass(frozen=True)
class _Panel:
    """Mean ratings by one: what it is called, whether it is usable, and its rows by persona."""

    block: Block
    title: str
    rows: dict[str, Row]

    def lines(self, width: float) -> list[str]:
        """Title over a panel of this width."""
        return typeset.wrap(self.title, width + _GAP_MM - 1, ink.SMALL_PT, "bold").split("\n")


@dataclass(frozen=True)
class _Line:
    """Panels of one question side by side: of clinicians, then of the judges who rated the same."""

    heading: str
    question: str
    ends: tuple[float, float]
    panels: list[_Panel]
    place: Rows
    width: float

    @property
    def head(self) -> float:
        """Height above the rows."""
        lines = [len(panel.lines(self.width)) + (not panel.block.usable) for panel in self.panels]
        return typeset.height_of("", ink.TEXT_PT) + (max(lines) + 1) * _LINE_MM + 2

    @property
    def height(self) -> float:
        """Height with heads and ticks."""
        return self.head + self.place.height + _TICKS_MM - 3


def _ratings(study: Judged, task: str) -> list[_Line]:
    found = []
    rows = study.rows("clinicians", task=task)
    asked = {question["id"]: question for question in study.settings["tasks"][task]["questions"]}
    for model, id_ in dict.fromkeys((row["model"], row["question"]) for row in rows):
        own = study.rows("clinicians", task=task, model=model, question=id_)
        question = asked[id_]
        ends = (min(question["values"]), max(question["values"]))
        block = Block(study, task, model, CLINICIANS, True)
        panels = [_Panel(block, "Clinicians", {row["persona"]: row for row in own})]
        if question["rating"] is not None:
            panels += _of_judges(study, task, model, question["rating"])
        heading = f"Mean ratings, {question['title']} ({ends[0]}–{ends[1]})"
        heading += f" · {study.settings['models'][model]}"
        place = study.place(row["persona"] for row in own)
        room = ink.INNER_MM - _labels(study, own) - parts.width_of(_columns(study, own, place))
        width = min(_WIDEST_MM, room / len(panels) - _GAP_MM)
        found.append(_Line(heading, id_, ends, panels, place, width))
    return found


def _labels(study: Judged, rows: Sequence[Row]) -> float:
    return label_width(study.settings, [row["persona"] for row in rows]) + 3


def _of_judges(study: Judged, task: str, model: str, rating: Mapping[str, Any]) -> list[_Panel]:
    """The panels of all judges of a model and task that gave a rating."""
    found = []
    for block in study.blocks("judgements"):
        if (block.task, block.model) != (task, model):
            continue
        scale = block.spec["scale"]
        where = {"category": ALL, "variant": "main", "metric": rating["id"]}
        rows = block.rows("judgements", **where)
        turned = {r["persona"]: _turned(r, scale) if rating["turned"] else r for r in rows}
        if rows:
            note = f"{study.question(task, rating['id'])}{', turned' * rating['turned']}"
            found.append(_Panel(block, f"{study.title(block.judge)}: {note}", turned))
    return found


def _turned(row: Row, scale: int) -> Row:
    """A row on the scale turned round."""

    def turn(value: float | None) -> float | None:
        return None if value is None else scale + 1 - value

    return row | {"value": turn(row["value"]), "low": turn(row["high"]), "high": turn(row["low"])}


def _draw_line(sheet: Sheet, study: Judged, line: _Line, top: float) -> None:
    seen = line.panels[0].rows
    columns = _columns(study, list(seen.values()), line.place)
    sheet.text(0, top, line.heading, weight="bold")
    top += line.head
    label_rows(sheet, line.place, study.settings, top)
    left = _labels(study, list(seen.values()))
    for i, panel in enumerate(line.panels):
        _write_title(sheet, panel, left, top, line.width)
        axes = sheet.axes(left, top, line.width, line.place.height)
        draw_rows(axes, line.place)
        axes.set_xlim(*line.ends)
        axes.set_xticks([line.ends[0], sum(line.ends) / 2, line.ends[1]])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        start = line.ends[0] + 0.02 * (line.ends[1] - line.ends[0])
        for persona in seen:
            row = panel.rows.get(persona)
            if row is not None:
                place = (start, line.place.of(persona, ""))
                name = panel.block.gid(line.question, persona)
                look = panel.block.look(persona)
                parts.mark(axes, study, row, place, name=name, look=look)
        left += line.width + _GAP_MM
        if i == 0:
            left += parts.width_of(columns)
            parts.write(sheet, columns, left - _GAP_MM, top)


def _write_title(sheet: Sheet, panel: _Panel, left: float, top: float, width: float) -> None:
    """Write above a panel whose ratings it holds, and that its judge is not usable."""
    small: dict[str, Any] = {"size": ink.SMALL_PT, "anchor": "bottom"}
    n = words.n_text(row["n"] for row in panel.rows.values())
    sheet.text(left, top - 0.8, n, **small)
    up = top - 0.8 - _LINE_MM
    if not panel.block.usable:
        parts.tag(sheet, left + 0.5, up - _LINE_MM / 2, parts.COLUMN_PT)
        up -= 1.1 * _LINE_MM
    sheet.text(left, up, "\n".join(panel.lines(width)), weight="bold", **small)


def _columns(study: Judged, rows: Sequence[Row], place: Rows) -> list[Column]:
    """How sure the clinicians were, and how many they are."""
    values, low, counts = [], [], []
    for row in rows:
        y = place.of(row["persona"], "")
        stated = {"value": row["confidence"], "n": row["n"]}
        stated |= {end: row[f"confidence_{end}"] for end in ("low", "high")}
        values.append((y, study.few(stated) or words.with_interval(stated, 1)))
        low.append((y, study.few(stated) or f"{100 * row['low_confidence_share']:.0f}%"))
        counts.append((y, f"{row['n_ratings']} ({row['n_annotators']})"))
    level = words.percent(study.settings["confidence"])
    sure = [option["value"] for option in _confidence(study, rows[0]["task"])]
    ends = f"{min(sure)}–{max(sure)}"
    return [
        Column(f"confidence\n{ends} [{level} int.]", values),
        Column("low\n", low),
        Column("ratings\n(raters)", counts),
    ]


def _confidence(study: Judged, task: str) -> list[Mapping[str, Any]]:
    """How sure a clinician may be, from the least on."""
    options: list[Mapping[str, Any]] = study.settings["tasks"][task]["confidence"]
    return sorted(options, key=lambda option: int(option["value"]))


# --- key and notes -------------------------------------------------------------------------


def _key(study: Judged) -> list[Entry]:
    level = words.percent(study.settings["confidence"])
    bar = {"color": ink.MIDDLE}
    key = [Entry(f"value, {level} interval", ink.filled(ink.MIDDLE, "o"), bar)]
    if study.rows("agreement", kind=_HUMANS):
        key.append(Entry("ceiling: mean of the pairs of clinicians", line=_CEILING))
        key.append(Entry("range of these pairs", band=ink.PALE))
    if any(not block.usable for block in study.blocks("judgements")):
        text = "grey: the judge is not usable by its own rule"
        key.append(Entry(text, ink.filled(ink.GREY, "o")))
    return key


def _notes(study: Judged, tasks: Sequence[str]) -> list[str]:
    blocks = [block for block in study.blocks("judgements") if block.task in tasks]
    sure = {
        ", ".join(f"{o['value']} {o['label'].lower()}" for o in _confidence(study, task))
        for task in tasks
    }
    first = [
        "A judge that agrees with clinicians as they agree with each other reaches the ceiling. "
        "Mean ratings: of clinicians over the answers that they saw, each the mean of its "
        "annotators; of judges over all answers of the persona, the expected value on the judge's "
        "scale, turned round where it runs the other way. "
        f"Confidence: {' or '.join(sorted(sure))}; low: share of the ratings with the lowest. "
        "n: answers.",
        f"Intervals: {words.bootstrap_note(study.settings, tasks)}, for the raters at hand.",
    ]
    rows = [*study.rows("clinicians"), *study.rows("agreement")]
    first += words.too_few_note(study.settings, [{"n": row["n"]} for row in rows])
    return judged.notes(study, tasks, [block.judge for block in blocks], first)
