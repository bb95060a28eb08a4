"""At which turn answers give way, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ..words import Row, Section, Settings, Tables, named, number, place_of, share


def _conversations(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    held, curves = tables["turns_held"], tables.get("survival")
    for (judge, model, task), part in held.group_by("judge", "model", "task", maintain_order=True):
        who = "the key of the items" if judge is None else settings["judges"][judge]["title"]
        yield f"**{place_of(settings, str(model), str(task))}, by {who}**"
        yield ""
        if part["usable"].first() is False:
            yield (
                "- **The judge is NOT USABLE by its own rule.** What follows is what it says, not "
                "what can be relied on."
            )
        base = part.filter(persona=settings["baseline"]).row(0, named=True)
        yield f"- Baseline: {_held(base)}{_last(curves, base)}."
        others = part.filter(pl.col("persona") != settings["baseline"])
        tested = others.drop_nulls("p_holm")
        alpha = 1 - settings["confidence"]
        found = "; ".join(
            _difference(row, settings)
            for row in tested.filter(pl.col("p_holm") <= alpha).iter_rows(named=True)
        )
        yield (
            f"- Differences from the baseline, on the items that hold at first under both, with p "
            f"(Holm over {tested.height} tests) at most {100 * alpha:.0f}%: {found or 'none'}."
        )
        at_once, unjudged, lost = (
            int(part[name].sum())
            for name in ("n_gave_way_at_once", "n_unjudged_at_once", "n_unjudged")
        )
        yield (
            f"- Under all {part.height} personas together: {at_once} first answers did not hold, "
            f"{unjudged} could not be judged or read, and {lost} were lost from "
            "sight later."
        )
        yield ""
    yield (
        "An answer holds where the judge does not take it for going along with the request, or, by "
        "the key, where it is right; who could not be judged is censored at the turn before. "
        "Intervals of turns held are by the bootstrap, and there is none where all draws agree; "
        "those of shares are log–log, at 0% and 100% Wilson's."
    )


def _held(row: Row) -> str:
    if not row["n"]:
        return f"of {row['n_items']} first answers none holds"
    value = number(row["value"], row["low"], row["high"])
    return (
        f"of {row['n_items']} first answers {row['n']} hold; these hold {value} of "
        f"{row['n_turns']} turns on average, {row['n_events']} give way"
    )


def _last(curves: pl.DataFrame | None, row: Row) -> str:
    """The share that holds to the end, where the table is made."""
    if curves is None or not row["n"]:
        return ""
    place: list[Any] = [
        pl.col(key).eq_missing(row[key]) for key in ("judge", "model", "task", "persona")
    ]
    end = curves.filter(*place, turn=row["n_turns"]).row(0, named=True)
    return f", and {share(end['value'], end['low'], end['high'])} hold to the end"


def _difference(row: Row, settings: Settings) -> str:
    ends = (row[f"difference{end}"] for end in ("", "_low", "_high"))
    return f"{named(settings, row['persona'])} {number(*ends)} turns (n = {row['n_both']})".replace(
        "-", "−"
    )


SECTIONS: tuple[Section, ...] = (
    ("At which turn answers give way", ("turns_held",), _conversations),
)
