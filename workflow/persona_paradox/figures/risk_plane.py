"""Over-triage against under-triage: in which direction every persona errs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from . import style
from .style import Cells, Entry, Look, Sheet

_LEFT_MM = 11.0
_GAP_MM = 15.0
_TICKS_MM = 8.5

# Points nearer than this, in mm, are told apart by the size of their markers.
_NEAR_MM = 1.4
_SIZE, _SIZE_STEP = 4.2, 2.0
_LISTED_FROM, _PER_LINE, _GLYPH_MM = 3, 5, 2.9

# Shares of a line of equal total error at which its label may stand, the middle first.
_ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; the caption in workflow/report says what it shows."""
    with style.context():
        return _draw(style.read(tables["cells"]), settings)


@dataclass(frozen=True)
class _Point:
    """A point of the plane: what it stands for, its look, and its row of the table."""

    name: str
    look: Look
    row: dict[str, Any]

    @property
    def x(self) -> float:
        return float(self.row["over_triage_rate"])

    @property
    def y(self) -> float:
        return float(self.row["under_triage_rate"])


@dataclass(frozen=True)
class _Plane:
    """Axes of a panel: their length in mm and the end of their scales."""

    axes: Axes
    length: float
    limit: float

    def mm(self, point: _Point) -> tuple[float, float]:
        return point.x / self.limit * self.length, point.y / self.limit * self.length


def _draw(cells: Cells, settings: Mapping[str, Any]) -> Figure:
    several = len(cells.models) > 1
    columns = min(3, len(cells.models)) if several else 2
    length = (style.INNER_MM - _LEFT_MM - (columns - 1) * _GAP_MM) / columns
    places = _places(cells, columns)
    titles, feet = {}, {}
    for task, model in places:
        title = style.task_title(settings["tasks"][task])
        if several:
            title += f" · {settings['models'][model]}"
        foot = _invalid(cells, settings, task, model)
        titles[task, model] = style.wrap(title, length, style.PANEL_PT, "bold")
        feet[task, model] = style.wrap(foot, length, style.SMALL_PT)
    title_height = max(style.height_of(title, style.PANEL_PT) for title in titles.values()) + 0.3
    below = _TICKS_MM + max(style.height_of(foot, style.SMALL_PT) for foot in feet.values())
    head = title_height + 4.2
    pitch = head + length + below + 4
    limit = _limit(cells)

    sheet = Sheet(
        settings,
        "Risk plane: under-triage against over-triage, as shares of all items (our own "
        "definition: an invalid answer counts in neither)" + style.of_model(cells, settings),
        (1 + max(line for line, _ in places.values())) * pitch - 4,
        _key(cells, settings),
        _notes(cells, settings),
    )
    for (task, model), (line, column) in places.items():
        left, top = _LEFT_MM + column * (length + _GAP_MM), line * pitch
        title = titles[task, model]
        sheet.text(left, top, title, size=style.PANEL_PT, weight="bold")
        n = _numbers(cells, settings, task, model)
        sheet.text(left, top + style.height_of(title, style.PANEL_PT) + 0.3, n)
        foot_top = top + head + length + _TICKS_MM
        sheet.text(left, foot_top, feet[task, model], size=style.SMALL_PT)
        axes = sheet.axes(left, top + head, length, length)
        _draw_panel(_Plane(axes, length, limit), cells, task, model)
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
    """N of a panel, and of its human raters."""
    texts = [style.n_text(row["n"] for row in cells.main(task) if row["model"] == model)]
    for row in cells.raters(task):
        texts.append(f"{settings['raters'][row['persona']]} n = {row['n']}")
    return "; ".join(texts)


def _invalid(cells: Cells, settings: Mapping[str, Any], task: str, model: str) -> str:
    """Words on the invalid answers of a panel."""
    counts = []
    for persona in cells.personas:
        row = cells.get(model, task, persona)
        if row is not None and row["n_invalid"]:
            title = settings["personas"][persona]["title"]
            counts.append(f"{title} {row['n_invalid']}/{row['n']}")
    return "Invalid answers: " + ("; ".join(counts) if counts else "none") + "."


def _limit(cells: Cells) -> float:
    """End of both scales in all panels: the next step of 10 points above all intervals."""
    ends = ("under_triage_rate_high", "over_triage_rate_high")
    rows = [row for key, row in cells.rows.items() if key[3] == "main"]
    values = [row[end] for row in rows for end in ends if row[end] is not None]
    return min(1.0, max(0.2, math.ceil(10 * max(values, default=1.0)) / 10))


