"""Arms of one attribute beside each other: worked by hand, and with simulated answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from known_arms import attributes
from scipy.stats import pearsonr

from persona_paradox.analyses.arms import Edit, Statistic, measured
from persona_paradox.measures.resampling import Draws

SETTINGS: dict[str, Any] = {"draws": 400, "seed": 3, "confidence": 0.95, "interval": "percentile"}
NAN = float("nan")


def edit(
    values: list[float],
    cls: str,
    *,
    usable: list[bool] | None = None,
    severity: list[float] | None = None,
    cue: str | None = None,
    attribute: str = "pulse",
) -> Edit:
    n = len(values)
    return Edit(
        attribute=attribute,
        cls=cls,
        cue=cue,
        values=np.array(values),
        usable=np.array([True] * n if usable is None else usable),
        severity=np.array([NAN] * n if severity is None else severity),
    )


def points(edits: list[Edit], before: list[float], worse: int = 0) -> dict[Statistic, float]:
    draws = Draws.of(np.arange(len(before)), SETTINGS)
    found, _ = measured(edits, np.array(before), draws, worse)
    assert found is not None
    return found.point


def test_classes_share_their_items() -> None:
    """The third item has no value in one class, the fourth cannot be changed by another arm."""
    edits = [
        edit([1.0, 2.0, NAN, 4.0], "low"),
        edit([2.0, 4.0, 6.0, 8.0], "high", usable=[True, True, True, False]),
        edit([5.0, 5.0, 5.0, 5.0], "none"),
        # Another attribute keeps its items.
        edit([1.0, 1.0, 1.0, 5.0], "old", attribute="age"),
    ]
    found = points(edits, [1.0, 1.0, 1.0, 1.0])
    assert found[Statistic("pulse", "mean", "low")] == 1.5
    assert found[Statistic("pulse", "mean", "high")] == 3.0
    assert found[Statistic("pulse", "change", "high")] == 2.0
    assert found[Statistic("pulse", "gap", "high")] == 3.0 - (1.5 + 5.0) / 2
    assert found[Statistic("age", "mean", "old")] == 2.0
    assert Statistic("age", "gap", "old") not in found


def test_arms_of_one_class_are_averaged_within_an_item() -> None:
    edits = [edit([1.0, 3.0], "low"), edit([3.0, 5.0], "low"), edit([0.0, 0.0], "high")]
    found = points(edits, [0.0, 0.0])
    assert found[Statistic("pulse", "mean", "low")] == 3.0
    assert found[Statistic("pulse", "gap", "low")] == 3.0


@pytest.mark.parametrize(
    ("moved", "passed"),
    [
        # Steps -1, 0, 1, 2: three signs and three neighbours. Urgency counts down.
        ([0.5, 0.0, -0.5, -1.0], 6 / 6),
        # It falls from 1 to 2, though it is above 0 in both.
        ([0.5, 0.0, -0.5, -0.2], 5 / 6),
        # Wrong way round: all signs and neighbours.
        ([-0.5, 0.0, 0.5, 1.0], 0.0),
        # Nothing moves: no sign is right, and nothing falls.
        ([0.0, 0.0, 0.0, 0.0], 3 / 6),
    ],
)
def test_monotonicity_is_the_share_of_checks_that_hold(moved: list[float], passed: float) -> None:
    edits = [
        edit([2.0 + one, 1.0 + one], f"c{step}", severity=[float(step)] * 2)
        for step, one in zip((-1, 0, 1, 2), moved, strict=True)
    ]
    found = points(edits, [2.0, 1.0], worse=-1)
    assert found[Statistic("pulse", "monotonicity")] == pytest.approx(passed)
    assert found[Statistic("pulse", "change_by_severity", "+2")] == pytest.approx(moved[3])
    assert found[Statistic("pulse", "change_by_severity", "-1")] == pytest.approx(moved[0])


def test_a_change_by_severity_is_of_the_items_that_change_by_so_much() -> None:
    """One arm makes the items worse by one and by two; another the second one by one."""
    edits = [
        edit([1.0, 0.0], "a", severity=[1.0, 2.0]),
        edit([2.0, 1.0], "b", severity=[0.0, 1.0]),
    ]
    found = points(edits, [2.0, 2.0], worse=-1)
    assert found[Statistic("pulse", "change_by_severity", "+1")] == (-1.0 - 1.0) / 2
    assert found[Statistic("pulse", "change_by_severity", "+2")] == -2.0
    assert found[Statistic("pulse", "change_by_severity", "0")] == 0.0


def test_cues_of_one_identity_agree_as_far_as_their_gaps_do() -> None:
    named = {"x": [1.0, 3.0, 2.0, 4.0], "y": [0.0, 4.0, 1.0, 1.0]}
    told = {"x": [2.0, 2.0, 1.0, 3.0], "y": [1.0, 1.0, 1.0, 2.0]}
    edits = [
        edit(values, cls, cue=cue, attribute="identity")
        for cue, classes in (("name", named), ("sentence", told))
        for cls, values in classes.items()
    ]
    found = points(edits, [0.0] * 4)
    # Gaps of x: by name 1, -1, 1, 3; by sentence 1, 1, 0, 1, of which the third says nothing.
    one, other = [1.0, -1.0, 1.0, 3.0], [1.0, 1.0, 0.0, 1.0]
    where = ("x", "name", "sentence")
    assert found[Statistic("identity", "sign_agreement", *where)] == pytest.approx(2 / 3)
    expected = pearsonr(one, other).statistic
    assert found[Statistic("identity", "correlation", *where)] == pytest.approx(expected)
    assert found[Statistic("identity", "gap", "x", "name")] == 1.0
    assert found[Statistic("identity", "gap", "y", "name")] == -1.0


# --- through the scores ------------------------------------------------------------------------


def test_a_persona_that_listens_less_is_found() -> None:
    table = attributes({"none": 0.08, "nurse": 0.02}, 5)
    level = table.filter(metric="expected_level", measure="change")
    found = level.filter(persona="nurse", **{"class": "2"}).row(0, named=True)
    # Two steps of .02 and of .08; a level is 2 times the probability of the last one.
    assert found["value"] == pytest.approx(-2 * 2 * 0.02, abs=0.02)
    assert found["baseline_value"] == pytest.approx(-2 * 2 * 0.08, abs=0.02)
    assert found["difference"] == pytest.approx(found["value"] - found["baseline_value"])
    assert found["difference_low"] < 0.24 < found["difference_high"]
    assert found["difference_p"] == pytest.approx(2 / 401)
    assert (found["n"], found["n_left_out"], found["n_arms"]) == (300, 100, 3)
    slope = table.filter(metric="expected_level", measure="monotonicity")
    assert slope.filter(persona="none").item(0, "value") == 1.0
    assert table.filter(metric="p_right", measure="monotonicity").is_empty()


def test_personas_that_do_the_same_differ_as_often_as_intervals_say() -> None:
    """At 95%, of 100 tables about five differ; more than twelve, or none, would be 1 in 150."""
    differs = []
    for seed in range(100):
        table = attributes({"none": 0.05, "nurse": 0.05}, seed)
        row = table.filter(
            persona="nurse", metric="expected_level", measure="change", **{"class": "1"}
        ).row(0, named=True)
        differs.append(not row["difference_low"] <= 0 <= row["difference_high"])
    assert 1 <= sum(differs) <= 12
