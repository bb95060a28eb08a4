"""The page: title and subtitle, a body for panels, the key, notes.

Places are millimetres from the top left of the body. A page is as high as its content asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from . import ink, marks, typeset
from .cells import Cells

_KEY_MM = 3.9
_HANDLE_MM = 7.0
_KEY_PT = ink.SMALL_PT + 0.5


@dataclass(frozen=True)
class Entry:
    """One entry of the key: a line, a marker on it, a band or a sign, and what it stands for."""

    text: str
    marker: Mapping[str, Any] | None = None
    line: Mapping[str, Any] | None = None
    band: str | None = None
    sign: str | None = None


class Sheet:
    """A page: title and subtitle, a body for panels, key, notes."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        subtitle: str,
        body: float,
        key: Sequence[Entry],
        notes: Sequence[str],
    ) -> None:
        """Lay out the page.

        Args:
            settings: the study's settings, for its title.
            subtitle: what the figure shows.
            body: height that the panels need.
            key: what colours, shapes and lines stand for.
            notes: sentences for the foot of the page.
        """
        title = typeset.wrap(settings["title"], ink.INNER_MM, ink.TITLE_PT, "bold")
        subtitle = typeset.wrap(subtitle, ink.INNER_MM, ink.TEXT_PT)
        note = typeset.wrap(" ".join(notes), ink.INNER_MM, ink.SMALL_PT)
        lines = _flow(key)
        title_height = typeset.height_of(title, ink.TITLE_PT)
        self._body_top = ink.EDGE_MM + title_height + typeset.height_of(subtitle, ink.TEXT_PT) + 2.5
        key_top = self._body_top + body + 2.0
        note_top = key_top + sum(line.height for line in lines) + 1.0
        self._height = note_top + typeset.height_of(note, ink.SMALL_PT) + ink.EDGE_MM
        self.figure = Figure(figsize=(ink.WIDTH_MM / 25.4, self._height / 25.4))
        FigureCanvasAgg(self.figure)
        look: dict[str, Any] = {"size": ink.TITLE_PT, "weight": "bold"}
        self.text(0, ink.EDGE_MM - self._body_top, title, **look)
        self.text(0, ink.EDGE_MM + title_height - self._body_top, subtitle)
        self.text(0, note_top - self._body_top, note, size=ink.SMALL_PT, color=ink.MIDDLE)
        if lines:
            self._draw_key(lines, key_top - self._body_top)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at this place of the body."""
        bottom = self._height - self._body_top - top - height
        box = (
            (ink.EDGE_MM + left) / ink.WIDTH_MM,
            bottom / self._height,
            width / ink.WIDTH_MM,
            height / self._height,
        )
        axes = self.figure.add_axes(box)
        axes.spines[["top", "right"]].set_visible(False)
        return axes

    def text(
        self,
        left: float,
        top: float,
        text: str,
        *,
        size: float = ink.TEXT_PT,
        anchor: Literal["top", "middle", "bottom"] = "top",
        **look: Any,
    ) -> None:
        """Write at this place of the body, which is the top, middle or bottom of the lines.

        Every line stands on its own baseline, so that texts side by side align whatever their
        letters are.
        """
        em, lines = size * typeset.POINT_MM, text.split("\n")
        below = typeset.LEADING * em * (len(lines) - 1)
        first = {"top": 0.8 * em, "middle": 0.36 * em - below / 2, "bottom": -0.22 * em - below}
        x = (ink.EDGE_MM + left) / ink.WIDTH_MM
        for i, line in enumerate(lines):
            down = self._body_top + top + first[anchor] + i * typeset.LEADING * em
            self.figure.text(x, 1 - down / self._height, line, size=size, va="baseline", **look)

    def _draw_key(self, lines: list[_KeyLine], top: float) -> None:
        height = sum(line.height for line in lines)
        axes = self.axes(0, top, ink.INNER_MM, height)
        axes.set_axis_off()
        axes.set_xlim(0, ink.INNER_MM)
        axes.set_ylim(height, 0)
        above = 0.0
        for line in lines:
            y = above + line.height / 2
            above += line.height
            for left, entry in line.entries:
                middle = left + _HANDLE_MM / 2 - 0.5
                ends = [middle - 2.5, middle + 2.5]
                if entry.band is not None:
                    axes.fill_between(ends, y - 1.2, y + 1.2, color=entry.band, linewidth=0)
                if entry.line is not None:
                    marks.interval(axes, ends, [y, y], "key", **entry.line)
                if entry.marker is not None:
                    marks.point(axes, middle, y, "key", **entry.marker)
                if entry.sign is not None:
                    axes.text(middle, y, entry.sign, ha="center", va="center_baseline")
                text_left = left + _HANDLE_MM
                va = "center" if "\n" in entry.text else "center_baseline"
                axes.text(text_left, y, entry.text, size=_KEY_PT, va=va)


def over_panels(title: str) -> tuple[str, float]:
    """A title over panels, in lines of the page's width, and what it needs beyond one line."""
    lines = typeset.wrap(title, ink.INNER_MM, ink.PANEL_PT, "bold")
    return lines, typeset.height_of(lines, ink.PANEL_PT) - typeset.height_of("", ink.PANEL_PT)


def model_key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    """Entries for the models, where there are several."""
    return [
        Entry(settings["models"][model], ink.filled(ink.MIDDLE, marker))
        for model, marker in ink.model_markers(cells.models).items()
        if marker is not None
    ]


@dataclass(frozen=True)
class _KeyLine:
    """A line of the key: its entries, each with its left edge."""

    entries: list[tuple[float, Entry]]

    @property
    def height(self) -> float:
        """As high as its entry of most lines needs."""
        most = max((entry.text for _, entry in self.entries), key=lambda text: text.count("\n"))
        return _KEY_MM + typeset.height_of(most, _KEY_PT) - typeset.height_of("", _KEY_PT)


def _flow(entries: Sequence[Entry]) -> list[_KeyLine]:
    """Lines of the key."""
    lines: list[_KeyLine] = []
    left = ink.INNER_MM
    for entry in entries:
        text = typeset.wrap(entry.text, ink.INNER_MM - _HANDLE_MM, _KEY_PT)
        width = _HANDLE_MM + max(typeset.width_of(one, _KEY_PT) for one in text.split("\n")) + 4
        if not lines or left + width - 4 > ink.INNER_MM:
            lines.append(_KeyLine([]))
            left = 0.0
        # A text of one line stands as it is, whatever its blanks.
        lines[-1].entries.append((left, replace(entry, text=text) if "\n" in text else entry))
        left += width
    return lines
