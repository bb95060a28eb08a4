"""Where personas stand, and what moving a model there does, in words."""

from __future__ import annotations

from collections.abc import Iterator

from ..words import (
    Row,
    Section,
    Settings,
    Tables,
    named,
    number,
    place_of,
    plain,
    points,
    points_within,
    span,
    table_of,
)
from .doses import NONE, TEXT
from .shown import ends, shown_layer

_ROLES = "roles"


def _positions(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    first = shown_layer(tables["axis"], settings).filter(turn=0)
    for (model,), of_model in first.group_by("model", maintain_order=True):
        stand: dict[str, dict[str, str]] = {}
        for (task,), part in of_model.group_by("task", maintain_order=True):
            own = [*part.iter_rows(named=True)]
            row = own[0]
            cosine = number(row["axis_cosine"], row["axis_cosine_low"], row["axis_cosine_high"])
            missing = max(one["n_missing"] for one in own)
            yield (
                f"- **{place_of(settings, str(model), str(task))}**, behind layer {row['layer']}, "
                f"n = {row['n_items']} items (at most {missing} without a reading): "
                f"{ends(settings)}. The axes of both halves of the items agree by a cosine of "
                f"{cosine}."
                + (" So there is no axis on which to stand." if row["position"] is None else "")
            )
            for one in own:
                if one["end"] is None and one["position"] is not None:
                    told = number(one["position"], one["position_low"], one["position_high"])
                    stand.setdefault(one["persona"], {})[str(task)] = told
        tasks = [*dict.fromkeys(task for told in stand.values() for task in told)]
        yield from table_of(
            ("beside the roles", *(settings["tasks"][task]["title"] for task in tasks)),
            (
                (named(settings, persona), *(told.get(task, "–") for task in tasks))
                for persona, told in stand.items()
            ),
        )
    yield ""
    yield (
        "A position says what an answer is like inside the model; not what the model believes, and "
        "not that the position does anything. Whether it goes with effects over personas is in "
        "table axis_effects, where many correlations are told and none is adjusted."
    )


def _doses(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    keys = ("model", "task", "towards")
    for place, part in tables["steering"].group_by(keys, maintain_order=True):
        model, task, target = map(str, place)
        where = place_of(settings, model, task)
        goal = "the mean of the roles" if target == _ROLES else named(settings, target)
        yield f"**{where}**, towards {goal} (n = {span(part['n'])})"
        metrics = [*dict.fromkeys(part["metric"])]
        lines = []
        for _dose, own in part.group_by("persona", "dose", "way", maintain_order=True):
            of = {row["metric"]: row for row in own.iter_rows(named=True)}
            row = next(iter(of.values()))
            told = [_effect(of[metric]) if metric in of else "–" for metric in metrics]
            incoherent = f"{row['n_incoherent']} of {row['n_read']}"
            lines.append((_way(row), *told, str(own["n_invalid"].max()), incoherent))
        head = ("", *(plain(metric) for metric in metrics), "invalid", "incoherent")
        yield from table_of(head, lines)
    rule = settings["readings"]["incoherent"]
    yield (
        "Effects are in points against no persona, of the model that is moved and told nothing; "
        "of nothing at all the share itself. An invalid answer is neither over- nor under-triage: "
        "where many are invalid, both rates fall because nothing was said. Incoherent (own rule) "
        "is an answer whose perplexity without steering is above "
        f"{rule['perplexity']:g} times what 99% of the answers without a persona have at most, or "
        f"that repeats {100 * rule['repeated']:g}% or more of its runs of four tokens: an effect "
        "that comes with many of them is that of a broken model."
    )


def _way(row: Row) -> str:
    """Nothing, the text, or a push or cap with its dose."""
    way = {NONE: "nothing", TEXT: "as text"}.get(row["way"])
    return way or f"{row['way']} {row['dose']:g}".replace("-", "−")


def _effect(row: Row) -> str:
    if row["way"] == NONE:
        return "–" if row["value"] is None else f"{100 * row['value']:.1f}%"
    return f"{points(row['difference'])} {points_within(row['low'], row['high'])}"


SECTIONS: tuple[Section, ...] = (
    ("Where personas stand in the residual stream", ("axis",), _positions),
    ("What steering does", ("steering",), _doses),
)
