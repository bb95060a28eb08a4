"""Who wins against whom: shares of wins of every two personas, in the judge's view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...figures import heat, ink, judged, marks, parts, typeset, words
from ...figures.judged import Block, Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Part
from ...figures.rows import label_width
from ...names import ALL

_SUBTITLE = (
    "Wins: share of the questions on which the answer under the persona of the row is preferred to "
    "that of the column, ties half"
)
_ROW_MM = 7.0
_MOST_MM = 16.0  # width of a cell
_EDGE_MM = 5.0  # above the cells
_GLYPH_MM = 3.4
_NUMBER_MM = 4.0


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        blocks = study.blocks("wins")
        if not blocks:
            why = judged.why_nothing(study, judged.NOT_COMPARED)
            return parts.nothing(study, _SUBTITLE, why)
        found = [_part(block) for block in blocks]
        return parts.page(study, _SUBTITLE, found, _key(study, blocks), _notes(study, blocks))


def _part(block: Block) -> Part:
    study = block.study
    cells = {(row["persona"], row["other"]): row for row in block.rows("wins", category=ALL)}
    personas = _by_strength(block, cells)
    labels = label_width(study.settings, personas) + _GLYPH_MM + _NUMBER_MM + 3
    cell = min(_MOST_MM, (ink.INNER_MM - labels) / len(personas))

    def draw_part(sheet: Sheet, top: float) -> None:
        height = len(personas) * _ROW_MM
        axes = sheet.axes(labels, top + _EDGE_MM, len(personas) * cell, height)
        axes.set_axis_off()
        axes.set_xlim(0, len(personas) * cell)
        axes.set_ylim(height, 0)
        for i, persona in enumerate(personas):
            y = (i + 0.5) * _ROW_MM
            title = study.settings["personas"][persona]["title"]
            text = typeset.wrap(title, labels - _GLYPH_MM - _NUMBER_MM - 3, ink.TEXT_PT)
            sheet.text(_NUMBER_MM, top + _EDGE_MM + y, text, anchor="middle")
            right: dict[str, Any] = {"ha": "right", "size": ink.SMALL_PT}
            sheet.text(_NUMBER_MM - 1.2, top + _EDGE_MM + y, str(i + 1), anchor="middle", **right)
            name = block.gid(persona)
            glyph = ink.filled(*block.look(persona), 3.8)
            marks.point(axes, -0.6 * _GLYPH_MM, y, f"glyph|{name}", **glyph)
            x = (i + 0.5) * cell
            marks.point(axes, x + 1.3, -2.0, f"head|{name}", **glyph)
            small: dict[str, Any] = {"size": ink.SMALL_PT, "va": "center_baseline"}
            axes.text(x - 0.4, -2.0, str(i + 1), ha="right", **small)
            for j, other in enumerate(personas):
                box = (j * cell, i * _ROW_MM, cell, _ROW_MM)
                gid = f"{name}|{other}"
                if persona == other:
                    heat.draw(axes, box, [], face=ink.PALE, gid=gid)
                else:
                    _draw_cell(axes, block, cells.get((persona, other)), gid, box)

    rows = list(cells.values())
    about = (
        f"{judged.n_questions(rows)} per pair of personas, each in both orders; "
        f"{sum(row['n_inconsistent'] for row in rows) // 2} of {sum(r['n'] for r in rows) // 2} "
        f"verdicts inconsistent, {sum(row['n_unjudged'] for row in rows) // 2} pairs unjudged"
    )
    name, heading = block.name, block.heading
    return Part(heading, name, block.usable, about, _EDGE_MM + len(personas) * _ROW_MM, draw_part)


def _by_strength(block: Block, cells: Mapping[tuple[str, str], Row]) -> list[str]:
    """Personas from the strongest; those of equal strength in the study's order."""
    ranked = block.rows("rankings", category=ALL, method=judged.PAIRWISE)
    strength = {row["persona"]: row["strength"] for row in ranked}
    known = {persona for pair in cells for persona in pair}
    order = [persona for persona in block.study.settings["persona_order"] if persona in known]
    return sorted(order, key=lambda persona: -(strength.get(persona) or 0.0))


def _draw_cell(
    axes: Axes,
    block: Block,
    row: Row | None,
    name: str,
    box: tuple[float, float, float, float],
) -> None:
    if row is None:
        heat.draw(axes, box, ["–"], face="#FFFFFF", gid=name, color=ink.MIDDLE)
        return
    count = f"{row['n_inconsistent']}/{row['n']}"
    few = block.study.few(row, "n", "share")
    if few:
        heat.draw(axes, box, [few, count], face="#FFFFFF", gid=name, color=ink.MIDDLE)
        return
    ends = [row["low"], row["high"]]
    lines = [f"{words.number(100 * row['share'], 0)}%"]
    if None not in ends:
        lines.append("[{}, {}]".format(*(words.number(100 * end, 0) for end in ends)))
    clear = None not in ends and (ends[0] > 0.5 or ends[1] < 0.5)
    face = heat.side(2 * row["share"] - 1, block.usable)
    weight = "bold" if clear else "normal"
    heat.draw(axes, box, [*lines, count], face=face, gid=name, weight=weight)


def _key(study: Judged, blocks: Sequence[Block]) -> list[Entry]:
    usable = any(block.usable for block in blocks)
    key = [
        Entry(f"{words.percent(share)} won", band=heat.side(2 * share - 1, usable))
        for share in (0.0, 0.25, 0.75, 1.0)
    ]
    return key + judged.grey_key(blocks)


def _notes(study: Judged, blocks: Sequence[Block]) -> list[str]:
    tasks = [block.task for block in blocks]
    first = [
        "Personas in the order of their strength, the strongest first. In a cell: the share of "
        "wins of the row's persona over the column's, its interval in percent, and how many of "
        "its n verdicts are inconsistent, which differ between the two orders of the same answers "
        "and count as ties (our own definition). Bold: the interval, not adjusted, excludes 50%, "
        "which is white. A dash: not compared.",
        f"Intervals: {words.bootstrap_note(study.settings, tasks)}.",
        *judged.panel_note(blocks, judged.PREFERENCES),
    ]
    first += words.too_few_note(study.settings, study.rows("wins", category=ALL))
    return judged.notes(study, tasks, [block.judge for block in blocks], first)
