"""Whom every persona is taken for: a matrix of shares per task, model and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ...names import AFTER, BEFORE
from ..options import right_option
from .identification import NOT_USABLE

_WIDTH_MM = 120.0
_LABEL_MM = 40.0
_CELL_MM = 6.6
_SOURCES = {BEFORE: "before the task", AFTER: "behind the answer"}
_SCHEMA = {
    **dict.fromkeys(("panel", "label", "column"), pl.String),
    "place": pl.Int64,
    "share": pl.Float64,
    "right": pl.Boolean,
    **dict.fromkeys(("count", "n"), pl.Int64),
    **dict.fromkeys(("text", "hover"), pl.String),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task, time, persona and option, with nobody behind the options.

    Columns: `panel`, `label` (the persona, with its number) and `column` (the option's) are
    titles; `share` of the persona's items, null of too few; `right` whether it is the right
    option; `text` the share in percent.
    """
    options = settings["identification"]["options"]
    number = {one["id"]: str(place) for place, one in enumerate(options, start=1)}
    place_of = {id_: place for place, id_ in enumerate([*number, None])}
    found = tables["identification_confusion"].filter(pl.col("variant") == "main")
    made = []
    for (model, task, source), part in found.group_by(
        "model", "task", "source", maintain_order=True
    ):
        for row in part.iter_rows(named=True):
            right = right_option(row["persona"], {"options": options})
            few = row["n"] < settings["too_few_below"]
            title = settings["personas"][row["persona"]]["title"]
            made.append(
                {
                    "panel": _panel((model, task, source), row["usable"] is False, settings),
                    "label": _wrapped(f"{title} ({number[right]})"),
                    "column": "nobody" if row["named"] is None else number[row["named"]],
                    "place": place_of[row["named"]],
                    "share": None if few else row["value"],
                    "right": row["named"] == right,
                    "count": row["count"],
                    "n": row["n"],
                    "text": str(row["count"]) if few else f"{100 * row['value']:.0f}",
                    "hover": f"{row['count']} of {row['n']}",
                }
            )
    return pl.DataFrame(made, schema=_SCHEMA)


def _panel(place: tuple[Any, ...], unusable: bool, settings: Mapping[str, Any]) -> str:
    model, task, source = place
    title = words.task_title(settings["identification"]["tasks"][task])
    said = _SOURCES.get(source) or f"by {settings['judges'][source]['title']}"
    text = f"{title} · {settings['models'][model]}, {said}" + f" ({NOT_USABLE})" * unusable
    return typeset.wrap(text, _WIDTH_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold")


def _wrapped(label: str) -> str:
    return typeset.wrap(label, _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: a shaded matrix with its shares in percent, one panel for each."""
    cell = vega.points(_CELL_MM)
    titles = [_wrapped(f"{one['title']} (99)") for one in settings["personas"].values()]
    most = 1 + max(label.count("\n") for label in titles)
    x = {
        "field": "column",
        "type": "ordinal",
        "sort": {"field": "place"},
        "title": None,
        "axis": {"orient": "top", "labelAngle": 0, "ticks": False, "domain": False},
    }
    shade = {
        "field": "share",
        "type": "quantitative",
        "scale": {
            "domain": [0, 0.5, 1],
            "range": ["#FFFFFF", "#7FB2D6", "#0B3C5D"],
            "interpolate": "rgb",
        },
        "legend": None,
    }
    hover = [
        {"field": "label", "title": "Persona"},
        {"field": "column", "title": "Named"},
        {"field": "hover", "title": "Items"},
    ]
    white = {"condition": {"test": "datum.share > 0.5", "value": "white"}, "value": ink.DARK}
    edge = {"condition": {"test": "datum.right", "value": ink.DARK}, "value": ink.PALE}
    width = {"condition": {"test": "datum.right", "value": 1.1}, "value": 0.4}
    panel: dict[str, Any] = {
        "width": {"step": cell},
        "height": {"step": max(0.6 * cell, most * panels.LINE + 2)},
        "encoding": {"x": x, "y": panels.names("label", most)},
        "layer": [
            {
                "mark": {"type": "rect"},
                "encoding": {
                    "color": shade,
                    "stroke": edge,
                    "strokeWidth": width,
                    "tooltip": hover,
                },
            },
            {
                "mark": {"type": "text", "baseline": "middle", "fontSize": ink.SMALL_PT},
                "encoding": {"text": {"field": "text"}, "color": white},
            },
        ],
    }
    own = {"scale": ["x", "y"], "axis": ["x", "y"]}
    about = _about(settings)
    return panels.sheet(settings, about, panel, width_mm=_WIDTH_MM, independent=own)


def _about(settings: Mapping[str, Any]) -> str:
    named = settings["identification"]
    shown = {**settings, "tasks": named["tasks"]}
    called = "; ".join(f"{i} {one['title']}" for i, one in enumerate(named["options"], start=1))
    return (
        "Whom the model names when it is asked who it is, in percent of a persona's items. Rows: "
        "personas, with the number of the option that is right; columns: the options. Framed: the "
        f"right one. {called}. nobody: no question was answered. A uniform guess names each in "
        f"{100 / len(named['options']):.0f}%. Of fewer than {settings['too_few_below']} items "
        "counts stand in the place of shares, without a shade. Main wording. "
        f"{words.study_note(shown, list(named['tasks']))}"
    )
