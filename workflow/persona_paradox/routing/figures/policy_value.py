"""What policies are worth, the rate that is limited and their cost, against their calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...figures import ink, vega
from .. import drawing
from ..drawing import axis, colour, column, hover, rows
from ..titles import RATES

__all__ = ["rows", "spec"]

# The planes, the names, and the columns of intervals.
_WIDTH_MM, _PLANE_MM, _COLUMN_MM = 180.0, 40.0, 24.0
_HIGH_MM = 40.0


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: planes and columns of intervals, for every model and origin."""
    limited, costed = (settings["routing"][key] for key in ("limited", "costed"))
    right = "Right, unseen items"
    planes = [_plane(axis("value", right), "none", ink.LIGHT)]
    columns = [
        column(
            axis("value", "Right"),
            ("low", "high"),
            "none",
            _COLUMN_MM,
            more=_in_sample(),
            labels=True,
        )
    ]
    if limited:
        title = RATES[limited].capitalize()
        planes.append(_plane(axis("rate", title), "at_most", ink.MIDDLE))
        ends = ("rate_low", "rate_high")
        columns.append(column(axis("rate", title), ends, "at_most", _COLUMN_MM))
    if costed:
        cost = axis("cost", "Cost", share=False)
        columns.append(column(cost, ("cost_low", "cost_high"), "cost_none", _COLUMN_MM))
    blocks = [{"vconcat": planes, "spacing": 10}, drawing.beside(columns)]
    return drawing.sheet(settings, _about(settings), blocks, _WIDTH_MM)


def _plane(y: dict[str, Any], line: str, shade: str) -> dict[str, Any]:
    """A number against calls, every policy by its number; `line` is the column of a line."""
    x = {
        "field": "calls",
        "type": "quantitative",
        "title": "Calls per item",
        "scale": {"zero": False, "padding": 8},
        "axis": {"tickMinStep": 1, "grid": False},
    }
    y["scale"] |= {"padding": 6}
    numbers = {"type": "text", "dx": 4, "dy": -3, "align": "left", "fontSize": ink.SMALL_PT}
    return {
        "width": vega.points(_PLANE_MM),
        "height": vega.points(_HIGH_MM),
        "transform": [{"filter": "datum.kind != 'oracle'"}],
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rule", "color": shade, "strokeWidth": 0.6},
                "encoding": {"y": y | {"field": line}, "x": None},
            },
            {
                "mark": {"type": "point", "size": 14, "filled": True, "opacity": 1},
                "encoding": {"color": colour(), "tooltip": hover()},
            },
            {
                "transform": [{"filter": "datum.numbered"}],
                "mark": numbers,
                "encoding": {"text": {"field": "number"}},
            },
        ],
    }


def _in_sample() -> list[dict[str, Any]]:
    """The value on the items that a policy was fitted to."""
    return [
        {
            "mark": {"type": "point", "size": 14, "filled": False, "strokeWidth": 0.7},
            "encoding": {
                "x": axis("value_in_sample", "Right"),
                "color": colour(),
            },
        }
    ]


def _about(settings: Mapping[str, Any]) -> str:
    limited, costed = (settings["routing"][key] for key in ("limited", "costed"))
    return (
        "Ways to choose among the answers of all personas. Left: share of right answers against "
        "answers asked for, by number"
        + ("; below, the rate that the study limits, with its limit as a line" if limited else "")
        + ". Then the same share (filled: on items that the policy did not see; hollow: on those "
        "that it was fitted to)"
        + ("; that rate" if limited else "")
        + ("; the mean cost of valid answers (own definition)" if costed else "")
        + f". Grey line: no persona. {drawing.notes(settings)}"
    )
