"""The results of triage in words."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...words import Section, Settings, Tables, effect, excludes_zero, of_personas, place_of
from ..labelled import words as labelled

# Measures whose contrasts stand in the section on risk.
_RISK = {
    "under_triage_rate": "under-triage",
    "over_triage_rate": "over-triage",
    "criterion": "criterion c",
    "d_prime": "d′",
}
_POINTS = frozenset({"under_triage_rate", "over_triage_rate"})


def _risk(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    main = of_personas(tables).filter(pl.col("variant") == "main")
    told = False
    for (model, task), part in main.filter(pl.col("metric").is_in(list(_RISK))).group_by(
        "model", "task", maintain_order=True
    ):
        shown = part.filter(excludes_zero(settings))
        for (metric,), rows in shown.group_by("metric", maintain_order=True):
            told = True
            effects = "; ".join(
                effect(row, settings, metric in _POINTS) for row in rows.iter_rows(named=True)
            )
            yield (
                f"- {place_of(settings, model, task)}, "
                f"{_RISK[metric]}{' (points)' * (metric in _POINTS)}: {effects}. n = "
                f"{rows.item(0, 'n')}."
            )
    yield ""
    yield (
        "These are the contrasts whose unadjusted interval excludes 0. c above 0 is reluctant to "
        "call an emergency; d′ says how well emergencies are told from the rest (our own reading)."
        if told
        else (
            "No unadjusted interval of a contrast in under-triage, over-triage, c or d′ excludes 0."
        )
    )


OWN = ("consistency rates", "c and d′ as risk propensity and sensitivity", "the cost")
_ANY = labelled.SECTIONS
SECTIONS: tuple[Section, ...] = (
    *_ANY[:2],
    ("Risk: which way the errors go", ("contrasts",), _risk),
    *_ANY[2:],
)
