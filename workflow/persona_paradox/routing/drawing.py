"""What figures of policies share: their rows, and columns of points with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..figures import ink, panels, typeset, vega, words
from .policies import FIXED, ORACLE
from .titles import origin_of, title_of

# Of a row, in points.
_STEP = 9.5
CHOOSES = "#0B4F86"
_KINDS = {
    "one persona": ink.GREY,
    "chooses among them": CHOOSES,
    "oracle": "#4C9A8A",
    "does not keep the limit": "#D08A2E",
}

# Numbers with an interval: `<name>`, `<name>_low` and `<name>_high`.
_ENDS = ("", "_low", "_high")
_DIFFERENCES = ("gain", "regret", "oracle_regret", "cost_change")
SCHEMA = {
    **dict.fromkeys(("place", "label", "kind", "rule"), pl.String),
    **dict.fromkeys(("number", "n", "n_invalid"), pl.Int64),
    "numbered": pl.Boolean,
    **{f"{name}_shown": pl.Boolean for name in ("gain", "regret")},
    **dict.fromkeys(
        (
            *("calls", "value", "low", "high", "value_in_sample", "none"),
            *(f"{name}{end}" for name in (*_DIFFERENCES, "rate", "cost") for end in _ENDS),
            *("at_most", "holds", "cost_none"),
        ),
        pl.Float64,
    ),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, origin and policy: no persona first, then by calls.

    Columns: `place` and `label` are titles; `none` and `cost_none` are the value and the cost of
    no persona; `…_shown`, whether the adjusted p is small; the rest is as in the table, null where
    there are too few items.
    """
    found = []
    for (model, origin), part in tables["policies"].group_by(
        "model", "origin", maintain_order=True
    ):
        own = [*part.iter_rows(named=True)]
        baseline = next(row for row in own if _is_baseline(row, settings))
        own.sort(key=lambda row: (not _is_baseline(row, settings), _late(row), row["calls"]))
        for number, row in enumerate(own, start=1):
            values = {key: row[key] for key in SCHEMA if key in row}
            values |= {"none": baseline["value"], "cost_none": baseline["cost"]}
            if row["policy"] == ORACLE:
                # As far as nothing else is, so that no other could be told apart.
                values |= {f"{name}{end}": None for name in _DIFFERENCES for end in _ENDS}
            if row["n_items"] < settings["too_few_below"]:
                values = dict.fromkeys(values)
            found.append(
                values
                | {
                    "place": place_of(str(model), str(origin), settings),
                    "label": f"{number}  {title_of(row, settings)}",
                    "kind": _kind(row, settings),
                    "rule": row["rule"],
                    "number": number,
                    "n": row["n_items"],
                    "n_invalid": row["n_invalid"],
                    "numbered": row["policy"] != FIXED or _is_baseline(row, settings),
                    **{f"{name}_shown": _shown(row, name, settings) for name in ("gain", "regret")},
                }
            )
    return pl.DataFrame(found, schema=SCHEMA)


def _is_baseline(row: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return bool(row["policy"] == FIXED and row["by"] == settings["baseline"])


def _late(row: Mapping[str, Any]) -> bool:
    return bool(row["policy"] == ORACLE)


def _shown(row: Mapping[str, Any], name: str, settings: Mapping[str, Any]) -> bool:
    p = row[f"{name}_p_holm"]
    return p is not None and p <= 1 - settings["confidence"]


def _kind(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    if row["policy"] == ORACLE:
        return "oracle"
    if row["holds"] is not None and row["holds"] < settings["confidence"]:
        return "does not keep the limit"
    return "one persona" if row["policy"] == FIXED else "chooses among them"


def place_of(model: str, origin: str, settings: Mapping[str, Any]) -> str:
    """The title of a block."""
    return f"{settings['models'][model]} · {origin_of(origin)}"


def sheet(
    settings: Mapping[str, Any], about: str, blocks: Sequence[Any], width_mm: float
) -> dict[str, Any]:
    """The specification: what stands beside each other for every model and origin.

    Args:
        settings: the figures' settings.
        about: the words below the title.
        blocks: specifications of one model and origin, from left to right.
        width_mm: of the whole figure.
    """
    places = [
        place_of(model, origin, settings)
        for model in settings["models"]
        for origin in settings["routing"]["origins"]
    ]
    lines = typeset.wrap(about, width_mm - 2 * panels.EDGE_MM, ink.SMALL_PT)
    return {
        "padding": vega.points(panels.EDGE_MM),
        "title": {
            "text": typeset.wrap(settings["title"], width_mm, ink.TITLE_PT, "bold").split("\n"),
            "subtitle": lines.split("\n"),
            "anchor": "start",
            "frame": "bounds",
            "offset": 6,
            "subtitleFontSize": ink.SMALL_PT,
            "subtitleColor": ink.MIDDLE,
        },
        "spacing": 14,
        "vconcat": [
            {
                "title": {"text": place, "anchor": "start", "fontSize": ink.PANEL_PT},
                "transform": [{"filter": {"field": "place", "equal": place}}],
                "spacing": 10,
                "hconcat": list(blocks),
            }
            for place in places
        ],
    }


def beside(columns: Sequence[Any]) -> dict[str, Any]:
    """Columns with the same rows."""
    shared = {"scale": {"y": "shared"}}
    return {"hconcat": list(columns), "spacing": 10, "resolve": shared}


def colour() -> dict[str, Any]:
    """The channel that tells kinds of policies apart; all layers have one legend."""
    return {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(_KINDS), "range": list(_KINDS.values())},
        "legend": {
            "title": None,
            "orient": "bottom",
            "columns": len(_KINDS),
            "symbolSize": 20,
            "labelFontSize": ink.SMALL_PT,
        },
    }


def axis(field: str, title: str, *, share: bool = True) -> dict[str, Any]:
    """A channel of shares, or of other numbers."""
    shown = {"tickCount": 4, "grid": True} | ({"format": "%"} if share else {})
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False},
        "axis": shown,
    }


