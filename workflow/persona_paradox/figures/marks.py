"""Marks in a panel: points, intervals, bands, and axes of differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..names import RATED, WORDS
from . import ink, typeset, words
from .cells import Cells, all_invalid

_RATER_MARKERS: tuple[Any, ...] = ("*", (8, 1, 0), (7, 1, 0))
_WORDS_MARKER = "X"


def rater_looks(cells: Cells) -> dict[str, ink.Look]:
    """Look of every rater, where raters are points; that of the bag of words is its own."""
    raters = dict.fromkeys(key[2] for key in cells.rows if key[0] in RATED)
    humans = [rater for rater in raters if rater != WORDS]
    found = {
        rater: ink.Look(ink.DARK, _RATER_MARKERS[i % len(_RATER_MARKERS)])
        for i, rater in enumerate(humans)
    }
    return found | ({WORDS: ink.Look(ink.DARK, _WORDS_MARKER)} if WORDS in raters else {})


def rater_title(settings: Mapping[str, Any], rater: str) -> str:
    """What a rater is called, and that it is a person where it is one."""
    title: str = settings["raters"][rater]
    return title if rater == WORDS else f"{title} (human)"


def point(axes: Axes, x: float, y: float, gid: str, **look: Any) -> None:
    """Draw one point; `gid` says what it is, so that a test finds it again."""
    plain: dict[str, Any] = {"linestyle": "none", "clip_on": False, "zorder": 4}
    axes.plot([x], [y], **(plain | look), gid=gid)


def strike(axes: Axes, x: float, y: float, gid: str, small: bool = False) -> None:
    """Strike a point out: none of its answers could be read."""
    look = ink.STRUCK | ({"markersize": 4.0, "markeredgewidth": 0.7} if small else {})
    under = {"color": "white", "markeredgewidth": look["markeredgewidth"] + 0.9}
    point(axes, x, y, "under", **(look | under | {"zorder": 5}))
    point(axes, x, y, gid, **(look | {"zorder": 6}))


def interval(axes: Axes, x: Sequence[float], y: Sequence[float], gid: str, **look: Any) -> None:
    """Draw an interval as a line from end to end."""
    plain: dict[str, Any] = {"linewidth": 0.9, "clip_on": False, "zorder": 3}
    axes.plot(x, y, **(plain | look), gid=gid)


def wording(
    axes: Axes,
    row: Mapping[str, Any],
    *,
    scale: float,
    y: float,
    name: str,
    look: tuple[str, Any],
    columns: tuple[str, str, str] = ("accuracy", "accuracy_low", "accuracy_high"),
) -> None:
    """Draw a value of a row of a table: main wordings filled, with their interval.

    Args:
        axes: panel with the value along x.
        row: row of the cells or contrasts.
        scale: what the values are multiplied with, 100 for percentage points.
        y: height in the panel.
        name: what the row is, the end of the gids.
        look: colour and marker.
        columns: the value and the ends of its interval; without ends no interval is drawn.
    """
    value, low, high = (row[column] for column in columns)
    x = scale * value
    main = row["variant"] == "main"
    if main and low is not None and high is not None:
        ends = [scale * low, scale * high]
        interval(axes, ends, [y, y], f"interval|{name}", color=look[0])
    point(axes, x, y, f"point|{name}", **(ink.filled(*look) if main else ink.hollow(*look)))
    if all_invalid(row):
        strike(axes, x, y, f"struck|{name}", small=not main)


def control_band(
    axes: Axes, row: Mapping[str, Any] | None, y: tuple[float, float], gid: str
) -> None:
    """Shade how far an effect like that of any sentence reaches, in points, between two heights."""
    if row is None or row["beyond_low"] is None or row["beyond_high"] is None:
        return
    low, high = 100 * row["beyond_low"], 100 * row["beyond_high"]
    look: dict[str, Any] = {"facecolor": ink.PALE, "linewidth": 0, "zorder": -1}
    axes.add_patch(Rectangle((low, y[0]), high - low, y[1] - y[0], gid=gid, **look))


def say(axes: Axes, text: str, width: float) -> None:
    """Write in a panel why it is empty, in lines of at most this width in mm."""
    axes.set_ylim(1, 0)
    axes.set_yticks([])
    look: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "center", "va": "center", "zorder": 9}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    text = typeset.wrap(text, 0.9 * width, ink.SMALL_PT)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, **look)


def points_axis(axes: Axes, limit: float, ticks: int) -> None:
    """Prepare a horizontal axis of differences in points: zero in the middle, some `ticks`."""
    axes.set_xlim(-limit, limit)
    places = MaxNLocator(ticks, symmetric=True, integer=True).tick_values(-limit, limit)
    axes.set_xticks([place for place in places if abs(place) <= limit])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x, 0, signed=True)))
    axes.axvline(0, color=ink.DARK, linewidth=0.8, zorder=1)


def points_limit(shares: Iterable[float | None]) -> float:
    """Half the width of an axis of differences that holds these, in percentage points."""
    largest = max((108 * abs(share) for share in shares if share is not None), default=0.0)
    return float(min(max(10.0, largest), 104.0))
