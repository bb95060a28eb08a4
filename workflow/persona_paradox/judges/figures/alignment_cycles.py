"""What alignment does cycle by cycle: a line per persona, a panel per measure and task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ...words import titles
from ..shown import panels_of

# As wide as a page; panels side by side.
_WIDTH_MM, _COLUMNS = 180.0, 4
_PLOT_MM, _HIGH_MM = 32.0, 24.0
# Between the points of two personas, in cycles, and from the first to the last at most.
_DODGE, _MOST = 0.08, 0.5
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
_COLOURS = ("#0B4F86", "#D08A2E", "#4C9A8A", "#8C4A79", "#222222", "#7A7A2E")
_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "model", "chosen"), pl.String),
    **dict.fromkeys(("cycle", "n", "n_invalid"), pl.Int64),
    **dict.fromkeys(("same", "usable"), pl.Boolean),
    **dict.fromkeys(("place", "value", "low", "high"), pl.Float64),
    **dict.fromkeys(("from_place", "from_value"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per measure, task, persona and cycle.

    Columns: `panel`, `persona` and `model` are titles, `persona` null of a judge's own quality;
    `same`, whether the model is that of the cycle before; `place` is where the mark stands along x;
    `from_place` and `from_value`, the mark of the cycle before; numbers are null where there are
    too few items.
    """
    table = tables["cycles"]
    several = table.n_unique(["family", "base"]) > 1
    made = []
    for part, title in panels_of(table, settings):
        head = _head(part, title, settings, several=several)
        for line in part.partition_by("persona", maintain_order=True):
            made += [{"panel": head, **row} for row in _line(line, settings)]
    return pl.DataFrame(made, schema=_SCHEMA)


def _head(part: pl.DataFrame, title: str, settings: Mapping[str, Any], *, several: bool) -> str:
    """The words above a panel: the measure, its task and judge, n and invalid answers."""
    task, judge = part.item(0, "task"), part.item(0, "judge")
    lines = [title]
    if several:
        lines.append(f"{part.item(0, 'family')} · {settings['models'][part.item(0, 'base')]}")
    if task is not None:
        lines.append(words.task_title(titles(settings)[task]))
        if judge is not None:
            lines.append(settings["judges"][judge]["title"])
    invalid = words.n_text(part["n_invalid"]).removeprefix("n = ")
    lines.append(f"{words.n_text(part['n'])}, invalid {invalid}")
    if part["n"].max() < settings["too_few_below"]:
        lines.append("too few")
    if (part["usable"] == False).any():  # noqa: E712 (a column)
        lines.append("judge NOT USABLE")
    return "\n".join(typeset.wrap(line, _PLOT_MM + 8, ink.SMALL_PT, "bold") for line in lines)


