"""Commands as the README has them: every study can be planned, as it comes."""

from __future__ import annotations

import itertools
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


def personas_of(project: Project, ids: list[str]) -> list[str]:
    """The personas of a study; of a set, every combination of the levels of its factors."""
    found: list[str] = []
    for id_ in ids:
        base, _, part = id_.partition("@")
        if part == "all":
            content = read(project, f"config/persona_sets/{base}.yaml")
            assert not {"only", "except"} & content.keys()
            levels = itertools.product(*content["factors"].values())
            found += [f"{base}@{'_'.join(each)}" for each in levels]
        else:
            found.append(id_)
    return found


def tasks_of(project: Project, ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """The data set of every task of a study, and its file; an arm has a data set of its own."""
    found = []
    for id_ in ids:
        base, _, part = id_.partition("@")
        task = read(project, f"config/tasks/{base}.yaml")
        arms = ["", *task.get("arms", {})] if part == "all" else [part]
        found += [(f"{task['dataset']}@{arm}" if arm else task["dataset"], task) for arm in arms]
    return found


@pytest.mark.parametrize("file", [DEFAULT, *STUDIES], ids=lambda file: Path(file).stem)
def test_a_study_is_planned_whole(untouched: Project, file: str) -> None:
    jobs = planned(untouched, *([] if file == DEFAULT else ["--configfile", file]))
    study = read(untouched, DEFAULT) | read(untouched, file)
    models = [read(untouched, f"config/models/{id_}.yaml") for id_ in study["models"]]
    thinking = sum(model.get("thinking", {}).get("think", False) for model in models)
    personas = len(personas_of(untouched, study["personas"]))
    cells = len(models) * personas
    tasks = tasks_of(untouched, study["tasks"])
    reasoned = sum(bool(task.get("rationale")) for _, task in tasks)
    free = sum(task["kind"] == "safety" for _, task in tasks)
    judges = [read(untouched, f"config/judges/{id_}.yaml") for id_ in study["judges"]]
    assert jobs["all"] == 1
    datasets = {dataset for dataset, _ in tasks}
    assert jobs["download_dataset"] == len({dataset.partition("@")[0] for dataset in datasets})
    assert jobs.get("perturb", 0) == sum("@" in dataset for dataset in datasets)
    assert jobs["write_prompts"] == len(tasks) * personas
    assert jobs["deliver"] == cells * len(tasks)
    at_once = personas * (len(tasks) - reasoned)
    assert jobs.get("think", 0) == thinking * personas * len(tasks)
    assert jobs.get("answer_behind_thought", 0) == thinking * at_once
    assert jobs.get("generate", 0) == (len(models) - thinking) * at_once
    assert jobs.get("reason", 0) == cells * reasoned
    read_by = {"answers": free, "reasoning": reasoned}
    assert jobs.get("read_ratings", 0) == cells * sum(read_by[j["reads"]] for j in judges)


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