def hover() -> list[dict[str, Any]]:
    """What is told of a policy where the mouse is."""
    return [
        {"field": "label", "title": "Policy"},
        {"field": "rule", "title": "Fitted to all items"},
        {"field": "value", "title": "Right, unseen items", "format": ".1%"},
        {"field": "low", "title": "from", "format": ".1%"},
        {"field": "high", "title": "to", "format": ".1%"},
        {"field": "value_in_sample", "title": "Right, seen items", "format": ".1%"},
        {"field": "calls", "title": "Calls", "format": ".2f"},
        {"field": "regret", "title": "Regret", "format": "+.1%"},
        {"field": "rate", "title": "Limited rate", "format": ".1%"},
        {"field": "holds", "title": "Draws in which it holds", "format": ".0%"},
        {"field": "cost", "title": "Cost", "format": ".2f"},
        {"field": "n", "title": "Items (n)"},
        {"field": "n_invalid", "title": "Invalid answers"},
    ]


def column(
    x: Mapping[str, Any],
    ends: tuple[str, str],
    line: str | float,
    width_mm: float,
    *,
    more: Sequence[Any] = (),
    labels: bool = False,
    shown: str | None = None,
) -> dict[str, Any]:
    """Points with intervals, a row per policy.

    Args:
        x: the channel, see `axis`.
        ends: columns of the ends of its interval.
        line: column of the place of a line, or the place.
        width_mm: of the column.
        more: further layers, below the points.
        labels: whether the names of the policies stand at the left.
        shown: column that says whether a point is filled; all are filled by their kind without.
    """
    names = panels.names("label")
    if not labels:
        names["axis"] = None
    place = {"datum": line} if isinstance(line, (int, float)) else {"field": line}
    at_line = {key: value for key, value in x.items() if key != "field"} | place
    point: dict[str, Any] = {"type": "point", "filled": True, "opacity": 1, "size": 14}
    encoding: dict[str, Any] = {"x": x, "color": colour(), "tooltip": hover()}
    if shown is not None:
        filled = {"condition": {"test": f"datum.{shown}", "value": CHOOSES}, "value": "white"}
        point |= {"stroke": CHOOSES, "strokeWidth": 0.8}
        encoding = {"x": x, "fill": filled, "tooltip": hover()}
    return {
        "width": vega.points(width_mm),
        "height": {"step": _STEP},
        "encoding": {"y": names},
        "layer": [
            {
                "mark": {"type": "rule", "color": ink.GREY, "strokeWidth": 0.6},
                "encoding": {"x": at_line, "y": None},
            },
            {
                "mark": {"type": "rule"},
                "encoding": {
                    "x": {**x, "field": ends[0]},
                    "x2": {"field": ends[1]},
                    "color": colour(),
                },
            },
            *more,
            {"mark": point, "encoding": encoding},
        ],
    }


def notes(settings: Mapping[str, Any]) -> str:
    """What the words of every figure of policies end with."""
    tasks = list(settings["routing"]["tasks"])
    return (
        f"{words.bootstrap_note(settings, tasks)}, or Wilson's; wider where a policy learns; not "
        f"adjusted. {words.study_note(settings, tasks)}"
    )
