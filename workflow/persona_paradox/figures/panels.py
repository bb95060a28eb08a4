"""What figures of Vega-Lite share that have a panel for every task and model, one below another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import ink, typeset, vega

# Between the figure and the edge of the page, in mm.
EDGE_MM = 1.5
# Of a line of small words, in points.
LINE = 1.2 * ink.SMALL_PT
# A label of several lines.
SPLIT = "split(datum.label, '\\n')"


def sheet(
    settings: Mapping[str, Any],
    about: str,
    panel: Mapping[str, Any],
    *,
    width_mm: float,
    spacing: float = 14,
    independent: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The specification of a figure: title, words below it, and the panels by column `panel`.

    Args:
        settings: the figures' settings.
        about: what is drawn, with what intervals.
        panel: specification of one panel.
        width_mm: of the whole figure.
        spacing: between panels, in points.
        independent: `scale` and `axis` → channels that every panel has of its own; the names of
            the lines and the axis below them, if it is not given.
    """
    own = {"scale": ["y"], "axis": ["x"]} if independent is None else independent
    return {
        "padding": vega.points(EDGE_MM),
        "title": {
            "text": _lines(settings["title"], width_mm, ink.TITLE_PT, "bold"),
            "subtitle": _lines(about, width_mm, ink.SMALL_PT),
            "anchor": "start",
            "frame": "bounds",
            "offset": 6,
            "subtitleFontSize": ink.SMALL_PT,
            "subtitleColor": ink.MIDDLE,
        },
        "facet": {
            "field": "panel",
            "type": "nominal",
            "sort": None,
            "title": None,
            "header": {
                "labelAnchor": "start",
                "labelExpr": SPLIT,
                "labelLineHeight": 1.25 * ink.PANEL_PT,
                "labelPadding": 3,
            },
        },
        "columns": 1,
        "spacing": spacing,
        "spec": panel,
        "resolve": {what: dict.fromkeys(channels, "independent") for what, channels in own.items()},
    }


def _lines(text: str, width_mm: float, size: float, weight: str = "normal") -> list[str]:
    return typeset.wrap(text, width_mm - 2 * EDGE_MM, size, weight).split("\n")


def names(field: str, most: int = 1) -> dict[str, Any]:
    """The channel of the lines of a panel, with their names at the left.

    Args:
        field: column of the names.
        most: lines of the longest one; a name begins at the middle of its line, and of more than
            one is moved up by half of the rest.
    """
    higher = [
        {"test": f"length({SPLIT}) == {n}", "value": -(n - 1) / 2 * LINE}
        for n in range(2, most + 1)
    ]
    axis: dict[str, Any] = {
        "ticks": False,
        "domain": False,
        "labelPadding": 4,
        "labelExpr": SPLIT,
        "labelLineHeight": LINE,
    }
    if higher:
        axis["labelOffset"] = {"condition": higher, "value": 0}
    return {"field": field, "type": "nominal", "sort": None, "title": None, "axis": axis}


def upright(place: Mapping[str, Any], colour: str = ink.LIGHT) -> dict[str, Any]:
    """The layer of a line from the top of a panel to its bottom, at `place`, a channel x."""
    return {
        "mark": {"type": "rule", "strokeWidth": 0.5, "color": colour},
        "encoding": {"x": place, "y": {"value": 0}, "y2": {"value": "height"}},
    }


def interval(x: Mapping[str, Any], colour: Mapping[str, Any]) -> dict[str, Any]:
    """The layer of intervals, columns `low` and `high`, on a channel x, in a channel of colour."""
    return {
        "mark": {"type": "rule"},
        "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "color": colour},
    }


def said(plot: float, *, lines: int = 1) -> dict[str, Any]:
    """The layer of words at the right of a panel, column `said`.

    Args:
        plot: width of the panel, in points.
        lines: 1, or 2, of which the first stands above the middle.
    """
    mark: dict[str, Any] = {"type": "text", "align": "left", "fontSize": ink.SMALL_PT}
    if lines == 1:
        mark["baseline"] = "middle"
    else:
        mark |= {"lineBreak": "\n", "lineHeight": LINE, "yOffset": -LINE / 2}
    return {"mark": mark, "encoding": {"x": {"value": plot + 4}, "text": {"field": "said"}}}
