"""What a persona's field is to an item: as it is written, checked and measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from greedy import greedy
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.kinds import measuring
from persona_paradox.kinds.labelled.figures import relation
from persona_paradox.measures.cells import Measurement
from persona_paradox.measures.relations import relation_of
from persona_paradox.measures.statistics import mcnemar_exact
from persona_paradox.schema import check_schema
from persona_paradox.study.conditions import personas_of
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

SETTINGS: dict[str, Any] = {
    "draws": 500,
    "seed": 3,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {},
    "small_group_below": 5,
    "family": {"metrics": ["accuracy"], "wordings": "main", "groups": ["all"]},
}
RELATIONS = {
    "cook": {"all": "off", "kitchen": "in", "garden": "adjacent"},
    "pilot": {"sky": "in"},
}
VIEW: dict[str, Any] = {
    "context": "emergency",
    "dataset": "cases",
    "labels": ["1", "2"],
    "levels": ["a", "b"],
    "high_acuity": ["a"],
    "cost": {"under": 2, "over": 1},
    "subgroups": [{"id": "subject", "title": "Subject", "column": "subject"}],
    "baseline": "none",
    "groups": dict.fromkeys(("none", "cook", "pilot"), "own"),
    "label_mass_warning_below": 0.5,
    "relations": RELATIONS,
}
# Ten items: their subjects, one of which is not recorded, and who is right (r), wrong (w) or
# refuses (x).
SUBJECTS = ["kitchen"] * 4 + ["garden"] * 2 + ["sky"] * 3 + [None]
ANSWERS = {
    "none": "rrrwrwrrwr",
    "cook": "rrwrwwrxxr",
    "pilot": "xxxxwwrrrx",
}


def scores(answers: str) -> pl.DataFrame:
    """Answers to items whose reference is the first label."""
    label = {"r": "1", "w": "2", "x": None}
    outcome = {"r": "right", "w": "wrong", "x": "refused"}
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i}" for i in range(len(answers))],
                "reference": "1",
                "label": pl.Series([label[one] for one in answers], dtype=pl.String),
                "outcome": [outcome[one] for one in answers],
            }
        )
    )


def tables(**change: Any) -> dict[str, pl.DataFrame]:
    items = pl.DataFrame({"item_id": [f"i{i}" for i in range(10)], "subject": SUBJECTS})
    kind = measuring.load("triage")
    measurement = Measurement("m", "t", kind, VIEW, SETTINGS | change, items=items)
    measurement.measure({name: scores(answers) for name, answers in ANSWERS.items()}, {})
    return measurement.tables()


@pytest.fixture(scope="module")
def made() -> dict[str, pl.DataFrame]:
    return tables()


def one(table: pl.DataFrame, **where: Any) -> dict[str, Any]:
    return table.row(
        by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in where.items()), named=True
    )


def test_a_relation_is_that_of_its_group_or_of_all() -> None:
    assert [relation_of(RELATIONS["cook"], group) for group in ("kitchen", "garden", "sky")] == [
        "in",
        "adjacent",
        "off",
    ]
    assert relation_of(RELATIONS["pilot"], "kitchen") is None
    # Of an item without a subject nothing is said, whatever is said of all.
    assert relation_of(RELATIONS["cook"], "not recorded") is None


def test_subjects_have_the_relation_as_a_column(made: dict[str, pl.DataFrame]) -> None:
    found = made["subgroups"].filter(metric="accuracy", subgroup="subject")
    said = {(row["persona"], row["group"]): row["relation"] for row in found.iter_rows(named=True)}
    assert len(said) == 12
    assert {key: value for key, value in said.items() if value is not None} == {
        ("cook", "kitchen"): "in",
        ("cook", "garden"): "adjacent",
        ("cook", "sky"): "off",
        ("pilot", "sky"): "in",
    }


def test_effects_by_relation_are_those_of_the_same_items(made: dict[str, pl.DataFrame]) -> None:
    # By hand: the cook keeps 3 of 4 in the kitchen, loses 1 of 1 of 2 in the garden, and 1 of 2 of
    # 3 in the sky, where two answers refuse; the pilot gains 1 of 3 in the sky.
    table = made["subgroups"].filter(metric="accuracy", subgroup="relation")
    expected = {
        ("cook", "in"): (4, 0, 3 / 4, 0.0, (1, 1)),
        ("cook", "adjacent"): (2, 0, 0.0, -1 / 2, (0, 1)),
        ("cook", "off"): (3, 2, 1 / 3, -1 / 3, (0, 1)),
        ("pilot", "in"): (3, 0, 1.0, 1 / 3, (1, 0)),
    }
    assert set(table.select("persona", "group").iter_rows()) == set(expected)
    for (persona, group), (n, n_refused, value, difference, discordant) in expected.items():
        row = one(table, persona=persona, group=group)
        assert (row["n"], row["n_refused"], row["relation"]) == (n, n_refused, group)
        assert row["value"] == pytest.approx(value)
        assert row["difference"] == pytest.approx(difference)
        assert row["p"] == pytest.approx(mcnemar_exact(*discordant))
        assert row["difference_low"] <= difference <= row["difference_high"]
    # One family with the other groups.
    assert table["p_holm"].null_count() == 0


def test_the_relation_is_in_the_long_table(made: dict[str, pl.DataFrame]) -> None:
    found = made["measures"].filter(subgroup="relation", metric="accuracy")
    assert set(found["group"]) == {"in", "adjacent", "off"}
    assert not found["value"].has_nulls()


def test_relative_drop_and_the_items_that_neither_refuses(made: dict[str, pl.DataFrame]) -> None:
    table = made["contrasts"].filter(against="persona")
    # The baseline is right on 7 of 10, the cook on 5, the pilot on 3.
    for persona, right in (("cook", 5), ("pilot", 3)):
        row = one(table, persona=persona, metric="accuracy")
        assert row["relative_drop"] == pytest.approx(100 * (7 - right) / 7)
        assert row["relative_drop_low"] <= row["relative_drop"] <= row["relative_drop_high"]
    # Where neither refuses: 8 items of the cook (baseline right on 6, cook on 5), 5 of the pilot
    # (baseline on 3, pilot on 3).
    for persona, n, base, right, discordant in (
        ("cook", 8, 6, 5, (1, 2)),
        ("pilot", 5, 3, 3, (1, 1)),
    ):
        row = one(table, persona=persona, metric="accuracy_neither_refused")
        assert (row["n"], row["n_baseline"], row["n_refused"]) == (n, n, 0)
        assert row["value"] == pytest.approx(right / n)
        assert row["baseline_value"] == pytest.approx(base / n)
        assert row["difference"] == pytest.approx((right - base) / n)
        assert (row["n_gained"], row["n_lost"]) == discordant
        assert row["p"] == pytest.approx(mcnemar_exact(*discordant))
    # No flips and no drop in other rows.
    others = table.filter(pl.col("metric") != "accuracy")
    assert others["relative_drop"].null_count() == others.height


def test_the_interval_of_a_relative_drop_is_that_of_its_draws() -> None:
    """Held against draws of our own, of the same seed, of a large sample."""
    generator = np.random.default_rng(5)
    n = 400
    right = {"none": generator.random(n) < 0.6, "cook": generator.random(n) < 0.4}
    text = {name: "".join("r" if one else "w" for one in hits) for name, hits in right.items()}
    view = VIEW | {"subgroups": [], "relations": {}}
    measurement = Measurement("m", "t", measuring.load("triage"), view, SETTINGS | {"draws": 4000})
    measurement.measure({name: scores(answers) for name, answers in text.items()}, {})
    row = one(measurement.tables()["contrasts"], metric="accuracy")
    a, b = right["cook"].mean(), right["none"].mean()
    # Delta method: the variance of a ratio of means of independent columns.
    error = 100 * a / b * np.sqrt((1 - a) / (a * n) + (1 - b) / (b * n))
    assert row["relative_drop"] == pytest.approx(100 * (1 - a / b))
    half = (row["relative_drop_high"] - row["relative_drop_low"]) / 2
    assert half == pytest.approx(1.96 * error, rel=0.1)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_a_baseline_that_is_never_right_has_no_relative_drop(interval: str) -> None:
    view = VIEW | {"subgroups": [], "relations": {}}
    settings = SETTINGS | {"interval": interval}
    measurement = Measurement("m", "t", measuring.load("triage"), view, settings)
    measurement.measure({"none": scores("w" * 10), "cook": scores("rrrrwwwwww")}, {})
    row = one(measurement.tables()["contrasts"], metric="accuracy")
    assert row["difference"] == pytest.approx(0.4)
    assert row["relative_drop"] is None
    assert row["relative_drop_low"] is None


SHOWN: dict[str, Any] = {
    "title": "Cooks and pilots",
    "baseline": "none",
    "too_few_below": 3,
    "models": {"m": "Model"},
    "personas": {name: {"title": name.capitalize()} for name in ANSWERS},
    "tasks": {"t": {"title": "Task", "teaching": False}},
}


def test_the_figure_has_a_row_of_every_relation_in_order(made: dict[str, pl.DataFrame]) -> None:
    found = relation.rows(made, SHOWN)
    assert found.select("persona", "relation", "n").rows() == [
        ("Cook", "in the field", 4),
        ("Cook", "adjacent", 2),
        ("Cook", "off the field", 3),
        ("Pilot", "in the field", 3),
    ]
    table = made["subgroups"].filter(metric="accuracy", subgroup="relation")
    row, drawn = one(table, persona="cook", group="off"), found.row(2, named=True)
    assert drawn["difference"] == pytest.approx(100 * row["difference"])
    assert drawn["low"] == pytest.approx(100 * row["difference_low"])
    assert drawn["said"].endswith("; n = 3; invalid 2 / 0")
    assert drawn["said"].startswith("−33.3 [")
    assert drawn["small"]
    assert found["line"].to_list() == ["Cook\t0", "Cook\t1", "Cook\t2", "Pilot\t0"]
    # Of fewer than three items nothing is drawn.
    assert found.row(1, named=True)["difference"] is None
    assert found.row(1, named=True)["said"] == "adjacent: too few; n = 2; invalid 0 / 0"


# --- as it is written and checked -----------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the project, where the teaching cases have subjects."""
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    path = folder / "datasets/teaching_ed.yaml"
    content = yaml.safe_load(path.read_text())
    values = {"m": "men", "f": "women"}
    content["subgroups"] = [{"id": "subject", "title": "S", "column": "sex", "values": values}]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def study(config: Path, relations: dict[str, str] | None) -> Study:
    path = config / "personas/ed_nurse.yaml"
    content = yaml.safe_load(path.read_text())
    if relations is not None:
        content["relations"] = relations
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    settings = yaml.safe_load((config / "config.yaml").read_text())
    settings |= {"tasks": ["triage_ed", "triage_primary"], "personas": ["no_persona", "ed_nurse"]}
    settings |= {"models": ["smollm2_135m_instruct"], "judges": [], "limits": {}}
    return load_study(settings, config, check_schema)


