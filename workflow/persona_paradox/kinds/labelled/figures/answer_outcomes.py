"""What becomes of the answers: right, wrong, refused or abstained, unreadable, by persona."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words
from ....figures.cells import read_cells

# Colour, and whether it is dark: neighbours differ in lightness too, in the order of the bar.
_OUTCOMES = {
    "right": ("#0B4F86", True),
    "wrong": ("#DFE5EA", False),
    "refused": ("#E0A03A", False),
    "unreadable": ("#2B2B2B", True),
}
# Columns of the cells; what is left is wrong.
_SHARES = ("accuracy", "refused_rate", "unreadable_rate")
_TITLES = {"refused": "refused or abstained"}

# As wide as a column of a journal.
_WIDTH_MM = 89.0
_LABEL_MM, _BAR_MM, _TEXT_MM = 26.0, 32.0, 25.0
# In points: of a bar with the line below it, of a bar, of a line of small words.
_STEP, _THICK = 15.0, 8.0
_NARROWEST = 0.11  # of a part with a number in it


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per task, model, persona and outcome, in the order of the bars.

    Columns: `panel`, `persona` and `outcome` are titles; `from` and `to` the ends of the part of
    the bar; `label` the number in it; `low` and `high` the interval of the right answers, and
    `said` the same in words, on the rows of right answers alone.
    """
    cells = read_cells(tables["cells"])
    found = []
    for task in (id_ for id_ in cells.tasks if id_ in settings["tasks"]):
        for row in cells.main(task):
            found += _parts(row, settings)
    return pl.DataFrame(found, infer_schema_length=None)


def _parts(row: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    task = words.task_title(settings["tasks"][row["task"]])
    model = settings["models"][row["model"]]
    title = typeset.wrap(f"{task} · {model}", _BAR_MM + _TEXT_MM, ink.PANEL_PT, "bold")
    persona = _label(settings["personas"][row["persona"]])
    place = {"panel": title, "persona": persona, "n": row["n"]}
    instead = words.instead(row, settings)
    if instead:
        # At the start, so that the row keeps its place.
        nothing: dict[str, Any] = {
            "from": 0.0,
            "middle": 0.0,
            "to": 0.0,
            "share": None,
            "low": None,
            "high": None,
        }
        nothing |= {"label": "", "dark": False}
        said = f"{instead}, {_counted(row)}"
        return [place | nothing | {"outcome": "right", "said": said}]
    shares = _shares(row)
    parts, left = [], 0.0
    for outcome, share in shares.items():
        percent = words.number(100 * share, 0) if share >= _NARROWEST else ""
        ends: dict[str, Any] = {
            "from": left,
            "middle": left + share / 2,
            "to": left + share,
            "share": share,
        }
        ends |= {"label": percent, "dark": _OUTCOMES[outcome][1]}
        own: dict[str, Any] = {"low": None, "high": None, "said": ""}
        if outcome == "right":
            low, high = row["accuracy_low"], row["accuracy_high"]
            said = f"{_said(share, low, high)}, {_counted(row)}"
            own = {"low": low, "high": high, "said": said}
        parts.append(place | ends | own | {"outcome": _TITLES.get(outcome, outcome)})
        left += share
    return parts


def _shares(row: Mapping[str, Any]) -> dict[str, float]:
    """The shares of the four outcomes, in their order."""
    right, refused, unreadable = (row[key] for key in _SHARES)
    # Whatever is left, so that the four make one.
    wrong = max(0.0, 1.0 - right - refused - unreadable)
    return {"right": right, "wrong": wrong, "refused": refused, "unreadable": unreadable}


def _said(share: float, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f" [{_percent(low)}, {_percent(high)}]"
    return f"{_percent(share)}%{ends}"


def _counted(row: Mapping[str, Any]) -> str:
    """The number of items, and on a second line those without a label."""
    refused = f"{row['n_refused']} refused, " if row["n_refused"] else ""
    return f"n = {row['n']}\n{refused}{row['n_unreadable']} unreadable"


def _label(persona: Mapping[str, Any]) -> str:
    return typeset.wrap(persona["title"], _LABEL_MM, ink.SMALL_PT)


def _percent(share: float) -> str:
    return words.number(100 * share, 0)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: bars, intervals and words, one panel per task and model."""
    bar = vega.points(_BAR_MM)
    titles = [_TITLES.get(outcome, outcome) for outcome in _OUTCOMES]
    colour = {
        "field": "outcome",
        "type": "nominal",
        "scale": {"domain": titles, "range": [face for face, _ in _OUTCOMES.values()]},
        "legend": {
            "title": None,
            "orient": "top",
            "symbolType": "square",
            "symbolStrokeColor": ink.DARK,
            "symbolStrokeWidth": 0.5,
            "symbolSize": 50,
            "columns": 2,
            "columnPadding": 8,
            "rowPadding": 1,
        },
    }
    most = 1 + max(_label(persona).count("\n") for persona in settings["personas"].values())
    y = panels.names("persona", most)
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "title": None,
        "axis": {"format": "%", "values": [0, 0.5, 1], "grid": False},
    }
    hover = [
        {"field": "persona", "title": "Persona"},
        {"field": "outcome", "title": "Answers"},
        {"field": "share", "title": "Share of all items", "format": ".1%"},
        {"field": "n", "title": "Items (n)"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
    ]
    panel: dict[str, Any] = {
        "width": bar,
        "height": {"step": max(_STEP, most * panels.LINE + 2)},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {
                    "type": "bar",
                    "stroke": ink.DARK,
                    "strokeWidth": 0.4,
                    "height": _THICK,
                },
                "encoding": {
                    "x": x | {"field": "from"},
                    "x2": {"field": "to"},
                    "color": colour,
                    "tooltip": hover,
                },
            },
            {
                "mark": {"type": "rule", "color": "black", "yOffset": _THICK / 2 + 1.6},
                "encoding": {
                    "x": {"field": "low", "type": "quantitative"},
                    "x2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "text", "fontSize": ink.SMALL_PT},
                "encoding": {
                    "x": {"field": "middle", "type": "quantitative"},
                    "text": {"field": "label"},
                    "color": {
                        "condition": {"test": "datum.dark", "value": "white"},
                        "value": ink.DARK,
                    },
                },
            },
            panels.said(bar, lines=2),
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["tasks"])
    return (
        "What becomes of the answers, in percent of all items. At the right of a bar the share of "
        "right answers with its interval, which is the line below the bar; n items; how many "
        "answers refuse or abstain, where some do, and how many are unreadable. Intervals: "
        f"{words.share_note(settings, tasks)}. Main wording. Of fewer than "
        f"{settings['too_few_below']} items nothing is drawn. {words.study_note(settings, tasks)}"
    )
