"""Commands as the README has them: every study can be planned, as it comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project, copy_project
from root import ROOT

DEFAULT = "config/config.yaml"
STUDIES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("config/studies/*.yaml"))
DATA = "data"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it comes, and an empty file in the place of each one of real data.

    A dry run looks whether these are there, not what they hold.
    """
    project = copy_project(tmp_path_factory.mktemp("commands") / "project")
    for file in (project.path / "config/datasets").glob("*.yaml"):
        source = read(project, f"config/datasets/{file.name}")["source"]
        if "{data_dir}" in source.get("path", ""):
            path = project.path / source["path"].format(data_dir=DATA)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return project


def read(project: Project, file: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((project.path / file).read_text(encoding="utf-8"))
    return content


def planned(project: Project, *arguments: str) -> dict[str, int]:
    """How many jobs of every rule a dry run plans."""
    output = project.run(*arguments, "-n", "--quiet", "rules", PERSONA_DATA_DIR=DATA)
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}


@pytest.mark.parametrize("file", [DEFAULT, *STUDIES], ids=lambda file: Path(file).stem)
def test_a_study_is_planned_whole(untouched: Project, file: str) -> None:
    jobs = planned(untouched, *([] if file == DEFAULT else ["--configfile", file]))
    study = read(untouched, DEFAULT) | read(untouched, file)
    models = [read(untouched, f"config/models/{id_}.yaml") for id_ in study["models"]]
    thinking = sum(model.get("thinking", {}).get("think", False) for model in models)
    personas = len(study["personas"])
    cells = len(models) * personas
    tasks = [read(untouched, f"config/tasks/{id_}.yaml") for id_ in study["tasks"]]
    kinds = [task.get("kind") or ("rationale" if task.get("rationale") else "") for task in tasks]
    reasoned = kinds.count("rationale")
    judges = [read(untouched, f"config/judges/{id_}.yaml") for id_ in study["judges"]]
    assert jobs["all"] == 1
    assert jobs["download_dataset"] == len({task["dataset"] for task in tasks})
    assert jobs["write_prompts"] == len(tasks) * personas
    assert jobs["deliver"] == cells * len(tasks)
    at_once = personas * (len(tasks) - reasoned)
    assert jobs.get("think", 0) == thinking * personas * len(tasks)
    assert jobs.get("answer_behind_thought", 0) == thinking * at_once
    assert jobs.get("generate", 0) == (len(models) - thinking) * at_once
    assert jobs.get("reason", 0) == cells * reasoned
    rated = sum(kinds.count(judge["kind"]) for judge in judges)
    assert jobs.get("read_ratings", 0) == cells * rated


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("results/clinician/packet.zip", "write_packet"),
        ("results/audit/invariance.csv", "tabulate_audit"),
        ("results/tables/agreement.csv", "agree"),
    ],
)
def test_a_file_is_planned_by_its_name(untouched: Project, target: str, rule: str) -> None:
    jobs = planned(untouched, target)
    assert jobs[rule] == 1
    assert "all" not in jobs


def test_the_name_of_a_file_is_a_whole_command(tmp_path: Path) -> None:
    """The profile gives the number of cores, for which a run asks and a dry run does not."""
    project = copy_project(tmp_path / "project")
    target = "resources/datasets/teaching_ed.parquet"
    project.run(target)
    assert (project.path / target).is_file()
