"""A plane: two figures of a cell against each other, one panel per task and model.

What the figures of this kind share: panels, crosses of intervals, and markers that stay where
they are and can still be told apart where several lie on one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from . import ink, marks, typeset, words
from .cells import Cells, all_invalid
from .ink import Look
from .page import Entry, Sheet

_LEFT_MM = 11.0
_GAP_MM = 15.0
_TICKS_MM = 8.5

# Points nearer than this, in mm, are told apart by the size of their markers.
_NEAR_MM = 1.4
_SIZE, _SIZE_STEP = 4.2, 2.0
_LISTED_FROM, _PER_LINE, _GLYPH_MM = 3, 5, 2.9

# Shares of a line in the background at which its label may stand, the middle first.
_ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
_FAINT: dict[str, Any] = {"color": ink.LIGHT, "linewidth": 0.6, "zorder": 0}


@dataclass(frozen=True)
class Measure:
    """A figure of the table along one axis.

    Attributes:
        column: of the cells; its interval is in `<column>_low` and `<column>_high`.
        short: begins the gids of its intervals.
        title: of the axis.
    """

    column: str
    short: str
    title: str

    def ends(self, row: Mapping[str, Any]) -> list[float] | None:
        """The interval, or None where there is none."""
        low, high = row[f"{self.column}_low"], row[f"{self.column}_high"]
        return None if low is None or high is None else [low, high]


@dataclass(frozen=True)
class Scale:
    """A measure and the ends of its axis, which all panels share."""

    measure: Measure
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """A point of the plane: what it stands for, its look, its row of the table, its place."""

    name: str
    look: Look
    row: dict[str, Any]
    x: float
    y: float


@dataclass(frozen=True)
class Plane:
    """Axes of a square panel, the length of its sides in mm, and its scales."""

    axes: Axes
    length: float
    scales: tuple[Scale, Scale]

    def mm(self, x: float, y: float) -> tuple[float, float]:
        """Where a place stands, in mm from the lower left corner."""
        across, down = (
            (value - scale.low) / (scale.high - scale.low) * self.length
            for value, scale in zip((x, y), self.scales, strict=True)
        )
        return across, down

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of the scales that stands there, the inverse of `mm`."""
        across, down = (
            scale.low + value / self.length * (scale.high - scale.low)
            for value, scale in zip((x, y), self.scales, strict=True)
        )
        return across, down


# Draws what lies behind the points; given where they stand, tells where its labels do, in mm.
Backdrop = Callable[[Plane, Sequence[tuple[float, float]]], list[tuple[float, float]]]


def extent(
    cells: Cells, settings: Mapping[str, Any], pair: tuple[Measure, Measure]
) -> tuple[list[float], list[float]]:
    """All that the planes of this pair draw along x and along y: the figures, their intervals."""
    rows = [row for task in cells.tasks for row in [*cells.main(task), *cells.raters(task)]]
    shown = [row for row in rows if _instead(row, settings, pair) is None]
    x, y = (
        [value for row in shown for value in (row[m.column], *(m.ends(row) or ()))] for m in pair
    )
    return x, y


def draw(
    cells: Cells,
    settings: Mapping[str, Any],
    scales: tuple[Scale, Scale],
    backdrop: Backdrop,
    *,
    subtitle: str,
    key: Sequence[Entry],
    notes: Sequence[str],
) -> Figure:
    """Draw a page of panels.

    Args:
        cells: the table.
        settings: the figures' settings.
        scales: of both axes.
        backdrop: draws what lies behind the points of a panel.
        subtitle: what the figure shows.
        key: entries beside those for personas, raters and struck points.
        notes: sentences beside those that every plane has.
    """
    pair = (scales[0].measure, scales[1].measure)
    several = len(cells.models) > 1
    columns = min(3, len(cells.models)) if several else 2
    length = (ink.INNER_MM - _LEFT_MM - (columns - 1) * _GAP_MM) / columns
    places = _places(cells, columns)
    titles, feet = {}, {}
    for task, model in places:
        title = words.task_title(settings["tasks"][task])
        if several:
            title += f" · {settings['models'][model]}"
        foot = _foot(cells, settings, (task, model), pair)
        titles[task, model] = typeset.wrap(title, length, ink.PANEL_PT, "bold")
        feet[task, model] = "\n".join(typeset.wrap(text, length, ink.SMALL_PT) for text in foot)
    title_height = max(typeset.height_of(title, ink.PANEL_PT) for title in titles.values()) + 0.3
    below = _TICKS_MM + max(typeset.height_of(foot, ink.SMALL_PT) for foot in feet.values())
    head = title_height + 4.2
    pitch = head + length + below + 4

    sheet = Sheet(
        settings,
        subtitle + words.of_model(cells, settings),
        (1 + max(line for line, _ in places.values())) * pitch - 4,
        [*_key(cells, settings), *key],
        [*notes, *_notes(cells, settings)],
    )
    for (task, model), (line, column) in places.items():
        left, top = _LEFT_MM + column * (length + _GAP_MM), line * pitch
        title = titles[task, model]
        sheet.text(left, top, title, size=ink.PANEL_PT, weight="bold")
        n = _numbers(cells, settings, task, model)
        sheet.text(left, top + typeset.height_of(title, ink.PANEL_PT) + 0.3, n)
        foot_top = top + head + length + _TICKS_MM
        sheet.text(left, foot_top, feet[task, model], size=ink.SMALL_PT)
        panel = Plane(sheet.axes(left, top + head, length, length), length, scales)
        _draw_panel(panel, cells, settings, (task, model), backdrop)
    return sheet.figure


