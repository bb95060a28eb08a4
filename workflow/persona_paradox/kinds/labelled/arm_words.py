"""What arms do, in words: answers that flip or adopt an option, and arms of one attribute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ...words import (
    Row,
    Settings,
    Tables,
    effect,
    excludes_zero,
    named,
    number,
    place_of,
    plain,
    points,
    points_within,
    rows_of,
    share,
    signed,
)

# Measures of an arm's answers, and what is said of them.
_FLIPS = {
    "flip_rate": "answers that flip",
    "lost": "lost of those that were right",
    "gained": "gained of those that were not",
    "adopted": "named option adopted, of those that had another answer",
    "adopted_of_right": "the same of those that were right",
}
# Those that are compared between personas here; all of them are in the tables.
_COMPARED = ("flip_rate", "adopted")


def flips(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """Of the arms of tasks; nothing where there are none."""
    table = tables["measures"].filter(
        pl.col("metric").is_in(list(_FLIPS)), pl.col("subgroup").is_null(), variant="main"
    )
    base = table.filter(persona=settings["baseline"])
    for (model, task), part in base.group_by("model", "task", maintain_order=True):
        said = {row["metric"]: row for row in part.iter_rows(named=True)}
        texts = [f"{words} {_share(said[name])}" for name, words in _FLIPS.items() if name in said]
        yield f"- {place_of(settings, model, task)}, baseline: {'; '.join(texts)}."
        for name in (one for one in _COMPARED if one in said):
            rows = rows_of(tables, "contrasts", model=model, task=task, metric=name, variant="main")
            if not rows:
                continue
            # Of few answers that turn, an exact test doubts what the interval shows.
            shown = excludes_zero(settings) & (pl.col("p") <= 1 - settings["confidence"])
            found = pl.DataFrame(rows, infer_schema_length=None).filter(shown)
            effects = "; ".join(
                effect(row, settings, in_points=True) for row in found.iter_rows(named=True)
            )
            yield (
                f"  - {_FLIPS[name].capitalize()}: of {len(rows)} personas more or less than the "
                "baseline (in points; not adjusted, the interval excludes 0 and p is at most "
                f"{1 - settings['confidence']:.2g}): {effects or 'none'}."
            )
    if not base.is_empty():
        yield ""
        yield (
            "An answer without a label is one of its own: it flips where there was a label, and it "
            "adopts nothing. Every persona is held against its own answers to the unchanged items."
        )


def _share(row: Row) -> str:
    invalid = ", ".join(
        f"{row[f'n_{what}']} {what}" for what in ("refused", "unreadable") if row[f"n_{what}"]
    )
    counted = f"n = {row['n']}" + (f", {invalid}" if invalid else "")
    return f"{share(row['value'], row['low'], row['high'])} ({counted})"


def attributes(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """Of arms that say what they are about: monotonicity, gaps and the agreement of cues."""
    table = tables["arm_attributes"]
    places = table.group_by("model", "task", "attribute", maintain_order=True)
    for (model, task, attribute), part in places:
        first = part.row(0, named=True)
        yield (
            f"**{place_of(settings, str(model), str(task))}: {plain(str(attribute))}** "
            f"({first['n_arms']} arms, n = {first['n']}, {first['n_left_out']} left out)"
        )
        yield ""
        yield from _monotonicity(part.filter(measure="monotonicity"), settings)
        yield from _gaps(part.filter(measure="gap"), settings)
        yield from _cues(part, settings)
        yield ""


def _monotonicity(part: pl.DataFrame, settings: Settings) -> Iterator[str]:
    for row in part.iter_rows(named=True):
        text = share(row["value"], row["low"], row["high"])
        if row["difference"] is not None:
            within = points_within(row["difference_low"], row["difference_high"])
            text += f", {points(row['difference'])} points from the baseline {within}"
        yield (
            f"- {named(settings, row['persona'])}, {plain(row['metric'])}: checks of monotonicity "
            f"that hold {text}."
        )


def _gaps(part: pl.DataFrame, settings: Settings) -> Iterator[str]:
    """The gaps whose interval excludes 0, of the baseline and between personas."""
    alpha = 1 - settings["confidence"]
    for metric in part["metric"].unique(maintain_order=True):
        own = part.filter(metric=metric, persona=settings["baseline"])
        shown = [
            f"{_class(row)} {_signed(row, 'value', 'low', 'high')}"
            for row in own.filter(pl.col("p") <= alpha).iter_rows(named=True)
        ]
        yield (
            f"- Gaps of {plain(metric)} of the baseline, class minus the mean of the others, whose "
            f"unadjusted p is at most {alpha:g}, of {own.height}: {'; '.join(shown) or 'none'}."
        )
        others = part.filter(metric=metric).filter(pl.col("persona") != settings["baseline"])
        differ = [
            f"{named(settings, row['persona'])}, {_class(row)} "
            f"{_signed(row, 'difference', 'difference_low', 'difference_high')}"
            for row in others.filter(pl.col("difference_p") <= alpha).iter_rows(named=True)
        ]
        if not others.is_empty():
            yield (
                f"  - Gaps that differ from the baseline's by the same rule, of {others.height}: "
                f"{'; '.join(differ) or 'none'}."
            )


def _cues(part: pl.DataFrame, settings: Settings) -> Iterator[str]:
    for row in part.filter(measure="sign_agreement").iter_rows(named=True):
        where: dict[str, Any] = {
            key: row[key] for key in ("persona", "metric", "class", "cue", "other_cue")
        }
        (other,) = part.filter(measure="correlation", **where).iter_rows(named=True)
        yield (
            f"- {named(settings, row['persona'])}, {plain(row['metric'])}: {plain(row['class'])} "
            f"by {plain(row['cue'])} and by {plain(row['other_cue'])}: gaps of one sign in "
            f"{share(row['value'], row['low'], row['high'])}, correlation "
            f"{number(other['value'], other['low'], other['high'])}."
        )


def _class(row: Row) -> str:
    return plain(row["class"]) + (f" by {plain(row['cue'])}" if row["cue"] else "")


def _signed(row: Row, value: str, low: str, high: str) -> str:
    """A difference with its bounds; shares and probabilities as shares of 1."""
    ends = [signed(row[key], 3) if row[key] is not None else "–" for key in (value, low, high)]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"
