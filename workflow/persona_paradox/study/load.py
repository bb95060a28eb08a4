"""From a study's settings to the files of all its ids, each checked by its schema."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..data.parts import PEFT_WEIGHTS, files_of_adapter, parts_of
from ..errors import InputError
from ..names import ALL, READ
from ..specs import Settings
from .arms import datasets_of, sets_of, tasks_of
from .checks import cross_check
from .conditions import MARK, base_of, bases, personas_of, plain, split
from .cycles import file_of_adapter
from .derived_models import models_of
from .judge_checks import checks_of
from .reading import Check, load_adapter, load_dataset, load_one, load_task, whole_of
from .relations import check_relations
from .sources import sources_of_study, to_train, training_sources
from .study import Study
from .training import files_with
from .training_files import load_training
from .yaml_reading import check_plain, read_yaml

# Folders of files that give an id a title, where it is not the id itself.
TITLES = ("contexts", "groups", "families")


def load_study(settings: dict[str, Any], config: Path, check: Check) -> Study:
    """Read and check everything a study names.

    Args:
        settings: the study, as merged from its YAML files.
        config: the folder with `models/`, `tasks/`, `personas/`, `datasets/` and `judges/`.
        check: validates a mapping against a schema: `check(data, schema, file name)`.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    name = "the study (config/config.yaml, --configfile or --config)"
    check_plain(settings, name)
    check(settings, "study", name)

    def load(kind: str, ids: list[str], named_by: str) -> dict[str, Any]:
        return {id_: load_one(kind, id_, named_by, config, check) for id_ in ids}

    # An arm is made of its base, which a study may leave out.
    named_by = "key `tasks` of the study"
    base_tasks: dict[str, Any] = {
        id_: load_task(id_, named_by, config, check) for id_ in map(base_of, settings["tasks"])
    }
    datasets = {
        task["dataset"]: load_dataset(id_, base_tasks, config, check)
        for id_, task in base_tasks.items()
    }
    arm_sets: dict[str, Any] = {}
    for id_, task in base_tasks.items():
        named_by = f"key `arm_sets` of config/tasks/{id_}.yaml"
        arm_sets |= load("arm_sets", task.get("arm_sets", []), named_by)
    tasks = tasks_of(settings["tasks"], base_tasks, arm_sets)
    datasets = datasets_of(tasks, datasets)
    contexts = settings["contexts"]
    if contexts != ALL:
        there = {one["context"] for one in datasets.values()}
        _check_known("contexts", contexts, there | _written("contexts", config))
        tasks = {t: s for t, s in tasks.items() if datasets[s["dataset"]]["context"] in contexts}
    if not tasks:
        raise InputError(
            "the study runs nothing: no task of key `tasks` has a data set of a context in "
            "key `contexts`; add a task or a context"
        )
    judges = load("judges", settings["judges"], "key `judges` of the study")
    asked = dict.fromkeys(settings["models"], "key `models` of the study")
    for id_, judge in judges.items():
        asked.setdefault(judge["model"], f"key `model` of config/judges/{id_}.yaml")
    written: dict[str, Any] = {}
    adapters: dict[str, Any] = {}
    for id_, named_by in asked.items():
        whole, part = split(id_)
        written |= load("models", [whole], named_by)
        if part:
            adapters[part] = load_adapter(part, named_by, config, check)
    models = models_of(asked, written, adapters)
    named_by = "key `adapters` of the study"
    settings["adapters"] = [whole_of(id_, named_by, config, check) for id_ in settings["adapters"]]
    named = [id_ for id_ in settings["adapters"] if id_ not in adapters]
    for id_ in named:
        adapters[id_] = load_adapter(id_, "key `adapters` of the study", config, check)
        named_by = f"{file_of_adapter(id_, adapters[id_])}: key `base`"
        written |= load("models", [adapters[id_]["base"]], named_by)
    for id_ in settings["limits"]:
        if not (config / "tasks" / f"{id_}.yaml").is_file():
            raise InputError(
                f"key `limits` of the study names {id_!r}, but config/tasks/{id_}.yaml does not "
                "exist; mend the id"
            )
    training = load_training(adapters, base_tasks, config, check)
    wanted, named_by = settings["personas"], "key `personas` of the study"
    sets = load("persona_sets", bases(wanted), named_by)
    study = Study(
        settings=cast(Settings, settings),
        models={id_: models[id_] for id_ in settings["models"]},
        judges=judges,
        judge_models={id_: m for id_, m in models.items() if id_ not in settings["models"]},
        base_models={id_: model for id_, model in written.items() if id_ not in models},
        adapters=adapters | training.files["adapters"],
        tasks=tasks,
        personas=personas_of(wanted, load("personas", plain(wanted), named_by), sets),
        persona_sets=sets,
        datasets=datasets_of(tasks, datasets),
        base_tasks={id_: base_tasks[id_] for id_ in bases(tasks)},
        arm_sets={id_: arm_sets[id_] for id_ in sets_of(tasks, base_tasks)},
        training=training,
    )
    read = [reads for reads in READ if study.read_tasks(reads)]
    study = replace(
        study,
        forms=load("forms", read, "what clinicians read of the tasks"),
        titles=_titles(study, config, check),
    )
    _check_groups(study)
    check_relations(study.personas, study.datasets, (config / "datasets").glob("*.yaml"), read_yaml)
    cross_check(study)
    return study


