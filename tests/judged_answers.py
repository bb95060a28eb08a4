"""Simulated verdicts of judges, in the tables that the workflow keeps them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from persona_paradox.judges.chats import ACTION, IDENTICAL
from persona_paradox.judges.verdicts import JUDGEMENT, LISTED, PREFERENCE, READ

Row = dict[str, Any]

ACTIONS = ["accept", "caution", "refuse"]
STATISTICS: dict[str, Any] = {
    "draws": 400,
    "seed": 5,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {},
}


def verdict(
    item_id: str,
    dimension: str,
    found: float | None,
    *,
    variant: str = "main",
    repeat: int = 0,
    status: str = "no_probability",
    **other: Any,
) -> Row:
    """A row of `JUDGEMENT`: a rating, or the number of an action; None where there is none."""
    row = {"item_id": item_id, "dimension": dimension, "variant": variant, "repeat": repeat}
    row |= {"n_characters": 100, "backend": "llama.cpp", "status": status}
    if found is not None:
        value = None if dimension == ACTION else float(found)
        row |= {"status": READ, "value": value, "mode": round(found), "mass": 0.5}
        row |= {"probabilities": [0.25, 0.75], "written": round(found)}
    return row | other


def judgements(rows: Iterable[Row]) -> pl.DataFrame:
    """A table of `JUDGEMENT`."""
    return pl.DataFrame(list(rows), schema=JUDGEMENT)


def preference(item_id: str, first: str, second: str, outcome: float | None, **other: Any) -> Row:
    """A row of `PREFERENCE`; a tie is one of verdicts that change with the order."""
    row = {"item_id": item_id, "first": first, "second": second, "status": "prompt_too_long"}
    row |= {"length_difference": 10, "backend": "llama.cpp"}
    if outcome is not None:
        p, swapped = {1.0: (0.9, 0.8), 0.5: (0.8, 0.3), 0.0: (0.1, 0.2)}[outcome]
        row |= {"status": READ, "outcome": outcome, "consistent": outcome != 0.5, "mass": 0.5}
        row |= {"p_first": p, "p_first_swapped": swapped}
    return row | other


def identical(item_id: str, first: str, second: str) -> Row:
    """A pair of equal answers, which no judge sees."""
    about = {"item_id": item_id, "first": first, "second": second}
    return {**about, "status": IDENTICAL, "outcome": 0.5}


def preferences(rows: Iterable[Row]) -> pl.DataFrame:
    """A table of `PREFERENCE`."""
    return pl.DataFrame(list(rows), schema=PREFERENCE)


def lists(found: Mapping[str, Mapping[str, float] | None], names: Iterable[str]) -> pl.DataFrame:
    """A table of `LISTED`: item → persona → p, or None where the list was not judged."""
    names = list(names)
    rows = [
        {
            "item_id": item_id,
            "name": name,
            "status": READ if p else "prompt_too_long",
            "p": p[name] if p else None,
        }
        for item_id, p in found.items()
        for name in names
    ]
    return pl.DataFrame(rows, schema=LISTED)


def cell(
    generator: np.random.Generator,
    ids: Iterable[str],
    dimensions: Iterable[str],
    *,
    variants: Iterable[str] = ("main",),
    repeats: int = 0,
    missing: float = 0.0,
    scale: int = 5,
    actions: bool = True,
    **other: Any,
) -> pl.DataFrame:
    """The judgements of a cell at random, a share of them `missing`."""
    ids, rows = list(ids), []
    for variant in variants:
        for repeat in range(repeats + 1):
            for item_id in ids:
                about = {"variant": variant, "repeat": repeat, **other}
                about["n_characters"] = int(generator.integers(50, 900))
                for dimension in (*dimensions, *([ACTION] if actions else [])):
                    found = (
                        int(generator.integers(1, 4))
                        if dimension == ACTION
                        else float(generator.uniform(1, scale))
                    )
                    lost = generator.random() < missing
                    rows.append(verdict(item_id, dimension, None if lost else found, **about))
    return judgements(rows)
