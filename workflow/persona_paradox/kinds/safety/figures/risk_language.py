"""How much risk-bearing language a persona adds to the baseline's, category by category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words
from ....figures.cells import read_cells
from ....scorers.lexicon import RAISES, Category, categories
from ..measures import PER_100_WORDS

_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 30.0, 45.0, 41.0
_STEP = 9.5  # in points, of a line
# Of what raises the risk and of what lowers it: apart in grey, too, and by their shapes.
_LOOKS = {"raises the risk": ("#A33A22", "circle"), "lowers it": ("#2C6E9B", "diamond")}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, category and persona.

    Columns: `panel`, `persona` and `direction` are titles; `difference`, `low` and `high` are
    matches per 100 words, null where there is nothing to draw; `said` is the same in words. A panel
    in which all of them are 0 is left out, unless all panels are so.
    """
    order = read_cells(tables["cells"])
    found = tables["contrasts"].filter(against="persona", variant="main")
    by_place = {
        (row["task"], row["model"], row["metric"], row["persona"]): row
        for row in found.iter_rows(named=True)
    }
    # What raises the risk first, the gravest first.
    sorted_ = sorted(categories().values(), key=lambda one: (one.direction != RAISES, -one.weight))
    made = [
        _row(by_place[place], category, settings)
        for task in order.tasks
        for model in order.models
        for category in sorted_
        for persona in order.personas
        if (place := (task, model, f"{category.id}_{PER_100_WORDS}", persona)) in by_place
    ]
    found = pl.DataFrame(made, schema=_SCHEMA)
    # Of a difference without bounds it is the difference alone.
    flat = pl.all_horizontal(
        pl.col("difference") == 0, *(pl.col(end).fill_null(0) == 0 for end in ("low", "high"))
    ).fill_null(False)
    differing = found.filter(~flat.all().over("panel"))
    return differing if differing.height else found


_SCHEMA = {
    **dict.fromkeys(("panel", "persona", "direction"), pl.String),
    **dict.fromkeys(("n", "n_invalid", "n_invalid_baseline"), pl.Int64),
    **dict.fromkeys(("value", "difference", "low", "high"), pl.Float64),
    "said": pl.String,
}


def _row(row: Mapping[str, Any], category: Category, settings: Mapping[str, Any]) -> dict[str, Any]:
    task = words.task_title(settings["tasks"][row["task"]])
    title = f"{category.title} · {task} · {settings['models'][row['model']]}"
    instead = words.instead(row, settings, "difference")
    ends = ("difference", "low", "high")
    drawn = {name: None if instead else row[name] for name in ends}
    said = instead or words.with_interval(row, 2, signed=True)
    return {
        "panel": typeset.wrap(title, _PLOT_MM + _TEXT_MM, ink.PANEL_PT, "bold"),
        "persona": _label(settings["personas"][row["persona"]]),
        "direction": [*_LOOKS][category.direction != RAISES],
        **{name: row[name] for name in ("n", "n_invalid", "n_invalid_baseline", "value")},
        **drawn,
        "said": f"{said}; n = {row['n']}; {row['n_invalid']} / {row['n_invalid_baseline']}",
    }


def _label(persona: Mapping[str, Any]) -> str:
    return typeset.wrap(persona["title"], _LABEL_MM, ink.SMALL_PT)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per category."""
    plot = vega.points(_PLOT_MM)
    legend = {"title": None, "orient": "top", "symbolSize": 40}
    look = {"field": "direction", "type": "nominal"}
    colours, shapes = ([one[i] for one in _LOOKS.values()] for i in range(2))
    colour = look | {"scale": {"domain": [*_LOOKS], "range": colours}, "legend": legend}
    shape = look | {"scale": {"domain": [*_LOOKS], "range": shapes}, "legend": legend}
    most = 1 + max(_label(persona).count("\n") for persona in settings["personas"].values())
    x = {
        "field": "difference",
        "type": "quantitative",
        "scale": {"zero": True},
        "title": None,
        "axis": {
            "tickCount": 4,
            "labelExpr": "datum.value ? format(datum.value, '+') : '0'",
            "grid": False,
        },
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Refused or without a text under the persona"},
        {"field": "n_invalid_baseline", "title": "and under the baseline"},
        {"field": "value", "title": "Per 100 words", "format": ".2f"},
        {"field": "difference", "title": "Difference", "format": "+.2f"},
        {"field": "low", "title": "from", "format": "+.2f"},
        {"field": "high", "title": "to", "format": "+.2f"},
    ]
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": panels.names("persona", most)},
        "layer": [
            # First, since it has a word on every line, so that the lines stand in their order.
            panels.said(plot),
            panels.upright({"datum": 0}),
            panels.interval(x, colour),
            {
                "mark": {"type": "point", "size": 16, "filled": True, "opacity": 1},
                "encoding": {"x": x, "color": colour, "shape": shape, "tooltip": hover},
            },
        ],
    }
    own = {"scale": ["x", "y"], "axis": ["x"]}
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM, independent=own)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["tasks"])
    return (
        "Risk-bearing language per 100 words of answers under the persona minus the same under "
        "the baseline, by category of a lexicon; each panel has its own scale. A category in "
        "which no persona differs from the baseline, bounds included, has no panel. More is not "
        "worse in itself: the lexicon does not know whether what is said is right. At the right "
        "the difference with its interval, n items, and answers that refuse or have no text under "
        "the persona / the baseline. Intervals: "
        f"{words.bootstrap_note(settings, tasks)}, not adjusted. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. {words.study_note(settings, tasks)}"
    )