def _places(cells: Cells, columns: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Line and column of every panel; with several models a task begins a line of its own."""
    groups = [[(task, model) for model in cells.models] for task in cells.tasks]
    if len(cells.models) == 1:
        groups = [[panel for group in groups for panel in group]]
    places = {}
    first = 0
    for group in groups:
        for i, panel in enumerate(group):
            places[panel] = (first + i // columns, i % columns)
        first += -(-len(group) // columns)
    return places


def _numbers(cells: Cells, settings: Mapping[str, Any], task: str, model: str) -> str:
    """N of a panel, and of its raters."""
    texts = [words.n_text(row["n"] for row in cells.main(task) if row["model"] == model)]
    for row in cells.raters(task):
        texts.append(f"{settings['raters'][row['persona']]} n = {row['n']}")
    return "; ".join(texts)


def _instead(
    row: Mapping[str, Any] | None, settings: Mapping[str, Any], pair: Sequence[Measure]
) -> str | None:
    """What is written in the place of a point; None where it can stand."""
    texts = (words.instead(row, settings, measure.column) for measure in pair)
    return next((text for text in texts if text is not None), None)


def _foot(
    cells: Cells,
    settings: Mapping[str, Any],
    panel: tuple[str, str],
    pair: tuple[Measure, Measure],
) -> list[str]:
    """Words below a panel: on its invalid answers, and on the points that it lacks."""
    task, model = panel
    counts = []
    missing: dict[str, list[str]] = {}
    for persona in cells.personas:
        row = cells.get(model, task, persona)
        title = settings["personas"][persona]["title"]
        if row is not None and row["n_invalid"]:
            counts.append(f"{title} {row['n_invalid']}/{row['n']}")
        text = _instead(row, settings, pair)
        if text is not None:
            missing.setdefault(text, []).append(title)
    foot = ["Invalid answers: " + ("; ".join(counts) if counts else "none") + "."]
    gone = [f"{text.capitalize()}: {'; '.join(names)}." for text, names in missing.items()]
    drawn = len(cells.personas) - sum(map(len, missing.values()))
    # Where nothing can be drawn for one reason the panel itself says so.
    return foot + (gone if drawn or len(missing) > 1 else [])


def _draw_panel(
    plane: Plane,
    cells: Cells,
    settings: Mapping[str, Any],
    panel: tuple[str, str],
    backdrop: Backdrop,
) -> None:
    task, model = panel
    axes, (x, y) = plane.axes, plane.scales
    pair = (x.measure, y.measure)
    axes.set_xlim(x.low, x.high)
    axes.set_ylim(y.low, y.high)
    axes.tick_params(pad=3.5)  # room for markers on the edge
    axes.set_xlabel(x.measure.title)
    axes.set_ylabel(y.measure.title)
    looks, stars = ink.looks(cells.personas), marks.rater_looks(cells)

    def points(rows: Sequence[dict[str, Any] | None], looks: Mapping[str, Look]) -> list[Point]:
        return [
            Point(
                "|".join(row[key] for key in ("model", "task", "persona", "variant")),
                looks[row["persona"]],
                row,
                *(float(row[measure.column]) for measure in pair),
            )
            for row in rows
            if row is not None and _instead(row, settings, pair) is None
        ]

    rows = [cells.get(model, task, persona) for persona in cells.personas]
    personas, raters = points(rows, looks), points(cells.raters(task), stars)
    if not personas:
        instead = " / ".join(sorted({_instead(row, settings, pair) or "" for row in rows}))
        axes.text((x.low + x.high) / 2, (y.low + y.high) / 2, instead, ha="center", va="center")
    labels = backdrop(plane, [plane.mm(p.x, p.y) for p in [*personas, *raters]])
    for point in [*personas, *raters]:
        _draw_cross(plane, point)
    for point, size in zip(personas, _sizes(plane, personas), strict=True):
        look = ink.filled(point.look.colour, point.look.marker, size)
        if size > _SIZE:
            look |= {"markerfacecolor": "none", "markeredgewidth": 0.8}
        marks.point(axes, point.x, point.y, f"point|{point.name}", **look)
        if all_invalid(point.row):
            marks.strike(axes, point.x, point.y, f"struck|{point.name}")
    for point in raters:
        look = ink.star(point.look)
        marks.point(axes, point.x, point.y, f"point|{point.name}", **look)
    _draw_lists(plane, personas, [*labels, *(plane.mm(p.x, p.y) for p in raters)])


def _draw_cross(plane: Plane, point: Point) -> None:
    """Draw the intervals of both measures."""
    look = {"color": point.look.colour, "linewidth": 0.5, "alpha": 0.55, "zorder": 2}
    x, y = (scale.measure for scale in plane.scales)
    across, along = x.ends(point.row), y.ends(point.row)
    if across is not None:
        gid = f"{x.short}|{point.name}"
        marks.interval(plane.axes, across, [point.y] * 2, gid, **look)
    if along is not None:
        gid = f"{y.short}|{point.name}"
        marks.interval(plane.axes, [point.x] * 2, along, gid, **look)


def line(
    plane: Plane,
    ends: Sequence[tuple[float, float]],
    text: str,
    *,
    taken: Sequence[tuple[float, float]],
    **look: Any,
) -> tuple[float, float]:
    """Draw a faint line behind the points, its label where it has most room.

    Args:
        plane: the panel.
        ends: of the line.
        text: its label, which stands on the line and turns with it.
        taken: what the label keeps away from, in mm.
        look: of the line.

    Returns:
        Where the label stands, in mm.
    """
    plane.axes.plot(*zip(*ends, strict=True), **_FAINT | look)
    (x0, y0), (x1, y1) = (plane.mm(*end) for end in ends)
    places = [(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in _ALONG]
    room = [min([math.dist(place, other) for other in taken], default=1.0) for place in places]
    best = places[int(np.argmax(room))]
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
    angle = math.degrees(math.atan((y1 - y0) / (x1 - x0)))  # never upside down
    written: dict[str, Any] = {"size": 4.8, "rotation": angle, "color": ink.MIDDLE, "bbox": box}
    plane.axes.text(*plane.at(*best), text, ha="center", va="center", zorder=1, **written)
    return best


# --- points that lie together --------------------------------------------------------------


def _sizes(plane: Plane, points: Sequence[Point]) -> list[float]:
    """Sizes of the markers: of points that lie together, every next one is larger.

    No point is moved: the plane shows the figures as they are.
    """
    sizes: list[float] = []
    for i, point in enumerate(points):
        near = [sizes[j] for j in range(i) if _near(plane, points[j], point)]
        sizes.append(max(near) + _SIZE_STEP if near else _SIZE)
    return sizes


def _near(plane: Plane, one: Point, other: Point) -> bool:
    return math.dist(plane.mm(one.x, one.y), plane.mm(other.x, other.y)) <= _NEAR_MM


def _together(plane: Plane, points: Sequence[Point]) -> list[list[Point]]:
    """Points joined with whatever is near them, in their order."""
    groups: list[list[Point]] = []
    for point in points:
        joined = [g for g in groups if any(_near(plane, p, point) for p in g)]
        groups = [g for g in groups if g not in joined]
        groups.append([*(p for g in joined for p in g), point])
    return groups


def _draw_lists(
    plane: Plane, personas: Sequence[Point], taken: Sequence[tuple[float, float]]
) -> None:
    """List the markers of three or more points that lie together in a box with a leader.

    The box keeps away from other points and from what else is `taken`, in mm.
    """
    boxes: list[tuple[float, float, float, float]] = []
    for group in _together(plane, personas):
        if len(group) < _LISTED_FROM:
            continue
        others = [*taken, *(plane.mm(p.x, p.y) for p in personas if p not in group)]
        lines = [group[i : i + _PER_LINE] for i in range(0, len(group), _PER_LINE)]
        size = (len(lines[0]) * _GLYPH_MM + 0.8, len(lines) * _GLYPH_MM + 0.8)
        xs, ys = zip(*(plane.mm(p.x, p.y) for p in group), strict=True)
        middle = (sum(xs) / len(group), sum(ys) / len(group))
        reach = (_SIZE + _SIZE_STEP * len(group)) / 2 * 25.4 / 72
        box = _room(middle, reach, size, plane.length, others=others, boxes=boxes)
        boxes.append(box)
        _draw_list(plane, middle, box, lines)


def _draw_list(
    plane: Plane,
    middle: tuple[float, float],
    box: tuple[float, float, float, float],
    lines: Sequence[Sequence[Point]],
) -> None:
    left, bottom, right, top = box
    ends = (min(max(middle[0], left), right), min(max(middle[1], bottom), top))
    leader: dict[str, Any] = {"color": ink.MIDDLE, "linewidth": 0.5, "zorder": 7}
    xs, ys = zip(plane.at(*middle), plane.at(*ends), strict=True)
    plane.axes.plot(xs, ys, **leader)
    look: dict[str, Any] = {"facecolor": "white", "edgecolor": ink.MIDDLE, "linewidth": 0.5}
    (x0, y0), (x1, y1) = plane.at(left, bottom), plane.at(right, top)
    plane.axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, zorder=8, **look))
    for i, line in enumerate(lines):
        for j, point in enumerate(line):
            x, y = left + 0.4 + (j + 0.5) * _GLYPH_MM, top - 0.4 - (i + 0.5) * _GLYPH_MM
            marker = ink.filled(point.look.colour, point.look.marker) | {"zorder": 9}
            marks.point(plane.axes, *plane.at(x, y), f"listed|{point.name}", **marker)


def _room(
    middle: tuple[float, float],
    reach: float,
    size: tuple[float, float],
    length: float,
    *,
    others: Sequence[tuple[float, float]],
    boxes: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Place for a box of this size near a group of points, away from all else; in mm."""
    best, found = -math.inf, (0.0, 0.0, *size)
    for far in (reach + 3.0, reach + 6.0, reach + 10.0):
        for angle in np.arange(0, 2 * math.pi, math.pi / 8):
            x = middle[0] + math.cos(angle) * (far + size[0] / 2)
            y = middle[1] + math.sin(angle) * (far + size[1] / 2)
            box = (x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)
            gaps = [_gap(box, point) for point in others]
            gaps += [_gap(box, corner) for b in boxes for corner in _corners(b)]
            outside = max(-box[0], -box[1], box[2] - length, box[3] - length, 0.0)
            score = min([*gaps, 6.0]) - 0.3 * far - 10 * outside
            if score > best:
                best, found = score, box
    return found


def _gap(box: tuple[float, float, float, float], point: tuple[float, float]) -> float:
    """Distance of a point from a box; 0 inside."""
    across = max(box[0] - point[0], point[0] - box[2], 0.0)
    return math.hypot(across, max(box[1] - point[1], point[1] - box[3], 0.0))


def _corners(box: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    left, bottom, right, top = box
    middle = (left + right) / 2
    return [(x, y) for x in (left, middle, right) for y in (bottom, top)]


# --- key and notes -------------------------------------------------------------------------


def _key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    key = [
        Entry(settings["personas"][persona]["title"], ink.filled(look.colour, look.marker))
        for persona, look in ink.looks(cells.personas).items()
    ]
    for rater, look in marks.rater_looks(cells).items():
        key.append(Entry(marks.rater_title(settings, rater), ink.star(look)))
    return key


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    notes = [
        "Points that lie together keep their place: each further one has a larger, hollow marker, "
        "and of three or more a box lists the markers.",
    ]
    rows = [row for task in cells.tasks for row in [*cells.main(task), *cells.raters(task)]]
    notes += words.too_few_note(settings, rows)
    return [*notes, words.study_note(settings, cells.tasks)]