def test_relations_are_part_of_what_measures_depend_on_and_of_nothing_before(config: Path) -> None:
    before = dict(views(study(config, None)))
    after = dict(views(study(config, {"men": "in", "all": "off"})))
    assert {name for name in after if after[name] != before.get(name)} == {
        "measures/triage_ed",
        "figures/labelled",
        "figures/triage",
        "judged_figures",
    }
    assert after["measures/triage_ed"]["relations"] == {"ed_nurse": {"men": "in", "all": "off"}}
    assert after["figures/triage"]["tasks"]["triage_ed"]["subgroups"].keys() == {
        "subject",
        "relation",
    }


def test_the_figure_is_one_of_studies_with_relations(config: Path) -> None:
    assert "relation" in study(config, {"men": "in"}).possible_figures
    (config / "datasets/teaching_ed.yaml").write_text(
        (ROOT / "config/datasets/teaching_ed.yaml").read_text()
    )
    path = config / "datasets/other.yaml"
    content = yaml.safe_load((ROOT / "config/datasets/teaching_ed.yaml").read_text())
    content["subgroups"] = [
        {"id": "subject", "title": "S", "column": "sex", "values": {"m": "men"}}
    ]
    path.write_text(yaml.safe_dump(content))
    # The group is one of a data set that the study does not have.
    assert "relation" not in study(config, {"men": "in"}).possible_figures


