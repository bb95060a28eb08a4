"""How strong the answers of every persona are in comparisons: strengths and ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ...figures import ink, judged, parts, typeset, words
from ...figures.judged import LISTWISE, PAIRWISE, Block, Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Column, Part
from ...figures.rows import Rows, draw_rows, label_rows, label_width
from ...names import ALL, CLINICIANS, PANEL

_SUBTITLE = (
    "Bradley–Terry ranking of the personas by the preferences of judges: logarithm of the "
    "strength, and rank"
)
_TABLES = ("rankings", "clinician_rankings")
_CONTROLLED = "controlled"
_STRENGTH = ("strength", "strength_low", "strength_high")
_OF_LENGTH = ("strength_controlled", "strength_controlled_low", "strength_controlled_high")

_TICKS_MM = 8.0
_GAP_MM = 4.5
_SMALL_GAP_MM = 3.0
_MOST_SMALL = 6
_WIDEST_SMALL_MM = 40.0
_NAME_MM = 14.0
_LINE_MM = typeset.height_of("", ink.SMALL_PT)
_LEAST = 1.2  # of a log-strength that an axis reaches
_TICK_MM = 7.5  # least room of a number


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        # Every clinician has a column beside all of them.
        known = (*study.settings["judges"], PANEL, CLINICIANS)
        blocks = [block for block in study.blocks(*_TABLES) if block.judge in known]
        if not blocks:
            why = judged.why_nothing(study, judged.NOT_COMPARED)
            return parts.nothing(study, _SUBTITLE, why)
        found = [_part(block) for block in blocks]
        return parts.page(study, _SUBTITLE, found, _key(study, blocks), _notes(study, blocks))


@dataclass(frozen=True)
class _Panel:
    """A panel of strengths: its title, a line below it, its rows, what its points are called."""

    title: str
    about: str
    rows: list[Row]
    name: str


@dataclass(frozen=True)
class _Line:
    """Panels side by side over the same personas, with the same scale."""

    panels: list[_Panel]
    place: Rows
    limit: float
    width: float
    gap: float

    def title(self, panel: _Panel) -> str:
        """Title of a panel, in lines."""
        return typeset.wrap(panel.title, self.width + self.gap - 1, ink.SMALL_PT, "bold")

    @property
    def head(self) -> float:
        """Height above the rows."""
        titles = [self.title(panel) for panel in self.panels]
        return max(typeset.height_of(title, ink.SMALL_PT) for title in titles) + _LINE_MM + 1.6

    @property
    def height(self) -> float:
        """Height of the line, with heads and ticks."""
        return self.head + self.place.height + _TICKS_MM


def _rows(block: Block, **where: Any) -> list[Row]:
    return [row for table in _TABLES for row in block.rows(table, **where)]


def _part(block: Block) -> Part:
    study = block.study
    whole = _rows(block, category=ALL)
    personas = list(dict.fromkeys(row["persona"] for row in whole))
    controlled = any(row[_OF_LENGTH[0]] is not None for row in whole)
    place = study.place(personas, [_CONTROLLED] if controlled else [])
    labels = label_width(study.settings, personas) + 3
    columns = _columns(study, whole, place) + _by_clinician(block, place)
    panels = []
    for method in (PAIRWISE, LISTWISE):
        rows = [row for row in whole if row["method"] == method]
        if rows:
            n = judged.n_questions(rows, "n_questions")
            panels.append(_Panel(method.capitalize(), n, rows, method))
    room = ink.INNER_MM - labels - parts.width_of(columns) - 1
    width = (room - (len(panels) - 1) * _GAP_MM) / len(panels)
    lines = [_Line(panels, place, _limit(study, whole), width, _GAP_MM)]
    lines += _lines_by_category(block, personas, ink.INNER_MM - labels)

    def draw_part(sheet: Sheet, top: float) -> None:
        parts.write(sheet, columns, ink.INNER_MM, top + lines[0].head, usable=block.usable)
        for i, line in enumerate(lines):
            label_rows(sheet, line.place, study.settings, top + line.head)
            for j, panel in enumerate(line.panels):
                left = labels + j * (line.width + line.gap)
                _write_head(sheet, panel, line, left, top)
                axes = sheet.axes(left, top + line.head, line.width, line.place.height)
                _draw_panel(axes, block, panel, line)
                if i == 0 or j == 0:
                    axes.set_xlabel("log-strength")
            top += line.height

    height = sum(line.height for line in lines)
    name, heading = block.name, block.heading
    return Part(heading, name, block.usable, _about(block, whole), height, draw_part)


def _about(block: Block, rows: Sequence[Row]) -> str:
    """What the comparisons in pairs were; every one is of two personas."""
    pairs = [row for row in rows if row["method"] == PAIRWISE]
    if not pairs:
        return "answers compared in lists alone, not in pairs"
    n, ties, inconsistent, unjudged = (
        sum(row[name] or 0 for row in pairs) // 2
        for name in ("n_pairs", "n_ties", "n_inconsistent", "n_unjudged")
    )
    why = f", of these {inconsistent} since the verdicts in both orders differ"
    # A panel may have a preference where one of its judges changed its mind.
    shown = f"{ties} ties{why * (block.judge not in (CLINICIANS, PANEL))}"
    return f"{n} pairs of answers compared: {shown}; {unjudged} more pairs unjudged"


def _lines_by_category(block: Block, personas: Sequence[str], room: float) -> list[_Line]:
    """Small panels, one per category, of comparisons in pairs."""
    study, found = block.study, []
    for category in study.settings["tasks"][block.task]["categories"]:
        rows = _rows(block, category=category["id"], method=PAIRWISE)
        if rows:
            n = words.n_text(row["n_questions"] for row in rows)
            found.append(_Panel(category["title"], n, rows, category["id"]))
    if len(found) < 2:
        return []
    across = min(_MOST_SMALL, len(found))
    width = min(_WIDEST_SMALL_MM, (room - (across - 1) * _SMALL_GAP_MM) / across)
    limit = _limit(study, [row for panel in found for row in panel.rows])
    return [
        _Line(found[i : i + across], study.place(personas), limit, width, _SMALL_GAP_MM)
        for i in range(0, len(found), across)
    ]


def _limit(study: Judged, rows: Iterable[Row]) -> float:
    """Half the width of panels that hold all of these strengths and their intervals."""
    names = (*_STRENGTH, *_OF_LENGTH)
    shown = [row for row in rows if not study.few(row, "n_questions", "strength")]
    values = [abs(row[name]) for row in shown for name in names if row[name] is not None]
    return 1.08 * float(max([_LEAST, *values]))


def _write_head(sheet: Sheet, panel: _Panel, line: _Line, left: float, top: float) -> None:
    small: dict[str, Any] = {"size": ink.SMALL_PT, "anchor": "bottom"}
    base = top + line.head - 1.2
    sheet.text(left, base - _LINE_MM, line.title(panel), weight="bold", **small)
    sheet.text(left, base, panel.about, **small)


def _draw_panel(axes: Axes, block: Block, panel: _Panel, line: _Line) -> None:
    limit = line.limit
    draw_rows(axes, line.place)
    axes.set_xlim(-limit, limit)
    step = _step(limit, line.width)
    most = int(0.9 * limit / step)
    axes.set_xticks([i * step for i in range(-most, most + 1)])
    digits = 0 if step >= 1 else 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x, digits, signed=True)))
    axes.axvline(0, color=ink.DARK, linewidth=0.8, zorder=1)
    for row in panel.rows:
        look = block.look(row["persona"])
        for variant, columns in (("main", _STRENGTH), (_CONTROLLED, _OF_LENGTH)):
            main = variant == "main"
            if main or (line.place.paraphrases and row[columns[0]] is not None):
                where = (-0.96 * limit, line.place.of(row["persona"], "", variant))
                parts.mark(
                    axes,
                    block.study,
                    row,
                    where,
                    name=block.gid(panel.name, row["persona"], variant),
                    look=look,
                    columns=columns,
                    main=main,
                    n="n_questions",
                )


def _step(limit: float, width: float) -> float:
    """The smallest step of an axis that leaves room for numbers: 1, 2 or 5 by a power of ten."""
    steps = [s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if s <= 0.9 * limit]
    return next((s for s in steps if s / (2 * limit) * width >= _TICK_MM), steps[-1])


def _columns(study: Judged, rows: Sequence[Row], place: Rows) -> list[Column]:
    """The columns of ranks: by pairs, for answers of equal length, by lists."""
    level = words.percent(study.settings["confidence"])
    found = []
    for head, method, name in (
        (f"rank\n[{level} int.]", PAIRWISE, "rank"),
        ("equal\nlength", PAIRWISE, "rank_controlled"),
        ("list-\nwise", LISTWISE, "rank"),
    ):
        chosen = [row for row in rows if row["method"] == method and row[name] is not None]
        if chosen:
            cells = [(place.of(row["persona"], ""), _rank(study, row, name)) for row in chosen]
            found.append(Column(head, cells))
    return found


def _by_clinician(block: Block, place: Rows) -> list[Column]:
    """The ranks that single clinicians give, beside those of all of them."""
    if block.judge != CLINICIANS:
        return []
    where = {"task": block.task, "model": block.model, "category": ALL, "method": PAIRWISE}
    rows = block.study.rows("clinician_rankings", **where)
    raters = dict.fromkeys(row["judge"] for row in rows)
    found = []
    for rater in raters:
        own = [row for row in rows if row["judge"] == rater]
        cells = [(place.of(row["persona"], ""), _rank(block.study, row, "rank")) for row in own]
        if rater != CLINICIANS:
            name = typeset.wrap(rater, _NAME_MM, parts.COLUMN_PT)
            found.append(Column(f"rank by\n{name}", cells))
    return found


def _rank(study: Judged, row: Row, name: str) -> str:
    few = study.few(row, "n_questions", name)
    values = [row[f"{name}{end}"] for end in ("", "_low", "_high")]
    texts = ["–" if value is None else f"{value:g}" for value in values]
    return few or f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _key(study: Judged, blocks: Sequence[Block]) -> list[Entry]:
    level = words.percent(study.settings["confidence"])
    bar = {"color": ink.MIDDLE}
    key = [Entry(f"log-strength, {level} interval", ink.filled(ink.MIDDLE, "o"), bar)]
    rows = [row for table in _TABLES for row in study.rows(table)]
    if any(row[_OF_LENGTH[0]] is not None for row in rows):
        thin = bar | {"linewidth": 0.5}
        key.append(Entry("for answers of equal length", ink.hollow(ink.MIDDLE, "o"), thin))
    return key + judged.grey_key(blocks)


def _notes(study: Judged, blocks: Sequence[Block]) -> list[str]:
    tasks = [block.task for block in blocks]
    rows = [row for table in _TABLES for row in study.rows(table)]
    first = [
        "Log-strength: the Bradley–Terry model with ties of Davidson (1970), mean 0 over the "
        "personas; a difference of 0.7 means that one wins about twice as often as the other. "
        "Half a comparison of every two personas is added, so that strengths stay finite. Rank 1 "
        "is the strongest; equal ones share their mean rank.",
    ]
    if any(row[_OF_LENGTH[0]] is not None for row in rows):
        first.append("Equal length: the difference in length is taken out (our own definition).")
    if any(row["method"] == LISTWISE for row in rows):
        first.append("Listwise: all answers side by side, in every rotation.")
    if any(block.judge == CLINICIANS for block in blocks):
        first.append("Clinicians: every pair in one order.")
    first += judged.panel_note(blocks, judged.PREFERENCES)
    first.append(f"Intervals: {words.bootstrap_note(study.settings, tasks)}.")
    first += words.too_few_note(study.settings, [{"n": row["n_questions"]} for row in rows])
    return judged.notes(study, tasks, [block.judge for block in blocks], first)
