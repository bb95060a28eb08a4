"""Answers to cases that several raters rated, made up or drawn from a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from routed_cases import SETTINGS

from persona_paradox.kinds.triage.measures import Triaged, answers
from persona_paradox.kinds.triage.scoring import SCHEMA

LEVELS = ["red", "orange", "yellow", "green"]
VIEW: dict[str, Any] = {
    "levels": LEVELS,
    "labels": ["1", "2", "3", "4"],
    "high_acuity": ["red", "orange"],
    "cost": {"under": 2, "over": 1},
    "subgroups": [],
    "label_mass_warning_below": 0.5,
}

SHOWN: dict[str, Any] = {
    "title": "Ambiguous",
    "models": {"m": "Tiny"},
    "baseline": "no_persona",
    "personas": {"no_persona": {"title": "No persona"}, "nurse": {"title": "Nurse"}},
    "tasks": {"t": {"title": "Triage", "teaching": True, "sample": None, "clustered": False}},
    "too_few_below": 3,
    "ambiguity": ["t"],
} | SETTINGS


def scores(
    p: Any,
    reference: Sequence[int],
    answer: Sequence[int] | None = None,
    clusters: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Scores of a cell by levels' numbers; the likeliest level is the answer where none is given.

    Args:
        p: probabilities, shape (items, levels); nan where they are unknown.
        reference: number of the right level of every item.
        answer: of the one that is answered, -1 where it is invalid.
        clusters: of the items.
    """
    known = ~np.isnan(p).any(axis=1)
    chosen = np.nan_to_num(p).argmax(axis=1) if answer is None else np.asarray(answer)
    label = [VIEW["labels"][one] if one >= 0 else None for one in chosen]
    rows = {
        "item_id": [f"item_{i:04d}" for i in range(len(p))],
        "variant": ["main"] * len(p),
        "repeat": [0] * len(p),
        "reference": [VIEW["labels"][one] for one in reference],
        "label": label,
        "outcome": ["unreadable" if one is None else "right" for one in label],
        "parse_status": ["label"] * len(p),
        "label_probabilities": [
            row if one else None for row, one in zip(p.tolist(), known, strict=True)
        ],
        "cluster": clusters or [None] * len(p),
        "label_mass": [1.0] * len(p),
        "backend": ["llama.cpp"] * len(p),
    }
    empty = {name: [None] * len(p) for name in SCHEMA if name not in rows}
    return pl.DataFrame(rows | empty, schema=SCHEMA)


def cell(*args: Any, **more: Any) -> Triaged:
    """The answers of such scores."""
    return answers(scores(*args, **more), VIEW)


def drawn(seed: int, n: int, *, sharp: float = 1.0) -> tuple[Any, Any]:
    """Probabilities of a model that is right as often as it says, and right levels."""
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.full(len(LEVELS), 1 / sharp), size=n)
    right = (generator.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)
    return p, np.minimum(right, len(LEVELS) - 1)
