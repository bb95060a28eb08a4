"""What tuning does to personas: effects in accuracy before and after, by what was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words
from ....names import ALL

# Wider than a column of a journal: both sides of an effect stand beside it in words.
_WIDTH_MM = 140.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 36.0, 42.0, 56.0
# In points: of a row, and how far the marks before and after are from its middle.
_STEP, _APART = 18.0, 3.5
# Of a label, at most.
_MOST_LINES = 3
_BEFORE, _AFTER = ink.MIDDLE, "#0B4F86"
_SIDES = ("before", "after")
_ROWS = {
    **dict.fromkeys(("panel", "label"), pl.String),
    **{f"{side}{end}": pl.Float64 for side in _SIDES for end in ("", "_low", "_high")},
    "said": pl.String,
    "n": pl.Int64,
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per persona and tuned model in a task, and one of all personas, in the table's order.

    Columns: `panel` and `label` are titles; `before`, `after` and their bounds are points of
    accuracy, null where there is nothing to draw; `said`, all of it in words.
    """
    table = tables["tuning"].filter(pl.col("task").is_in(list(settings["tasks"])))
    flips = {
        (row["model"], row["task"], row["persona"]): row
        for row in table.filter(measure="flips").iter_rows(named=True)
    }
    made = []
    of = table.filter(pl.col("measure").is_in(["effect", "spread"]), metric="accuracy")
    for row in of.iter_rows(named=True):
        flipped = flips[row["model"], row["task"], row["persona"]]
        few = row["n"] < settings["too_few_below"]
        drawn = row["persona"] != ALL and not few
        points = {key: _points(row[key]) if drawn else None for key in _ROWS if key in row}
        said = ("too few", f"n = {row['n']}") if few else _said(row, flipped, settings)
        lines = [typeset.wrap(line, _TEXT_MM, ink.SMALL_PT) for line in said]
        made.append(
            points
            | {
                "panel": _panel(row, settings),
                "label": typeset.wrap(_label(row, settings), _LABEL_MM, ink.SMALL_PT),
                "said": "\n".join(lines),
                "n": row["n"],
            }
        )
    return pl.DataFrame(made, schema=_ROWS)


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _panel(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    task = words.task_title(settings["tasks"][row["task"]])
    lines = [f"{task} · {settings['models'][row['model']]}"]
    if row["trained_with"] is not None:
        named = [_persona(id_, settings) for id_ in row["trained_with"].split(", ")]
        lines.append(f"trained with: {', '.join(named)}")
    width = _PLOT_MM + _TEXT_MM
    return "\n".join(typeset.wrap(line, width, ink.PANEL_PT, "bold") for line in lines)


def _persona(id_: str, settings: Mapping[str, Any]) -> str:
    """What a persona is called; one that the study does not ask has its id alone."""
    known = settings["personas"].get(id_)
    return str(known["title"]) if known else id_.replace("_", " ")


def _label(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    if row["persona"] == ALL:
        return f"All {row['n_personas']} personas"
    trained = " (in training)" if row["in_training"] else ""
    return _persona(row["persona"], settings) + trained


def _said(
    row: Mapping[str, Any], flips: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[str, str]:
    """Two lines: the effect and how it differs, or the spread; flips, n and invalid answers."""
    values = [words.number(100 * row[side], 1, row["persona"] != ALL) for side in _SIDES]
    changed = " → ".join(f"{100 * flips[side]:.0f}%" for side in _SIDES)
    invalid = " → ".join(str(row[f"n_invalid_{side}"]) for side in _SIDES)
    second = f"flips {changed}, n = {row['n']}, invalid {invalid}"
    if row["persona"] == ALL:
        spread, mean = (words.with_interval(x, 1, 100, signed=True) for x in (row, flips))
        first = f"spread {' → '.join(values)}: {spread}"
        return first, f"flips {changed}: {mean}, n = {row['n']}"
    p = f"p (Holm) {words.p_text(row['p_holm'])}" if row["in_family"] else ""
    difference = words.with_interval(row, 1, 100, signed=True)
    return f"{' → '.join(values)}: {difference}" + (f", {p}" if p else ""), second


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: two points with intervals a persona, one panel per task and model."""
    plot = vega.points(_PLOT_MM)
    x = {
        "type": "quantitative",
        "title": "persona − baseline, points of accuracy",
        "axis": {"grid": True, "tickCount": 5},
    }
    hover = [
        {"field": "label", "title": "Persona"},
        *(
            {"field": f"{side}{end}", "title": f"{side}{said}", "format": "+.1f"}
            for side in _SIDES
            for end, said in (("", ""), ("_low", ", from"), ("_high", ", to"))
        ),
        {"field": "n", "title": "Items (n)"},
    ]
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": ink.GREY, "strokeWidth": 0.6},
            "encoding": {"x": x | {"datum": 0}, "y": None},
        }
    ]
    for side, colour, place, fill in (
        ("before", _BEFORE, -_APART, "white"),
        ("after", _AFTER, _APART, _AFTER),
    ):
        layers += [
            {
                "mark": {"type": "rule", "color": colour, "yOffset": place},
                "encoding": {
                    "x": x | {"field": f"{side}_low"},
                    "x2": {"field": f"{side}_high"},
                },
            },
            {
                "mark": {
                    "type": "point",
                    "filled": True,
                    "opacity": 1,
                    "size": 16,
                    "fill": fill,
                    "stroke": colour,
                    "strokeWidth": 0.8,
                    "yOffset": place,
                },
                "encoding": {"x": x | {"field": side}, "tooltip": hover},
            },
        ]
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": _STEP},
        "encoding": {"y": panels.names("label", _MOST_LINES)},
        "layer": [*layers, panels.said(plot, lines=2)],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["tasks"])
    return (
        "Effect of a persona on accuracy, persona minus baseline on the same items, in percentage "
        "points: hollow, of the base model; filled, of the tuned one below it. At the right both, "
        "the difference of the two with its interval, and p after Holm's adjustment over all such "
        "differences; answers that differ from the baseline's (flips), n items, and invalid "
        "answers under the persona, before → after tuning. Of all personas the spread, the "
        "standard deviation of their accuracies in points without chance in the items, and "
        "the mean share of flips, each with the difference and its interval in points. "
        f"{words.bootstrap_note(settings)}, the same on all sides, not adjusted. Main wording. "
        f"{words.study_note(settings, tasks)}"
    )
