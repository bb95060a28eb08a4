"""What policies are worth against their calls, their regret, and the rate that is limited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...figures import ink, panels, typeset, vega, words
from ..policies import FIXED, ORACLE
from ..titles import RATES, origin_of, title_of

# The plane, the names, and the columns of intervals.
_WIDTH_MM, _PLANE_MM, _COLUMN_MM = 180.0, 40.0, 24.0
_HIGH_MM = 44.0
# Of a row, in points.
_STEP = 9.5
_FIXED, _CHOOSES, _BOUND, _BROKEN = ink.GREY, "#0B4F86", "#4C9A8A", "#D08A2E"
_KINDS = {
    "one persona": _FIXED,
    "chooses among them": _CHOOSES,
    "oracle": _BOUND,
    "does not keep the limit": _BROKEN,
}

_SCHEMA = {
    **dict.fromkeys(("place", "label", "kind", "rule"), pl.String),
    **dict.fromkeys(("number", "n"), pl.Int64),
    "numbered": pl.Boolean,
    "shown": pl.Boolean,
    **dict.fromkeys(
        (
            *("calls", "value", "low", "high", "value_in_sample", "none"),
            *("regret", "regret_low", "regret_high", "rate", "rate_low", "rate_high"),
            *("at_most", "holds"),
        ),
        pl.Float64,
    ),
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per model, origin and policy: no persona first, then by calls.

    Columns: `place` and `label` are titles; `none` is the value of no persona; the rest is as in
    the table, null where there are too few items.
    """
    found = []
    for (model, origin), part in tables["policies"].group_by(
        "model", "origin", maintain_order=True
    ):
        own = [*part.iter_rows(named=True)]
        baseline = next(row for row in own if _is_baseline(row, settings))
        own.sort(key=lambda row: (not _is_baseline(row, settings), _late(row), row["calls"]))
        for number, row in enumerate(own, start=1):
            values = {key: row[key] for key in _SCHEMA if key in row}
            values |= {"none": baseline["value"]}
            if row["policy"] == ORACLE:
                # As far as nothing else is, so that no other could be told apart.
                values |= dict.fromkeys(("regret", "regret_low", "regret_high"))
            if row["n_items"] < settings["too_few_below"]:
                values = dict.fromkeys(values)
            found.append(
                values
                | {
                    "place": _place(str(model), str(origin), settings),
                    "label": f"{number}  {title_of(row, settings)}",
                    "kind": _kind(row, settings),
                    "rule": row["rule"],
                    "number": number,
                    "n": row["n_items"],
                    "numbered": row["policy"] != FIXED or _is_baseline(row, settings),
                    "shown": row["regret_p_holm"] is not None
                    and row["regret_p_holm"] <= 1 - settings["confidence"],
                }
            )
    return pl.DataFrame(found, schema=_SCHEMA)


def _is_baseline(row: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return bool(row["policy"] == FIXED and row["by"] == settings["baseline"])


def _late(row: Mapping[str, Any]) -> bool:
    return bool(row["policy"] == ORACLE)


def _kind(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    if row["policy"] == ORACLE:
        return "oracle"
    if row["holds"] is not None and row["holds"] < settings["confidence"]:
        return "does not keep the limit"
    return "one persona" if row["policy"] == FIXED else "chooses among them"


def _place(model: str, origin: str, settings: Mapping[str, Any]) -> str:
    return f"{settings['models'][model]} · {origin_of(origin)}"


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: a plane and three columns of intervals, for every model and origin."""
    places = [
        _place(model, origin, settings)
        for model in settings["models"]
        for origin in settings["routing"]["origins"]
    ]
    about = typeset.wrap(_about(settings), _WIDTH_MM - 2 * panels.EDGE_MM, ink.SMALL_PT)
    return {
        "padding": vega.points(panels.EDGE_MM),
        "title": {
            "text": typeset.wrap(settings["title"], _WIDTH_MM, ink.TITLE_PT, "bold").split("\n"),
            "subtitle": about.split("\n"),
            "anchor": "start",
            "frame": "bounds",
            "offset": 6,
            "subtitleFontSize": ink.SMALL_PT,
            "subtitleColor": ink.MIDDLE,
        },
        "spacing": 14,
        "vconcat": [_block(place, settings) for place in places],
    }


def _block(place: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The plane and the columns of one model and origin."""
    columns = [
        _column(("value", "low", "high"), "Right", "none", _in_sample(), labels=True),
        _column(("regret", "regret_low", "regret_high"), "Regret", 0, []),
    ]
    if limited := settings["routing"]["limited"]:
        title = RATES[limited].capitalize()
        columns.append(_column(("rate", "rate_low", "rate_high"), title, "at_most", []))
    return {
        "title": {"text": place, "anchor": "start", "fontSize": ink.PANEL_PT},
        "transform": [{"filter": {"field": "place", "equal": place}}],
        "spacing": 10,
        "hconcat": [
            _plane(),
            {"hconcat": columns, "spacing": 10, "resolve": {"scale": {"y": "shared"}}},
        ],
    }


def _colour(*, legend: bool) -> dict[str, Any]:
    return {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(_KINDS), "range": list(_KINDS.values())},
        "legend": {
            "title": None,
            "orient": "bottom",
            "columns": 2,
            "symbolSize": 20,
            "labelFontSize": ink.SMALL_PT,
        }
        if legend
        else None,
    }


def _share_axis(field: str, title: str) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False},
        "axis": {"format": "%", "tickCount": 4, "grid": True},
    }


