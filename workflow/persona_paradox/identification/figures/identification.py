"""How often every persona is named rightly: before a task, and behind the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ...names import AFTER, ALL, BEFORE
from ..measures import ACCURACY

# As wide as a column of a journal and a half.
_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 40.0, 40.0, 34.0
_STEP = 9.0  # in points, of a line
_COLOUR = "#0B4F86"
_SOURCES = {BEFORE: "before", AFTER: "behind the answer"}
NOT_USABLE = "NOT USABLE"
_SCHEMA = {
    **dict.fromkeys(("panel", "label"), pl.String),
    **dict.fromkeys(("is_before", "unusable"), pl.Boolean),
    **dict.fromkeys(("n", "n_unnamed"), pl.Int64),
    **dict.fromkeys(("share", "low", "high", "chance"), pl.Float64),
    "said": pl.String,
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task, persona and time, the mean over all personas last.

    Columns: `panel` and `label` are titles; `share`, `low` and `high` are null where there is
    nothing to draw; `chance` is that of a uniform guess; `said` is the same in words.
    """
    found = tables["identification"].filter(
        (pl.col("metric") == ACCURACY) & (pl.col("variant") == "main")
    )
    by_place = {
        (r["model"], r["task"], r["persona"], r["source"]): r for r in found.iter_rows(named=True)
    }
    made = []
    for model, task in dict.fromkeys((place[0], place[1]) for place in by_place):
        for persona in (*settings["persona_order"], ALL):
            for source in (*_SOURCES, *settings["judges"]):
                row = by_place.get((model, task, persona, source))
                if row is not None:
                    made.append(_row(row, settings))
    return pl.DataFrame(made, schema=_SCHEMA)


def _row(row: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    task = settings["identification"]["tasks"][row["task"]]
    title = f"{words.task_title(task)} · {settings['models'][row['model']]}"
    instead = words.instead(row, settings, "value")
    ends = (None, None, None) if instead else (row["value"], row["low"], row["high"])
    unnamed = f", {row['n_unnamed']} unnamed" if row["n_unnamed"] else ""
    value = instead or f"{words.with_interval(row, 0, 100)}%"
    value = f"{NOT_USABLE}: {value}" if row["usable"] is False else value
    return {
        "panel": typeset.wrap(title, _WIDTH_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"),
        "label": _label(row["persona"], row["source"], settings),
        "is_before": row["source"] == BEFORE,
        "unusable": row["usable"] is False,
        "n": row["n"],
        "n_unnamed": row["n_unnamed"],
        **dict(zip(("share", "low", "high"), ends, strict=True)),
        "chance": row["chance"],
        "said": f"{value}; n = {row['n']}{unnamed}",
    }


def _label(persona: str, source: str, settings: Mapping[str, Any]) -> str:
    title = "All, balanced" if persona == ALL else settings["personas"][persona]["title"]
    said = _SOURCES.get(source) or settings["judges"][source]["title"]
    return typeset.wrap(f"{title}, {said}", _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per task and model."""
    plot = vega.points(_PLOT_MM)
    labels = [
        _label(persona, source, settings)
        for persona in (*settings["persona_order"], ALL)
        for source in (AFTER, *settings["judges"])
    ]
    most = 1 + max(label.count("\n") for label in labels)
    x = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "title": None,
        "axis": {"format": "%", "values": [0, 0.5, 1], "grid": False},
    }
    hover = [
        {"field": "label", "title": "Persona"},
        {"field": "share", "title": "Named rightly", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_unnamed", "title": "Nobody named"},
    ]
    colour = {"condition": {"test": "datum.unusable", "value": ink.GREY}, "value": _COLOUR}
    fill = {
        "condition": [
            {"test": "datum.is_before", "value": "white"},
            {"test": "datum.unusable", "value": ink.GREY},
        ],
        "value": _COLOUR,
    }
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": panels.names("label", most)},
        "layer": [
            panels.upright(x | {"field": "chance"}, ink.MIDDLE),
            panels.interval(x, colour),
            {
                "mark": {
                    "type": "point",
                    "size": 16,
                    "strokeWidth": 0.9,
                    "opacity": 1,
                },
                "encoding": {"x": x, "color": colour, "fill": fill, "tooltip": hover},
            },
            panels.said(plot),
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM, spacing=10)


def _about(settings: Mapping[str, Any]) -> str:
    named = settings["identification"]
    tasks = {"tasks": named["tasks"]}
    shown = {**settings, **tasks}
    return (
        f"Share of the items for which the model, asked who it is among {len(named['options'])} "
        "options, names its own persona, or none where it has none of them: before the task "
        "(hollow) and behind its answer (filled); and that a judge names of the answer alone, grey "
        "where the judge is not usable by its own rule. The line is a uniform guess. Balanced: all "
        "options have the same weight. Named is the option with the likeliest letter; nobody named "
        "counts as wrong. At the right the share with its interval and n items. Intervals: "
        f"{words.percent(settings['confidence'])} Wilson score intervals, of clustered items and "
        f"of the balanced mean bootstrap intervals over items ({settings['draws']} draws), not "
        "adjusted. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. "
        f"{words.study_note(shown, list(named['tasks']))}"
    )
