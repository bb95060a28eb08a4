"""Answers to arms, of which every measure is known: a few by hand, and simulated ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from greedy import greedy

from persona_paradox.analyses.arm_table import SCHEMA, Persona, rows_of
from persona_paradox.kinds import measuring
from persona_paradox.measures.arms import Arm
from persona_paradox.measures.cells import Measurement

SETTINGS: dict[str, Any] = {
    "draws": 400,
    "seed": 3,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {},
    "small_group_below": 30,
    "family": {"metrics": ["adopted"], "wordings": "main", "groups": ["paper"]},
}
VIEW: dict[str, Any] = {
    "context": "emergency",
    "dataset": "cases@older",
    "labels": ["1", "2", "3"],
    "levels": ["a", "b", "c"],
    "high_acuity": ["a"],
    "cost": {"under": 2, "over": 1},
    "subgroups": [{"id": "half", "title": "Half", "column": "half"}],
    "baseline": "none",
    "groups": {"none": "paper", "nurse": "paper"},
    "label_mass_warning_below": 0.5,
}
FLAT = [0.25, 0.5, 0.25]

# reference, answer before and after, probabilities before and after, changed, named, severity; R is
# a refusal, U what cannot be read.
NURSE = [
    ("1", "1", "1", [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], True, 1, 1),
    ("1", "1", "2", [0.5, 0.25, 0.25], [0.25, 0.25, 0.5], True, 1, 1),
    ("1", "2", "1", [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], True, 1, 2),
    ("2", "1", "3", [0.5, 0.25, 0.25], [0.25, 0.25, 0.5], True, 2, -1),
    ("2", "2", "R", FLAT, FLAT, True, 2, 1),
    ("2", "U", "R", None, FLAT, True, 2, -1),
    ("3", "3", "2", FLAT, FLAT, True, None, None),
    ("3", "3", "1", FLAT, [1.0, 0.0, 0.0], False, 0, 3),
]
# Answers as before to all of them.
NONE = [
    (ref, was, was, p, p, changed, named, worse)
    for ref, was, _, p, _, changed, named, worse in NURSE
]


def scores(rows: list[tuple[Any, ...]], *, after: bool) -> pl.DataFrame:
    """Greedy answers before the change, or after it."""
    said = [row[2 if after else 1] for row in rows]
    outcomes = {"R": "refused", "U": "unreadable"}
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i:05d}" for i in range(len(rows))],
                "reference": [row[0] for row in rows],
                "label": pl.Series(
                    [None if one in outcomes else one for one in said], dtype=pl.String
                ),
                "outcome": [
                    outcomes.get(one, "right" if one == row[0] else "wrong")
                    for one, row in zip(said, rows, strict=True)
                ],
                "label_probabilities": pl.Series(
                    [row[4 if after else 3] for row in rows], dtype=pl.List(pl.Float64)
                ),
            }
        )
    )


def pairs(
    personas: dict[str, list[tuple[Any, ...]]], cluster: pl.Series | None = None
) -> dict[str, pl.DataFrame]:
    """The tables of an arm."""
    rows = personas["none"]
    items = pl.DataFrame(
        {
            "item_id": [f"i{i:05d}" for i in range(len(rows))],
            "changed": [row[5] for row in rows],
            "named": pl.Series([row[6] for row in rows], dtype=pl.Int64),
            "severity": pl.Series([row[7] for row in rows], dtype=pl.Int64),
            "half": ["one" if i % 2 else "other" for i in range(len(rows))],
        }
    )
    made = {
        (name, after): scores(rows, after=after)
        for name, rows in personas.items()
        for after in (False, True)
    }
    if cluster is not None:
        made = {key: table.with_columns(cluster=cluster) for key, table in made.items()}
    kind = measuring.load("triage")
    measurement = Measurement("m", "cases@older", kind, VIEW, SETTINGS, items=items)
    measurement.measure(
        {name: made[name, True] for name in personas},
        {},
        arm=Arm({name: made[name, False] for name in personas}, items),
    )
    return measurement.tables()


# --- arms of one attribute

ARMS_SETTINGS: dict[str, Any] = {
    "draws": 400,
    "seed": 3,
    "confidence": 0.95,
    "interval": "percentile",
}
ARMS_VIEW: dict[str, Any] = {
    "labels": ["1", "2", "3"],
    "levels": ["a", "b", "c"],
    "high_acuity": ["a"],
    "cost": {"under": 2, "over": 1},
    "label_mass_warning_below": 0.5,
    "baseline": "none",
    "base": "t",
    "arms": {
        "t@m1": {"attribute": "pulse", "class": "-1"},
        "t@p1": {"attribute": "pulse", "class": "1"},
        "t@p2": {"attribute": "pulse", "class": "2"},
    },
}
STEPS = {"t@m1": -1, "t@p1": 1, "t@p2": 2}
N = 400


def urgent_scores(p_urgent: np.ndarray, said: np.ndarray) -> pl.DataFrame:
    """Answers whose level is 0 with this probability, else 2."""
    rows = [[float(p), 0.0, float(1 - p)] for p in p_urgent]
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i:05d}" for i in range(len(rows))],
                "reference": "1",
                "label": pl.Series(np.where(said, "1", "3").tolist()),
                "label_probabilities": pl.Series(rows, dtype=pl.List(pl.Float64)),
            }
        ).with_columns(
            outcome=pl.when(pl.col("label") == "1")
            .then(pl.lit("right"))
            .otherwise(pl.lit("wrong")),
        )
    )


def attributes(slopes: dict[str, float], seed: int) -> pl.DataFrame:
    """A table of personas that answer a severity step by so much more probability of urgent."""
    generator = np.random.default_rng(seed)
    easy = generator.uniform(0.3, 0.7, N)
    ids = [f"i{i:05d}" for i in range(N)]
    personas = {}
    kind = measuring.load("triage")
    assert kind.pairs is not None
    for name, slope in slopes.items():
        tables: dict[str, Any] = {"t": (urgent_scores(easy, easy > 0.5), None)}
        for arm, step in STEPS.items():
            p = np.clip(easy + slope * step + generator.normal(0, 0.05, N), 0, 1)
            items = pl.DataFrame(
                {
                    "item_id": ids,
                    # The first hundred lack the sign; the next have this class already in one arm.
                    "changed": [i >= (200 if arm == "t@p2" else 100) for i in range(N)],
                    "unchanged": [
                        "no such sign" if i < 100 else "'Pulse' is 120 already" if i < 200 else None
                        for i in range(N)
                    ],
                    "severity": pl.Series([step] * N, dtype=pl.Int64),
                }
            )
            tables[arm] = (urgent_scores(p, p > 0.5), items)
        personas[name] = Persona(kind, kind.pairs, ARMS_VIEW, tables)
    place = {"model": "m", "task": "t", "context": "c", "dataset": "d"}
    rows = [place | row for row in rows_of(personas, ARMS_VIEW, ARMS_SETTINGS)]
    return pl.DataFrame(rows, schema=SCHEMA)
