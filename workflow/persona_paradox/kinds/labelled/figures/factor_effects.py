"""What the factors of persona sets do: differences of levels, trends, and interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ....figures import ink, panels, typeset, vega, words

# Wider than a column of a journal: levels have long titles.
_WIDTH_MM = 120.0
_LABEL_MM, _PLOT_MM, _TEXT_MM = 40.0, 38.0, 36.0
# In points: of a row, and of a line of small words.
_STEP = 17.0
# Of a label, at most.
_MOST_LINES = 4
# The colour of what is a test of the study and shown by it, and of all else.
_SHOWN, _OTHER = "#0B4F86", "white"
_ROWS = {
    **dict.fromkeys(("panel", "label"), pl.String),
    **dict.fromkeys(("points", "low", "high"), pl.Float64),
    "shown": pl.Boolean,
    "said": pl.String,
    "n": pl.Int64,
    "place": pl.Int64,
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per effect that is drawn, in the order of the table.

    Columns: `panel` and `label` are titles; `points`, `low` and `high` of a level or a trend;
    `shown`, whether its adjusted p is small; `said` the same in words; `place`, the order.
    """
    table = tables["factors"].filter(
        pl.col("task").is_in(list(settings["tasks"])) & (pl.col("effect") != "interaction_level")
    )
    found: list[dict[str, Any]] = []
    panels = table.group_by("model", "task", "persona_set", "metric", maintain_order=True)
    for _, panel in panels:
        known = panel["p"].null_count() < panel.height
        drawn = [*panel.iter_rows(named=True)] if known else [_nothing(panel)]
        for row in drawn:
            # With two levels a factor is its one difference; else its joint test is in the table.
            if row["effect"] != "factor":
                found.append(_row(row, settings) | {"place": len(found)})
    return pl.DataFrame(found, schema=_ROWS)


def _nothing(panel: pl.DataFrame) -> dict[str, Any]:
    """One row in the place of those of a panel without any estimate."""
    reasons = "; ".join(dict.fromkeys(panel["reason"].to_list()))
    return panel.row(0, named=True) | {"effect": None, "reason": reasons}


def _row(row: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    of_set = settings["factor_sets"][row["persona_set"]]
    points = {key: row[key] for key in ("points", "low", "high")}
    if row["n_items"] < settings["too_few_below"]:
        points = dict.fromkeys(points)
    said = [typeset.wrap(line, _TEXT_MM, ink.SMALL_PT) for line in _said(row, settings)]
    return {
        "panel": _panel(row, of_set, settings),
        "label": typeset.wrap(_label(row, of_set), _LABEL_MM, ink.SMALL_PT),
        **points,
        "shown": row["p_holm"] is not None and row["p_holm"] <= 1 - settings["confidence"],
        "said": "\n".join(said),
        "n": row["n_items"],
    }


def _panel(row: Mapping[str, Any], of_set: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    task = words.task_title(settings["tasks"][row["task"]])
    model = settings["models"][row["model"]]
    metric = row["metric"].replace("_", " ")
    title = f"{task} · {model} · {of_set['title']}: {metric}"
    return typeset.wrap(title, _PLOT_MM + _TEXT_MM, ink.PANEL_PT, "bold")


def _label(row: Mapping[str, Any], of_set: Mapping[str, Any]) -> str:
    titles = {f["id"]: {one["id"]: one["title"] for one in f["levels"]} for f in of_set["factors"]}
    if row["effect"] is None:
        return "All factors"
    if row["effect"] == "interaction":
        both = " × ".join(row[key].replace("_", " ") for key in ("factor", "factor_2"))
        return both[0].upper() + both[1:]
    if row["effect"] == "trend":
        (trend,) = [one for one in of_set["trends"] if one["id"] == row["level"]]
        return f"Trend: {trend['title']}, a step"
    of = titles[row["factor"]]
    return f"{of[row['level']]} − {of[row['versus']]}"


def _said(row: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Two lines at most: the estimate, or why there is none; how sure it is, of how many items."""
    counted = f"n = {row['n_items']}"
    if row["n_items"] < settings["too_few_below"]:
        return "too few", counted
    if row["reason"] is not None:
        return (f"{row['reason']}; {counted}",)
    p = f"p {words.p_text(row['p'])}"
    if row["p_holm"] is not None:
        p = f"p (Holm) {words.p_text(row['p_holm'])}"
    if row["points"] is None:
        return f"F({row['df']}, {row['df_within']}) = {row['f']:.2f}", f"{p}, {counted}"
    value, low, high = (words.number(row[key], 1, True) for key in ("points", "low", "high"))
    return f"{value} [{low}, {high}]", f"{p}, {counted}"


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words, one panel per task, model and metric."""
    plot = vega.points(_PLOT_MM)
    x = {
        "type": "quantitative",
        "title": "percentage points",
        "axis": {"grid": True, "tickCount": 5},
    }
    hover = [
        {"field": "label", "title": "Levels"},
        {"field": "points", "title": "Points", "format": "+.1f"},
        {"field": "low", "title": "from", "format": "+.1f"},
        {"field": "high", "title": "to", "format": "+.1f"},
        {"field": "n", "title": "Items (n)"},
    ]
    panel: dict[str, Any] = {
        "width": plot,
        "height": {"step": _STEP},
        "encoding": {"y": panels.names("label", _MOST_LINES)},
        "layer": [
            {
                "mark": {"type": "rule", "color": ink.GREY, "strokeWidth": 0.6},
                "encoding": {"x": x | {"datum": 0}, "y": None},
            },
            {
                "mark": {"type": "rule", "color": _SHOWN},
                "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {
                    "type": "point",
                    "filled": True,
                    "opacity": 1,
                    "size": 16,
                    "stroke": _SHOWN,
                    "strokeWidth": 0.8,
                },
                "encoding": {
                    "x": x | {"field": "points"},
                    "fill": {
                        "condition": {"test": "datum.shown", "value": _SHOWN},
                        "value": _OTHER,
                    },
                    "tooltip": hover,
                },
            },
            panels.said(plot, lines=2),
        ],
    }
    return panels.sheet(settings, _about(settings), panel, width_mm=_WIDTH_MM)


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["tasks"])
    return (
        "Differences between levels of a factor in percentage points, on the mean over all "
        "combinations of the other factors; trends for each step of ordered levels; below, whether "
        f"two factors depend on each other (joint test). {words.percent(settings['confidence'])} "
        "intervals of a logistic model clustered by item (not adjusted). Filled: p ≤ "
        f"{1 - settings['confidence']:.2g} after Holm's adjustment over the study's tests of "
        f"factors. n, items; main wording. {words.study_note(settings, tasks)}"
    )
