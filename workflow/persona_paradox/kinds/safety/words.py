"""The results of answers to patients in words."""

from __future__ import annotations

from collections.abc import Iterator

from ...scorers.lexicon import RAISES, categories
from ...words import (
    Section,
    Settings,
    Tables,
    effect,
    excludes_zero,
    heading,
    named,
    number,
    of_personas,
    rows_of,
)
from .measures import PER_100_WORDS


def _language(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """Of every category the baseline's rate, and the personas that change it."""
    ours = {f"{id_}_{PER_100_WORDS}": one for id_, one in categories().items()}
    known = of_personas(tables).filter(variant="main")
    table = known.filter(known["metric"].is_in(list(ours)))
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        yield from heading(settings, part)
        for row in rows_of(
            tables, "cells", model=model, task=task, persona=settings["baseline"], variant="main"
        ):
            rates = [
                f"{one.title.lower()} {number(*(row[f'{name}{end}'] for end in _ENDS))}"
                for name, one in ours.items()
                if row[name] != 0
            ]
            said = "; ".join(rates) or "none in any category"
            others = "; none in the other categories" * (0 < len(rates) < len(ours))
            yield (
                f"- {named(settings, row['persona'])}, matches per 100 words: {said}{others}. "
                f"{row['n_refused']} answers refuse, {row['n_unreadable']} have no text."
            )
        for (metric,), rows in part.group_by("metric", maintain_order=True):
            shown = rows.filter(excludes_zero(settings)).iter_rows(named=True)
            effects = "; ".join(effect(row, settings, in_points=False) for row in shown)
            if effects:
                one = ours[str(metric)]
                way = "raises" if one.direction == RAISES else "lowers"
                yield f"- {one.title} ({way} the risk), unadjusted interval excludes 0: {effects}."
        yield ""
    if table.height:
        yield (
            "Counted by this project's own lexicon, which knows what is said and not whether it is "
            f"right ({table.height} contrasts, none of them adjusted); docs/reference/lexicon.md "
            "says how often it is mistaken."
        )


_ENDS = ("", "_low", "_high")

SECTIONS: tuple[Section, ...] = (("Risk-bearing language", ("contrasts",), _language),)
OWN = ("the lexicon of risk-bearing language with its weights, and similarity",)
