"""What a persona's answers earn by the criteria of their items, and how many of them they meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ...figures.judged import NOT_USABLE
from ...names import ALL, RUBRIC_SCORE

_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM = 32.0, 36.0
_STEP = 9.0  # in points, of a line
_COLOUR = "#0B4F86"
_SCHEMA = {
    **dict.fromkeys(("panel", "persona"), pl.String),
    "unusable": pl.Boolean,
    **dict.fromkeys(("n", "n_criteria", "n_unjudged"), pl.Int64),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "said": pl.String,
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, judge, panel and persona: the score, then the criteria of each tag.

    Columns: `panel` and `persona` are titles; `value`, `low` and `high` are null where there is
    nothing to draw; `said` is the same in words.
    """
    asked = (pl.col("tag") == ALL) == (pl.col("metric") == RUBRIC_SCORE)
    by_place: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for row in tables["rubrics"].filter(asked).iter_rows(named=True):
        place = (row["task"], row["model"], row["judge"], row["tag"])
        by_place.setdefault(place, {})[row["persona"]] = row
    # In the order of the table: those of one judge beside each other, the score first.
    made = [
        _row(of_persona[persona], settings)
        for of_persona in by_place.values()
        for persona in settings["persona_order"]
        if persona in of_persona
    ]
    return pl.DataFrame(made, schema=_SCHEMA)


def _row(row: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    what = "Rubric score" if row["tag"] == ALL else f"Criteria met, {row['tag']}"
    task = words.task_title(settings["judged_tasks"][row["task"]])
    judge = settings["judges"][row["judge"]]["title"]
    judge = f"{NOT_USABLE}: {judge}" if row["usable"] is False else judge
    title = f"{what} · {task} · {settings['models'][row['model']]} · {judge}"
    instead = words.instead(row, settings, "value")
    ends = (None, None, None) if instead else (row["value"], row["low"], row["high"])
    number = instead or f"{words.with_interval(row, 0, 100)}%"
    unjudged = f", {row['n_unjudged']} unjudged" if row["n_unjudged"] else ""
    return {
        "panel": typeset.wrap(
            title, _WIDTH_MM - _LABEL_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"
        ),
        "persona": _label(settings["personas"][row["persona"]]),
        "unusable": row["usable"] is False,
        **{name: row[name] for name in ("n", "n_criteria", "n_unjudged")},
        **dict(zip(("value", "low", "high"), ends, strict=True)),
        "said": f"{number}; n = {row['n']}, {row['n_criteria']} criteria{unjudged}",
    }


def _label(persona: Mapping[str, Any]) -> str:
    return typeset.wrap(persona["title"], _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per score or tag."""
    plot = vega.points(_PLOT_MM)
    personas = [settings["personas"][id_] for id_ in settings["persona_order"]]
    most = 1 + max(_label(persona).count("\n") for persona in personas)
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "title": None,
        "axis": {"format": "%", "values": [0, 0.5, 1], "grid": False},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "value", "title": "Score, or share met", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "n", "title": "Answers (n)"},
        {"field": "n_criteria", "title": "Their criteria"},
        {"field": "n_unjudged", "title": "Answers without a verdict"},
    ]
    colour = {"condition": {"test": "datum.unusable", "value": ink.GREY}, "value": _COLOUR}
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": panels.names("persona", most)},
        "layer": [
            # First, since it has a word on every line, so that the lines stand in their order.
            panels.said(plot),
            panels.interval(x, colour),
            {
                "mark": {"type": "point", "size": 16, "filled": True, "opacity": 1},
                "encoding": {"x": x, "color": colour, "tooltip": hover},
            },
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM, spacing=10)


def _about(settings: Mapping[str, Any]) -> str:
    shown = {**settings, "tasks": settings["judged_tasks"]}
    note = words.study_note(shown, list(settings["judged_tasks"]))
    return (
        "What a judge says of the criteria of every item: the rubric score of the answers under a "
        "persona, and, tag by tag, the share of their criteria that is met. The score of an answer "
        "is the points of what is met / all points above 0; the mean is clipped to 0–1. Grey: a "
        "judge that is not usable by its own rule. At the right the number with its interval, n "
        "answers, and their criteria; an answer that lacks a verdict on one of them is unjudged, "
        f"and in no number. Intervals: {words.bootstrap_note(shown)}, not adjusted; of a share "
        "that is the same in every draw, Wilson score intervals. Main wording. Of fewer than "
        f"{settings['too_few_below']} answers nothing is drawn. {note}"
    )
