"""A study of a set of arms: from its file to answers, and what an edited level runs again."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import refused
from studies import shared

SET = "config/arm_sets/said.yaml"
TASK = "config/tasks/teaching_questions.yaml"
CONTENT = {
    "title": "Who names which option",
    "arm": {"rule": "name_option", "text": '{speaker} says: {letter}, "{option}".'},
    "factors": {
        "speaker": {"nurse": "The nurse", "patient": "The patient"},
        "named": {"wrong": {"arm": {"names": "wrong"}}, "right": {"arm": {"names": "right"}}},
    },
    "except": ["patient_right"],
}
PARTS = ["nurse_wrong", "nurse_right", "patient_wrong"]
TASKS = ["teaching_questions", *(f"teaching_questions@said_{part}" for part in PARTS)]
CELL = "results/scores/tiny/{}/no_persona.parquet"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small study of a set of arms, whose answers are scored. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        study = STUDY | {"tasks": ["teaching_questions", "teaching_questions@said_*"]}
        study |= {"personas": ["no_persona"], "tables": ["cells"], "figures": []}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        (path / SET).write_text(yaml.safe_dump(CONTENT, sort_keys=False))
        project.edit(TASK, lambda task: task.update(arm_sets=["said"], order="shuffled"))
        project.run("--cores", "2", "--until", "score")

    return shared(tmp_path_factory, "arm_set", build)


def items(project: Project, part: str) -> pl.DataFrame:
    return pl.read_parquet(
        project.path / f"resources/datasets/teaching_questions@said_{part}.parquet"
    )


def test_every_arm_names_an_option_by_the_letter_that_the_model_reads(scored: Project) -> None:
    for part in PARTS:
        told = pl.read_parquet(
            scored.path
            / f"results/delivered/tiny/teaching_questions@said_{part}/no_persona.parquet"
        ).join(items(scored, part), on="item_id")
        assert told.height == STUDY["limit"]
        for row in told.iter_rows(named=True):
            named = row["options"][row["named"]]
            right = {"ABCDEFGHIJ".index(letter) for letter in row["reference"]}
            assert (row["named"] in right) == part.endswith("right")
            lines = row["text"].splitlines()
            (letter,) = [line[0] for line in lines if line[1:] == f". {named}"]
            assert f'says: {letter}, "{named}".' in row["text"]


def test_an_edited_level_runs_its_own_arms_again_and_no_others(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "edited")
    targets = [CELL.format(task) for task in TASKS]
    assert project.jobs("--", *targets) == []
    project.replace(SET, "The patient", "The patient, who has read a lot,")
    arm = "teaching_questions@said_patient_wrong"
    assert project.jobs("--", *targets) == [
        f"deliver tiny/{arm}/no_persona",
        f"generate tiny/{arm}/no_persona",
        f"perturb {arm}",
        f"score tiny/{arm}/no_persona",
        f"write_prompts {arm}/no_persona",
    ]
    # Titles, and what an arm is about, are for tables and figures.
    project.replace(SET, "The patient, who has read a lot,", "The patient")
    project.edit(SET, lambda content: content.update(title_template="{named} by {speaker}"))
    project.edit(SET, lambda content: content["arm"].update(about={"attribute": "said"}))
    assert project.jobs("--", *targets) == []
    # A new level adds arms.
    project.edit(SET, lambda content: content["factors"]["speaker"].update(student="A student"))
    more = [CELL.format("teaching_questions@said_student_wrong")]
    assert {job.split()[-1].split("@")[1].split("/")[0] for job in project.jobs("--", *more)} == {
        "said_student_wrong"
    }


def test_the_provenance_has_the_set_as_it_is_written(scored: Project) -> None:
    (path,) = (scored.path / "results/config").glob("provenance-*.json")
    configured = json.loads(path.read_text())["configuration"]
    assert configured["tasks"]["teaching_questions"]["arm_sets"] == ["said"]
    assert json.loads(configured["tasks"]["teaching_questions"]["arms"]) == {}
    factors = json.loads(configured["arm_sets"]["said"]["factors"])
    assert list(factors["speaker"]) == ["nurse", "patient"]


def test_tasks_that_show_options_in_another_order_share_no_arm(
    scored: Project, tmp_path: Path
) -> None:
    project = scored.copy(tmp_path / "orders")
    project.edit(
        "config/tasks/teaching_questions_user.yaml", lambda task: task.update(arm_sets=["said"])
    )
    project.edit(
        "config/config.yaml",
        lambda study: study["tasks"].append("teaching_questions_user@said_nurse_wrong"),
    )
    refused(project, "teaching_questions_user.yaml", "calls its answers otherwise", "key `tasks`")


def test_a_set_that_is_not_there_is_refused(scored: Project, tmp_path: Path) -> None:
    project = scored.copy(tmp_path / "missing")
    project.edit(TASK, lambda task: task.update(arm_sets=["told"]))
    refused(project, "`arm_sets` of config/tasks/teaching_questions.yaml", "'told'", "said")
