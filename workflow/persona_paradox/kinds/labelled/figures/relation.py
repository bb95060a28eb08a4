"""What a persona adds to the baseline's accuracy in its field, next to it and off it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words
from ....figures.cells import read_cells
from ....names import RELATION

# What the relations are called, in the order of their lines, and how they look: apart in grey too.
_TITLES = {"in": "in the field", "adjacent": "adjacent", "off": "off the field"}
_COLOURS = ("#0B4F86", "#4C9A8A", "#D08A2E")
_SHAPES = ("circle", "square", "triangle-up")

# As wide as a column of a journal and a half.
_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 27.0, 42.0, 46.0
_STEP = 9.5  # in points, of a line
# The persona stands at the first of its lines alone.
_FIRST = "test(/\\t0$/, datum.label) ? split(split(datum.label, '\\t')[0], '\\n') : ''"


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, persona and relation.

    Columns: `panel`, `persona` and `relation` are titles; `line` is the persona with the number of
    its line behind a tab; `difference`, `low` and `high` are percentage points, null where there
    is nothing to draw; `said` is the same in words.
    """
    order = read_cells(tables["cells"])
    found = tables["subgroups"].filter(metric="accuracy", subgroup=RELATION)
    by_place = {
        (row["task"], row["model"], row["persona"], row["group"]): row
        for row in found.iter_rows(named=True)
    }
    made = [
        _row(by_place[task, model, persona, relation], settings)
        for task in order.tasks
        for model in order.models
        for persona in order.personas
        for relation in _TITLES
        if (task, model, persona, relation) in by_place and persona != settings["baseline"]
    ]
    number = pl.int_range(pl.len()).over("panel", "persona")
    line = pl.format("{}\t{}", "persona", number)
    return pl.DataFrame(made, schema=_SCHEMA).with_columns(line=line)


_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "relation"), pl.String),
    **dict.fromkeys(("n", "n_invalid", "n_invalid_baseline"), pl.Int64),
    "small": pl.Boolean,
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
    "said": pl.String,
}


def _row(row: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    task = words.task_title(settings["tasks"][row["task"]])
    title = f"{task} · {settings['models'][row['model']]}"
    counts = {name: row[name] for name in ("n", "n_invalid", "n_invalid_baseline")}
    said = f"n = {row['n']}; invalid {row['n_invalid']} / {row['n_invalid_baseline']}"
    instead = words.instead(row, settings, "difference")
    ends = (row["difference"], row["difference_low"], row["difference_high"])
    difference, low, high = (None if instead or value is None else 100 * value for value in ends)
    if difference is None:
        # No mark says which line it is.
        instead = f"{_TITLES[row['group']]}: {instead}"
    else:
        interval = {"difference": difference, "low": low, "high": high}
        instead = words.with_interval(interval, 1, signed=True)
    return {
        "panel": typeset.wrap(title, _PLOT_MM + _TEXT_MM, ink.PANEL_PT, "bold"),
        "persona": _label(settings["personas"][row["persona"]]),
        "relation": _TITLES[row["group"]],
        **counts,
        "small": row["small"],
        "difference": difference,
        "low": low,
        "high": high,
        "said": f"{instead}; {said}",
    }


def _label(persona: Mapping[str, Any]) -> str:
    return typeset.wrap(persona["title"], _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per task and model."""
    titles, plot = list(_TITLES.values()), vega.points(_PLOT_MM)
    legend = {"title": None, "orient": "top", "columns": 3, "columnPadding": 8, "symbolSize": 40}
    look = {"field": "relation", "type": "nominal"}
    colour = look | {"scale": {"domain": titles, "range": list(_COLOURS)}, "legend": legend}
    shape = look | {"scale": {"domain": titles, "range": list(_SHAPES)}, "legend": legend}
    most = 1 + max(_label(persona).count("\n") for persona in settings["personas"].values())
    y = panels.names("line", most)
    y["axis"] |= {"labelExpr": _FIRST}
    x = {
        "field": "difference",
        "type": "quantitative",
        "scale": {"zero": True},
        "title": "Difference in accuracy (percentage points)",
        "axis": {
            "tickCount": 5,
            "labelExpr": "datum.value ? format(datum.value, '+') : '0'",
            "grid": False,
        },
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "relation", "title": "Items"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Invalid under the persona"},
        {"field": "n_invalid_baseline", "title": "Invalid under the baseline"},
        {"field": "difference", "title": "Difference (points)", "format": "+.1f"},
        {"field": "low", "title": "from", "format": "+.1f"},
        {"field": "high", "title": "to", "format": "+.1f"},
    ]
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": y},
        "layer": [
            # First, since it has a word on every line, so that the lines stand in their order.
            panels.said(plot),
            panels.upright({"datum": 0}),
            panels.interval(x, colour),
            {
                "mark": {"type": "point", "size": 16, "strokeWidth": 0.9, "opacity": 1},
                "encoding": {
                    "x": x,
                    "color": colour,
                    "shape": shape,
                    "fill": {"condition": {"test": "datum.small", "value": "white"}} | colour,
                    "tooltip": hover,
                },
            },
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["tasks"])
    return (
        "Accuracy under the persona minus accuracy under the baseline, by what the subject of the "
        "item is to the persona's field, as its file says. At the right the difference with its "
        "interval, n items, and invalid answers under the persona / the baseline, which count as "
        f"wrong. Hollow: fewer than {settings['small_group_below']} items. Intervals: "
        f"{words.bootstrap_note(settings, tasks)}, not adjusted. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. {words.study_note(settings, tasks)}"
    )
