"""What the factors of persona sets do, in words."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...words import (
    Row,
    Settings,
    Tables,
    p_text,
    place_of,
    plain,
    points,
    points_within,
    span,
)


def factors(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """What is shown of every set in every task, and of how many effects it is not."""
    places = ("model", "task", "persona_set")
    for (model, task, set_), part in tables["factors"].group_by(*places, maintain_order=True):
        of_set = settings["factor_sets"][set_]
        where = f"{place_of(settings, model, task)}, {of_set['title']}"
        yield f"**{where}** (n = {span(part['n_items'])})"
        yield ""
        for (metric,), rows in part.group_by("metric", maintain_order=True):
            lines = (
                _tests(rows, of_set, settings) if rows["in_family"].any() else [_looked_at(rows)]
            )
            for line in lines:
                yield f"- {plain(metric).capitalize()}: {line}"
        yield ""


def _tests(rows: pl.DataFrame, of_set: Settings, settings: Settings) -> Iterator[str]:
    """The tests of the study."""
    tested = rows.filter("in_family")
    is_shown = pl.col("p_holm") <= 1 - settings["confidence"]
    for row in tested.filter(is_shown).iter_rows(named=True):
        yield f"{_effect(row, of_set)}."
    rest = tested.filter(~is_shown)
    if rest.height:
        least = p_text(min(rest["p_holm"]))
        yield (
            f"not shown for {rest.height} of {tested.height} tests of the study, p (Holm) at least "
            f"{least}.{_range(rest)}{_lacking(rows)}"
        )


def _looked_at(rows: pl.DataFrame) -> str:
    """What is no test of the study."""
    return f"no tests of the study.{_range(rows)}{_lacking(rows)}"


def _range(rows: pl.DataFrame) -> str:
    values = [value for value in rows["points"].to_list() if value is not None]
    if not values:
        return ""
    low, high = points(min(values) / 100), points(max(values) / 100)
    return f" Differences and trends from {low} to {high} points."


def _lacking(rows: pl.DataFrame) -> str:
    reasons = [reason for reason in rows["reason"].to_list() if reason is not None]
    if not reasons:
        return ""
    why = "; ".join(dict.fromkeys(reasons))
    return f" No estimate for {len(reasons)} of {rows.height} effects: {why}."


def _effect(row: Row, of_set: Settings) -> str:
    """An effect with its p."""
    titles = {f["id"]: {one["id"]: one["title"] for one in f["levels"]} for f in of_set["factors"]}
    p = f"p (Holm) {p_text(row['p_holm'])}, {row['n_answers']} answers, {row['n_invalid']} invalid"
    if row["points"] is None:
        f = f"F({row['df']}, {row['df_within']}) = {row['f']:.2f}, {p}"
        if row["factor_2"] is None:
            return f"levels of {plain(row['factor'])} differ, {f}"
        return f"{plain(row['factor'])} and {plain(row['factor_2'])} depend on each other, {f}"
    within = points_within(row["low"] / 100, row["high"] / 100)
    estimate = f"{points(row['points'] / 100)} points {within}"
    if row["effect"] == "trend":
        (trend,) = [one for one in of_set["trends"] if one["id"] == row["level"]]
        return (
            f"trend over {len(trend['levels'])} levels of {trend['title']}, a step {estimate}, {p}"
        )
    compared = f"{titles[row['factor']][row['level']]} minus {titles[row['factor']][row['versus']]}"
    if row["factor_2"] is not None:
        two = titles[row["factor_2"]]
        compared += f", under {two[row['level_2']]} minus under {two[row['versus_2']]}"
    return f"{compared} {estimate}, {p}"
