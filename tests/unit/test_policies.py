"""Policies: by hand, by properties, and in simulated studies whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from routed_cases import NAMES, SETTINGS, cases, escalation, studied, table_of
from sklearn.neighbors import KNeighborsRegressor
from statsmodels.stats.multitest import multipletests

from persona_paradox.measures import statistics
from persona_paradox.routing.cases import CONTEXT, TASK, Cases, holds
from persona_paradox.routing.learned import learned
from persona_paradox.routing.policies import (
    Policy,
    best,
    best_single,
    by_group,
    majority,
    mean_probability,
    on_confidence,
    on_disagreement,
    oracle,
    policies,
)
from persona_paradox.routing.valuing import (
    cross_fitted,
    folds_of,
    in_sample,
    policy_rows,
    spread_of,
)


def right(of: Cases, chosen: Any) -> float:
    """Share of right answers of a choice."""
    return float(of.outcomes.right[np.arange(len(chosen.persona)), chosen.persona].mean())


def test_the_best_choice_keeps_the_limit_or_does_the_least_harm() -> None:
    hits, harm = np.array([6.0, 9.0, 8.0]), np.array([1.0, 4.0, 2.0])
    assert best(hits, harm, 10, None) == 1
    assert best(hits, harm, 10, 0.2) == 2
    assert best(hits, harm, 10, 0.1) == 0
    assert best(hits, harm, 10, 0.05) == 0
    # What can do no harm has no limit; of equal ones the first, which is the baseline.
    assert best(hits, harm, 0, 0.05) == 1
    assert best(np.array([5.0, 5.0]), np.zeros(2), 10, None) == 0


def test_words_are_found_whole_and_in_any_case() -> None:
    flags = ["chest pain", "seizure"]
    assert holds("Sudden Chest\n pain since noon.", flags)
    assert holds("a Seizure", flags)
    assert not holds("seizures; chest x-ray, pain", flags)
    assert not holds("a seizure", [])
    assert holds("T° > 40 (C)", ["40 (c)"])


def by_hand() -> Cases:
    """Four items and three personas, three labels; the right one is always 0."""
    labels = np.array([[0, 1, 1], [2, 0, 1], [-1, -1, -1], [1, 0, 0]])
    p = np.array(
        [
            [[0.9, 0.1, 0.0], [0.3, 0.6, 0.1], [0.45, 0.55, 0.0]],
            [[0.0, 0.3, 0.7], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1]],
            [[np.nan] * 3] * 3,
            [[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.4, 0.3, 0.3]],
        ]
    )
    return cases(labels=labels, reference=np.zeros(4, np.int64), probabilities=p)


def test_votes_by_hand() -> None:
    three = NAMES[:3]
    of = by_hand()
    rule, chosen = in_sample(majority(three), of, None)
    # Two against one; three labels once each: the likeliest; all invalid: the baseline.
    assert chosen.persona.tolist() == [1, 2, 0, 1]
    assert chosen.calls.tolist() == [3] * 4
    assert rule.said == "all 3 personas"
    _, chosen = in_sample(mean_probability(three), of, None)
    # Means of label 0: .55, .2, -, .37; of label 1: .42, .5, -, .47.
    assert chosen.persona.tolist() == [0, 2, 0, 0]
    _, chosen = in_sample(on_disagreement(three, 0, 1, 2), of, None)
    assert chosen.persona.tolist() == [2, 2, 0, 2]
    assert chosen.calls.tolist() == [3, 3, 2, 3]
    assert oracle(of.outcomes).persona.tolist() == [0, 1, 0, 1]


def searched(of: Cases, at_most: float) -> tuple[float, float]:
    """Best threshold rule by trying all: the right answers, and the harm."""
    sure, n = of.asked.confidence[:, 0], len(of.clusters)
    found = []
    cuts = [-1.0, *np.quantile(sure, np.arange(1, 10) / 10), 2.0]
    for cut, other in product(cuts, range(1, of.asked.labels.shape[1])):
        taken = np.where(sure < cut, other, 0)
        harm = of.outcomes.harm[np.arange(n), taken].sum()
        if harm <= at_most * n:
            found.append((of.outcomes.right[np.arange(n), taken].sum(), harm))
    return max(found, key=lambda one: one[0])


@pytest.mark.parametrize("at_most", [1.0, 0.28])
def test_a_threshold_is_the_best_of_all(at_most: float) -> None:
    of = studied(3, 200)
    rule, chosen = in_sample(on_confidence(NAMES, "x", 0, range(1, len(NAMES))), of, at_most)
    assert right(of, chosen) == pytest.approx(searched(of, at_most)[0] / 200)
    harm = of.outcomes.harm[np.arange(200), chosen.persona].mean()
    assert harm <= at_most
    assert (chosen.calls == 1 + (chosen.persona != 0)).all()
    assert rule.said.startswith(NAMES[0])


def test_each_group_has_its_best_persona_and_a_small_one_that_of_all() -> None:
    of = studied(4, 120, helps=0.5)
    groups = of.asked.groups[TASK].astype("<U3")
    groups[:5] = "few"
    of = replace(of, asked=replace(of.asked, groups=of.asked.groups | {TASK: groups}))
    rule, chosen = in_sample(by_group(NAMES, "by_task", TASK), of, None)
    expected = {
        group: int(of.outcomes.right[groups == group].sum(axis=0).argmax()) for group in "ab"
    }
    expected["few"] = int(of.outcomes.right.sum(axis=0).argmax())
    for group, number in expected.items():
        assert {*chosen.persona[groups == group]} == {number}
    names = {group: NAMES[number] for group, number in expected.items()}
    assert rule.said == f"a: {names['a']}; b: {names['b']}; else {names['few']}"


def everything(of: Cases) -> list[Policy]:
    return policies(NAMES, of.asked, escalation(), learned(NAMES))


@pytest.mark.parametrize("at_most", [None, 0.2])
def test_no_policy_sees_the_outcomes_of_the_items_it_decides_on(at_most: float | None) -> None:
    of = studied(5, 120, helps=0.3)
    fold = folds_of(of, 5, 1)
    for policy in everything(of):
        before = cross_fitted(policy, of, fold, at_most)
        for one in range(5):
            here = (fold == one)[:, None]
            turned = replace(
                of.outcomes,
                right=np.where(here, ~of.outcomes.right, of.outcomes.right),
                harm=np.where(here, 1 - of.outcomes.harm, of.outcomes.harm),
            )
            after = cross_fitted(policy, replace(of, outcomes=turned), fold, at_most)
            inside = fold == one
            assert (before.persona[inside] == after.persona[inside]).all(), policy.id
            assert (before.calls[inside] == after.calls[inside]).all(), policy.id


def test_a_router_that_wins_by_memory_is_worth_chance_on_other_items() -> None:
    # A feature that no two items share, and personas that are right at random.
    of = studied(6, 600)
    unique = np.random.default_rng(1).permutation(600).astype(float)[:, None]
    of = replace(of, asked=replace(of.asked, features=unique))
    memory = learned(NAMES, lambda: KNeighborsRegressor(1))
    _, seen = in_sample(memory, of, None)
    unseen = cross_fitted(memory, of, folds_of(of, 5, 2), None)
    assert right(of, seen) == of.outcomes.right.any(axis=1).mean() > 0.9
    # Three standard errors of a share of a half are 0.061.
    assert right(of, unseen) == pytest.approx(0.5, abs=0.061)


def test_clusters_stay_together_and_tasks_are_spread_evenly() -> None:
    of = studied(7, 100)
    # The same 50 items in both tasks.
    of = replace(of, clusters=np.repeat(np.arange(50), 2).astype(str))
    fold = folds_of(of, 5, 3)
    assert {len({*fold[of.clusters == one]}) for one in np.unique(of.clusters)} == {1}
    assert np.bincount(fold).tolist() == [20] * 5
    alone = studied(7, 100)
    fold = folds_of(alone, 5, 3)
    for task in ("a", "b"):
        assert np.bincount(fold[alone.asked.groups[TASK] == task]).tolist() == [10] * 5
    assert np.unique(folds_of(replace(of, clusters=np.repeat(["x", "y"], 50)), 5, 3)).size == 2


def test_the_spread_is_that_of_nadeau_and_bengio() -> None:
    # Their section 5: the variance of J means is (1 / J + n2 / n1) times that of one.
    for folds, n in ((5, 100), (10, 200)):
        n_2 = n / folds
        variance = 1 / folds + n_2 / (n - n_2)
        assert spread_of(folds) ** 2 == pytest.approx(variance / (1 / folds))
    assert spread_of(5) == pytest.approx(1.5)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    of = studied(8, 300, helps=0.12)
    return table_of(of, everything(of), at_most=0.25)


def test_rows_are_what_they_say(table: pl.DataFrame) -> None:
    single = table.filter(policy="best_single").row(0, named=True)
    top = table.filter(policy="oracle").row(0, named=True)
    base = table.row(0, named=True)
    assert (base["policy"], base["by"], base["gain"]) == ("fixed", NAMES[0], 0)
    for row in table.iter_rows(named=True):
        assert row["gain"] == pytest.approx(row["value"] - base["value"])
        assert row["regret"] == pytest.approx(single["value"] - row["value"])
        assert row["oracle_regret"] == pytest.approx(top["value"] - row["value"])
        assert row["value"] <= top["value"]
        assert row["low"] <= row["value"] <= row["high"]
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        assert 1 <= row["calls"] <= len(NAMES)
        assert (row["constraint"], row["at_most"]) == ("under_triage_rate", 0.25)
        assert 0 <= row["holds"] <= 1
        if row["rate_high"] <= 0.25:
            assert row["holds"] > 0.95
    untested = table.filter(pl.col("gain_p").is_null())
    assert untested["policy"].to_list() == ["fixed", "oracle"]
    # Picked on what they are valued on, the best are no worse than on other items.
    learns = table.filter(pl.col("policy").is_in(["best_single", "by_task"]))
    assert (learns["value_in_sample"] >= learns["value"]).all()


def test_fixed_policies_are_tested_as_personas_are(table: pl.DataFrame) -> None:
    of = studied(8, 300, helps=0.12)
    for number in range(1, len(NAMES)):
        row = table.filter(policy="fixed", by=NAMES[number]).row(0, named=True)
        mine, theirs = of.outcomes.right[:, number], of.outcomes.right[:, 0]
        p = statistics.mcnemar_exact(int((mine & ~theirs).sum()), int((theirs & ~mine).sum()))
        assert row["gain_p"] == pytest.approx(p)


def test_the_cost_is_that_of_the_answers_that_are_taken() -> None:
    of = studied(8, 300, helps=0.12)
    costs = of.outcomes.cost.copy()
    # Of a third of the answers of one persona nobody can say what they cost.
    costs[::3, 2] = np.nan
    found = table_of(replace(of, outcomes=replace(of.outcomes, cost=costs)), everything(of))
    base = found.row(0, named=True)
    assert base["cost_change"] is None
    for number in range(len(NAMES)):
        row = found.filter(policy="fixed", by=NAMES[number]).row(0, named=True)
        assert row["n_cost"] == (200 if number == 2 else 300)
        assert row["cost"] == pytest.approx(np.nanmean(costs[:, number]))
        assert row["cost_low"] <= row["cost"] <= row["cost_high"]
        if number:
            assert row["cost_change"] == pytest.approx(row["cost"] - base["cost"])
            assert row["cost_change_low"] <= row["cost_change"] <= row["cost_change_high"]
    # An oracle asks a right persona, whose answer costs nothing, wherever there is one.
    never_right = (~of.outcomes.right).all(axis=1).mean()
    assert found.filter(policy="oracle")["cost"].item() == pytest.approx(never_right, abs=0.01)
    nothing = replace(of.outcomes, cost=np.full(costs.shape, np.nan))
    assert table_of(replace(of, outcomes=nothing), everything(of))["cost"].null_count() > 6


def test_p_values_are_adjusted_by_holm(table: pl.DataFrame) -> None:
    for name in ("gain", "regret"):
        tested = table.drop_nulls(f"{name}_p")
        expected = multipletests(tested[f"{name}_p"].to_numpy(), method="holm")[1]
        assert tested[f"{name}_p_holm"].to_numpy() == pytest.approx(expected)


def test_of_one_cluster_nothing_can_be_learned() -> None:
    of = replace(studied(9, 30), clusters=np.repeat("x", 30))
    assert table_of(of, everything(of), clustered=True).is_empty()


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.filterwarnings("error")
def test_few_items_have_values_all_the_same(n: int) -> None:
    of = studied(9, n)
    found = table_of(of, everything(of), at_most=0.1)
    assert found["value"].null_count() == 0
    of = replace(of, clusters=np.arange(n).astype(str).repeat(2)[:n])
    if n > 2:
        assert table_of(of, everything(of), clustered=True)["value"].null_count() == 0


def test_what_items_do_not_allow_is_left_out() -> None:
    of = studied(10, 40)
    bare = replace(
        of.asked,
        confidence=np.full(of.asked.confidence.shape, np.nan),
        probabilities=np.full(of.asked.probabilities.shape, np.nan),
        groups={TASK: np.repeat("a", 40), CONTEXT: np.repeat("b", 40)},
    )
    ids = {policy.id for policy in policies(NAMES, bare, None, None)}
    assert ids == {"fixed", "best_single", "majority"}
    found = table_of(replace(of, asked=bare), policies(NAMES, bare, None, learned(NAMES)))
    assert found["value"].null_count() == 0


def fitted(
    seeds: Sequence[int], make: Callable[[int], tuple[Cases, Any]]
) -> list[tuple[pl.DataFrame, dict[str, float]]]:
    """Of every study the table, and the true gain of what two policies chose."""
    found = []
    for seed in seeds:
        of, p = make(seed)
        fold = folds_of(of, 5, SETTINGS["seed"])
        truth = {}
        for policy in (best_single(NAMES), by_group(NAMES, "by_task", TASK)):
            chosen = cross_fitted(policy, of, fold, None)
            gain = p[np.arange(len(p)), chosen.persona] - p[:, 0]
            truth[policy.id] = float(gain.mean())
        found.append((table_of(of, everything(of)), truth))
    return found


@pytest.mark.simulation
def test_a_gain_of_five_points_is_found_with_the_right_size() -> None:
    # Persona 1 is 10 points better in one task, 10 worse in the other; else all agree mostly.
    made = fitted(range(60), lambda seed: studied(seed, 1200, helps=0.1, alike=0.9, chances=True))
    rows = [found.filter(policy="by_task").row(0, named=True) for found, _ in made]
    truth = np.array([true["by_task"] for _, true in made])
    gain = np.array([row["gain"] for row in rows])
    assert truth.mean() == pytest.approx(0.05, abs=0.003)
    # Three standard errors of the mean.
    assert abs((gain - truth).mean()) < 3 * (gain - truth).std() / np.sqrt(60)
    covered = [
        row["gain_low"] <= true <= row["gain_high"] for row, true in zip(rows, truth, strict=True)
    ]
    assert np.mean(covered) >= 0.95
    assert np.mean([row["gain_p_holm"] <= 0.05 for row in rows]) > 0.8
    # And better than one persona for all.
    assert np.mean([row["regret"] for row in rows]) < -0.03


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "alike"), [(60, 0.0), (240, 0.7)])
def test_where_routing_cannot_help_nothing_is_claimed_beyond_the_level(
    n: int, alike: float
) -> None:
    studies = 150
    made = fitted(range(studies), lambda seed: studied(seed, n, alike=alike, chances=True))
    for name in ("gain", "regret"):
        wrong = [(found[f"{name}_p_holm"] <= 0.05).any() for found, _ in made]
        # Two standard errors above 0.05.
        assert np.mean(wrong) <= 0.086, name
    picked = [found.filter(policy="best_single").row(0, named=True) for found, _ in made]
    # The winner's curse: picked among equals, the best looks better where it was picked.
    seen, unseen = (np.mean([row[k] for row in picked]) for k in ("value_in_sample", "value"))
    assert seen - 0.5 > 0.01
    assert unseen == pytest.approx(0.5, abs=0.02)


def test_a_policy_that_asks_for_nothing_costs_nothing() -> None:
    of = studied(11, 50)
    (row,) = [
        one
        for one in policy_rows(of, everything(of), {"folds": 5, "constraint": None}, SETTINGS)
        if one["by"] == NAMES[0]
    ]
    assert (row["calls"], row["gain"], row["constraint"]) == (1, 0, None)
    assert "holds" not in row