def _titles(study: Study, config: Path, check: Check) -> dict[str, dict[str, str]]:
    """What contexts, groups and families are called: by a file of theirs, or by their ids."""
    found = {
        kind: {id_: _title(config, kind, id_, check) for id_ in study.ids_of(kind)}
        for kind in TITLES
    }
    # A set says what its personas are called together, where no file of theirs does.
    for id_, content in study.persona_sets.items():
        if id_ in found["groups"] and id_ not in _written("groups", config):
            found["groups"][id_] = content["title"]
    # A group that has a file is known, also where the study has nobody of it.
    for id_ in sorted(_written("groups", config)):
        found["groups"].setdefault(id_, _title(config, "groups", id_, check))
    return found


def _written(kind: str, config: Path) -> set[str]:
    """The ids of a kind that have a file."""
    return {path.stem for path in (config / kind).glob("*.yaml")}


def _title(config: Path, kind: str, id_: str, check: Check) -> str:
    path, name = config / kind / f"{id_}.yaml", f"config/{kind}/{id_}.yaml"
    if not path.is_file():
        return id_.replace("_", " ").capitalize()
    content = read_yaml(path, name)
    check(content, "title", name)
    title: str = content["title"]
    return title


def _check_groups(study: Study) -> None:
    """Check that the groups of personas that settings choose are known."""
    settings, known = study.settings, set(study.titles["groups"])
    family = settings["statistics"]["family"]["groups"]
    _check_known("rankings.groups", settings["rankings"]["groups"], known)
    asked = settings["identification"]
    _check_known("identification.groups", asked["groups"] if asked else [], known)
    read = settings["readings"]
    _check_known("readings.roles", read["roles"] if read else [], known)
    _check_known("clinicians.groups", settings["clinicians"]["groups"], known)
    _check_known("statistics.family.groups", [] if family == ALL else family, known)


def _check_known(key: str, ids: Sequence[str], known: set[str]) -> None:
    for id_ in ids:
        if id_ not in known:
            raise InputError(
                f"key `{key}` of the study names {id_!r}, which nothing of the study has; use some "
                f"of {', '.join(sorted(known))}"
            )


def offer_data_dir(study: Study) -> None:
    """Let jobs find the data folder by PERSONA_DATA_DIR.

    So where a file lies is no part of a job, and moving it reruns nothing; what the file
    holds is pinned by its sha256.
    """
    if study.data_dir is not None:
        os.environ["PERSONA_DATA_DIR"] = study.data_dir


def check_sources(study: Study, resources: str) -> None:
    """Check that local files are where the study says, before any work starts.

    Raises:
        InputError: a file of a `path` or `bundled` source that is still to be read is missing,
            or one that tests a judge.
    """
    for missing in missing_sources(study, resources):
        raise missing


def missing_sources(study: Study, resources: str) -> Iterator[InputError]:
    """A sentence for every file that `check_sources` would miss."""
    tested = {id_: study.training.judges[id_] for id_ in study.training.tested}
    for id_, judge in (tested | study.judges).items():
        for key, path in checks_of(judge):
            if not Path(path).is_file():
                yield InputError(
                    f"config/judges/{id_}.yaml: key `{key}` names {path}, which does not "
                    "exist; mend the path"
                )
    several = {"models": parts_of, "adapters": files_of_adapter}
    for kind, id_, source in sources_of_study(study):
        done = f"{resources}/{kind}/" + (
            f"{id_}.parquet" if kind == "datasets" else f"{id_}/manifest.json"
        )
        if kind == "adapters":
            done = f"{resources}/models/{study.adapters[id_]['base']}{MARK}{id_}/manifest.json"
        if source["kind"] not in ("path", "bundled") or Path(done).exists():
            continue
        name = f"config/{kind}/{id_}.yaml"
        parts = several[kind](source, name) if kind in several else [source]
        of_product = kind == "adapters" and "product" in study.adapters[id_]
        for path in (part["path"] for part in parts):
            yield from _wrong(name, path, study.data_dir, "product" if of_product else "source")
    for id_, source in training_sources(study):
        if source["kind"] in ("path", "bundled"):
            yield from _wrong(
                f"config/datasets/{id_}.yaml", source["path"], study.data_dir, "source"
            )
    for id_, path in files_with({id_: study.adapters[id_] for id_ in to_train(study)}):
        if not Path(path).is_file():
            why = (
                "is a folder; name a file"
                if Path(path).is_dir()
                else "does not exist; mend the path"
            )
            yield InputError(
                f"{file_of_adapter(id_, study.adapters[id_])}: key `file` names {path}, which {why}"
            )


def _wrong(name: str, path: str, data_dir: str | None, key: str) -> Iterator[InputError]:
    """What is wrong with the place of a `path` or `bundled` source, if anything; `key` names it."""
    found = path
    if "{data_dir}" in path:
        if data_dir is None:
            yield InputError(
                f"{name}: key `{key}.path` needs the data folder; set key `data_dir` of the study "
                "or the environment variable PERSONA_DATA_DIR"
            )
            return
        found = path.replace("{data_dir}", data_dir)
    if found.startswith("~"):
        yield InputError(
            f"{name}: key `{key}.path` names {found}, but ~ does not stand for your home folder "
            "here; write the whole path"
        )
    elif Path(found).is_dir():
        inside = PEFT_WEIGHTS if (Path(found) / PEFT_WEIGHTS).is_file() else "a file"
        yield InputError(f"{name}: key `{key}.path` names {found}, a folder; name {inside} in it")
    elif not Path(found).is_file():
        yield InputError(
            f"{name}: key `{key}.path` names {found}, which does not exist; mend the path"
            + (" or the data folder" if "{data_dir}" in path else "")
        )
