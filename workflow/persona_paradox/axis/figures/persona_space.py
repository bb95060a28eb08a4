"""Personas on the first two principal components of their readings, coloured by an effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ..shown import note, place, shown_layer

_WIDTH_MM = 120.0
_PLOT_MM, _HIGH_MM = 84.0, 60.0
_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "metric"), pl.String),
    **dict.fromkeys(("n", "n_missing"), pl.Int64),
    **dict.fromkeys(("first", "second", "effect", "low", "high"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task and persona.

    Columns: `panel` and `persona` are titles; `first` and `second` are scores; `effect`, `low` and
    `high` those of the first of the study's metrics that the task has, against the baseline: null
    where there is none.
    """
    space = shown_layer(tables["persona_space"], settings)
    made = []
    for (model, task, layer), part in space.group_by("model", "task", "layer", maintain_order=True):
        scores = {(row["component"], row["persona"]): row for row in part.iter_rows(named=True)}
        metric, effects = _effects(tables["contrasts"], str(model), str(task), settings)
        about = place({"model": model, "task": task, "layer": layer}, settings)
        shares = [
            words.percent(round(scores[k, part.item(0, "persona")]["share"], 3))
            for k in sorted(part["component"].unique())[:2]
        ]
        told = f"{about} · components {' and '.join(shares)} of the variance"
        few = part.item(0, "n_items") < settings["too_few_below"]
        for persona in part["persona"].unique(maintain_order=True):
            first, second = (scores.get((k, persona), {}).get("score") for k in (1, 2))
            effect = effects.get(persona, {})
            made.append(
                {
                    "panel": typeset.wrap(
                        told, _WIDTH_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"
                    ),
                    "persona": settings["personas"][persona]["title"],
                    "metric": metric,
                    "n": part.item(0, "n_items"),
                    "n_missing": part.item(0, "n_missing"),
                    "first": None if few else first,
                    "second": None if few else second or 0.0,
                    "effect": effect.get("difference"),
                    "low": effect.get("low"),
                    "high": effect.get("high"),
                }
            )
    return pl.DataFrame(made, schema=_SCHEMA)


def _effects(
    contrasts: pl.DataFrame, model: str, task: str, settings: Mapping[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """The first of the metrics that there are effects on, and persona → its row."""
    own = contrasts.filter(
        pl.col("confidence").is_null(), model=model, task=task, variant="main", against="persona"
    )
    for metric in settings["readings"]["metrics"]:
        found = own.filter(pl.col("difference").is_not_null(), metric=metric)
        if found.height:
            return metric, {row["persona"]: row for row in found.iter_rows(named=True)}
    return None, {}


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with names, one panel per task and model."""

    def score(field: str, title: str) -> dict[str, Any]:
        return {
            "field": field,
            "type": "quantitative",
            "title": title,
            "scale": {"zero": True, "padding": 12},
            "axis": {"tickCount": 4, "grid": True},
        }

    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "first", "title": "Component 1", "format": ".2f"},
        {"field": "second", "title": "Component 2", "format": ".2f"},
        {"field": "metric", "title": "Effect on"},
        {"field": "effect", "title": "Effect", "format": "+.1%"},
        {"field": "low", "title": "from", "format": "+.1%"},
        {"field": "high", "title": "to", "format": "+.1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_missing", "title": "Items that some persona lacks"},
    ]
    colour = {
        "field": "effect",
        "type": "quantitative",
        "scale": {"scheme": "blueorange", "domainMid": 0},
        "legend": {
            "title": "Effect",
            "format": "+%",
            "orient": "right",
            "gradientLength": vega.points(_HIGH_MM / 2),
        },
    }

    def points(colour: Mapping[str, Any], test: str) -> dict[str, Any]:
        mark = {"type": "point", "size": 30, "filled": True, "opacity": 1}
        return {
            "transform": [{"filter": test}],
            "mark": {**mark, "stroke": ink.DARK, "strokeWidth": 0.4},
            "encoding": {"color": colour, "tooltip": hover},
        }

    names = {"type": "text", "dy": -7, "fontSize": ink.SMALL_PT}
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"x": score("first", "Component 1"), "y": score("second", "Component 2")},
        "layer": [
            points({"value": ink.DARK}, "datum.effect === null"),
            points(colour, "datum.effect !== null"),
            {"mark": names, "encoding": {"text": {"field": "persona"}}},
        ],
    }
    return panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        independent={"scale": ["x", "y", "color"], "axis": ["x", "y"]},
    )


def _about(settings: Mapping[str, Any]) -> str:
    metrics = ", ".join(one.replace("_", " ") for one in settings["readings"]["metrics"])
    return (
        "Principal components of the mean readings of the personas, over the items that all of "
        "them have; component 1 points to where the default is. Colour: effect against the "
        f"baseline on the first of {metrics} that the task has; black: there is none. Table "
        "persona_space has the intervals of scores and shares, table axis_effects what position "
        f"and effect have to do with each other. {note(settings)}"
    )
