"""How the expected level follows the classes of an attribute, a line per persona."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words

_COLOURS = ("#222222", "#0B4F86", "#D08A2E", "#4C9A8A", "#8C4A79", "#7A7A2E")

# As wide as a column of a journal and a half.
_WIDTH_MM = 120.0
_PLOT_MM, _HIGH_MM = 96.0, 30.0


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, attribute, cue, class and persona.

    Columns: `panel` and `persona` are titles; `place` counts the classes from 0, numbers by size
    and all else as the table has them; `mean`, `low` and `high` are levels from 0, the most
    urgent, null where there are too few items.
    """
    table = tables.get("arm_attributes", pl.DataFrame(schema=_NEEDED))
    found = table.filter(metric="expected_level", measure="mean")
    made = []
    for _, part in found.group_by("task", "model", "attribute", "cue", maintain_order=True):
        classes = _in_order(part["class"].unique(maintain_order=True).to_list())
        made += [_row(row, part, classes, settings) for row in part.iter_rows(named=True)]
    return pl.DataFrame(made, schema=_SCHEMA)


_NEEDED = dict.fromkeys(
    ("task", "model", "attribute", "cue", "class", "metric", "measure"), pl.String
)
_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "cls"), pl.String),
    **dict.fromkeys(("place", "n", "n_left_out", "n_invalid"), pl.Int64),
    **dict.fromkeys(("mean", "low", "high"), pl.Float64),
}


def _in_order(classes: list[str]) -> list[str]:
    """Numbers by size, all else as it comes."""
    try:
        return sorted(classes, key=int)
    except ValueError:
        return classes


def _row(
    row: Mapping[str, Any], part: pl.DataFrame, classes: list[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    task = words.task_title(settings["tasks"][row["task"]])
    shown = row["attribute"].replace("_", " ")
    cue = f", {row['cue'].replace('_', ' ')}" if row["cue"] else ""
    instead = words.instead(row, settings, "value")
    title = f"{task} · {settings['models'][row['model']]}: {shown}{cue}"
    said = f"{words.n_text(part['n'])}, {max(part['n_left_out'])} left out"
    said = f"too few, {said}" if instead == "too few" else said
    ends = {"mean": "value", "low": "low", "high": "high"}
    return {
        "panel": typeset.wrap(f"{title} ({said})", _PLOT_MM, ink.PANEL_PT, "bold"),
        "persona": settings["personas"][row["persona"]]["title"],
        "cls": row["class"],
        "place": classes.index(row["class"]),
        **{key: row[key] for key in ("n", "n_left_out", "n_invalid")},
        **{name: None if instead else row[column] for name, column in ends.items()},
    }


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: lines, points and intervals, one panel per attribute."""
    titles = [persona["title"] for persona in settings["personas"].values()]
    first = settings["personas"][settings["baseline"]]["title"]
    titles = [first, *(title for title in titles if title != first)]
    colours = [_COLOURS[i % len(_COLOURS)] for i in range(len(titles))]
    colour = {
        "field": "persona",
        "type": "nominal",
        "scale": {"domain": titles, "range": colours},
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
        "field": "persona",
        "type": "nominal",
        "scale": {"domain": titles, "range": [[1, 0], [4, 2], [1, 1.5]]},
        "legend": None,
    }
    x = {
        "field": "cls",
        "type": "ordinal",
        "sort": {"field": "place"},
        "title": None,
        "scale": {"type": "point", "padding": 0.5},
        "axis": {"labelAngle": 0, "labelOverlap": False},
    }
    y = {
        "field": "mean",
        "type": "quantitative",
        # The most urgent level is on top.
        "scale": {"zero": False, "reverse": True},
        "title": "Expected level",
        "axis": {"tickCount": 4, "grid": True},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "cls", "title": "Class"},
        {"field": "mean", "title": "Expected level", "format": ".2f"},
        {"field": "low", "title": "from", "format": ".2f"},
        {"field": "high", "title": "to", "format": ".2f"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_left_out", "title": "Items left out"},
        {"field": "n_invalid", "title": "Answers without a label, all classes"},
    ]
    panel: dict[str, Any] = {
        "width": vega.points(_PLOT_MM),
        "height": vega.points(_HIGH_MM),
        "encoding": {"x": x, "color": colour},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1},
                "encoding": {"y": y, "strokeDash": dash},
            },
            {
                "mark": {"type": "rule"},
                "encoding": {
                    "y": y | {"field": "low"},
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "size": 12, "filled": True, "opacity": 1},
                "encoding": {"y": y, "tooltip": hover},
            },
        ],
    }
    return panels.sheet(
        settings,
        _about(settings),
        panel,
        width_mm=_WIDTH_MM,
        spacing=12,
        independent={"scale": ["x", "y"]},
    )


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(dict.fromkeys(settings["tasks"]))
    return (
        "Mean over items of the level that the label probabilities expect, Σ k p(k) with "
        "k from 0, the most urgent and on top, by the class that the arms set an attribute to. All "
        "classes of an attribute share their n items; left out are those that one of the arms "
        "cannot change. Bars: "
        f"{words.bootstrap_note(settings, tasks)}, not adjusted. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. {words.study_note(settings, tasks)}"
    )
