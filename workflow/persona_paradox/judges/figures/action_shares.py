"""What the answers do with the requests of patients: accept, caution, refuse, by persona."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from ...figures import heat, ink, judged, marks, parts, typeset, words
from ...figures.judged import Block, Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Column, Part
from ...figures.rows import Rows, label_rows, label_width
from ...names import ALL, RISKY

_SUBTITLE = (
    "Actions: what the answers do with the requests of patients, in the judge's view, as shares of "
    "all questions"
)
_ACCEPT, _CAUTION, _REFUSE, _UNJUDGED = "accept", "caution", "refuse", "unjudged"
_ACTIONS = (_ACCEPT, _CAUTION, _REFUSE)
# From the left: what can be read from either end of the bar stands there.
_ORDER = (_ACCEPT, _CAUTION, _UNJUDGED, _REFUSE)
_DEPTH = {_ACCEPT: 0.1, _CAUTION: 0.42, _REFUSE: 0.95, _UNJUDGED: 0.0}

_COLUMNS = 2
_GAP_MM = 5.0
_TICKS_MM = 5.0
_BAR_MM = 2.7
_LINE_MM = typeset.height_of("", ink.SMALL_PT)
_GLYPH_MM = 3.0


@dataclass(frozen=True)
class _Panel:
    """Questions of one kind: category of the table, title, persona → action → row."""

    category: str
    title: str
    table: dict[str, dict[str, Row]]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        acted = {(row["task"], row["judge"]) for row in study.rows("judgements", metric=_REFUSE)}
        blocks = [b for b in study.blocks("judgements") if (b.task, b.judge) in acted]
        if not blocks:
            why = judged.why_nothing(study, "no judge was asked what an answer does (key action)")
            return parts.nothing(study, _SUBTITLE, why)
        found = [_part(block) for block in blocks]
        return parts.page(study, _SUBTITLE, found, _key(study, blocks), _notes(study, blocks))


def _part(block: Block) -> Part:
    study, panels = block.study, _panels(block)
    personas = list(dict.fromkeys(persona for panel in panels for persona in panel.table))
    rows = study.place(personas)
    labels = label_width(study.settings, personas) + 3 + _GLYPH_MM
    columns = min(_COLUMNS, len(panels))
    width = (ink.INNER_MM - labels - (columns - 1) * _GAP_MM) / columns
    head = 4 * _LINE_MM + 1.5
    pitch = head + rows.height + _TICKS_MM + 3

    def draw_part(sheet: Sheet, top: float) -> None:
        for i, panel in enumerate(panels):
            line, column = divmod(i, columns)
            left, down = labels + column * (width + _GAP_MM), top + line * pitch
            if column == 0:
                label_rows(sheet, rows, study.settings, down + head)
            _draw_panel(sheet, block, panel, rows, (left, down + head, width))

    height = -(-len(panels) // columns) * pitch - 3
    return Part(block.heading, block.name, block.usable, "", height, draw_part)


def _panels(block: Block) -> list[_Panel]:
    """The kind's own groups, such as harm levels, where one is large enough to be drawn; else risky
    questions, then every category of benign ones; all where they are not told apart.
    """
    found = {row["category"]: row["n"] for row in block.rows("judgements", metric=_REFUSE)}
    groups = [one for one in block.groups if one["id"] in found]
    if any(found[one["id"]] >= block.study.settings["too_few_below"] for one in groups):
        return [_Panel(one["id"], one["title"], _table(block, one["id"])) for one in groups]
    if RISKY not in found:
        return [_Panel(ALL, "All questions", _table(block, ALL))]
    benign = [
        _Panel(
            category["id"],
            f"Benign questions: {category['title']}",
            _table(block, category["id"]),
        )
        for category in block.categories
        if category["benign"]
    ]
    return [_Panel(RISKY, "Risky questions", _table(block, RISKY)), *benign]


def _table(block: Block, category: str) -> dict[str, dict[str, Row]]:
    """Rows of the main wordings: persona → action → row."""
    found: dict[str, dict[str, Row]] = {}
    for row in block.rows("judgements", category=category, variant="main"):
        if row["metric"] in _ACTIONS:
            found.setdefault(row["persona"], {})[row["metric"]] = row
    return found


def _counts(rows: Mapping[str, Row]) -> dict[str, int]:
    """How many answers take each action; those that are left have no verdict."""
    counts = {action: round(rows[action]["value"] * rows[action]["n"]) for action in _ACTIONS}
    return counts | {_UNJUDGED: rows[_ACCEPT]["n"] - sum(counts.values())}


def _draw_panel(
    sheet: Sheet, block: Block, panel: _Panel, rows: Rows, place: tuple[float, float, float]
) -> None:
    """Draw a panel at a place: left edge, top of the rows, width."""
    left, top, width = place
    head = top - 4 * _LINE_MM - 1.2
    n = judged.n_questions(by_action[_ACCEPT] for by_action in panel.table.values())
    sheet.text(left, head, panel.title, weight="bold")
    sheet.text(left, head + 1.15 * _LINE_MM, f"{n} per persona", size=ink.SMALL_PT)
    columns = _columns(block.study, panel.table, rows)
    bars = width - parts.width_of(columns)
    axes = sheet.axes(left, top, bars, rows.height)
    axes.set_xlim(0, 1)
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.spines["left"].set_visible(False)
    for persona, by_action in panel.table.items():
        y = rows.of(persona, "")
        name = block.gid(panel.category, persona)
        colour, marker = block.look(persona)
        glyph = ink.filled(colour, marker, 3.4)
        marks.point(axes, -0.6 * _GLYPH_MM / bars, y, f"glyph|{name}", **glyph)
        _draw_bar(axes, block, by_action, y, name)
    parts.write(sheet, columns, left + width, top, usable=block.usable)


def _columns(study: Judged, table: Mapping[str, Mapping[str, Row]], rows: Rows) -> list[Column]:
    """Shares with their intervals, in percent, and the number of answers without a verdict."""
    heads = {_ACCEPT: f"accept\n% [{words.percent(study.settings['confidence'])} int.]"}
    found = [
        Column(
            heads.get(action, f"{action}\n"),
            [
                (
                    rows.of(persona, ""),
                    study.few(by[action]) or words.with_interval(by[action], 0, 100.0),
                )
                for persona, by in table.items()
            ],
        )
        for action in _ACTIONS
    ]
    unjudged = [(rows.of(persona, ""), _unjudged(by)) for persona, by in table.items()]
    return [*found, Column("un-\njudged", unjudged)]


def _unjudged(rows: Mapping[str, Row]) -> str:
    known = all(row["value"] is not None for row in rows.values())
    return str(_counts(rows)[_UNJUDGED]) if known else "–"


def _draw_bar(axes: Axes, block: Block, rows: Mapping[str, Row], y: float, name: str) -> None:
    """Draw a bar, its counts where they fit, and the intervals of what starts at its ends."""
    few = next(filter(None, map(block.study.few, rows.values())), None)
    if few is not None:
        text: dict[str, Any] = {"size": ink.SMALL_PT, "va": "center_baseline"}
        axes.text(0.02, y, few, color=ink.MIDDLE, **text)
        return
    counts, n = _counts(rows), rows[_ACCEPT]["n"]
    width = axes.get_position().width * ink.WIDTH_MM
    left = 0.0
    for action in _ORDER:
        share = counts[action] / n
        face = _face(action, block.usable)
        look: dict[str, Any] = {"facecolor": face, "edgecolor": ink.MIDDLE, "linewidth": 0.4}
        look["clip_on"] = False
        look |= {"hatch": "//////"} if action == _UNJUDGED else {}
        if counts[action]:
            box = (left, y - _BAR_MM / 2)
            axes.add_patch(Rectangle(box, share, _BAR_MM, gid=f"bar|{name}|{action}", **look))
        count = str(counts[action])
        if share * width > typeset.width_of(count, heat.TEXT_PT) + 1.4 and action != _UNJUDGED:
            text = {"size": heat.TEXT_PT, "ha": "center", "va": "center_baseline", "zorder": 5}
            text["color"] = "white" if action == _REFUSE and block.usable else ink.DARK
            axes.text(left + share / 2, y, count, gid=f"count|{name}|{action}", **text)
        left += share
    for action, side in ((_ACCEPT, -1), (_REFUSE, 1)):
        low, high = rows[action]["low"], rows[action]["high"]
        if low is not None and high is not None:
            ends = [low, high] if action == _ACCEPT else [1 - high, 1 - low]
            at = y + side * (_BAR_MM / 2 + 0.3)
            thin = {"linewidth": 0.7, "color": ink.DARK if block.usable else ink.GREY}
            marks.interval(axes, ends, [at, at], f"interval|{name}|{action}", **thin)


def _face(action: str, usable: bool) -> str:
    return heat.amount(_DEPTH[action], usable)


# --- key and notes -------------------------------------------------------------------------


def _key(study: Judged, blocks: Sequence[Block]) -> list[Entry]:
    level = words.percent(study.settings["confidence"])
    usable = any(block.usable for block in blocks)
    key = [Entry(action, band=_face(action, usable)) for action in _ACTIONS]
    key.append(Entry("unjudged", sign="/////"))
    line = {"color": ink.DARK, "linewidth": 0.7}
    key.append(
        Entry(f"{level} interval: above the bar of accept, below it of refuse", line=line),
    )
    return key + judged.grey_key(blocks)


def _notes(study: Judged, blocks: Sequence[Block]) -> list[str]:
    settings = study.settings
    tasks = [block.task for block in blocks]
    first = [
        "Main wording, greedy answers. Accept: the answer goes along with the request; caution: it "
        "helps in part, with a warning or advice to seek care; refuse: it declines. Numbers in the "
        "bars are counts, where there is room. Unjudged answers have no action; they are among "
        "the n (our own definition). The line of refuse is measured from the right end.",
        f"Intervals: {words.share_note(settings, dict.fromkeys(tasks))}.",
    ]
    first += judged.panel_note(blocks, judged.RATINGS)
    rows = [row for action in _ACTIONS for row in study.rows("judgements", metric=action)]
    shown = {
        (block.judge, block.model, block.task, panel.category)
        for block in blocks
        for panel in _panels(block)
    }
    rows = [r for r in rows if (r["judge"], r["model"], r["task"], r["category"]) in shown]
    first += words.too_few_note(settings, rows)
    return judged.notes(study, tasks, [block.judge for block in blocks], first)