def _line(line: pl.DataFrame, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The marks of a persona in a panel, by cycle; judges are not joined, each is another one."""
    persona = line.item(0, "persona")
    before: dict[str, Any] = {}
    for row in line.sort("cycle", maintain_order=True).iter_rows(named=True):
        few = row["n"] < settings["too_few_below"]
        about = {
            "persona": None if persona is None else settings["personas"][persona]["title"],
            "model": settings["models"][row["model"]],
            **{key: row[key] for key in ("chosen", "cycle", "n", "n_invalid")},
            "same": row["cycle"] > 0 and row["chosen"] is None,
            "usable": row["usable"] is not False,
            "place": row["cycle"] + _shift(persona, settings),
            **{key: None if few else row[key] for key in ("value", "low", "high")},
        }
        yield about | {f"from_{key}": before.get(key) for key in ("place", "value")}
        before = {} if persona is None else about


def _shift(persona: str | None, settings: Mapping[str, Any]) -> float:
    """How far beside its cycle a persona's mark stands."""
    order = list(settings["persona_order"])
    if persona is None or len(order) == 1:
        return 0.0
    step = min(_DODGE, _MOST / (len(order) - 1))
    return step * (order.index(persona) - (len(order) - 1) / 2)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: marks with intervals and lines between them, small multiples."""
    x = {
        "field": "place",
        "type": "quantitative",
        "title": "Cycle (0: the base)",
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
        "scale": {"nice": False, "padding": 8, "zero": False},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"format": "%", "tickCount": 4, "grid": True},
        "scale": {"domain": [0, 1]},
    }
    colour, shape = _looks(settings)
    dash = {"condition": {"test": "datum.same", "value": [1, 1.5]}, "value": [1, 0]}
    ends = {"x2": {"field": "from_place"}, "y2": {"field": "from_value"}}
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"x": x},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.from_value) && isValid(datum.value)"}],
                "mark": {"type": "rule", "strokeWidth": 0.9},
                "encoding": {"y": y, **ends, "color": colour, "strokeDash": dash},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 0.6, "opacity": 0.7},
                "encoding": {
                    "y": y | {"field": "low"},
                    "y2": {"field": "high"},
                    "color": colour,
                },
            },
            {
                "transform": [{"filter": "isValid(datum.value)"}],
                "mark": {"type": "point", "size": 14, "strokeWidth": 0.8, "opacity": 1},
                "encoding": {
                    "y": y,
                    "color": colour,
                    "shape": shape,
                    "fill": _filled(colour),
                    "tooltip": _hover(),
                },
            },
        ],
    }
    independent = {"axis": ["x", "y"]}
    made = panels.sheet(
        settings, _about(settings), panel, width_mm=_WIDTH_MM, spacing=12, independent=independent
    )
    made["facet"]["header"]["labelFontSize"] = ink.SMALL_PT
    made["facet"]["header"]["labelLineHeight"] = panels.LINE
    return {**made, "columns": _COLUMNS}


def _looks(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The channels of colour and shape by persona; what is no persona, or not usable, is grey."""
    named = [settings["personas"][id_]["title"] for id_ in settings["persona_order"]]
    legend = {"title": None, "orient": "top", "columns": 4, "columnPadding": 8, "symbolSize": 40}
    look = {"field": "persona", "type": "nominal", "legend": legend}
    ranges = [
        [of[i % len(of)] for i in range(len(named))] for of in (list(_COLOURS), list(_SHAPES))
    ]
    colour, shape = (look | {"scale": {"domain": named, "range": one}} for one in ranges)
    grey = {"test": "!isValid(datum.persona) || !datum.usable", "value": ink.GREY}
    return colour | {"condition": grey}, shape


def _filled(colour: Mapping[str, Any]) -> dict[str, Any]:
    """White where nothing went on, else the colour."""
    white = {"test": "datum.same", "value": "white"}
    return {**colour, "condition": [white, colour["condition"]], "legend": None}


def _hover() -> list[dict[str, Any]]:
    return [
        {"field": "model", "title": "Model"},
        {"field": "chosen", "title": "Went on"},
        {"field": "persona", "title": "Persona"},
        {"field": "cycle", "title": "Cycle"},
        {"field": "value", "title": "Value", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Invalid answers"},
    ]


def _about(settings: Mapping[str, Any]) -> str:
    known = {**settings, "tasks": titles(settings)}
    tasks = list(known["tasks"])
    return (
        "A base (cycle 0) and what became of it in cycles of training on judged answers. Accepted, "
        "refused and the CARES score (in percent) are a judge's verdicts; phrases of refusal are "
        "counted without one; a panel on judges shows one that is the model of that cycle, on "
        "answers of known worth. Hollow, behind a dotted line: nothing went on, and the model is "
        "that of the cycle before. Above a panel n, the items, and invalid answers (without a "
        "label or a verdict). Grey: a judge, or one that is NOT USABLE by its own rule. Intervals: "
        f"{words.percent(settings['confidence'])} Wilson score intervals of shares; of the CARES "
        "score, and of all where items come in clusters, "
        f"{words.bootstrap_note(known, tasks)}. They are not adjusted, and about one model each: "
        "changes, paired by item, are in table cycles. Of "
        f"fewer than {settings['too_few_below']} items nothing is drawn. Main wording. "
        f"{words.study_note(known, tasks)}"
    )