def _hover() -> list[dict[str, Any]]:
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
        {"field": "n", "title": "Items (n)"},
    ]


def _plane() -> dict[str, Any]:
    """Value against calls, every policy by its number."""
    x = {
        "field": "calls",
        "type": "quantitative",
        "title": "Calls per item",
        "scale": {"zero": False, "padding": 8},
        "axis": {"tickMinStep": 1, "grid": False},
    }
    y = _share_axis("value", "Right, unseen items")
    y["scale"] |= {"padding": 6}
    numbers = {"type": "text", "dx": 4, "dy": -3, "align": "left", "fontSize": ink.SMALL_PT}
    return {
        "width": vega.points(_PLANE_MM),
        "height": vega.points(_HIGH_MM),
        "transform": [{"filter": "datum.kind != 'oracle'"}],
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rule", "color": ink.LIGHT, "strokeWidth": 0.6},
                "encoding": {"y": y | {"field": "none"}, "x": None},
            },
            {
                "mark": {"type": "point", "size": 14, "filled": True, "opacity": 1},
                "encoding": {"color": _colour(legend=True), "tooltip": _hover()},
            },
            {
                "transform": [{"filter": "datum.numbered"}],
                "mark": numbers,
                "encoding": {"text": {"field": "number"}},
            },
        ],
    }


def _column(
    fields: tuple[str, str, str],
    title: str,
    line: str | float,
    more: list[dict[str, Any]],
    *,
    labels: bool = False,
) -> dict[str, Any]:
    """Points with intervals, a row per policy.

    Args:
        fields: columns of the point and of the ends of its interval.
        title: of the axis.
        line: column of the place of a line, or the place.
        more: further layers, below the points.
        labels: whether the names of the policies stand at the left.
    """
    x = _share_axis(fields[0], title)
    names = panels.names("label")
    if not labels:
        names["axis"] = None
    place = {"datum": line} if isinstance(line, (int, float)) else {"field": line}
    at_line = {key: value for key, value in x.items() if key != "field"} | place
    filled = {"condition": {"test": "datum.shown", "value": _CHOOSES}, "value": "white"}
    point: dict[str, Any] = {"type": "point", "filled": True, "opacity": 1, "size": 14}
    encoding: dict[str, Any] = {"x": x, "color": _colour(legend=False), "tooltip": _hover()}
    if fields[0] == "regret":
        point |= {"stroke": _CHOOSES, "strokeWidth": 0.8}
        encoding = {"x": x, "fill": filled, "tooltip": _hover()}
    return {
        "width": vega.points(_COLUMN_MM),
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
                    "x": x | {"field": fields[1]},
                    "x2": {"field": fields[2]},
                    "color": _colour(legend=False),
                },
            },
            *more,
            {"mark": point, "encoding": encoding},
        ],
    }


def _in_sample() -> list[dict[str, Any]]:
    """The value on the items that a policy was fitted to."""
    return [
        {
            "mark": {"type": "point", "size": 14, "filled": False, "strokeWidth": 0.7},
            "encoding": {
                "x": _share_axis("value_in_sample", "Right"),
                "color": _colour(legend=False),
            },
        }
    ]


def _about(settings: Mapping[str, Any]) -> str:
    tasks = list(settings["routing"]["tasks"])
    alpha = 1 - settings["confidence"]
    return (
        "Ways to choose among the answers of all personas. Left: share of right answers against "
        "answers asked for, by number. Then the same share (filled: on items that the policy did "
        "not see; hollow: on those that it was fitted to); the regret against the best single "
        f"persona chosen on other items (filled: p ≤ {alpha:.2g} after Holm's adjustment); and the "
        "rate that the study limits, with its limit as a line. Grey line: no persona. "
        f"{words.bootstrap_note(settings, tasks)}, or Wilson's; wider where a policy learns; not "
        f"adjusted. {words.study_note(settings, tasks)}"
    )