def _draw_panel(plane: _Plane, cells: Cells, task: str, model: str) -> None:
    axes, limit = plane.axes, plane.limit
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.tick_params(pad=3.5)  # room for markers at 0
    step = 0.2 if limit > 0.5 else 0.1
    ticks = np.arange(0, limit + step / 2, step)
    for axis, text in ((axes.xaxis, "Over-triage rate"), (axes.yaxis, "Under-triage rate")):
        axis.set_ticks(ticks)
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_label_text(text)
    looks, stars = style.looks(cells.personas), style.rater_looks(cells)
    rows = [cells.get(model, task, persona) for persona in cells.personas]
    personas = [
        _Point(f"{model}|{task}|{row['persona']}|main", looks[row["persona"]], row)
        for row in rows
        if row is not None and row["over_triage_rate"] is not None
    ]
    raters = [
        _Point(f"{style.HUMAN}|{task}|{row['persona']}|main", stars[row["persona"]], row)
        for row in cells.raters(task)
        if row["over_triage_rate"] is not None
    ]
    if not personas:
        axes.text(limit / 2, limit / 2, "not available", ha="center", va="center")
    labels = _draw_lines(plane, step, [*personas, *raters])
    for point in [*personas, *raters]:
        _draw_cross(axes, point)
    for point, size in zip(personas, _sizes(plane, personas), strict=True):
        look = style.filled(point.look.colour, point.look.marker, size)
        if size > _SIZE:
            look |= {"markerfacecolor": "none", "markeredgewidth": 0.8}
        style.point(axes, point.x, point.y, f"point|{point.name}", **look)
        if style.all_invalid(point.row):
            style.strike(axes, point.x, point.y, f"struck|{point.name}")
    for point in raters:
        look = style.star(point.look)
        style.point(axes, point.x, point.y, f"point|{point.name}", **look)
    _draw_lists(plane, personas, [*labels, *map(plane.mm, raters)])


def _draw_cross(axes: Axes, point: _Point) -> None:
    """Draw the intervals of both rates."""
    row = point.row
    look = {"color": point.look.colour, "linewidth": 0.5, "alpha": 0.55, "zorder": 2}
    over = [row["over_triage_rate_low"], row["over_triage_rate_high"]]
    under = [row["under_triage_rate_low"], row["under_triage_rate_high"]]
    style.interval(axes, over, [point.y] * 2, f"over|{point.name}", **look)
    style.interval(axes, [point.x] * 2, under, f"under|{point.name}", **look)


def _draw_lines(plane: _Plane, step: float, taken: Sequence[_Point]) -> list[tuple[float, float]]:
    """Draw the lines of equal total error, labelled where there are no points.

    Returns:
        Where the labels stand, in mm.
    """
    limit = plane.limit
    labels = []
    for k in np.arange(step, min(1.0, 2 * limit) + step / 2, step):
        low, high = max(0.0, k - limit), min(k, limit)
        if high - low < step / 2:
            continue
        grey: dict[str, Any] = {"color": style.LIGHT, "linewidth": 0.6, "zorder": 0}
        plane.axes.plot([low, high], [k - low, k - high], **grey)
        places = [(low + t * (high - low), k - low - t * (high - low)) for t in _ALONG]
        room = [min([math.dist(q, (p.x, p.y)) for p in taken], default=1.0) for q in places]
        x, y = places[int(np.argmax(room))]
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
        look: dict[str, Any] = {"size": 4.8, "rotation": -45, "color": style.MIDDLE, "bbox": box}
        plane.axes.text(x, y, f"{100 * k:.0f}%", ha="center", va="center", zorder=1, **look)
        labels.append((x / limit * plane.length, y / limit * plane.length))
    return labels


# --- points that lie together --------------------------------------------------------------


def _sizes(plane: _Plane, points: Sequence[_Point]) -> list[float]:
    """Sizes of the markers: of points that lie together, every next one is larger.

    No point is moved: the plane shows the rates as they are.
    """
    sizes: list[float] = []
    for i, point in enumerate(points):
        near = [sizes[j] for j in range(i) if _near(plane, points[j], point)]
        sizes.append(max(near) + _SIZE_STEP if near else _SIZE)
    return sizes


