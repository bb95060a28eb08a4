"""Contrasts of an arm: against the unchanged items, and of both, with simulated answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from greedy import greedy

from persona_paradox.kinds import measuring
from persona_paradox.measures.arms import Arm
from persona_paradox.measures.cells import Measurement
from persona_paradox.measures.statistics import mcnemar_exact

N = 1200
SETTINGS: dict[str, Any] = {
    "draws": 400,
    "seed": 3,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {"accuracy": 0.05},
    "small_group_below": 30,
    "family": {"metrics": ["accuracy"], "wordings": "main", "groups": ["paper"]},
}
VIEW: dict[str, Any] = {
    "context": "emergency",
    "dataset": "cases@older",
    "labels": ["1", "2", "3"],
    "levels": ["a", "b", "c"],
    "high_acuity": ["a"],
    "cost": {"under": 2, "over": 1},
    "subgroups": [],
    "baseline": "none",
    "groups": {"none": "paper", "nurse": "paper"},
    "label_mass_warning_below": 0.5,
}
# How often an answer is right: of the unchanged items, and of those that the arm changed.
RIGHT = {
    ("none", "base"): 0.8,
    ("none", "arm"): 0.7,
    ("nurse", "base"): 0.75,
    ("nurse", "arm"): 0.45,
}


def scores(right: np.ndarray, refused: np.ndarray) -> pl.DataFrame:
    """Greedy answers to items whose reference is the first label."""
    label = np.where(refused, None, np.where(right, "1", "2"))
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i:05d}" for i in range(len(right))],
                "reference": "1",
                "label": pl.Series(label.tolist(), dtype=pl.String),
                "outcome": np.where(refused, "refused", np.where(right, "right", "wrong")).tolist(),
            }
        )
    )


@pytest.fixture(scope="module")
def made() -> tuple[dict[str, pl.DataFrame], dict[tuple[str, str], pl.DataFrame], np.ndarray]:
    """The tables of an arm, the answers, and which items it changed: all but every fourth."""
    generator = np.random.default_rng(7)
    changed = np.arange(N) % 4 > 0
    answers = {}
    for (persona, where), share in RIGHT.items():
        right = generator.random(N) < share
        answers[persona, where] = scores(right, ~right & (generator.random(N) < 0.1))
    # What the arm cannot change is answered as before.
    for persona in ("none", "nurse"):
        base, arm = answers[persona, "base"], answers[persona, "arm"]
        kept = pl.Series(changed)
        answers[persona, "arm"] = pl.concat([arm.filter(kept), base.filter(~kept)]).sort("item_id")
    measurement = Measurement("m", "cases@older", measuring.load("triage"), VIEW, SETTINGS)
    measurement.measure(
        {persona: answers[persona, "arm"] for persona in ("none", "nurse")},
        {},
        arm=Arm(
            {persona: answers[persona, "base"] for persona in ("none", "nurse")},
            pl.DataFrame({"item_id": answers["none", "base"]["item_id"], "changed": changed}),
        ),
    )
    return measurement.tables(), answers, changed


def row(
    made: Any, against: str, persona: str = "nurse", metric: str = "accuracy"
) -> dict[str, Any]:
    found = made[0]["contrasts"].filter(against=against, persona=persona, metric=metric)
    return found.row(0, named=True)


def right_of(made: Any, persona: str, where: str) -> np.ndarray:
    return (made[1][persona, where]["outcome"] == "right").to_numpy()[made[2]]


@pytest.mark.parametrize("persona", ["none", "nurse"])
def test_an_arm_is_compared_with_the_same_persona_on_the_items_it_changed(
    made: Any, persona: str
) -> None:
    found = row(made, "arm", persona)
    after, before = (right_of(made, persona, where) for where in ("arm", "base"))
    assert (found["n"], found["n_unchanged"]) == (made[2].sum(), (~made[2]).sum())
    assert found["value"] == after.mean()
    assert found["baseline_value"] == before.mean()
    gained, lost = (after & ~before).sum(), (before & ~after).sum()
    assert (found["n_wrong_to_right"], found["n_right_to_wrong"]) == (gained, lost)
    assert found["p"] == pytest.approx(mcnemar_exact(gained, lost))
    assert (
        found["n_right_to_wrong"] + found["n_wrong_to_right"] + found["n_wrong_to_wrong"]
        == (found["n_changed"])
    )


def test_the_difference_of_differences_is_what_was_simulated(made: Any) -> None:
    found = row(made, "both")
    effects = {
        persona: right_of(made, persona, "arm") * 1.0 - right_of(made, persona, "base")
        for persona in ("none", "nurse")
    }
    each = effects["nurse"] - effects["none"]
    assert found["value"] == pytest.approx(effects["nurse"].mean())
    assert found["baseline_value"] == pytest.approx(effects["none"].mean())
    assert found["difference"] == pytest.approx(each.mean())
    # A mean of independent items: the interval is that of its standard error.
    reach = 1.96 * each.std(ddof=1) / np.sqrt(each.size)
    assert found["low"] == pytest.approx(each.mean() - reach, abs=0.2 * reach)
    assert found["high"] == pytest.approx(each.mean() + reach, abs=0.2 * reach)
    truth = (0.45 - 0.75) - (0.7 - 0.8)
    assert found["low"] < truth < found["high"]
    assert found["test"] == "bootstrap"
    assert found["n_gained"] is None


def test_the_baseline_alone_has_no_difference_of_differences(made: Any) -> None:
    assert made[0]["contrasts"].filter(against="both", persona="none").is_empty()


def test_items_that_an_arm_cannot_change_count_in_the_other_tables(made: Any) -> None:
    cells = made[0]["cells"].filter(persona="nurse")
    assert cells.item(0, "n") == N
    assert row(made, "persona")["n"] == N
    assert row(made, "persona")["n_unchanged"] is None


def test_refused_and_unreadable_answers_are_the_invalid_ones(made: Any) -> None:
    cell = made[0]["cells"].filter(persona="nurse").row(0, named=True)
    refused = (made[1]["nurse", "arm"]["outcome"] == "refused").sum()
    assert (cell["n_refused"], cell["n_unreadable"]) == (refused, 0)
    assert cell["n_invalid"] == refused > 0
    assert cell["refused_rate"] == cell["invalid_rate"] == refused / N
    assert row(made, "persona")["n_refused"] == refused
