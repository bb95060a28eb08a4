"""What arms do to the answers: how many flip, or take the option that the arm names, by persona."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words
from ....figures.cells import read_cells

# What is shown of an arm: the first of these that it has.
_SHOWN = ("adopted", "flip_rate")
_CALLED = {"adopted": "named option adopted", "flip_rate": "answers that flip"}

# As wide as a column of a journal and a half.
_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 34.0, 40.0, 42.0
_STEP = 10.0  # in points, of a line


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, arm and persona.

    Columns: `panel` and `persona` are titles; `share`, `low` and `high` are null where there is
    nothing to draw; `reference` is the baseline's share; `said` is the same in words.
    """
    order = read_cells(tables["cells"])
    found = tables["measures"].filter(
        pl.col("metric").is_in(_SHOWN), pl.col("subgroup").is_null(), variant="main"
    )
    by_place = {
        (row["task"], row["model"], row["persona"], row["metric"]): row
        for row in found.iter_rows(named=True)
    }
    made = []
    for task in (id_ for id_ in order.tasks if "arm" in settings["tasks"][id_]):
        for model in order.models:
            metrics = [
                name for name in _SHOWN if (task, model, settings["baseline"], name) in by_place
            ]
            if not metrics:
                continue
            base = by_place[task, model, settings["baseline"], metrics[0]]
            for persona in order.personas:
                row = by_place.get((task, model, persona, metrics[0]))
                made.append(_row((task, model, persona), row, base, settings))
    return pl.DataFrame(made, schema=_SCHEMA)


_SCHEMA = {
    **dict.fromkeys(("panel", "persona"), pl.String),
    "is_baseline": pl.Boolean,
    **dict.fromkeys(("n", "n_refused", "n_unreadable"), pl.Int64),
    **dict.fromkeys(("share", "low", "high", "reference"), pl.Float64),
    "said": pl.String,
}


def _row(
    place: tuple[str, str, str],
    row: Mapping[str, Any] | None,
    base: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    task, model, persona = place
    title = (
        f"{words.task_title(settings['tasks'][task])} · {settings['models'][model]}: "
        f"{_CALLED[base['metric']]}"
    )
    counts = dict.fromkeys(("n", "n_refused", "n_unreadable"), 0)
    if row is not None:
        counts = {name: row[name] for name in counts}
    instead = words.instead(row, settings, "value")
    ends = (None, None, None) if instead or row is None else (row["value"], row["low"], row["high"])
    said = f"n = {counts['n']}"
    said += f", {counts['n_refused']} refused" if counts["n_refused"] else ""
    said += f", {counts['n_unreadable']} unreadable"
    if not instead and row is not None:
        instead = f"{words.with_interval(row, 0, 100)}%"
    # A baseline of too few items is drawn nowhere, and so is no line of it.
    known = words.instead(base, settings, "value") is None
    return {
        "panel": typeset.wrap(title, _WIDTH_MM - 2 * panels.EDGE_MM, ink.PANEL_PT, "bold"),
        "persona": _label(settings["personas"][persona]),
        "is_baseline": persona == settings["baseline"],
        **counts,
        "share": ends[0],
        "low": ends[1],
        "high": ends[2],
        "reference": base["value"] if known else None,
        "said": f"{instead}; {said}",
    }


def _label(persona: Mapping[str, Any]) -> str:
    return typeset.wrap(persona["title"], _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per task, arm and model."""
    plot = vega.points(_PLOT_MM)
    most = 1 + max(_label(persona).count("\n") for persona in settings["personas"].values())
    y = panels.names("persona", most)
    x = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False, "padding": 4},
        "title": None,
        "axis": {"format": "%", "values": [0, 0.5, 1], "grid": False},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "share", "title": "Share", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_refused", "title": "Refused"},
        {"field": "n_unreadable", "title": "Unreadable"},
    ]
    look = {"condition": {"test": "datum.is_baseline", "value": ink.DARK}, "value": "#0B4F86"}
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": y},
        "layer": [
            panels.upright(x | {"field": "reference"}),
            panels.interval(x, look),
            {
                "mark": {"type": "point", "size": 16, "strokeWidth": 0.9, "opacity": 1},
                "encoding": {
                    "x": x,
                    "color": look,
                    "fill": {"condition": {"test": "datum.is_baseline", "value": "white"}}
                    | {"value": "#0B4F86"},
                    "tooltip": hover,
                },
            },
            panels.said(plot),
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM, spacing=10)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = [id_ for id_, task in settings["tasks"].items() if "arm" in task]
    return (
        "Share of the items that the arm changed whose answer flips against the same persona's "
        "answer to the unchanged item; where the arm names an option, share that adopts it, of "
        "those that had not answered it before. Refused and unreadable answers adopt nothing, and "
        "flip where there was a label before. The grey line and the hollow point are the "
        "baseline's. At the right the share with its interval, n items, and their answers without "
        f"a label. Intervals: {words.share_note(settings, tasks)}, not adjusted. Main wording. Of "
        f"fewer than {settings['too_few_below']} items nothing is drawn. "
        f"{words.study_note(settings, tasks)}"
    )
