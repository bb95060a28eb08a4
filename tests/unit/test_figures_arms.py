"""Figures and sentences of arms: what is drawn and said is what the tables hold."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from known_arms import NONE, NURSE, attributes, pairs

from persona_paradox.figures import vega
from persona_paradox.kinds.labelled import arm_words
from persona_paradox.kinds.labelled.figures import arm_effects
from persona_paradox.kinds.triage.figures import arm_curves

TASK = {"title": "Cases", "teaching": True, "sample": None, "clustered": False}
SETTINGS: dict[str, Any] = {
    "title": "A study",
    "baseline": "none",
    "seed": 3,
    "confidence": 0.95,
    "draws": 400,
    "interval": "percentile",
    "too_few_below": 5,
    "models": {"m": "Model"},
    "personas": {"none": {"title": "No persona"}, "nurse": {"title": "Nurse"}},
    "tasks": {
        "cases@older": TASK | {"title": "Cases, aged 82", "arm": {"base": "t", "title": "aged 82"}},
        "t": TASK,
    },
}


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    found = pairs({"none": NONE * 5, "nurse": NURSE * 5})
    return found | {"arm_attributes": attributes({"none": 0.08, "nurse": 0.02}, 5)}


def drawn(module: ModuleType, tables: dict[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """The rows of a figure, which stand in its specification too."""
    rows: list[dict[str, Any]] = module.rows(tables, SETTINGS).to_dicts()
    spec = vega.report_figure(module, tables, SETTINGS)
    assert json.loads(json.dumps(spec, allow_nan=False))["datasets"]["rows"] == rows
    return rows


def test_effects_are_those_of_the_table(tables: dict[str, pl.DataFrame]) -> None:
    none, nurse = drawn(arm_effects, tables)
    found = (
        tables["measures"]
        .filter(pl.col("subgroup").is_null(), metric="adopted", persona="nurse")
        .row(0, named=True)
    )
    assert (nurse["share"], nurse["low"], nurse["high"]) == tuple(
        found[key] for key in ("value", "low", "high")
    )
    assert nurse["said"] == "40 [23, 59]%; n = 25, 10 refused, 0 unreadable"
    assert none["is_baseline"]
    assert nurse["reference"] == none["share"] == 0
    assert "named option adopted" in nurse["panel"]


def test_where_nothing_is_named_the_flips_are_drawn(tables: dict[str, pl.DataFrame]) -> None:
    measures = tables["measures"].filter(~pl.col("metric").str.contains("adopted"))
    none, nurse = drawn(arm_effects, tables | {"measures": measures})
    assert none["said"].startswith("0 [0, 10]%; n = 35")
    assert nurse["share"] == pytest.approx(5 / 7)
    assert "answers that flip" in nurse["panel"]


def test_of_few_items_no_effect_is_drawn(tables: dict[str, pl.DataFrame]) -> None:
    few = tables["measures"].with_columns(n=pl.lit(4))
    for row in drawn(arm_effects, tables | {"measures": few}):
        assert (row["share"], row["low"], row["reference"]) == (None, None, None)
        assert row["said"].startswith("too few; n = 4")


def test_curves_are_those_of_the_table(tables: dict[str, pl.DataFrame]) -> None:
    rows = drawn(arm_curves, tables)
    means = tables["arm_attributes"].filter(metric="expected_level", measure="mean")
    assert [row["mean"] for row in rows] == means["value"].to_list()
    assert {(row["cls"], row["place"]) for row in rows} == {("-1", 0), ("1", 1), ("2", 2)}
    assert {row["panel"].replace("\n", " ") for row in rows} == {
        "Cases (teaching cases) · Model: pulse (n = 300, 100 left out)"
    }


def test_classes_that_are_numbers_stand_in_their_order(tables: dict[str, pl.DataFrame]) -> None:
    turned = tables["arm_attributes"].reverse()
    assert {row["cls"]: row["place"] for row in drawn(arm_curves, {"arm_attributes": turned})} == {
        "-1": 0,
        "1": 1,
        "2": 2,
    }


def test_of_few_items_no_curve_is_drawn(tables: dict[str, pl.DataFrame]) -> None:
    few = tables["arm_attributes"].with_columns(n=pl.lit(4))
    for row in drawn(arm_curves, {"arm_attributes": few}):
        assert row["mean"] is None
        assert "(too few" in row["panel"].replace("\n", " ")


def test_the_summary_says_what_flips_and_what_is_adopted(tables: dict[str, pl.DataFrame]) -> None:
    text = "\n".join(arm_words.flips(tables, SETTINGS, {}))
    assert "baseline: answers that flip 0.0% [0.0, 9.9] (n = 35, 5 unreadable)" in text
    assert "adopted, of those that had another answer: of 1 personas" in text
    assert "Nurse +40.0 [" in text
    without = tables["measures"].filter(~pl.col("metric").is_in(["flip_rate", "lost", "gained"]))
    without = without.filter(~pl.col("metric").str.contains("adopted"))
    assert list(arm_words.flips({"measures": without}, SETTINGS, {})) == []


def test_the_summary_says_what_an_attribute_does(tables: dict[str, pl.DataFrame]) -> None:
    text = "\n".join(arm_words.attributes(tables, SETTINGS, {}))
    assert "**Model, Cases: pulse** (3 arms, n = 300, 100 left out)" in text
    assert "No persona, expected level: checks of monotonicity that hold 100.0%" in text
    assert "Nurse, 2 +0.2" in text
