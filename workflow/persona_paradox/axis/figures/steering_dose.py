"""Effects by the dose of steering, with the same persona as text, and what is incoherent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ..doses import NONE, TEXT
from ..shown import note

_WIDTH_MM, _COLUMNS = 160.0, 3
_PLOT_MM, _HIGH_MM = 40.0, 30.0
_ROLES, _CAP = "roles", "cap"
_TEXT_COLOUR = "#D08A2E"
_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "way"), pl.String),
    **dict.fromkeys(("n", "n_invalid", "n_read", "n_incoherent"), pl.Int64),
    **dict.fromkeys(
        ("dose", "difference", "low", "high", "incoherent", "text", "text_low", "text_high"),
        pl.Float64,
    ),
    "said": pl.String,
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, task, target, way, metric and dose; no dose is the baseline, at 0.

    Columns: `panel` and `persona` are titles; `text`, `text_low` and `text_high` are the effect of
    the target as text; `said` is the share of incoherent answers in words.
    """
    made = []
    keys = ("model", "task", "towards", "metric")
    for place, part in tables["steering"].group_by(keys, maintain_order=True):
        about = dict(zip(keys, map(str, place), strict=True))
        own = [*part.iter_rows(named=True)]
        text = next((row for row in own if row["way"] == TEXT), None)
        doses = [row for row in own if row["way"] not in (NONE, TEXT)]
        for way in dict.fromkeys(row["way"] for row in doses):
            shown = [row for row in doses if row["way"] == way]
            # No push is a push of 0; a cap that cuts nothing is none.
            shown += [row for row in own if row["way"] == NONE and way != _CAP]
            for row in sorted(shown, key=lambda one: one["dose"]):
                made.append(_row(row, text, _panel(about, way, text, settings), settings))
    return pl.DataFrame(made, schema=_SCHEMA)


def _row(
    row: Mapping[str, Any], text: Mapping[str, Any] | None, panel: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    few = row["n"] is None or row["n"] < settings["too_few_below"]
    start = 0.0 if row["way"] == NONE else None
    ends = {key: start if row[key] is None else row[key] for key in ("difference", "low", "high")}
    told = {"text": "difference", "text_low": "low", "text_high": "high"}
    share = row["incoherent"]
    return {
        "panel": panel,
        "persona": settings["personas"][row["persona"]]["title"],
        "way": row["way"],
        "dose": row["dose"],
        **{key: row[key] for key in ("n", "n_invalid", "n_read", "n_incoherent")},
        "incoherent": share,
        **(dict.fromkeys(ends) if few else ends),
        **{key: None if text is None or few else text[of] for key, of in told.items()},
        "said": "" if share is None else f"{100 * share:.0f}%" + _invalid(row),
    }


def _invalid(row: Mapping[str, Any]) -> str:
    """Whose answers have no label are in no rate of errors, which falls for that alone."""
    return f"\n({row['n_invalid']})" if row["n_invalid"] else ""


def _panel(
    about: Mapping[str, str],
    way: str,
    text: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> str:
    """The words above a panel: what is moved where, and what it is measured by."""
    target = (
        "the mean of the roles"
        if about["towards"] == _ROLES
        else settings["personas"][about["towards"]]["title"]
    )
    task = settings["readings"]["tasks"][about["task"]]
    lines = [
        f"{way.capitalize()} towards {target}",
        f"{words.task_title(task)} · {settings['models'][about['model']]}",
        about["metric"].replace("_", " ").capitalize(),
    ]
    if text is not None and text["incoherent"] is not None:
        lines.append(f"as text {100 * text['incoherent']:.0f}% incoherent")
    return "\n".join(typeset.wrap(line, _PLOT_MM + 6, ink.SMALL_PT, "bold") for line in lines)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: effects by dose over a band of the text, small multiples."""
    x = {
        "field": "dose",
        "type": "quantitative",
        "title": "Times the vector, or quantile of the cap",
        "axis": {"tickCount": 5, "format": ".2~f", "grid": False},
        "scale": {"zero": False, "padding": 8},
    }
    y = {
        "field": "difference",
        "type": "quantitative",
        "title": "Against no persona",
        "axis": {"format": "+%", "tickCount": 4, "grid": True},
        "scale": {"zero": True, "padding": 14},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "dose", "title": "Dose"},
        {"field": "difference", "title": "Effect", "format": "+.1%"},
        {"field": "low", "title": "from", "format": "+.1%"},
        {"field": "high", "title": "to", "format": "+.1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Invalid answers"},
        {"field": "n_incoherent", "title": "Incoherent answers"},
        {"field": "n_read", "title": "of answers that were read"},
    ]
    colour = {
        "field": "incoherent",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": ["#0B4F86", "#E4E4E4"]},
        "legend": {"title": "Incoherent", "format": "%", "orient": "right"},
    }
    # A band as wide as the panel, once.
    wide = {"x": {"value": 0}, "x2": {"value": "width"}}
    band = {"type": "rect", "opacity": 0.25, "color": _TEXT_COLOUR}
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "layer": [
            {
                "transform": [
                    {
                        "aggregate": [
                            {"op": "max", "field": key, "as": key}
                            for key in ("text", "text_low", "text_high")
                        ]
                    },
                    {"filter": "datum.text !== null"},
                ],
                "layer": [
                    {
                        "mark": band,
                        "encoding": {
                            **wide,
                            "y": y | {"field": "text_low"},
                            "y2": {"field": "text_high"},
                        },
                    },
                    {
                        "mark": {"type": "rule", "color": _TEXT_COLOUR, "strokeWidth": 0.9},
                        "encoding": {**wide, "y": y | {"field": "text"}},
                    },
                ],
            },
            {
                "mark": {"type": "line", "strokeWidth": 0.6, "color": ink.GREY},
                "encoding": {"x": x, "y": y},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 0.8, "color": ink.MIDDLE},
                "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {
                    "type": "point",
                    "size": 22,
                    "filled": True,
                    "opacity": 1,
                    "stroke": ink.DARK,
                    "strokeWidth": 0.4,
                },
                "encoding": {"x": x, "y": y, "color": colour, "tooltip": hover},
            },
            {
                "mark": {
                    "type": "text",
                    "fontSize": ink.SMALL_PT,
                    "baseline": "top",
                    "lineBreak": "\n",
                },
                "encoding": {"x": x, "y": {"value": 2}, "text": {"field": "said"}},
            },
        ],
    }
    sheet = panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        spacing=12,
        independent={"scale": ["x", "y"], "axis": ["x", "y"]},
    )
    sheet["facet"]["header"]["labelFontSize"] = ink.SMALL_PT
    sheet["facet"]["header"]["labelLineHeight"] = panels.LINE
    return {**sheet, "columns": _COLUMNS}


def _about(settings: Mapping[str, Any]) -> str:
    rule = settings["readings"]["incoherent"]
    return (
        "Effects of a model that is moved along a vector and told nothing, by the dose, on the "
        "same items; orange: the same persona as text. Above the points, and by their shade, the "
        "share of incoherent answers, and in brackets how many are invalid; incoherent are those "
        "whose perplexity without steering is above "
        f"{rule['perplexity']:g} times that of 99% of the default's answers, or that repeat "
        f"{words.percent(rule['repeated'])} or more of their runs of four tokens (own rule). Where "
        "many are incoherent, an effect is that of a broken model. Intervals of effects as in "
        "table contrasts. Capped and pushed are all tokens, "
        f"those of the prompt too. {note(settings)}"
    )
