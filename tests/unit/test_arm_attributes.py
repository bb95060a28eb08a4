"""Arms of one attribute beside each other: worked by hand, and with simulated answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import pearsonr

from persona_paradox.analyses.arm_table import SCHEMA, Persona, rows_of
from persona_paradox.analyses.arms import Edit, Statistic, measured
from persona_paradox.kinds import measuring
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

VIEW: dict[str, Any] = {
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


def scores(p_urgent: np.ndarray, said: np.ndarray) -> pl.DataFrame:
    """Answers whose level is 0 with this probability, else 2."""
    missing = pl.lit(None, dtype=pl.String)
    rows = [[float(p), 0.0, float(1 - p)] for p in p_urgent]
    return pl.DataFrame(
        {
            "item_id": [f"i{i:05d}" for i in range(len(rows))],
            "reference": "1",
            "label": pl.Series(np.where(said, "1", "3").tolist()),
            "label_probabilities": pl.Series(rows, dtype=pl.List(pl.Float64)),
        }
    ).with_columns(
        outcome=pl.when(pl.col("label") == "1").then(pl.lit("right")).otherwise(pl.lit("wrong")),
        repeat=pl.lit(0),
        variant=pl.lit("main"),
        cluster=missing,
        label_logprob_argmax=missing,
        label_contextual=missing,
        label_mass=missing.cast(pl.Float64),
        high_acuity_probability=missing.cast(pl.Float64),
        parse_status=pl.lit("label"),
        backend=pl.lit("test"),
    )


def simulated(slopes: dict[str, float], seed: int) -> pl.DataFrame:
    """A table of personas that answer a severity step by so much more probability of urgent."""
    generator = np.random.default_rng(seed)
    easy = generator.uniform(0.3, 0.7, N)
    ids = [f"i{i:05d}" for i in range(N)]
    personas = {}
    kind = measuring.load("triage")
    assert kind.pairs is not None
    for name, slope in slopes.items():
        tables: dict[str, Any] = {"t": (scores(easy, easy > 0.5), None)}
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
            tables[arm] = (scores(p, p > 0.5), items)
        personas[name] = Persona(kind, kind.pairs, VIEW, tables)
    place = {"model": "m", "task": "t", "context": "c", "dataset": "d"}
    rows = [place | row for row in rows_of(personas, VIEW, SETTINGS)]
    return pl.DataFrame(rows, schema=SCHEMA)


def test_a_persona_that_listens_less_is_found() -> None:
    table = simulated({"none": 0.08, "nurse": 0.02}, 5)
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
        table = simulated({"none": 0.05, "nurse": 0.05}, seed)
        row = table.filter(
            persona="nurse", metric="expected_level", measure="change", **{"class": "1"}
        ).row(0, named=True)
        differs.append(not row["difference_low"] <= 0 <= row["difference_high"])
    assert 1 <= sum(differs) <= 12
