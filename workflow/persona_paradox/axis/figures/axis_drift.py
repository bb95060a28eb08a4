"""Where every persona stands after every turn of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega
from ..shown import ends, note, place, shown_layer

_WIDTH_MM, _COLUMNS = 160.0, 3
_PLOT_MM, _HIGH_MM = 40.0, 24.0
_COLOUR = "#0B4F86"
_SCHEMA = {
    **dict.fromkeys(("panel", "persona"), pl.String),
    **dict.fromkeys(("turn", "n", "n_missing"), pl.Int64),
    **dict.fromkeys(("position", "low", "high", "change", "change_low", "change_high"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, conversation, persona and turn.

    Columns: `panel` and `persona` are titles; numbers are null where there are too few items.
    """
    talks = [task for task, turns in settings["readings"]["turns"].items() if turns > 1]
    found = shown_layer(tables["axis"], settings).filter(pl.col("task").is_in(talks))
    made = []
    for row in found.iter_rows(named=True):
        title = settings["personas"][row["persona"]]["title"]
        lines = (title, place(row, settings))
        numbers = {
            "position": row["position"],
            "low": row["position_low"],
            "high": row["position_high"],
            **{key: row[key] for key in ("change", "change_low", "change_high")},
        }
        few = row["n_items"] < settings["too_few_below"]
        made.append(
            {
                "panel": "\n".join(
                    typeset.wrap(line, _PLOT_MM + 6, ink.SMALL_PT, "bold") for line in lines
                ),
                "persona": title,
                "turn": row["turn"],
                "n": row["n_items"],
                "n_missing": row["n_missing"],
                **(dict.fromkeys(numbers) if few else numbers),
            }
        )
    return pl.DataFrame(made, schema=_SCHEMA)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: lines with bars, small multiples by persona."""
    turns = [*range(max(settings["readings"]["turns"].values()))]
    x = {
        "field": "turn",
        "type": "quantitative",
        "title": "Turns of the user behind the first answer",
        "axis": {"values": turns, "format": "d", "grid": False},
        "scale": {"nice": False, "padding": 6},
    }
    y = {
        "field": "position",
        "type": "quantitative",
        "title": "Position",
        "axis": {"tickCount": 4, "grid": True},
        "scale": {"zero": True},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "turn", "title": "Turn"},
        {"field": "position", "title": "Position", "format": ".2f"},
        {"field": "low", "title": "from", "format": ".2f"},
        {"field": "high", "title": "to", "format": ".2f"},
        {"field": "change", "title": "Change since the first answer", "format": "+.2f"},
        {"field": "change_low", "title": "from", "format": "+.2f"},
        {"field": "change_high", "title": "to", "format": "+.2f"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_missing", "title": "Without a reading"},
    ]
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1, "color": _COLOUR}, "encoding": {"y": y}},
            {
                "mark": {"type": "rule", "strokeWidth": 0.8, "color": _COLOUR},
                "encoding": {"y": y | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "size": 12, "filled": True, "opacity": 1},
                "encoding": {"y": y, "tooltip": hover, "color": {"value": _COLOUR}},
            },
        ],
    }
    sheet = panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        spacing=12,
        independent={"axis": ["x", "y"]},
    )
    sheet["facet"]["header"]["labelFontSize"] = ink.SMALL_PT
    sheet["facet"]["header"]["labelLineHeight"] = panels.LINE
    return {**sheet, "columns": _COLUMNS}


def _about(settings: Mapping[str, Any]) -> str:
    return (
        "Position of the answers after every turn of a conversation, in the residual stream: "
        f"{ends(settings)}, both of the first answers. What the user says moves the answers of "
        "every persona, also those of the default: a persona drifts where it moves otherwise. "
        f"{note(settings)}"
    )
