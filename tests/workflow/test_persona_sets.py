"""A study of a persona set: from its file to answers, and what an edited level runs again."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import refused
from studies import shared

SET = "config/persona_sets/shifts.yaml"
PERSONAS = ["no_persona", "shifts@nurse_day", "shifts@nurse_night", "shifts@medic_day"]
CONTENT = {
    "title": "Role and shift",
    "texts": {"main": "You are {role} {shift}."},
    "factors": {
        "role": {"nurse": "a nurse", "medic": "a medic"},
        "shift": {"day": "by day", "night": "by night"},
    },
    "except": ["medic_night"],
}
CELL = "results/responses/tiny/triage_ed/{}.parquet"


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small study of a set, whose cases are answered. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        study = STUDY | {"tasks": ["triage_ed"], "personas": ["no_persona", "shifts@all"]}
        study |= {"limit": 5, "baseline": "shifts@nurse_day"}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        (path / SET).write_text(yaml.safe_dump(CONTENT, sort_keys=False))
        project.run("--cores", "2", "--until", "generate")

    return shared(tmp_path_factory, "persona_set", build)


def test_every_persona_of_the_set_is_asked_with_its_own_sentence(answered: Project) -> None:
    said = {}
    for persona in PERSONAS:
        delivered = pl.read_parquet(
            answered.path / f"results/delivered/tiny/triage_ed/{persona}.parquet"
        )
        assert (answered.path / CELL.format(persona)).is_file()
        assert delivered["persona_delivered"].all()
        said[persona] = delivered["text"][0]
    assert "You are a nurse by night." in said["shifts@nurse_night"]
    assert "You are a medic by day." in said["shifts@medic_day"]
    assert not (answered.path / CELL.format("shifts@medic_night")).exists()


def test_an_edited_level_runs_the_personas_again_whose_sentence_changed(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "edited")
    targets = [CELL.format(persona) for persona in PERSONAS]
    assert project.jobs("--", *targets) == []
    project.replace(SET, "by night", "at night")
    stages = ("deliver tiny/triage_ed", "generate tiny/triage_ed", "write_prompts triage_ed")
    assert project.jobs("--", *targets) == [f"{stage}/shifts@nurse_night" for stage in stages]
    # Titles are for tables and figures.
    project.replace(SET, "at night", "by night")
    project.replace(SET, "nurse: a nurse", "nurse: {title: Sister, text: a nurse}")
    assert project.jobs("--", *targets) == []


def test_a_new_level_computes_the_answers_of_its_own_personas_only(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "new")
    project.edit(SET, lambda content: content["factors"]["role"].update(porter="a porter"))
    targets = [CELL.format(persona) for persona in (*PERSONAS, "shifts@porter_day")]
    stages = ("deliver tiny/triage_ed", "generate tiny/triage_ed", "write_prompts triage_ed")
    assert project.jobs("--", *targets) == [f"{stage}/shifts@porter_day" for stage in stages]
    # A pattern names those that are there already, and the relations of a persona are for
    # measures.
    wanted = ["no_persona", "shifts@nurse_*", "shifts@medic_day"]
    project.edit("config/config.yaml", lambda study: study.update(personas=wanted))
    relations = {"text": "a nurse", "relations": {"all": "in"}}
    project.edit(SET, lambda content: content["factors"]["role"].update(nurse=relations))
    assert project.jobs("--", *targets[:-1]) == []


def test_what_is_no_part_of_a_set_is_refused(answered: Project, tmp_path: Path) -> None:
    project = answered.copy(tmp_path / "refused")
    for personas, words in (
        (["shifts@nurse_day", "shifts@nurse_noon"], ("'shifts@nurse_noon'", "shifts@nurse_night")),
        (["shifts@nurse_day", "turns@all"], ("'turns'", "config/persona_sets/turns.yaml")),
        (["shifts@nurse_day", "shifts@../x"], ("`personas.1`", "must be an id")),
    ):
        project.edit("config/config.yaml", lambda study, p=personas: study.update(personas=p))
        refused(project, *words)


def test_the_provenance_has_the_set_and_not_what_it_makes(answered: Project) -> None:
    (path,) = (answered.path / "results/config").glob("provenance-*.json")
    configuration = json.loads(path.read_text())["configuration"]
    assert list(configuration["personas"]) == ["no_persona"]
    assert configuration["titles"]["groups"]["shifts"] == "Role and shift"
    # As text: the order of factors and levels is that of the ids, and JSON has sorted keys.
    factors = json.loads(configuration["persona_sets"]["shifts"]["factors"])
    assert json.dumps(factors) == json.dumps(CONTENT["factors"])
    assert configuration["study"]["personas"] == ["no_persona", "shifts@all"]


def test_the_factors_of_a_set_are_told_apart_where_it_is_whole(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "factors")
    project.run("--cores", "1", "results/tables/factors.csv")
    table = pl.read_csv(project.path / "results/tables/factors.csv")
    assert set(table["reason"]) == {"3 of 4 combinations of levels were asked"}
    assert set(table["factor"]) == {"role", "shift"}
    # Another family is no reason to answer again, or to measure.
    factors = {"family": ["factor"]}
    project.edit("config/config.yaml", lambda s: s.update(statistics={"factors": factors}))
    assert project.jobs("--", "results/tables/factors.csv") == ["tell_factors"]