def test_a_relation_to_nothing_is_refused(config: Path) -> None:
    with pytest.raises(InputError) as told:
        study(config, {"man": "in"})
    said = str(told.value)
    assert said.startswith("config/personas/ed_nurse.yaml: key `relations`")
    for word in ("'man'", "use one of all, anatomy", "'subject'"):
        assert word in said


@pytest.mark.parametrize("value", ["far", False])
def test_a_relation_that_is_none_is_refused(config: Path, value: Any) -> None:
    with pytest.raises(InputError, match=r"ed_nurse\.yaml: key `relations\.men`.*quotes"):
        study(config, {"men": value})


def test_a_subgroup_of_that_name_is_refused(config: Path) -> None:
    path = config / "datasets/teaching_primary.yaml"
    content = yaml.safe_load(path.read_text())
    content["subgroups"] = [{"id": "relation", "title": "R", "column": "sex"}]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(InputError, match=r"teaching_primary\.yaml: key `subgroups`.*relation"):
        study(config, {"men": "in"})


def test_a_set_gives_its_personas_the_relations_of_their_levels() -> None:
    content: dict[str, Any] = {
        "title": "Work",
        "texts": {"main": "You are {role} {place}."},
        "factors": {
            "role": {
                "cook": {"text": "a cook", "relations": {"kitchen": "in"}},
                "guest": "a guest",
            },
            "place": {"here": "here", "there": "there"},
        },
    }
    check_schema(content, "persona_set", "config/persona_sets/work.yaml")
    found = personas_of(["work@all"], {}, {"work": content})
    assert found["work@cook_there"]["relations"] == {"kitchen": "in"}
    assert "relations" not in found["work@guest_here"]
    content["factors"]["place"]["here"] = {"text": "here", "relations": {"all": "in"}}
    with pytest.raises(InputError, match=r"work\.yaml: work@cook_here .*two factors"):
        personas_of(["work@all"], {}, {"work": content})


def test_bundled_relations_are_to_groups_that_there_are() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"personas": ["no_persona", "experts@all"], "judges": []}
    made = load_study(settings, ROOT / "config", check_schema)
    having = {id_ for id_, one in made.personas.items() if "relations" in one}
    assert {id_.partition("@")[2] for id_ in set(made.personas) - having} == {
        "",
        "layperson",
        "child",
        "toddler",
    }
