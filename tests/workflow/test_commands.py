"""Commands as the README has them: every study can be planned, as it comes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project, copy_project
from root import ROOT

DEFAULT = "config/config.yaml"
# A study of adapters in cycles plans answers to be trained on and answers to choose by.
CYCLES = "config/studies/alignment.yaml"
STUDIES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("config/studies/*.yaml"))
STUDIES.remove(CYCLES)
DATA = "data"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it comes, and an empty file in the place of each one of real data.

    A dry run looks whether these are there, not what they hold.
    """
    project = copy_project(tmp_path_factory.mktemp("commands") / "project")
    for file in (project.path / "config/datasets").glob("*.yaml"):
        sources = read(project, f"config/datasets/{file.name}")["source"]
        for source in sources if isinstance(sources, list) else [sources]:
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


def combined(content: dict[str, Any]) -> dict[str, list[Any]]:
    """The parts of a set that its file leaves → the levels of each."""
    factors = content["factors"].values()
    found = {
        "_".join(chosen): [levels[one] for one, levels in zip(chosen, factors, strict=True)]
        for chosen in itertools.product(*factors)
    }
    only, out = content.get("only") or ["*"], content.get("except", [])
    return {
        part: levels
        for part, levels in found.items()
        if any(fnmatchcase(part, one) for one in only)
        and not any(fnmatchcase(part, one) for one in out)
    }


def named(part: str, known: Iterable[str]) -> list[str]:
    """The parts that a study names: one, all, or those that a pattern fits."""
    return [one for one in known if part == "all" or fnmatchcase(one, part)]


def personas_of(project: Project, ids: list[str]) -> set[str]:
    """The personas of a study."""
    found = set()
    for id_ in ids:
        base, _, part = id_.partition("@")
        content = read(project, f"config/persona_sets/{base}.yaml") if part else {}
        parts = named(part, combined(content)) if part else []
        found |= {f"{base}@{one}" for one in parts} if part else {id_}
    return found


def arms_of(project: Project, task: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The arms of a task: its own, and those of the sets that it names."""
    found: dict[str, dict[str, Any]] = dict(task.get("arms", {}))
    for set_ in task.get("arm_sets", ()):
        content = read(project, f"config/arm_sets/{set_}.yaml")
        for part, levels in combined(content).items():
            arm = dict(content.get("arm", {}))
            for level in levels:
                arm |= level.get("arm", {}) if isinstance(level, dict) else {}
            found[f"{set_}_{part}"] = arm
    return found


def tasks_of(project: Project, ids: list[str]) -> list[tuple[str, dict[str, Any], int]]:
    """Of every task of a study its data set, its file, and the turns behind its first answers.

    An arm has a data set of its own.
    """
    found = {}
    for id_ in ids:
        base, _, part = id_.partition("@")
        task = read(project, f"config/tasks/{base}.yaml")
        arms = arms_of(project, task)
        chosen = named(part, arms) if part else []
        if part in ("", "all"):
            found[base] = (task["dataset"], task, len(task.get("turns", [])))
        for arm in chosen:
            turns = len(arms[arm].get("turns", []))
            found[f"{base}@{arm}"] = (f"{task['dataset']}@{arm}", task, turns)
    return list(found.values())


@pytest.mark.parametrize("file", [DEFAULT, *STUDIES], ids=lambda file: Path(file).stem)
def test_a_study_is_planned_whole(untouched: Project, file: str) -> None:
    jobs = planned(untouched, *([] if file == DEFAULT else ["--configfile", file]))
    study = read(untouched, DEFAULT) | read(untouched, file)
    named_models = [id_.partition("@") for id_ in study["models"]]
    models = [read(untouched, f"config/models/{base}.yaml") for base, _, _ in named_models]
    # Prompts that adapters are trained on: of the base, whose every persona is asked on its own.
    # An adapter with a product is not trained.
    adapters = [read(untouched, f"config/adapters/{id_}.yaml") for _, _, id_ in named_models if id_]
    adapters = [one for one in adapters if "product" not in one]
    parts = [part for one in adapters for part in one.get("training", {"data": ()})["data"]]
    taught = {(part["task"], persona) for part in parts for persona in part.get("personas", ())}
    thinking = sum(model.get("thinking", {}).get("think", False) for model in models)
    personas = len(personas_of(untouched, study["personas"]))
    cells = len(models) * personas
    tasks = tasks_of(untouched, study["tasks"])
    reasoned = sum(bool(task.get("rationale")) for _, task, _ in tasks)
    free = [turns for _, task, turns in tasks if task["kind"] in ("safety", "initiative")]
    # The first answers of what goes on behind them are those of the base.
    first = sum(not turns for _, _, turns in tasks)
    rounds = first + sum(turns for _, _, turns in tasks)
    judges = [read(untouched, f"config/judges/{id_}.yaml") for id_ in study["judges"]]
    assert jobs["all"] == 1
    datasets = {dataset for dataset, _, _ in tasks}
    read_from = {dataset.partition("@")[0] for dataset in datasets}
    assert jobs["download_dataset"] == len(read_from) + len({task for task, _ in taught})
    assert jobs.get("perturb", 0) == sum("@" in dataset for dataset in datasets)
    assert jobs["write_prompts"] == first * personas + len(taught)
    assert jobs.get("next_turn", 0) == cells * (rounds - first)
    assert jobs["deliver"] == cells * rounds + len(taught)
    assert jobs.get("train_adapter", 0) == sum("training" in one for one in adapters)
    at_once = personas * (rounds - reasoned)
    assert jobs.get("think", 0) == thinking * personas * rounds
    assert jobs.get("answer_behind_thought", 0) == thinking * at_once
    assert jobs.get("generate", 0) == (len(models) - thinking) * at_once
    assert jobs.get("reason", 0) == cells * reasoned
    # What goes on for several turns may be read behind each; the first answers are the base's.
    between = sum(turns - 1 for turns in free if turns > 1)
    read_by = {"answers": len(free), "reasoning": reasoned}
    reads = sum(read_by[j["reads"]] + between * j.get("rounds", False) for j in judges)
    assert jobs.get("read_ratings", 0) == cells * reads


def test_a_study_of_three_cycles_is_planned_whole(untouched: Project) -> None:
    jobs = planned(untouched, "--configfile", CYCLES)
    # Of every cycle two methods, of which one goes on.
    assert jobs["train_adapter"] == 6
    assert jobs["choose_adapter"] == 3
    assert jobs["compare_cycles"] == jobs["all"] == 1


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


def test_everything_that_a_network_brings_can_be_brought_before(project: Project) -> None:
    project.run("--cores", "1", "--", "download")
    assert not {job.split()[0] for job in project.jobs()} & {
        *("download_model", "prepare_model", "download_dataset")
    }
    assert [job for job in project.jobs("download") if job != "download"] == []


def test_what_a_named_adapter_is_trained_on_is_brought_with_it(untouched: Project) -> None:
    named = ("--config", "adapters=[aligned_self]")
    sets = {job for job in untouched.jobs("train", *named) if job.startswith("download_dataset ")}
    assert sets
    assert sets <= {*untouched.jobs("download", *named)}
    # What its base was trained on is not needed: that one is bundled.
    assert not [job for job in untouched.jobs("download", *named) if "ktas_half" in job]
    assert not sets & {*untouched.jobs("download")}
