"""Where every persona stands between the mean of the roles and the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ..positions import ROLE
from ..shown import ends, note, place, shown_layer

_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM = 44.0, 44.0
_STEP = 9.0  # in points, of a line
_COLOUR = "#0B4F86"
_SCHEMA = {
    **dict.fromkeys(("panel", "label", "said"), pl.String),
    "role": pl.Boolean,
    **dict.fromkeys(("n", "n_missing"), pl.Int64),
    **dict.fromkeys(("position", "low", "high"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task and persona, in the study's order; first answers of conversations.

    Columns: `panel` and `label` are titles; `position`, `low` and `high` are null where there is
    nothing to draw; `said` is the same in words.
    """
    found = shown_layer(tables["axis"], settings).filter(turn=0)
    return pl.DataFrame([_row(one, settings) for one in found.iter_rows(named=True)], _SCHEMA)


def _row(row: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {key: row[f"position{end}"] for key, end in _ENDS.items()}
    instead = words.instead({"n": row["n_items"], **numbers}, settings, "value")
    missing = f", {row['n_missing']} without a reading" if row["n_missing"] else ""
    cosine = "none" if row["axis_cosine"] is None else words.number(row["axis_cosine"], 2)
    head = f"{place(row, settings)} · halves' axes agree by {cosine}"
    title = settings["personas"][row["persona"]]["title"]
    return {
        "panel": typeset.wrap(head, _WIDTH_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"),
        "label": typeset.wrap(title, _LABEL_MM, ink.SMALL_PT),
        "role": row["end"] == ROLE,
        "n": row["n_items"],
        "n_missing": row["n_missing"],
        "position": None if instead else numbers["value"],
        "low": None if instead else numbers["low"],
        "high": None if instead else numbers["high"],
        "said": f"{instead or words.with_interval(numbers, 2)}; n = {row['n_items']}{missing}",
    }


_ENDS = {"value": "", "low": "_low", "high": "_high"}


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per task and model."""
    plot = vega.points(_PLOT_MM)
    labels = [
        typeset.wrap(one["title"], _LABEL_MM, ink.SMALL_PT) for one in settings["personas"].values()
    ]
    most = 1 + max(label.count("\n") for label in labels)
    x = {
        "field": "position",
        "type": "quantitative",
        "scale": {"zero": True},
        "title": "Position on the axis",
        "axis": {"tickCount": 4, "grid": False},
    }
    hover = [
        {"field": "label", "title": "Persona"},
        {"field": "position", "title": "Position", "format": ".2f"},
        {"field": "low", "title": "from", "format": ".2f"},
        {"field": "high", "title": "to", "format": ".2f"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_missing", "title": "Without a reading"},
    ]
    fill = {"condition": {"test": "datum.role", "value": "white"}, "value": _COLOUR}
    colour = {"value": _COLOUR}
    line = {key: value for key, value in x.items() if key != "field"}
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": panels.names("label", most)},
        "layer": [
            panels.upright(line | {"datum": 0}),
            panels.upright(line | {"datum": 1}),
            panels.interval(x, colour),
            {
                "mark": {"type": "point", "size": 16, "strokeWidth": 0.9, "opacity": 1},
                "encoding": {"x": x, "color": colour, "fill": fill, "tooltip": hover},
            },
            panels.said(plot),
        ],
    }
    return panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        spacing=10,
        independent={"scale": ["x", "y"], "axis": ["x"]},
    )


def _about(settings: Mapping[str, Any]) -> str:
    return (
        "Position of every persona in the residual stream, the mean over the tokens of its greedy "
        f"answers: {ends(settings)}. Hollow: the personas that make the roles' end. A position is "
        "measured on items that had no part in its axis; above each panel, the cosine between the "
        "axes of both halves of the items. A position is no opinion of the model, and no cause. "
        f"{note(settings)}"
    )
