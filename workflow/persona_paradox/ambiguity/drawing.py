"""What figures of ambiguous cases and of conformal sets share: points with intervals and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..figures import ink, panels, typeset, vega, words
from ..words import named

# As wide as a column of a journal and a half.
WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM = 36.0, 40.0
_STEP = 9.0  # in points, of a line
_COLOUR = "#0B4F86"
_SCHEMA = {
    **dict.fromkeys(("panel", "label", "what", "said"), pl.String),
    **dict.fromkeys(("value", "low", "high", "line"), pl.Float64),
    **dict.fromkeys(("n", "n_invalid"), pl.Int64),
    "hollow": pl.Boolean,
}


def table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The rows of a figure, each of `row`."""
    return pl.DataFrame(rows, schema=_SCHEMA)


def row(
    of: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    panel: str,
    what: str,
    name: str = "value",
    hollow: bool = False,
    line: float | None = None,
    share: bool = False,
    signed: bool = False,
) -> dict[str, Any]:
    """A point with its interval; nothing is drawn of too few items.

    Args:
        of: the row of the table.
        settings: the figures' settings.
        panel: what it is about, behind the task and the model.
        what: the items that it is of, in words.
        name: column of the number.
        hollow: whether the point is hollow.
        line: place of a line.
        share: whether the number is a share, which is drawn in percent.
        signed: whether it has a sign.
    """
    low, high = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
    scale = 100 if share else 1
    ends: dict[str, Any] = {
        key: None if of[one] is None else scale * of[one]
        for key, one in (("value", name), ("low", low), ("high", high))
    }
    instead = words.instead({"n": of["n"], name: of[name]}, settings, name)
    if instead:
        ends = dict.fromkeys(ends)
    value = instead or words.with_interval(ends, 0 if share else 2, signed=signed)
    task = words.task_title(settings["tasks"][of["task"]])
    title = f"{task} · {settings['models'][of['model']]}: {panel}"
    return {
        "panel": typeset.wrap(
            title, WIDTH_MM - _LABEL_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"
        ),
        "label": typeset.wrap(named(settings, of["persona"]), _LABEL_MM, ink.SMALL_PT),
        "what": what,
        "said": f"{value}{'%' if share and not instead else ''}; n = {of['n']}",
        **ends,
        "line": line,
        "n": of["n"],
        "n_invalid": of["n_invalid"],
        "hollow": hollow,
    }


def spec(settings: Mapping[str, Any], about: str) -> dict[str, Any]:
    """The specification: one panel for everything that is told of a task and a model.

    Args:
        settings: the figures' settings.
        about: the words below the title.
    """
    plot = vega.points(_PLOT_MM)
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": {"zero": False},
        "title": None,
        "axis": {"tickCount": 4, "grid": True},
    }
    hover = [
        {"field": "label", "title": "Persona"},
        {"field": "what", "title": "Items"},
        {"field": "value", "title": "Value", "format": ".3f"},
        {"field": "low", "title": "from", "format": ".3f"},
        {"field": "high", "title": "to", "format": ".3f"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Invalid answers"},
    ]
    fill = {"condition": {"test": "datum.hollow", "value": "white"}, "value": _COLOUR}
    point = {"type": "point", "size": 16, "strokeWidth": 0.9, "opacity": 1, "color": _COLOUR}
    titles = [typeset.wrap(named(settings, p), _LABEL_MM, ink.SMALL_PT) for p in _asked(settings)]
    most = 1 + max(title.count("\n") for title in titles)
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": panels.names("label", most)},
        "layer": [
            panels.upright(x | {"field": "line"}, ink.MIDDLE),
            panels.interval(x, {"value": _COLOUR}),
            {"mark": point, "encoding": {"x": x, "fill": fill, "tooltip": hover}},
            panels.said(plot),
        ],
    }
    own = {"scale": ["x", "y"], "axis": ["x"]}
    return panels.sheet(settings, about, panel, width_mm=WIDTH_MM, spacing=10, independent=own)


def _asked(settings: Mapping[str, Any]) -> list[str]:
    return list(settings["personas"])


def notes(settings: Mapping[str, Any], tasks: Sequence[str]) -> str:
    """What the words of these figures end with."""
    return (
        f"Intervals: {words.bootstrap_note(settings, tasks)}, of plain shares Wilson's; not "
        "adjusted. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. {words.study_note(settings, tasks)}"
    )
