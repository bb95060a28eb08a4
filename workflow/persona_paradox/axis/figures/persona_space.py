"""Personas on the first two principal components of their readings, coloured by an effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import cos, pi, sin
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ..shown import note, place, shown_layer

_WIDTH_MM = 120.0
_PLOT_MM, _HIGH_MM = 84.0, 60.0
_PADDING_MM = 4.0
# How far from its point a name may stand, in mm, and in which directions: the first with room.
_FAR_MM = (0.8, 2.0, 4.0, 6.0, 8.0, 11.0, 14.0, 18.0, 22.0)
_DIRECTIONS = tuple(pi * sixths / 6 for sixths in (3, 9, 0, 6, 1, 5, 7, 11, 2, 4, 8, 10))
_EDGE_MM = 0.6  # between a name and the edge of the plot
_POINT_MM = 0.8  # from the middle of a point to its edge
_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "metric"), pl.String),
    **dict.fromkeys(("n", "n_missing"), pl.Int64),
    **dict.fromkeys(("first", "second", "effect", "low", "high"), pl.Float64),
    **dict.fromkeys(("name_first", "name_second", "line_first", "line_second"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task and persona.

    Columns: `panel` and `persona` are titles; `first` and `second` are scores; `effect`, `low` and
    `high` those of the first of the study's metrics that the task has, against the baseline: null
    where there is none. `name_first` and `name_second` are the middle of a persona's name, and
    `line_first` and `line_second` where the line from its point to the name ends, all in scores.
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
        panel = []
        for persona in part["persona"].unique(maintain_order=True):
            first, second = (scores.get((k, persona), {}).get("score") for k in (1, 2))
            effect = effects.get(persona, {})
            panel.append(
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
        made += panel if few else _named(panel)
    return pl.DataFrame(made, schema=_SCHEMA)


def _named(panel: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of a panel, each with the place of its name."""
    lows, rates = [], []
    for axis, length in (("first", _PLOT_MM), ("second", _HIGH_MM)):
        scores = [0.0, *(row[axis] for row in panel if row[axis] is not None)]
        lows.append(min(scores))
        rates.append((max(scores) - min(scores)) / (length - 2 * _PADDING_MM) or 1.0)
    shown = [row for row in panel if row["first"] is not None]
    points = [
        tuple(
            _PADDING_MM + (row[axis] - low) / rate
            for axis, low, rate in zip(("first", "second"), lows, rates, strict=True)
        )
        for row in shown
    ]
    places = _places(points, [row["persona"] for row in shown])
    columns = ("name_first", "name_second", "line_first", "line_second")
    for row, middle_and_end in zip(shown, places, strict=True):
        row |= {
            column: low + (mm - _PADDING_MM) * rate
            for column, mm, low, rate in zip(
                columns, middle_and_end, lows * 2, rates * 2, strict=True
            )
        }
    return [*panel]


def _places(
    points: Sequence[tuple[float, ...]], names: Sequence[str]
) -> list[tuple[float, float, float, float]]:
    """Where names stand, so that none covers another or a point while there is room.

    Args:
        points: in mm from the lower left corner of the plot.
        names: of the points.

    Returns:
        The middle of each name, and the place of its box that is nearest to the point, in mm.
    """
    size = _POINT_MM
    taken = [(x - size, y - size, x + size, y + size) for x, y in points]
    places = []
    for (x, y), name in zip(points, names, strict=True):
        boxes = _boxes(x, y, typeset.width_of(name, ink.SMALL_PT))
        covered = {one: sum(_shared(one, other) for other in taken) for one in boxes}
        best = min(covered, key=covered.__getitem__)
        taken.append(best)
        left, foot, right, top = best
        nearest = min(max(x, left), right), min(max(y, foot), top)
        places.append(((left + right) / 2, (foot + top) / 2, *nearest))
    return places


def _boxes(x: float, y: float, wide: float) -> Iterator[tuple[float, float, float, float]]:
    """Where the name of a point may stand, inside the plot however near its edge the point is."""
    high = typeset.height_of("", ink.SMALL_PT)
    for far, turn in product(_FAR_MM, _DIRECTIONS):
        left = x + cos(turn) * (wide / 2 + _POINT_MM + far) - wide / 2
        foot = y + sin(turn) * (high / 2 + _POINT_MM + far) - high / 2
        left = min(max(left, _EDGE_MM), max(_PLOT_MM - _EDGE_MM - wide, _EDGE_MM))
        foot = min(max(foot, _EDGE_MM), _HIGH_MM - _EDGE_MM - high)
        yield left, foot, left + wide, foot + high


def _shared(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area, in mm², that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(up, 0.0)


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
            "scale": {"zero": True, "nice": False, "padding": vega.points(_PADDING_MM)},
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

    def at(first: str, second: str) -> dict[str, Any]:
        place = {"x": first, "y": second}
        return {k: {"field": field, "type": "quantitative"} for k, field in place.items()}

    ends = {f"{k}2": {"field": f} for k, f in {"x": "line_first", "y": "line_second"}.items()}
    line = {"type": "rule", "color": ink.LIGHT, "strokeWidth": 0.5}
    name = {"type": "text", "baseline": "middle", "fontSize": ink.SMALL_PT}
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"x": score("first", "Component 1"), "y": score("second", "Component 2")},
        "layer": [
            {"mark": line, "encoding": ends},
            points({"value": ink.DARK}, "datum.effect === null"),
            points(colour, "datum.effect !== null"),
            {
                "mark": name,
                "encoding": at("name_first", "name_second") | {"text": {"field": "persona"}},
            },
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
        "them have, of a conversation of its last answers; component 1 points to where the default "
        "is. Colour: effect against the "
        f"baseline on the first of {metrics} that the task has; black: there is none. Table "
        "persona_space has the intervals of scores and shares, table axis_effects what position "
        f"and effect have to do with each other. {note(settings)}"
    )
