"""Contexts, groups of personas and families are free ids, which may have titles of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from root import ROOT

from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

TASKS = ["triage_ed", "triage_primary"]
PERSONAS = ["no_persona", "ed_nurse", "bridge_engineer"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the project, with a persona and a data set of ids that nobody knows."""
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    for file, key, value in (
        ("personas/ed_nurse", "group", "night_shift"),
        ("datasets/teaching_ed", "context", "field_hospital"),
    ):
        path = folder / f"{file}.yaml"
        content = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(content | {key: value}, sort_keys=False))
    return folder


def study(config: Path, **change: Any) -> Study:
    settings = yaml.safe_load((config / "config.yaml").read_text())
    settings |= {"tasks": TASKS, "personas": PERSONAS, "judges": [], "limits": {}} | change
    return load_study(settings, config, check_schema)


def shown(made: Study) -> dict[str, Any]:
    """What figures call things."""
    found: dict[str, Any] = dict(views(made))["judged_figures"]
    return found


def test_a_new_id_needs_no_other_file(config: Path) -> None:
    made = shown(study(config))
    assert made["contexts"] == [
        {"id": "field_hospital", "title": "Field hospital"},
        {"id": "primary_care", "title": "Primary care"},
    ]
    assert [group["id"] for group in made["groups"]][1:] == ["night_shift", "control"]
    assert made["groups"][1]["title"] == "Night shift"


def test_a_title_is_in_its_file(config: Path) -> None:
    (config / "groups/night_shift.yaml").write_text("title: The night shift\n")
    (config / "contexts/field_hospital.yaml").write_text("title: Field hospitals\n")
    made = shown(study(config))
    assert made["groups"][1] == {"id": "night_shift", "title": "The night shift"}
    assert made["contexts"][0] == {"id": "field_hospital", "title": "Field hospitals"}


def test_order_is_that_of_the_study(config: Path) -> None:
    made = shown(study(config, tasks=TASKS[::-1], personas=PERSONAS[::-1]))
    assert [one["id"] for one in made["contexts"]] == ["primary_care", "field_hospital"]
    assert [one["id"] for one in made["groups"]][:2] == ["control", "night_shift"]


def test_a_new_context_can_be_chosen(config: Path) -> None:
    assert list(study(config, contexts=["field_hospital"]).tasks) == ["triage_ed"]


def test_all_groups_are_those_of_the_study(config: Path) -> None:
    settings = yaml.safe_load((config / "config.yaml").read_text())["statistics"]
    settings["family"]["groups"] = "all"
    family = dict(views(study(config, statistics=settings)))["statistics"]["family"]
    assert "night_shift" in family["groups"]
    assert "all" not in family["groups"]
