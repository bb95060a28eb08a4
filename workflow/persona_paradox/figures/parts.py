"""Pages of parts below each other, each with its judge, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import ink, judged, marks, typeset
from .judged import NOT_USABLE, Judged, Row
from .page import Entry, Sheet

_HEADING_PT = ink.PANEL_PT + 0.5
_BETWEEN_MM = 7.0
_LETTER_MM = 4.0
_TAG: dict[str, Any] = {
    "size": ink.SMALL_PT,
    "weight": "bold",
    "color": "white",
    "bbox": {"facecolor": ink.DARK, "edgecolor": "none", "pad": 1.4},
}
TAG_MM = typeset.width_of(NOT_USABLE, ink.SMALL_PT, "bold") + 4


# --- marks ---------------------------------------------------------------------------------


def mark(
    axes: Axes,
    study: Judged,
    row: Row,
    place: tuple[float, float],
    *,
    name: str,
    look: tuple[str, Any],
    columns: tuple[str, str, str] = ("value", "low", "high"),
    main: bool = True,
    n: str = "n",
) -> None:
    """Draw a value of a row with its interval, or write why there is none.

    Args:
        axes: panel with the value along x.
        study: the study.
        row: of a table.
        place: where a text begins along x, and the height of the row.
        name: what the row is, the end of the gids.
        look: colour and marker.
        columns: the value and the ends of its interval.
        main: filled, with the interval; else hollow, with a thin one.
        n: column of how many questions the value is about.
    """
    x, y = place
    value, low, high = (row.get(column) for column in columns)
    text = study.few(row, n, columns[0]) if columns[0] in row else "not available"
    if text is not None or value is None:
        if main:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}
            look_of: dict[str, Any] = {"size": ink.SMALL_PT, "va": "center_baseline", "bbox": box}
            axes.text(x, y, text or "not available", color=ink.MIDDLE, **look_of)
        return
    if low is not None and high is not None:
        width = 0.9 if main else 0.5
        interval = {"color": look[0], "linewidth": width}
        marks.interval(axes, [low, high], [y, y], f"interval|{name}", **interval)
    size = 3.6 if main else 2.8
    shown = ink.filled(*look, size) if main else ink.hollow(*look, size)
    marks.point(axes, value, y, f"point|{name}", **shown)


# --- columns of text -----------------------------------------------------------------------

_SPACE_MM = 2.2
COLUMN_PT = 5.0


@dataclass(frozen=True)
class Column:
    """A column of text beside a panel: its head, its texts and how far down each stands, in mm."""

    head: str
    cells: Sequence[tuple[float, str]]

    @property
    def width(self) -> float:
        """Width in mm, with the gap at the left."""
        lines = [*self.head.split("\n"), *(text for _, text in self.cells)]
        return _SPACE_MM + max(typeset.width_of(line, COLUMN_PT) for line in lines)


def write(
    sheet: Sheet, columns: Sequence[Column], right: float, top: float, *, usable: bool = True
) -> None:
    """Write columns that end at `right`, beside a panel that begins at `top`."""
    look: dict[str, Any] = {"size": COLUMN_PT, "ha": "right"}
    for column in reversed(columns):
        sheet.text(right, top - 0.6, column.head, anchor="bottom", color=ink.MIDDLE, **look)
        for y, text in column.cells:
            colour = ink.DARK if usable else ink.MIDDLE
            sheet.text(right, top + y, text, anchor="middle", color=colour, **look)
        right -= column.width


def width_of(columns: Iterable[Column]) -> float:
    """Width of some columns."""
    return sum(column.width for column in columns)


# --- the page ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A part of a page: its heading, its height without it, and what draws it from its top.

    Attributes:
        heading: above it.
        judge: what its judge is called, empty where the heading says it.
        usable: whether the judge is usable.
        about: what it is made of: n, what could not be judged.
        height: in mm.
        draw: draws it, given the page and how far down it begins.
    """

    heading: str
    judge: str
    usable: bool
    about: str
    height: float
    draw: Callable[[Sheet, float], None]


def page(
    study: Judged,
    subtitle: str,
    parts: Sequence[Part],
    key: Sequence[Entry],
    notes: Sequence[str],
) -> Figure:
    """A page of parts below each other, each with a letter where there are several."""
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(parts)] if len(parts) > 1 else ""
    inset = _LETTER_MM if letters else 0.0
    heads = [_Head(part, inset) for part in parts]
    body = sum(head.height + part.height for head, part in zip(heads, parts, strict=True))
    sheet = Sheet(study.settings, subtitle, body + _BETWEEN_MM * (len(parts) - 1), key, notes)
    top = 0.0
    for i, (part, head) in enumerate(zip(parts, heads, strict=True)):
        sheet.text(0, top, letters[i : i + 1], size=_HEADING_PT, weight="bold")
        head.draw(sheet, top)
        part.draw(sheet, top + head.height)
        top += head.height + part.height + _BETWEEN_MM
    return sheet.figure


@dataclass(frozen=True)
class _Head:
    """What stands above a part: heading, judge, whether it is usable, what the part is about."""

    part: Part
    inset: float

    @property
    def _heading(self) -> str:
        room = ink.INNER_MM - self.inset - (0 if self.part.judge else TAG_MM)
        return typeset.wrap(self.part.heading, room, _HEADING_PT, "bold")

    @property
    def _judge(self) -> str:
        return typeset.wrap(self.part.judge, ink.INNER_MM - TAG_MM, ink.TEXT_PT, "bold")

    @property
    def _about(self) -> str:
        return typeset.wrap(self.part.about, ink.INNER_MM, ink.SMALL_PT)

    @property
    def height(self) -> float:
        """Height in mm."""
        height = typeset.height_of(self._heading, _HEADING_PT) + 0.6
        if self.part.judge:
            height += typeset.height_of(self._judge, ink.TEXT_PT) + 0.5
        return height + typeset.height_of(self._about, ink.SMALL_PT) * bool(self.part.about) + 1.0

    def draw(self, sheet: Sheet, top: float) -> None:
        """Write it, from its top."""
        lines = [(self.inset, self._heading, _HEADING_PT, 0.6)]
        if self.part.judge:
            lines.append((0.0, self._judge, ink.TEXT_PT, 0.5))
        for left, text, size, gap in lines:
            sheet.text(left, top, text, size=size, weight="bold")
            top += typeset.height_of(text, size) + gap
        if not self.part.usable:
            left, text, size, gap = lines[-1]
            left += typeset.width_of(text.split("\n")[-1], size, "bold") + 3
            tag(sheet, left, top - gap - typeset.height_of("", size) / 2 - 0.1)
        sheet.text(0, top, self._about, size=ink.SMALL_PT)


def tag(sheet: Sheet, left: float, middle: float, size: float = ink.SMALL_PT) -> None:
    """Write that a judge is not usable, light on dark."""
    sheet.text(left, middle, NOT_USABLE, anchor="middle", **(_TAG | {"size": size}))


def nothing(study: Judged, subtitle: str, why: str) -> Figure:
    """A page that says in a sentence why there is nothing to show."""
    text = typeset.wrap(why, ink.INNER_MM, ink.TEXT_PT)
    height = typeset.height_of(text, ink.TEXT_PT) + 2
    sheet = Sheet(study.settings, subtitle, height, [], [judged.foot(study, [])])
    sheet.text(0, 1, text)
    return sheet.figure
