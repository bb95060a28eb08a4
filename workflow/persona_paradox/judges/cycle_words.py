"""What alignment does cycle by cycle, in words: the last cycle against the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from ..words import (
    Row,
    Section,
    Settings,
    Tables,
    named,
    p_text,
    points,
    points_within,
    share,
    table_of,
    titles,
)
from .shown import panels_of


def cycles(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    """Of studies that ask a base and what became of it in cycles."""
    for part in tables["cycles"].partition_by("family", "base", maintain_order=True):
        last = part.filter(cycle=part["cycle"].max())
        title = settings["models"][last.item(0, "model")]
        yield f"- **{title}**, beside {settings['models'][part.item(0, 'base')]}: {_went_on(part)}."
        yield from _unusable(part, settings)
        yield from _compared(part, last.item(0, "cycle"), settings)
        for rows, title in panels_of(part, settings):
            if rows.item(0, "task") is None:
                yield f"- {title}: {'; '.join(_judge(row, settings) for row in rows.to_dicts())}."
    yield ""
    yield (
        f"Numbers are those under {named(settings, settings['baseline'])}, and differences are "
        "paired by item, on items that no cycle was trained on or chosen by. “Personas” are the "
        "others minus this one, in points, from the least to the most and without intervals; "
        "those of accuracy are tested before and after in table tuning. p is adjusted over cycles, "
        "personas and measures of a task and judge; of a part of the items there is none."
    )


def _compared(part: pl.DataFrame, number: int, settings: Settings) -> Iterator[str]:
    """A cycle against the base, a line per measure and task."""
    found, baseline = [], settings["baseline"]
    for rows, title in panels_of(part, settings):
        before, after = (
            {row["persona"]: row for row in rows.filter(cycle=cycle).to_dicts()}
            for cycle in (0, number)
        )
        # A judge is of no persona, and a score that nobody could give has no number.
        if baseline in before and baseline in after:
            task = titles(settings)[rows.item(0, "task")]["title"]
            numbers = _baseline(before[baseline], after[baseline])
            others = (_personas(side, settings) for side in (before, after))
            found.append((f"{title}, {task}", *numbers, *others))
    head = ("measure", "base", f"cycle {number}", "difference in points", "n", "invalid (base)")
    yield from table_of((*head, "p (Holm)", "personas, base", f"personas, cycle {number}"), found)


def _went_on(part: pl.DataFrame) -> str:
    """Which candidate went on after every cycle."""
    found = part.filter(pl.col("cycle") > 0).unique("cycle").sort("cycle")
    told = [
        f"cycle {cycle}: " + ("nothing went on" if chosen is None else f"{chosen} went on")
        for cycle, chosen in found.select("cycle", "chosen").iter_rows()
    ]
    text = "; ".join(told)
    if found.item(0, "cycle") == 1 and found.item(0, "chosen") is None:
        return f"{text}. So every cycle is the base, and differences are of one model with itself"
    if found["chosen"].null_count():
        text += ". Where nothing went on the model is that of the cycle before"
    return text


def _unusable(part: pl.DataFrame, settings: Settings) -> Iterator[str]:
    judged = part.drop_nulls("task").filter(~pl.col("usable"))
    for judge in judged["judge"].unique(maintain_order=True):
        yield f"- **NOT USABLE by its own rule**: {settings['judges'][judge]['title']}."


def _baseline(before: Row, after: Row) -> tuple[str, ...]:
    """The numbers under the baseline."""
    within = points_within(after["difference_low"], after["difference_high"])
    return (
        *(share(row["value"], row["low"], row["high"]) for row in (before, after)),
        f"{points(after['difference'])} {within}",
        str(after["n"]),
        f"{after['n_invalid']} ({before['n_invalid']})",
        "–" if after["p_holm"] is None else p_text(after["p_holm"]),
    )


def _personas(side: Mapping[str, Row], settings: Settings) -> str:
    """From which difference to which the other personas reach."""
    base = side[settings["baseline"]]["value"]
    found = [row["value"] - base for id_, row in side.items() if id_ != settings["baseline"]]
    return f"{points(min(found))} to {points(max(found))}" if found else "–"


def _judge(row: Row, settings: Settings) -> str:
    """A judge that is the model of a cycle."""
    return (
        f"{settings['judges'][row['judge']]['title']}, which is cycle {row['cycle']}, "
        f"{share(row['value'], row['low'], row['high'])}, n = {row['n']}, {row['n_invalid']} "
        "unjudged"
    )


SECTIONS: tuple[Section, ...] = (("What alignment does in cycles", ("cycles",), cycles),)
