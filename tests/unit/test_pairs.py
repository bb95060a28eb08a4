"""Measures of an arm's answers against those to the unchanged items: worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from known_arms import FLAT, NONE, NURSE, pairs
from scipy.stats import entropy
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.kinds.labelled.pairs import divergence
from persona_paradox.measures.pairs import exchange_p
from persona_paradox.measures.statistics import mcnemar_exact


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return pairs({"none": NONE, "nurse": NURSE})


def row(table: pl.DataFrame, metric: str, **wanted: str) -> dict[str, Any]:
    whole = table.filter(pl.col("subgroup").is_null()) if "subgroup" in table.columns else table
    return whole.filter(metric=metric, **wanted).row(0, named=True)


LN2 = math.log(2)


@pytest.mark.parametrize(
    ("metric", "n", "value"),
    [
        # Items 1, 2, 3, 4, 5, 6 of the seven that are changed: an answer that was unreadable and is
        # refused now has not become another one.
        ("flip_rate", 7, 5 / 7),
        ("flip_right_to_wrong", 7, 3 / 7),
        ("flip_wrong_to_right", 7, 1 / 7),
        ("flip_wrong_to_wrong", 7, 1 / 7),
        ("flip_invalid", 7, 1 / 7),
        # Right before were items 0, 1, 4 and 6; wrong 2, 3 and 5.
        ("lost", 4, 3 / 4),
        ("gained", 3, 1 / 3),
        # Named: 1, 1, 1, 2, 2, 2; item 2 was at 1 before. Item 3 alone goes to 2, item 1 to 1.
        ("adopted", 5, 2 / 5),
        ("adopted_of_right", 3, 1 / 3),
        ("named_rate", 6, 2 / 6),
        # Item 5 has no probabilities before.
        ("kl", 6, (0.25 * LN2 + 0.25 * LN2 + 0.25 * LN2 + 0.25 * LN2) / 6),
        ("p_right_change", 6, (-0.25 - 0.25 + 0.25 + 0 + 0 + 0) / 6),
        ("p_named_change", 5, (0.25 + 0 - 0.25 + 0.25 + 0) / 5),
        ("expected_level_change", 6, (0.25 + 0.5 - 0.25 + 0.5 + 0 + 0) / 6),
        # Worse: less urgent twice, more urgent once; better: less urgent.
        ("directional", 4, 2 / 4),
    ],
)
def test_a_measure_is_what_is_worked_out_by_hand(
    tables: dict[str, pl.DataFrame], metric: str, n: int, value: float
) -> None:
    found = row(tables["measures"], metric, persona="nurse")
    assert found["n"] == n
    assert found["value"] == pytest.approx(value)
    assert found["low"] <= found["value"] <= found["high"]


def test_nothing_moves_where_the_answers_stay(tables: dict[str, pl.DataFrame]) -> None:
    for metric in ("flip_rate", "lost", "adopted", "kl", "p_right_change", "expected_level_change"):
        assert row(tables["measures"], metric, persona="none")["value"] == 0
    # The third item's answer was the option that is named, and is still.
    assert row(tables["measures"], "named_rate", persona="none")["value"] == 1 / 6


def test_what_is_refused_or_unreadable_is_counted_beside_every_measure(
    tables: dict[str, pl.DataFrame],
) -> None:
    counted = {
        "flip_rate": (2, 2, 0),
        "lost": (1, 1, 0),
        "gained": (1, 1, 0),
        "adopted_of_right": (1, 1, 0),
        "directional": (0, 0, 0),
    }
    for metric, found in counted.items():
        got = row(tables["measures"], metric, persona="nurse")
        assert (got["n_invalid"], got["n_refused"], got["n_unreadable"]) == found


def test_a_share_has_wilsons_interval_and_a_shift_that_of_the_bootstrap(
    tables: dict[str, pl.DataFrame],
) -> None:
    found = row(tables["measures"], "lost", persona="nurse")
    low, high = proportion_confint(3, 4, method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    found = row(tables["measures"], "expected_level_change", persona="nurse")
    assert found["low"] < found["value"] < found["high"]


def test_the_three_parts_make_the_flips(tables: dict[str, pl.DataFrame]) -> None:
    parts = [f"flip_{part}" for part in ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")]
    for persona in ("none", "nurse"):
        whole = row(tables["measures"], "flip_rate", persona=persona)["value"]
        assert whole == pytest.approx(
            sum(row(tables["measures"], part, persona=persona)["value"] for part in parts)
        )


def test_they_stand_in_groups_of_items_too(tables: dict[str, pl.DataFrame]) -> None:
    found = tables["subgroups"].filter(persona="nurse", metric="flip_rate")
    values = dict(found.select("group", "value").iter_rows())
    # Items 1, 3, 5 and 0, 2, 4, 6.
    assert values == pytest.approx({"one": 2 / 3, "other": 3 / 4})


def test_shares_of_the_same_items_are_compared_by_mcnemars_test() -> None:
    tables = pairs({"none": NONE * 5, "nurse": NURSE * 5})
    found = row(tables["contrasts"], "flip_rate", persona="nurse", against="persona")
    assert (found["n"], found["n_baseline"], found["test"]) == (35, 35, "exact McNemar")
    assert found["difference"] == pytest.approx(5 / 7)
    assert (found["n_gained"], found["n_lost"]) == (25, 0)
    assert found["p"] == pytest.approx(mcnemar_exact(25, 0))
    clusters = pl.Series([f"c{i // 8}" for i in range(40)])
    clustered = pairs({"none": NONE * 5, "nurse": NURSE * 5}, clusters)["contrasts"]
    found = row(clustered, "flip_rate", persona="nurse", against="persona")
    assert found["test"] == "clustered McNemar"


def test_a_pair_measure_is_compared_with_the_baseline_only(
    tables: dict[str, pl.DataFrame],
) -> None:
    found = tables["contrasts"].filter(pl.col("metric").is_in(["flip_rate", "kl", "lost"]))
    assert found["against"].unique().to_list() == ["persona"]


def flatterers(
    share: dict[str, float], right: dict[str, float], n: int, generator: np.random.Generator
) -> dict[str, list[tuple[Any, ...]]]:
    """Personas that are right so often and adopt the named second option so often."""
    found = {}
    easy = generator.random(n)
    for persona, shifts in share.items():
        was = np.where(easy < right[persona], "1", "3")
        adopts = generator.random(n) < shifts
        after = np.where(adopts, "2", was)
        found[persona] = [
            ("1", b, a, FLAT, FLAT, True, 1, None) for b, a in zip(was, after, strict=True)
        ]
    return found


def test_the_difference_is_the_true_one_though_the_denominators_differ() -> None:
    """A persona that is right less often, and gives up its right answers more often."""
    truth = {"none": 0.1, "nurse": 0.3}
    rows = flatterers(truth, {"none": 0.8, "nurse": 0.4}, 4000, np.random.default_rng(5))
    tables = pairs(rows)
    found = row(tables["contrasts"], "lost", persona="nurse", against="persona")
    assert found["test"] == "exchange"
    assert found["n"] == sum(was == "1" for _, was, *_ in rows["nurse"]) < found["n_baseline"]
    assert found["difference"] == pytest.approx(0.2, abs=0.03)
    assert found["low"] < 0.2 < found["high"]
    assert found["p"] == pytest.approx(1 / 401)
    # As if both were independent samples, for the persona's answers are; items alone are shared.
    error = np.sqrt(0.3 * 0.7 / found["n"] + 0.1 * 0.9 / found["n_baseline"])
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_exchanging_gives_the_exact_p_of_few_events() -> None:
    """Three items that only one side loses: 2 of the 8 ways to exchange them are as far from 0."""
    this = np.array([1.0, 1.0, 1.0] + [0.0] * 97)
    other = np.zeros(100)
    p = exchange_p(this, other, np.arange(100), 4000, 3)
    assert p == pytest.approx(0.25, abs=0.02)
    # In one cluster they are one event.
    clusters = np.array([0, 0, 0, *range(1, 98)])
    assert exchange_p(this, other, clusters, 4000, 3) == pytest.approx(1.0, abs=0.02)
    assert math.isnan(exchange_p(this, np.full(100, np.nan), np.arange(100), 100, 3))


def test_exchanging_finds_nothing_as_often_as_it_says() -> None:
    """Both sides lose a tenth, of other items each: p is below 5% in 5% of samples."""
    generator = np.random.default_rng(11)
    found = []
    for _ in range(600):
        sides = []
        for right in (0.8, 0.5):
            values = (generator.random(150) < 0.1).astype(float)
            values[generator.random(150) > right] = np.nan
            sides.append(values)
        found.append(exchange_p(*sides, np.arange(150), 400, 3))
    share = np.mean(np.array(found) <= 0.05)
    assert 0.03 <= share <= 0.07


def test_a_shift_is_scipys_over_the_labels_of_the_unchanged_item() -> None:
    """The changed item has an option more; one side has none, or no probability of a label."""
    generator = np.random.default_rng(2)
    p, q = generator.dirichlet(np.ones(4), 50), generator.dirichlet(np.ones(4), 50)
    assert divergence(p, q) == pytest.approx(entropy(p, q, axis=1))
    assert divergence(p, p) == pytest.approx(np.zeros(50), abs=1e-12)
    more = np.column_stack([p * 0.7, np.full(50, 0.3)])
    fewer = np.column_stack([q, np.full(50, np.nan)])
    assert divergence(more, fewer) == pytest.approx(entropy(p, q, axis=1))
    p[0], q[1] = np.nan, np.nan
    q[2] = [0.0, 0.5, 0.25, 0.25]
    assert np.isnan(divergence(p, q)).tolist() == [True] * 3 + [False] * 47
    p[3] = [0.0, 0.5, 0.25, 0.25]
    assert divergence(p, q)[3] == pytest.approx(entropy(p[3], q[3]))