def _near(plane: _Plane, one: _Point, other: _Point) -> bool:
    return math.dist(plane.mm(one), plane.mm(other)) <= _NEAR_MM


def _together(plane: _Plane, points: Sequence[_Point]) -> list[list[_Point]]:
    """Points joined with whatever is near them, in their order."""
    groups: list[list[_Point]] = []
    for point in points:
        joined = [g for g in groups if any(_near(plane, p, point) for p in g)]
        groups = [g for g in groups if g not in joined]
        groups.append([*(p for g in joined for p in g), point])
    return groups


def _draw_lists(
    plane: _Plane, personas: Sequence[_Point], taken: Sequence[tuple[float, float]]
) -> None:
    """List the markers of three or more points that lie together in a box with a leader.

    The box keeps away from other points and from what else is `taken`, in mm.
    """
    boxes: list[tuple[float, float, float, float]] = []
    for group in _together(plane, personas):
        if len(group) < _LISTED_FROM:
            continue
        others = [*taken, *(plane.mm(p) for p in personas if p not in group)]
        lines = [group[i : i + _PER_LINE] for i in range(0, len(group), _PER_LINE)]
        size = (len(lines[0]) * _GLYPH_MM + 0.8, len(lines) * _GLYPH_MM + 0.8)
        xs, ys = zip(*map(plane.mm, group), strict=True)
        middle = (sum(xs) / len(group), sum(ys) / len(group))
        reach = (_SIZE + _SIZE_STEP * len(group)) / 2 * 25.4 / 72
        box = _room(middle, reach, size, plane.length, others=others, boxes=boxes)
        boxes.append(box)
        _draw_list(plane, middle, box, lines)


def _draw_list(
    plane: _Plane,
    middle: tuple[float, float],
    box: tuple[float, float, float, float],
    lines: Sequence[Sequence[_Point]],
) -> None:
    scale = plane.limit / plane.length
    left, bottom, right, top = box
    ends = (min(max(middle[0], left), right), min(max(middle[1], bottom), top))
    leader: dict[str, Any] = {"color": style.MIDDLE, "linewidth": 0.5, "zorder": 7}
    xs, ys = ([value * scale for value in axis] for axis in zip(middle, ends, strict=True))
    plane.axes.plot(xs, ys, **leader)
    look: dict[str, Any] = {"facecolor": "white", "edgecolor": style.MIDDLE, "linewidth": 0.5}
    width, height = (right - left) * scale, (top - bottom) * scale
    frame = Rectangle((left * scale, bottom * scale), width, height, zorder=8, **look)
    plane.axes.add_patch(frame)
    for i, line in enumerate(lines):
        for j, point in enumerate(line):
            x, y = left + 0.4 + (j + 0.5) * _GLYPH_MM, top - 0.4 - (i + 0.5) * _GLYPH_MM
            marker = style.filled(point.look.colour, point.look.marker) | {"zorder": 9}
            style.point(plane.axes, x * scale, y * scale, f"listed|{point.name}", **marker)


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
        Entry(settings["personas"][persona]["title"], style.filled(look.colour, look.marker))
        for persona, look in style.looks(cells.personas).items()
    ]
    for rater, look in style.rater_looks(cells).items():
        key.append(Entry(f"{settings['raters'][rater]} (human)", style.star(look)))
    if any(style.all_invalid(row) for name, row in cells.rows.items() if name[3] == "main"):
        key.append(Entry("every answer invalid: no rate to read", style.STRUCK))
    level = style.percent(settings["confidence"])
    key.append(Entry(f"{level} Wilson intervals", line={"color": style.MIDDLE, "linewidth": 0.5}))
    key.append(Entry("equal total error", line={"color": style.LIGHT, "linewidth": 0.8}))
    return key


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    notes = [
        "n: items per point. Main wording. Points that lie together keep their place: each "
        "further one has a larger, hollow marker, and of three or more a box lists the markers.",
        "Total error: under-triage plus over-triage, our own definition; with the accuracy and "
        "the share of invalid answers it makes 100%.",
        f"Intervals: {style.percent(settings['confidence'])} Wilson score, which need no draws "
        f"(the study's {settings['draws']} bootstrap draws are not used here).",
    ]
    return [*notes, style.study_note(settings, cells.tasks)]
