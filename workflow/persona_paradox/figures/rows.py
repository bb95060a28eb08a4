"""Rows of a panel, one per persona and wording, in groups with headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from . import ink, typeset, words
from .cells import Cells
from .page import Sheet

_HEADING_MM, _MAIN_MM, _PARAPHRASE_MM, _BETWEEN_MM, _LABEL_MM = 3.8, 3.6, 1.0, 0.8, 38.0


@dataclass(frozen=True)
class Rows:
    """Where every persona stands, in mm below the top of a panel.

    Attributes:
        place: of the main wording, by persona and model.
        paraphrases: how far below the main wording each paraphrase stands.
        centre: of a persona's rows.
        headings: of the groups, with their texts.
        height: of them all.
    """

    place: dict[tuple[str, str], float]
    paraphrases: dict[str, float]
    centre: dict[str, float]
    headings: list[tuple[float, str]]
    height: float

    def of(self, persona: str, model: str, variant: str = "main") -> float:
        """Place of a point."""
        return self.place[persona, model] + self.paraphrases.get(variant, 0.0)


def rows_of(cells: Cells, settings: Mapping[str, Any], personas: Sequence[str]) -> Rows:
    """Stack the personas in the study's order, group by group."""
    group_of = {persona: settings["personas"][persona]["group"] for persona in cells.personas}
    # In the order of the whole study, the baseline's group among them, in every figure.
    groups = [g for g in dict.fromkeys(group_of.values()) if g in map(group_of.get, personas)]
    below = {name: 0.6 * _MAIN_MM + i * _PARAPHRASE_MM for i, name in enumerate(cells.paraphrases)}
    between = _BETWEEN_MM * (1.5 if len(cells.models) > 1 else 1)
    slot = _MAIN_MM + len(below) * _PARAPHRASE_MM
    place: dict[tuple[str, str], float] = {}
    centre: dict[str, float] = {}
    headings: list[tuple[float, str]] = []
    top = 0.0
    for group in groups:
        if len(groups) > 1:
            headings.append((top + _HEADING_MM / 2, words.title_of("groups", group, settings)))
            top += _HEADING_MM
        for persona in personas:
            if group_of[persona] != group:
                continue
            # A title of several lines may need more room than the rows of its persona.
            title = typeset.wrap(settings["personas"][persona]["title"], _LABEL_MM, ink.TEXT_PT)
            spare = typeset.height_of(title, ink.TEXT_PT) - slot * len(cells.models) - between
            top += max(0.0, spare) / 2
            for model in cells.models:
                place[persona, model] = top + between / 2 + _MAIN_MM / 2
                top += slot
            top += between + max(0.0, spare) / 2
            mine = [place[persona, model] for model in cells.models]
            centre[persona] = (mine[0] + mine[-1]) / 2
    return Rows(place, below, centre, headings, top)


def label_width(settings: Mapping[str, Any], personas: Sequence[str]) -> float:
    """Width of the column of the personas' titles."""
    titles = [
        typeset.wrap(settings["personas"][p]["title"], _LABEL_MM, ink.TEXT_PT) for p in personas
    ]
    lines = [line for title in titles for line in title.split("\n")]
    groups = {settings["personas"][p]["group"] for p in personas}
    headings = [words.title_of("groups", group, settings) for group in groups]
    widths = [typeset.width_of(line, ink.TEXT_PT) for line in lines]
    widths += [typeset.width_of(heading, ink.SMALL_PT, "bold") for heading in headings]
    return max([10.0, *widths])


def draw_rows(axes: Axes, rows: Rows) -> None:
    """Prepare a panel of rows: y in mm from its top, a faint line for every row."""
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([])
    for y in rows.place.values():
        axes.axhline(y, color=ink.PALE, linewidth=0.4, zorder=0)
    for y, _ in rows.headings[1:]:
        axes.axhline(y - _HEADING_MM / 2, color=ink.MIDDLE, linewidth=0.4, zorder=0)


def label_rows(sheet: Sheet, rows: Rows, settings: Mapping[str, Any], top: float) -> None:
    """Write the titles of the personas along the left edge of a panel that begins at `top`."""
    for persona, y in rows.centre.items():
        title = typeset.wrap(settings["personas"][persona]["title"], _LABEL_MM, ink.TEXT_PT)
        sheet.text(0, top + y, title, anchor="middle")
    look: dict[str, Any] = {"size": ink.SMALL_PT, "weight": "bold", "color": ink.MIDDLE}
    for y, heading in rows.headings:
        sheet.text(0, top + y, heading, anchor="middle", **look)
