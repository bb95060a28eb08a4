"""Bundled sets of arms: what each makes of the items of the tasks that name it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.data.changes import perturb
from persona_paradox.data.items import read_items
from persona_paradox.kinds import base
from persona_paradox.schema import check_schema
from persona_paradox.study.arm_sets import arms_of
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views


def written(folder: str, id_: str, schema: str) -> dict[str, Any]:
    """A file of the configuration, checked and with its defaults."""
    content: dict[str, Any] = yaml.safe_load((ROOT / f"config/{folder}/{id_}.yaml").read_text())
    check_schema(content, schema, id_)
    return content


SETS = {
    path.stem: arms_of(path.stem, written("arm_sets", path.stem, "arm_set"))
    for path in sorted((ROOT / "config/arm_sets").glob("*.yaml"))
}


@cache
def items(dataset: str, kind: str, folder: Path) -> pl.DataFrame:
    """The items of a data set, from its file in a folder."""
    content = written("datasets", dataset, f"{kind}/dataset")
    place = content["source"]["path"].replace("{data_dir}", str(folder))
    own = base.load(kind, "items").columns
    return read_items([ROOT / place], content, dataset, own)[0]


def made(id_: str, arm: dict[str, Any], table: pl.DataFrame, case: Any, stratum: str) -> Any:
    keys = arm | {"case": case, "answers": {"labels": [*"ABCDEFGHIJ"]}}
    rule = import_module(f"persona_paradox.data.arms.{arm['rule']}")
    return perturb(table, rule.change, keys, id_, stratum=stratum)


def changed(set_: str, dataset: str, kind: str, folder: Path) -> dict[str, int]:
    """How many items each arm of a set changes."""
    table = items(dataset, kind, folder)
    case = written("datasets", dataset, f"{kind}/dataset")["columns"]["case"]
    stratum = base.traits(kind).stratum
    return {
        id_: made(id_, arm, table, case, stratum)["changed"].sum()
        for id_, arm in SETS[set_].items()
    }


def test_sets_have_the_arms_that_their_files_speak_of() -> None:
    assert (len(SETS["bias"]), len(SETS["attack"]), len(SETS["vital"])) == (54, 6, 23)
    speakers = {arm["about"]["speaker"] for arm in SETS["bias"].values()}
    assert speakers == {"patient", "student", "nurse", "physician"}
    assert len({arm["about"]["bias"] for arm in SETS["bias"].values()}) == 7
    for id_, arm in SETS["bias"].items():
        assert id_.endswith(f"_{arm['names']}")
        assert arm["text"].count("{option}") == 1
        assert arm["text"].endswith(".")


@pytest.mark.parametrize("set_", ["bias", "attack"])
def test_arms_of_questions_change_teaching_questions(set_: str) -> None:
    found = changed(set_, "teaching_questions", "choice", ROOT)
    # Of few questions a vital sign is known, and many have one sentence alone.
    least = {"attack_impossible": 3, "attack_inversion": 20}
    for id_, n in found.items():
        assert n >= least.get(id_, 30), id_


def test_arms_change_the_published_sets(data_dir: Path) -> None:
    for set_ in ("attack", "demographic"):
        for id_, n in changed(set_, "medqa", "choice", data_dir).items():
            few = "ethnicity" in id_ or SETS[set_][id_]["rule"] == "sex"
            assert n >= (250 if few else 500), id_
    for id_, n in changed("demographic", "ktas", "triage", data_dir).items():
        assert n >= 500, id_
    for id_, n in changed("vital", "ktas", "triage", data_dir).items():
        # Half of the records have no saturation; most values are normal, and so stay.
        least = 30 if id_.endswith("normal") else 500 if "saturation" in id_ else 900
        assert n >= least, id_
    assert changed("vital", "medqa", "choice", data_dir)["vital_pressure_very_low"] >= 450


def study(*tasks: str, **more: Any) -> Study:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"tasks": [*tasks], "personas": ["no_persona", "ed_nurse"], "judges": []}
    return load_study(settings | {"limits": {}} | more, ROOT / "config", check_schema)


def test_a_rule_that_names_an_answer_is_told_what_the_task_calls_it() -> None:
    arm = "teaching_questions@bias_recency_nurse_wrong"
    view = dict(views(study(arm)))[f"arms/{arm}"]
    assert view["answers"] == {"labels": [*"ABCDEFGHIJ"]}
    # Other rules are not, so that another label changes none of their items.
    arm = "teaching_questions@attack_expansion"
    assert "answers" not in dict(views(study(arm)))[f"arms/{arm}"]


def test_levels_are_named_by_their_titles_and_labels() -> None:
    made = study("triage_ed")
    answers = base.answers(made.tasks["triage_ed"], made.dataset_of("triage_ed"), made.settings)
    assert answers["labels"] == ["1", "2", "3", "4", "5"]
    assert answers["levels"] == [f"esi_{n}" for n in range(1, 6)]
    assert len(answers["titles"]) == 5
    safety = study("safety_teaching_short")
    (task,) = safety.tasks
    assert base.answers(safety.tasks[task], safety.dataset_of(task), safety.settings) == {}
