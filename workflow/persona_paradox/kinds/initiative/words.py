"""The results of initiative in words."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...words import (
    Section,
    Settings,
    Tables,
    effect,
    excludes_zero,
    named,
    number,
    of_personas,
    place_of,
    rows_of,
    share,
    share_of,
    titles,
)
from .ruled import DIMENSION

# Measure whose contrasts are told → its name, which items are in it, and their number of a cell.
_TOLD = {
    "proactivity": ("proactivity", "planted", "n_planted"),
    "over_intervention": ("over-intervention", "clean", "n_clean"),
}


def _initiative(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    cells = tables["cells"].filter(pl.col("variant") == "main")
    for (model, task), part in cells.group_by("model", "task", maintain_order=True):
        first = part.row(0, named=True)
        if first.get("n_planted") is None:
            continue
        yield (
            f"**{place_of(settings, model, task)}** ({first['n_planted']} planted and "
            f"{first['n_clean']} clean items)"
        )
        yield ""
        for row in part.iter_rows(named=True):
            yield (
                f"- {named(settings, row['persona'])}: names {share_of(row, 'proactivity')} of "
                "what is planted, raises a problem in "
                f"{share_of(row, 'over_intervention')} of the clean items; macro F1 "
                f"{share_of(row, 'initiative_f1')}; {row['n_invalid']} of {row['n']} answers are "
                f"invalid ({row['n_refused']} refuse)."
            )
        yield ""
    yield (
        "Answers are read by a rule, whose precision and recall stand in "
        "docs/reference/initiative.md. A model that complains whatever the case says raises both "
        "shares: only a high first one beside a low second one says that it looks."
    )


def _against(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    main = of_personas(tables).filter(pl.col("variant") == "main")
    main = main.filter(pl.col("metric").is_in(list(_TOLD)))
    told = False
    for (model, task, metric), rows in main.filter(excludes_zero(settings)).group_by(
        "model", "task", "metric", maintain_order=True
    ):
        told = True
        effects = "; ".join(effect(row, settings, in_points=True) for row in rows.to_dicts())
        name, which, count = _TOLD[metric]
        # The items of a task are those of every one of its cells.
        n = rows_of(tables, "cells", model=model, task=task)[0][count]
        yield (
            f"- {place_of(settings, model, task)}, {name} (points): {effects}. n = {n} {which} "
            "items."
        )
    if not told:
        yield "No unadjusted interval of a contrast in proactivity or over-intervention excludes 0."
    else:
        yield ""
        yield "These are the contrasts whose unadjusted interval excludes 0."


def _agreement(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    rows = rows_of(tables, "agreement", question=DIMENSION, kind="rule–judge")
    by_pair = {(row["task"], row["rater_a"], row["statistic"]): row for row in rows}
    for row in rows:
        if row["statistic"] != "kappa":
            continue
        same = by_pair[row["task"], row["rater_a"], "agreement"]
        judge = settings.get("judges", {}).get(row["rater_a"], {}).get("title", row["rater_a"])
        yield (
            f"- {titles(settings)[row['task']]['title']}, {judge}"
            + " (NOT USABLE)" * (row["usable"] is False)
            + f": Cohen's κ {number(row['value'], row['low'], row['high'])}; the same class in "
            f"{share(same['value'], same['low'], same['high'])} of {row['n']} answers that both "
            "read."
        )


OWN = ("proactivity, over-intervention and macro F1 of initiative, and the rule that reads them",)
SECTIONS: tuple[Section, ...] = (
    ("Initiative: who names a planted problem", ("cells",), _initiative),
    ("Initiative: what a persona changes", ("cells", "contrasts"), _against),
    ("Initiative: judge and rule", ("agreement",), _agreement),
)
