"""Can the judges be trusted: what each makes of known answers, and how it behaves in the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ...figures import ink, judged, parts, typeset, words
from ...figures.judged import Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Column, Part

_SUBTITLE = (
    "Quality of the judges: what they make of answers whose worth is known beforehand, and how "
    "they behave in the study"
)
_USABLE, _SHIFT, _CLASSES = "usable", "injection_shift", "sanity_classes"
_ROW_MM = 4.0
_TICKS_MM = 5.5
_HEAD_MM = 6.0
_PANEL_MM = 56.0
_TITLES_MM = 74.0

_CHANCE: dict[str, Any] = {"color": ink.MIDDLE, "linewidth": 0.9, "linestyle": (0, (1, 1.2))}
_RULE: dict[str, Any] = {"color": ink.DARK, "linewidth": 1.0}


@dataclass(frozen=True)
class _Measure:
    """A figure of the quality: its title, what a guess reaches, the key of the rule it is under.

    Attributes:
        title: in words.
        chance: of a judge that guesses, None where there is no such value.
        least: key of the rule that it must reach.
        most: key of the rule that it must not exceed.
        percent: whether it is a share.
    """

    title: str
    chance: float | None = None
    least: str | None = None
    most: str | None = None
    percent: bool = True

    @property
    def key(self) -> str | None:
        """Key of the rule that it is under, None for none."""
        return self.least or self.most


# On known answers, in the order of the figure.
_CHECKS = {
    "sanity_accuracy": _Measure("Sanity pairs: the safer answer is preferred (ties half)", 0.5),
    "sanity_both_orders": _Measure("Sanity pairs: preferred in both orders", 0.25),
    "sanity_probability": _Measure("Sanity pairs: more probable over both orders", 0.5),
    "sanity_ratings": _Measure("Sanity pairs: the safer answer is rated better", 0.5),
    "sanity_criteria": _Measure(
        "Criteria of known answers: rightly met or not met", 0.5, least="sanity_accuracy"
    ),
    _CLASSES: _Measure("Answers of known class: the class is named"),
    "sanity_position_bias": _Measure(
        "Sanity pairs: verdict changes with the order", most="position_bias"
    ),
    "sanity_first_place": _Measure("Sanity pairs: the answer in first place is chosen", 0.5),
    "injection_rate": _Measure(
        "Judge injection rate: manipulated answers that sway it", most="injection_rate"
    ),
    "authors_accuracy": _Measure(
        "Known authors: the right persona is named", least="authors_accuracy"
    ),
    _SHIFT: _Measure("Mean rise of the ratings by manipulation (points)", percent=False),
}
_ITSELF = {
    "self_agreement": _Measure("Agreement of two draws of a verdict"),
    "written_agreement": _Measure("Written digit is the likeliest"),
    "scale_mass": _Measure("Probability that falls on the scale"),
}
_STUDY = {
    "position_bias": _Measure(
        "Position bias: verdict changes with the order", most="position_bias"
    ),
    "first_place": _Measure("The answer in first place is chosen", 0.5),
    "rating_preference": _Measure("Preferred answer is the one rated better", 0.5),
    **_ITSELF,
}
_LENGTH = "length_correlation"
_LENGTH_TITLE = "Preference and difference in length: Kendall's τ-b"


@dataclass(frozen=True)
class _Entry:
    """A row of the figure: its measure and its row of the table."""

    measure: _Measure
    row: Row

    @property
    def title(self) -> str:
        """What the row is called, in lines."""
        return typeset.wrap(self.measure.title, _TITLES_MM, ink.TEXT_PT)

    @property
    def height(self) -> float:
        """Height in mm."""
        return max(_ROW_MM, typeset.height_of(self.title, ink.TEXT_PT) + 0.8)


@dataclass(frozen=True)
class _Group:
    """Rows under one heading, which share an axis: shares, or correlations."""

    heading: str
    entries: list[_Entry]
    correlation: bool = False

    @property
    def head(self) -> float:
        """Height of the heading."""
        return typeset.height_of(self.heading, ink.SMALL_PT) + 1.8

    @property
    def height(self) -> float:
        """Height of the rows."""
        return sum(entry.height for entry in self.entries)

    @property
    def middles(self) -> list[float]:
        """How far down the middle of every row stands."""
        tops = accumulate((entry.height for entry in self.entries), initial=0.0)
        return [top + entry.height / 2 for top, entry in zip(tops, self.entries, strict=False)]


@dataclass(frozen=True)
class _Judge:
    """A judge and the groups of its rows."""

    study: Judged
    id: str
    groups: list[_Group]

    @property
    def usable(self) -> bool:
        """Whether it is usable by its own rule."""
        return self.id not in self.study.unusable

    @property
    def rule(self) -> Mapping[str, float]:
        """By which it is usable."""
        rule: Mapping[str, float] = self.study.judge(self.id)["usable"]
        return rule

    @property
    def why(self) -> str:
        """The verdict on it in words."""
        if self.usable:
            return "Usable by its own rule."
        return f"{judged.NOT_USABLE} by its own rule: {self.study.unusable[self.id]}."

    def ends(self, i: int) -> bool:
        """Whether an axis ends below a group."""
        last = i + 1 == len(self.groups)
        return last or self.groups[i + 1].correlation != self.groups[i].correlation

    @property
    def tops(self) -> list[float]:
        """Where the rows of every group begin, and where all ends."""
        found, top = [], 0.0
        for i, group in enumerate(self.groups):
            found.append(top + group.head)
            top += group.head + group.height + (_TICKS_MM if self.ends(i) else 0.0)
        return [*found, top]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        ids = list(dict.fromkeys(row["judge"] for row in study.rows("judges")))
        if not ids:
            why = judged.why_nothing(study, "no judge was asked anything")
            return parts.nothing(study, _SUBTITLE, why)
        judges = [_Judge(study, id_, _groups(study, id_)) for id_ in ids]
        found = [_part(judge) for judge in judges]
        return parts.page(study, _SUBTITLE, found, _key(study, judges), _notes(study))


def _part(judge: _Judge) -> Part:
    columns = _columns(judge)
    left = ink.INNER_MM - parts.width_of(columns) - _PANEL_MM - 1

    def draw_part(sheet: Sheet, top: float) -> None:
        top += _HEAD_MM
        parts.write(sheet, columns, ink.INNER_MM, top, usable=judge.usable)
        bold: dict[str, Any] = {"size": ink.SMALL_PT, "weight": "bold", "color": ink.MIDDLE}
        for i, (down, group) in enumerate(zip(judge.tops, judge.groups, strict=False)):
            sheet.text(0, top + down - group.head / 2, group.heading, anchor="middle", **bold)
            axes = sheet.axes(left, top + down, _PANEL_MM, group.height)
            _prepare(axes, group, judge.ends(i))
            _draw_group(axes, judge, group)
            for middle, entry in zip(group.middles, group.entries, strict=True):
                sheet.text(0, top + down + middle, entry.title, anchor="middle")

    height = judge.tops[-1] + _HEAD_MM
    return Part(judge.study.named(judge.id), "", judge.usable, judge.why, height, draw_part)


def _groups(study: Judged, judge: str) -> list[_Group]:
    rows = [row for row in study.rows("judges", judge=judge) if row["metric"] != _USABLE]
    # Where nobody knows any answers there is nothing to show of them.
    known = [row for row in rows if row["task"] is None and (row["n"] or row["n_unjudged"])]
    # The accuracy that the rule is about.
    about = study.judge(judge)
    least = "sanity_accuracy" if about["compares"] else "sanity_ratings"
    # Classes that are known count wherever they are asked for.
    ruled = {name: replace(_CHECKS[name], least="sanity_accuracy") for name in (least, _CLASSES)}
    checks = _CHECKS | ruled
    groups = [_group("Answers whose worth is known beforehand", known, checks | _ITSELF)]
    places = list(dict.fromkeys((r["task"], r["model"]) for r in rows if r["task"] is not None))
    lengths: list[_Entry] = []
    for task, model in places:
        own = [row for row in rows if (row["task"], row["model"]) == (task, model)]
        place = f"{words.task_title(study.settings['tasks'][task])} · "
        place += study.settings["models"][model]
        groups.append(_group(f"In the study: {place}", own, _STUDY))
        title = _LENGTH_TITLE if len(places) == 1 else place
        lengths += _group("", own, {_LENGTH: _Measure(title, 0.0, percent=False)}).entries
    groups.append(_Group("Length" if len(places) == 1 else _LENGTH_TITLE, lengths, True))
    return [group for group in groups if group.entries]


def _group(heading: str, rows: Sequence[Row], measures: Mapping[str, _Measure]) -> _Group:
    by_metric = {row["metric"]: row for row in rows}
    found = [_Entry(measures[name], by_metric[name]) for name in measures if name in by_metric]
    return _Group(typeset.wrap(heading, _TITLES_MM, ink.SMALL_PT, "bold"), found)


def _prepare(axes: Axes, group: _Group, last: bool) -> None:
    """Prepare the axis of a group, with numbers where it is the last that has it."""
    axes.set_ylim(group.height, 0)
    axes.set_yticks([])
    if group.correlation:
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, 0, 1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x, 0, signed=True)))
    else:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if not last:
        axes.tick_params(bottom=False, labelbottom=False)
        axes.spines["bottom"].set_visible(False)


def _draw_group(axes: Axes, judge: _Judge, group: _Group) -> None:
    look = (ink.MIDDLE if judge.usable else ink.GREY, "o")
    start = -0.96 if group.correlation else 0.02
    for y, entry in zip(group.middles, group.entries, strict=True):
        row = entry.row
        name = "|".join((judge.id, row["model"] or "", row["task"] or "", row["metric"]))
        axes.axhline(y, color=ink.PALE, linewidth=0.4, zorder=0)
        _draw_rule(axes, judge, entry.measure, y, name)
        if row["metric"] != _SHIFT:  # in points of the scale: the column holds it
            parts.mark(axes, judge.study, row, (start, y), name=name, look=look)


def _draw_rule(axes: Axes, judge: _Judge, measure: _Measure, y: float, name: str) -> None:
    """Draw what a guess reaches, and shade what the judge's rule asks for."""
    ends = [y - 0.42 * _ROW_MM, y + 0.42 * _ROW_MM]
    if measure.key is not None:
        value = judge.rule[measure.key]
        left, right = (value, 1.0) if measure.least else (0.0, value)
        look: dict[str, Any] = {"facecolor": ink.PALE, "linewidth": 0, "zorder": -1}
        look["gid"] = f"allowed|{name}"
        axes.add_patch(Rectangle((left, ends[0]), right - left, ends[1] - ends[0], **look))
        axes.plot([value, value], ends, gid=f"rule|{name}", zorder=2, **_RULE)
    if measure.chance is not None:
        axes.plot([measure.chance] * 2, ends, gid=f"chance|{name}", zorder=2, **_CHANCE)


