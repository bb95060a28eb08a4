"""A simulated model that flatters under one persona: it is found, and no other one is claimed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr, ndtri

from persona_paradox.kinds.labelled import measures, pairs
from persona_paradox.measures import tabulation
from persona_paradox.measures.arms import Arm, PairMeasures
from persona_paradox.measures.cells import Kind, Measurement

pytestmark = pytest.mark.simulation

SAMPLES, ITEMS = 300, 300
# Of the answers to a sentence that names a wrong option how many follow it, before some of them
# become unreadable; the item's own part is the same under every persona.
FOLLOWS, MORE, ALIKE, UNREADABLE = 0.15, 0.20, 0.5, 0.03
PERSONAS = ("none", "agreeable", "a", "b", "c")
# How often a persona was right, and how often the named option was its answer already.
RIGHT = {"none": 0.7, "agreeable": 0.5, "a": 0.6, "b": 0.8, "c": 0.7}
BEFORE = 0.1
P_BEFORE, P_AFTER, P_MORE = 0.2, 0.3, 0.1

VIEW: dict[str, Any] = {
    "context": "c",
    "dataset": "d@named",
    "labels": ["A", "B", "C"],
    "subgroups": [],
    "baseline": "none",
    "groups": dict.fromkeys(PERSONAS, "tested"),
    "label_mass_warning_below": 0.0,
}
METRICS = ["adopted", "lost"]
SETTINGS: dict[str, Any] = {
    "draws": 500,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {},
    "family": {"metrics": METRICS, "wordings": "main", "groups": ["tested"]},
}
# What the true differences of the agreeable persona are, in the whole population.
TRUTH = {
    "adopted": (1 - UNREADABLE) * MORE,
    "lost": (1 - UNREADABLE) * MORE,
    "p_named_change": P_MORE,
}


def scores(answer: np.ndarray, p_named: np.ndarray) -> pl.DataFrame:
    """Greedy answers to items whose right option is A; no answer is unreadable."""
    missing = pl.lit(None, dtype=pl.String)
    label = pl.Series(answer.tolist(), dtype=pl.String)
    p = [[float((1 - one) / 2), float(one), float((1 - one) / 2)] for one in p_named]
    return pl.DataFrame(
        {
            "item_id": [f"i{i:05d}" for i in range(len(answer))],
            "label": label,
            "label_probabilities": pl.Series(p, dtype=pl.List(pl.Float64)),
        }
    ).with_columns(
        reference=pl.lit("A"),
        outcome=pl.when(label.is_null()).then(pl.lit("unreadable")).otherwise(pl.lit("wrong")),
        repeat=pl.lit(0),
        variant=pl.lit("main"),
        cluster=missing,
        label_logprob_argmax=missing,
        label_contextual=missing,
        label_mass=missing.cast(pl.Float64),
        parse_status=pl.lit("label"),
        backend=pl.lit("simulation"),
    )


def sample(more: float, generator: np.random.Generator) -> pl.DataFrame:
    """The contrasts of one sample of items, with `p_holm`; the agreeable persona follows more."""
    item = np.sqrt(ALIKE) * generator.standard_normal(ITEMS)
    before, after = {}, {}
    for persona in PERSONAS:
        agrees = persona == "agreeable"
        noise = np.sqrt(1 - ALIKE) * generator.standard_normal(ITEMS)
        follows = ndtri(FOLLOWS + more * agrees) + item + noise > 0
        was = np.where(generator.random(ITEMS) < RIGHT[persona], "A", "C").astype(object)
        was = np.where(generator.random(ITEMS) < BEFORE, "B", was)
        now = np.where(follows, "B", was)
        now = np.where(generator.random(ITEMS) < UNREADABLE, None, now)
        p = generator.uniform(0, 2 * (P_AFTER + (P_MORE if more else 0) * agrees), ITEMS)
        before[persona] = scores(was, np.full(ITEMS, P_BEFORE))
        after[persona] = scores(now, p)
    items = before["none"].select("item_id", changed=pl.lit(True), named=pl.lit(1))
    kind = Kind(
        id="labelled",
        labels=True,
        metrics=measures.METRICS,
        counts=measures.COUNTS,
        answers=measures.answers,
        tables={},
        pairs=PairMeasures(pairs.METRICS, pairs.pairs, pairs.OUTCOMES, pairs.outcomes),
    )
    settings = SETTINGS | {"seed": int(generator.integers(2**32))}
    measurement = Measurement("m", "t@named", kind, VIEW, settings)
    measurement.measure(after, {}, arm=Arm(before, items))
    table = measurement.tables()["contrasts"].lazy()
    return tabulation.with_family(table, settings, VIEW).collect()


@cache
def samples(more: float) -> pl.DataFrame:
    """The contrasts of all samples, with the number of the sample."""
    generator = np.random.Generator(np.random.PCG64([2026, int(100 * more)]))
    tables = [sample(more, generator).with_columns(sample=pl.lit(i)) for i in range(SAMPLES)]
    return pl.concat(tables)


def claimed() -> pl.Expr:
    return pl.col("p_holm") <= 0.05


def test_flattery_of_20_points_is_found() -> None:
    table = samples(MORE).filter(persona="agreeable")
    for metric in METRICS:
        found = table.filter(claimed(), pl.col("difference") > 0, metric=metric)
        assert found.height >= 0.8 * SAMPLES, metric


def test_no_other_persona_is_claimed_more_often_than_5_percent_of_studies() -> None:
    """Of 300 studies with 5% false claims 22 or fewer have one in 97 of 100 cases."""
    for more in (0.0, MORE):
        table = samples(more)
        others = table if not more else table.filter(pl.col("persona") != "agreeable")
        wrong = others.filter(claimed(), pl.col("in_family"))["sample"].n_unique()
        assert wrong <= 22, more


@pytest.mark.parametrize("metric", TRUTH)
def test_intervals_of_the_difference_cover(metric: str) -> None:
    for more in (0.0, MORE):
        table = samples(more).filter(persona="agreeable", metric=metric)
        truth = TRUTH[metric] if more else 0.0
        held = table.filter(pl.col("low") <= truth, truth <= pl.col("high")).height / SAMPLES
        assert 0.92 <= held <= 0.98, (more, held)


def test_what_is_simulated_is_what_is_said() -> None:
    """The shares of the whole population, by the formulas of the model."""
    table = samples(MORE).filter(persona="agreeable", metric="adopted")
    expected = (1 - UNREADABLE) * ndtr(ndtri(FOLLOWS + MORE))
    assert table["value"].mean() == pytest.approx(expected, abs=0.01)
    assert table["difference"].mean() == pytest.approx(TRUTH["adopted"], abs=0.01)
