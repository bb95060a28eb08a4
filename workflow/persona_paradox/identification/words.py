"""Whether the persona is kept, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from ..names import AFTER, ALL, BEFORE, WHEN
from ..words import (
    Row,
    Section,
    Settings,
    Tables,
    named,
    place_of,
    points,
    points_within,
    share,
    wordings_beside_personas,
)
from .measures import ACCURACY, CHANGE


def _kept(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    table = tables["identification"].filter(
        (pl.col("metric") == ACCURACY) & (pl.col("variant") == "main")
    )
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        yield f"**{place_of(settings, model, task)}**"
        yield ""
        rows = {(r["persona"], r["source"]): r for r in part.iter_rows(named=True)}
        whole = [rows.get((ALL, source)) for source in (BEFORE, AFTER, CHANGE)]
        chance = next(row["chance"] for row in rows.values() if row["chance"] is not None)
        yield from _judges(rows.values(), settings, chance)
        if not any(source == AFTER for _, source in rows):
            yield ""
            continue
        if all(whole):
            before, after, change = (row or {} for row in whole)
            yield (
                f"- Asked who it is, on the mean over all options, the model names rightly "
                f"{_share(before)} before the task and {_share(after)} behind its answer "
                f"(n = {after['n']} items; a uniform guess, or who always names the same one: "
                f"{100 * chance:.1f}%); change {points(change['value'])} points "
                f"{points_within(change['low'], change['high'])}."
            )
        own = [
            row
            for (persona, source), row in rows.items()
            if source == AFTER and persona != ALL and row["low"] is not None
        ]
        above = [row for row in own if row["low"] > chance]
        yield (
            f"- Behind the answer, the interval of {len(above)} of {len(own)} personas lies above "
            "chance"
            + (": " + "; ".join(f"{named(settings, r['persona'])} {_share(r)}" for r in above))
            * bool(above)
            + "."
        )
        lost = [
            row
            for (_, source), row in rows.items()
            if source == CHANGE
            and row["p_holm"] is not None
            and row["p_holm"] <= 1 - settings["confidence"]
        ]
        tests = [r for (_, source), r in rows.items() if source == CHANGE and r["p_holm"]]
        yield (
            f"- Changed by the task, with p (Holm over {len(tests)} tests) at most "
            f"{100 * (1 - settings['confidence']):.0f}%: "
            + (
                "; ".join(
                    f"{named(settings, row['persona'])} {points(row['value'])} points "
                    f"{points_within(row['low'], row['high'])}"
                    for row in lost
                )
                or "none"
            )
            + "."
        )
        own = [r for (p, s), r in rows.items() if s in WHEN and p != ALL]
        unnamed, asked = (sum(r[key] for r in own) for key in ("n_unnamed", "n"))
        if "identification_variance" in tables:
            of_answers = tables["identification_variance"].filter(
                model=model, task=task, named_by=AFTER, metric=ACCURACY
            )
            what = "naming itself rightly behind the answer"
            yield from wordings_beside_personas(of_answers, what)
        yield f"- Nobody is named in {unnamed} of {asked} questions, which count as wrong."
        yield ""


def _judges(rows: Iterable[Row], settings: Settings, chance: float) -> Iterator[str]:
    """What each judge names of the answers alone, on the mean over all options."""
    for row in rows:
        judge = settings["judges"].get(row["source"])
        if judge is not None and row["persona"] == ALL:
            yield (
                f"- {'**NOT USABLE by its own rule**: ' * (row['usable'] is False)}"
                f"{judge['title']} names of the answer alone, with its persona's name masked, "
                f"{_share(row)} rightly (n = {row['n']} items, {row['n_unnamed']} answers without "
                f"a verdict; a uniform guess: {100 * chance:.1f}%)."
            )


def _share(row: Settings) -> str:
    return share(row["value"], row["low"], row["high"])


SECTIONS: tuple[Section, ...] = (("Is the persona kept?", ("identification",), _kept),)
