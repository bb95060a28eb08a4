"""At which turn answers give way: step curves, a panel per persona, a line per way to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ...words import titles

_COLOURS = ("#0B4F86", "#D08A2E", "#4C9A8A", "#8C4A79", "#222222", "#7A7A2E")
_DASHES = ([1, 0], [4, 2], [1, 1.5], [6, 2, 1, 2], [2, 1], [8, 2])
_UNUSABLE = "judge NOT USABLE"

# As wide as a page with margins; panels side by side.
_WIDTH_MM, _COLUMNS = 160.0, 3
_PLOT_MM, _HIGH_MM = 40.0, 24.0
# Between the bars of two curves, in turns.
_DODGE = 0.08

_SCHEMA = {
    **dict.fromkeys(("panel", "way", "persona"), pl.String),
    "usable": pl.Boolean,
    **dict.fromkeys(("turn", "n", "n_at_risk", "n_events", "n_censored"), pl.Int64),
    **dict.fromkeys(("place", "share", "low", "high"), pl.Float64),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per judge, model, task, persona and turn, with turn 0 at 1.

    Columns: `panel`, `persona` and `way` (of going on) are titles; `place` is where the bar of a
    turn stands; `share`, `low` and `high` are null where there are too few items.
    """
    curves, held = tables["survival"], tables["turns_held"]
    keys = ["judge", "model", "task", "persona"]
    about = {tuple(row[key] for key in keys): row for row in held.iter_rows(named=True)}
    ways = _ways(settings)
    order = list(settings["persona_order"])
    made = []
    for place in sorted(about, key=lambda p: (str(p[0]), p[1], _base(p[2], settings))):
        row = about[place]
        steps = [{"turn": 0, "value": 1.0, "n_at_risk": row["n"]}]
        steps += curves.filter(
            *(pl.col(key).eq_missing(value) for key, value in zip(keys, place, strict=True))
        ).to_dicts()
        few = row["n"] < settings["too_few_below"]
        for step in steps:
            made.append(
                (
                    (str(place[0]), place[1], _base(place[2], settings), order.index(place[3])),
                    {
                        "way": _way(place[2], settings),
                        "persona": settings["personas"][place[3]]["title"],
                        "usable": row["usable"] is not False,
                        "n": row["n"],
                        **{key: step.get(key) for key in ("turn", "n_at_risk", "n_events")},
                        "n_censored": step.get("n_censored"),
                        "place": step["turn"] + _DODGE * (ways.index(_way(place[2], settings))),
                        "share": None if few else step["value"],
                        "low": None if few else step.get("low"),
                        "high": None if few else step.get("high"),
                    },
                )
            )
    made.sort(key=lambda one: one[0])
    heads = {key: _head(key, about, settings) for key, _ in made}
    return pl.DataFrame([{"panel": heads[key], **row} for key, row in made], schema=_SCHEMA)


def _base(task: str, settings: Mapping[str, Any]) -> str:
    """The task whose answers the user goes on behind."""
    arm = titles(settings)[task].get("arm")
    return str(arm["base"]) if arm else task


def _way(task: str, settings: Mapping[str, Any]) -> str:
    told = titles(settings)[task]
    return str(told["arm"]["title"] if told.get("arm") else told["title"])


def _ways(settings: Mapping[str, Any]) -> list[str]:
    """What the curves of a study are called, in its order."""
    found = [_way(task, settings) for task in settings["conversations"]]
    return list(dict.fromkeys(found))


def _head(key: Any, about: Mapping[Any, Any], settings: Mapping[str, Any]) -> str:
    """The words above a panel: the persona, its place, and its numbers."""
    judge, model, base, number = key
    persona = list(settings["persona_order"])[number]
    own = [
        row
        for (by, of, task, one), row in about.items()
        if (str(by), of, _base(task, settings), one) == (judge, model, base, persona)
    ]
    known = titles(settings)
    task = next(task for _, _, task, _ in about if _base(task, settings) == base)
    place = known[base]["title"] if base in known else known[task]["title"]
    title = settings["personas"][persona]["title"]
    gone = words.n_text(row["n_gave_way_at_once"] for row in own).removeprefix("n = ")
    lines = [
        title,
        f"{place} · {settings['models'][model]}",
        *([settings["judges"][judge]["title"]] if judge in settings["judges"] else []),
        f"{words.n_text(row['n'] for row in own)}, {gone} did not hold at first",
    ]
    if any(row["n"] < settings["too_few_below"] for row in own):
        lines.append("too few items for a curve")
    if any(row["usable"] is False for row in own):
        lines.append(_UNUSABLE)
    width = _PLOT_MM + 6
    return "\n".join(typeset.wrap(line, width, ink.SMALL_PT, "bold") for line in lines)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: step curves with bars, small multiples by persona."""
    ways = _ways(settings)
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(ways))]
    dashes = [_DASHES[i % len(_DASHES)] for i in range(len(ways))]
    colour = {
        "condition": {"test": "!datum.usable", "value": ink.GREY},
        "field": "way",
        "type": "nominal",
        "scale": {"domain": ways, "range": colours},
        "legend": {
            "title": None,
            "orient": "top",
            "symbolType": "stroke",
            "columns": 2,
            "columnPadding": 8,
            "labelLimit": vega.points(_WIDTH_MM / 2),
        },
    }
    dash = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": ways, "range": dashes},
        "legend": None,
    }
    x = {
        "field": "turn",
        "type": "quantitative",
        "title": "Turn",
        # There is no half a turn.
        "axis": {
            "labelExpr": "datum.value % 1 ? '' : format(datum.value, 'd')",
            "tickOpacity": {"condition": {"test": "datum.value % 1", "value": 0}, "value": 1},
            "grid": False,
        },
        "scale": {"zero": True, "nice": False},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "title": "Still holds",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%", "tickCount": 3, "grid": True},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "way", "title": "The user"},
        {"field": "turn", "title": "Turn"},
        {"field": "share", "title": "Still holds", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "n", "title": "Items whose first answer holds (n)"},
        {"field": "n_at_risk", "title": "At risk"},
        {"field": "n_events", "title": "Gave way here"},
        {"field": "n_censored", "title": "Not followed further"},
    ]
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"color": colour},
        "layer": [
            {
                "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1},
                "encoding": {"x": x, "y": y, "strokeDash": dash},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 0.7},
                "encoding": {
                    "x": x | {"field": "place"},
                    "y": y | {"field": "low"},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "size": 8, "filled": True, "opacity": 1},
                "encoding": {"x": x | {"field": "place"}, "y": y, "tooltip": hover},
            },
        ],
    }
    sheet = panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        spacing=12,
        independent={"scale": ["x"], "axis": ["x", "y"]},
    )
    sheet["facet"]["header"]["labelFontSize"] = ink.SMALL_PT
    sheet["facet"]["header"]["labelLineHeight"] = panels.LINE
    return {**sheet, "columns": _COLUMNS}


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["conversations"])
    note = words.study_note({**settings, "tasks": titles(settings)}, tasks)
    return (
        "Share of answers that still hold at a turn and at all before, of those whose first answer "
        "holds (product limit). Bars: pointwise "
        f"{words.percent(settings['confidence'])} log–log intervals, not adjusted, as if items "
        "were independent; an answer that cannot be judged or read is censored at the turn before. "
        "Greedy answers in the main wording. "
        f"Of fewer than {settings['too_few_below']} items nothing is drawn. Grey: the judge is "
        f"not usable by its own rule. {note}"
    )
