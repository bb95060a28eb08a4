"""Ambiguous cases and conformal sets in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from ..words import (
    NO_INTERVAL,
    Row,
    Section,
    Settings,
    Tables,
    named,
    number,
    p_text,
    percent,
    place_of,
    points,
    points_within,
    share,
    signed,
)
from .distributions import ALL, AMBIGUOUS, CONSENSUS, GAPS, METRICS


def _ambiguity(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    baseline = settings["baseline"]
    for (model, task), part in tables["ambiguity"].group_by("model", "task", maintain_order=True):
        rows = {(r["persona"], r["items"], r["metric"]): r for r in part.iter_rows(named=True)}
        n = {g: _n(rows.get((baseline, g, "accuracy"))) for g in (ALL, CONSENSUS, AMBIGUOUS)}
        yield (
            f"**{place_of(settings, model, task)}** (n = {n[ALL]} rated items; all raters say the "
            f"same of {n[CONSENSUS]})"
        )
        yield ""
        right = [
            f"{share(row['value'], row['low'], row['high'])} {where}, {row['n_invalid']} invalid"
            for group, where in ((CONSENSUS, "there"), (AMBIGUOUS, "where they differ"))
            if (row := rows.get((baseline, group, "accuracy"))) is not None
        ]
        yield f"- {named(settings, baseline)}: right in {'; '.join(right)}."
        cross = rows.get((baseline, ALL, "cross_entropy"))
        if cross is not None:
            least = rows[baseline, ALL, "entropy_raters"]["value"]
            yield (
                f"- Its cross-entropy with the raters is {_of(cross)} nats (least possible "
                f"{least:.2f}). {_gap({key: rows.get((baseline, ALL, key)) for key in METRICS})}"
            )
            yield from _personas(part.filter(items=ALL, metric="cross_entropy"), settings)
        yield ""
    yield (
        "Few raters are no truth: of two who differ, a third may agree with neither, and what both "
        "say may be wrong."
    )


def _n(row: Row | None) -> int:
    return 0 if row is None else row["n"]


def _of(row: Row) -> str:
    return number(row["value"], row["low"], row["high"])


def _gap(rows: Mapping[str, Row | None]) -> str:
    """Whether the model is more concentrated, by the first of `GAPS` that there is."""
    disagreement, entropy = (rows[gap] for gap in GAPS)
    model, raters = rows["disagreement_model"], rows["disagreement_raters"]
    if disagreement is not None and model is not None and raters is not None:
        return (
            f"Two answers drawn from its probabilities differ in {100 * model['value']:.1f}% of "
            f"the items, two raters in {100 * raters['value']:.1f}%: "
            f"{points(disagreement['value'])} points "
            f"{points_within(disagreement['low'], disagreement['high'])}{_which(disagreement)}."
        )
    if entropy is None:
        return ""
    within = (
        NO_INTERVAL
        if entropy["low"] is None
        else f"[{signed(entropy['low'], 2)}, {signed(entropy['high'], 2)}]"
    )
    # Of few raters the entropy is too small: that the model's is larger says nothing.
    more = _which(entropy) if entropy["value"] < 0 else ""
    return f"Its entropy minus theirs is {signed(entropy['value'], 2)} {within} nats{more}."


def _which(gap: Row) -> str:
    if gap["low"] is None or gap["low"] <= 0 <= gap["high"]:
        return ""
    return f": it is {'more' if gap['high'] < 0 else 'less'} concentrated than they are"


def _personas(table: pl.DataFrame, settings: Settings) -> Iterator[str]:
    """Which personas change the cross-entropy."""
    tested = table.filter(pl.col("p_holm").is_not_null())
    shown = tested.filter(pl.col("p_holm") <= 1 - settings["confidence"])
    told = "; ".join(
        f"{named(settings, row['persona'])} {signed(row['difference'], 2)} "
        f"[{signed(row['difference_low'], 2)}, {signed(row['difference_high'], 2)}], p (Holm) "
        f"{p_text(row['p_holm'])}"
        for row in shown.iter_rows(named=True)
    )
    yield (
        f"- Of {tested.height} personas {shown.height} are shown to change it"
        f"{': ' if told else ''}{told}."
    )


def _sets(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    baseline = settings["baseline"]
    for (model, task, score), part in tables["conformal"].group_by(
        "model", "task", "score", maintain_order=True
    ):
        whole = part.filter(level=ALL)
        rows = {row["persona"]: row for row in whole.iter_rows(named=True)}
        row = rows[baseline]
        if row["size"] is None:
            continue
        where = f"{place_of(settings, model, task)}, {score}"
        yield (
            f"- {where}, {named(settings, baseline)}: "
            f"{number(row['size'], row['size_low'], row['size_high'])} labels in a set, which "
            f"holds the right one in "
            f"{share(row['coverage'], row['coverage_low'], row['coverage_high'])} (declared: "
            f"{percent(row['declared'])}; n = {row['n']}; {row['n_empty']} sets empty, "
            f"{row['n_single']} of one label, {row['n_all']} of all).{_least(part, settings)}"
            f"{_sizes(whole, settings)}"
        )
    yield ""
    yield (
        "The declared coverage is met on the mean over items by construction, whatever the model "
        "is worth; for single levels nothing promises it."
    )


def _least(part: pl.DataFrame, settings: Settings) -> str:
    """The level whose cases the baseline's sets miss most."""
    levels = part.filter(
        pl.col("persona") == settings["baseline"],
        pl.col("level") != ALL,
        pl.col("n") >= settings["too_few_below"],
    ).sort("coverage")
    if levels.is_empty():
        return ""
    row = levels.row(0, named=True)
    return (
        f" Least often of level {row['level']}: "
        f"{share(row['coverage'], row['coverage_low'], row['coverage_high'])} of {row['n']}."
    )


def _sizes(whole: pl.DataFrame, settings: Settings) -> str:
    tested = whole.filter(pl.col("size_difference_p_holm").is_not_null())
    if tested.is_empty():
        return ""
    shown = tested.filter(pl.col("size_difference_p_holm") <= 1 - settings["confidence"])
    told = "; ".join(
        f"{named(settings, row['persona'])} {signed(row['size_difference'], 2)} "
        f"[{signed(row['size_difference_low'], 2)}, {signed(row['size_difference_high'], 2)}]"
        for row in shown.iter_rows(named=True)
    )
    return (
        f" Of {tested.height} personas {shown.height} are shown to change the size"
        f"{': ' if told else ''}{told}."
    )


SECTIONS: tuple[Section, ...] = (
    ("What does the model say where raters differ?", ("ambiguity",), _ambiguity),
    ("Sets of levels that hold the right one", ("conformal",), _sets),
)