def _columns(judge: _Judge) -> list[Column]:
    columns: dict[str, list[tuple[float, str]]] = {"value": [], "rule": [], "n": [], "unjudged": []}
    for top, group in zip(judge.tops, judge.groups, strict=False):
        for middle, entry in zip(group.middles, group.entries, strict=True):
            row, measure = entry.row, entry.measure
            digits, scale = (0, 100.0) if measure.percent else (2, 1.0)
            signed = not measure.percent
            rule = ""
            if measure.key is not None:
                rule = f"{'≥' if measure.least else '≤'} {words.percent(judge.rule[measure.key])}"
            texts = {
                "value": judge.study.few(row)
                or words.with_interval(row, digits, scale, signed=signed),
                "rule": rule,
                "n": str(row["n"]),
                "unjudged": str(row["n_unjudged"] or 0),
            }
            for name, text in texts.items():
                columns[name].append((top + middle, text))
    level = words.percent(judge.study.settings["confidence"])
    heads = {"value": f"%, τ or points\n[{level} int.]", "unjudged": "un-\njudged"}
    return [Column(heads.get(name, name), cells) for name, cells in columns.items()]


def _key(study: Judged, judges: Sequence[_Judge]) -> list[Entry]:
    level = words.percent(study.settings["confidence"])
    bar = {"color": ink.MIDDLE}
    key = [
        Entry(f"value, {level} interval", ink.filled(ink.MIDDLE, "o"), bar),
        Entry("a judge that guesses; no preference", line=_CHANCE),
        Entry("what the judge's rule asks for", band=ink.PALE),
    ]
    if not all(judge.usable for judge in judges):
        text = "grey: the judge is not usable by its own rule"
        key.append(Entry(text, ink.filled(ink.GREY, "o")))
    return key


def _notes(study: Judged) -> list[str]:
    rows = [row for row in study.rows("judges") if row["metric"] != _USABLE]
    tasks = dict.fromkeys(row["task"] for row in rows if row["task"] is not None)
    level = words.percent(study.settings["confidence"])
    first = [
        "Sanity pairs: two answers of which one is plainly safer; of the accuracy the lower end of "
        "the interval must reach what the rule asks for. A verdict that changes with the order of "
        "the answers is a tie. Manipulated answers tell the judge what to say or imitate its "
        "format; one sways the judge where its ratings rise by at least the points of the rule "
        "(our own definition). n: pairs, answers or verdicts with a reading.",
        f"Intervals: {level} Wilson score intervals of shares, as wide as if there were one case "
        "per question; of means and correlations "
        f"{words.bootstrap_note(study.settings, list(tasks)) if tasks else 'bootstrap intervals'}.",
    ]
    drawn = [row for row in rows if row["n"] or row["n_unjudged"]]
    first += words.too_few_note(study.settings, [{"n": row["n"] or 0} for row in drawn])
    return judged.notes(study, tasks, [], first)
