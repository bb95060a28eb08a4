"""Where personas stand, and what moving a model there does, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..words import Row, Section, Settings, Tables, named, number, place_of, points, points_within
from .doses import NONE, TEXT
from .shown import ends, shown_layer

_ROLES = "roles"


def _positions(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    first = shown_layer(tables["axis"], settings).filter(turn=0)
    for (model, task), part in first.group_by("model", "task", maintain_order=True):
        own = [*part.iter_rows(named=True)]
        row = own[0]
        cosine = number(row["axis_cosine"], row["axis_cosine_low"], row["axis_cosine_high"])
        missing = max(one["n_missing"] for one in own)
        where = place_of(settings, str(model), str(task))
        yield (
            f"- **{where}**, behind layer {row['layer']}, n = {row['n_items']} items (at most "
            f"{missing} without a reading): {ends(settings)}. The axes of both halves of the items "
            f"agree by a cosine of {cosine}. "
            + (
                "So there is no axis on which to stand."
                if row["position"] is None
                else f"Beside the roles: {_told(own, settings)}."
            )
        )
    yield ""
    yield (
        "A position says what an answer is like inside the model; not what the model believes, and "
        "not that the position does anything. Whether it goes with effects over personas is in "
        "table axis_effects, where many correlations are told and none is adjusted."
    )


def _told(rows: Sequence[Row], settings: Settings) -> str:
    own = [row for row in rows if row["end"] is None]
    told = [
        f"{named(settings, row['persona'])} "
        + number(row["position"], row["position_low"], row["position_high"])
        for row in own
    ]
    return ", ".join(told) or "nobody"


def _doses(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    keys = ("model", "task", "towards", "metric")
    for place, part in tables["steering"].group_by(keys, maintain_order=True):
        model, task, target, metric = map(str, place)
        where = place_of(settings, model, task)
        goal = "the mean of the roles" if target == _ROLES else named(settings, target)
        told = [_dose(row) for row in part.iter_rows(named=True)]
        yield f"- **{where}**, towards {goal}, {metric.replace('_', ' ')}: {'; '.join(told)}."
    rule = settings["readings"]["incoherent"]
    yield ""
    yield (
        "Effects are in points against no persona, of the model that is moved and told nothing. "
        "Incoherent (own rule) is an answer whose perplexity without steering is above "
        f"{rule['perplexity']:g} times what 99% of the answers without a persona have at most, or "
        f"that repeats {100 * rule['repeated']:g}% or more of its runs of four tokens: an effect "
        "that comes with many of them is that of a broken model."
    )


def _dose(row: Row) -> str:
    way = {NONE: "nothing", TEXT: "as text"}.get(row["way"], f"{row['way']} {row['dose']}")
    effect = (
        ""
        if row["way"] == NONE
        else f" {points(row['difference'])} {points_within(row['low'], row['high'])},"
    )
    invalid = f", {row['n_invalid']} invalid" if row["n_invalid"] else ""
    return f"{way}{effect} {row['n_incoherent']} of {row['n_read']} incoherent{invalid}"


SECTIONS: tuple[Section, ...] = (
    ("Where personas stand in the residual stream", ("axis",), _positions),
    ("What steering does", ("steering",), _doses),
)
