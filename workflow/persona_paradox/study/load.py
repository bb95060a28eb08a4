"""From a study's settings to the files of all its ids, each checked by its schema."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data.parts import parts_of
from ..errors import InputError
from ..names import PATIENT_SAFETY, SAFETY
from .checks import cross_check
from .conditions import bases, personas_of, plain
from .study import Study, forms_of, sources_of_study
from .yaml_reading import check_plain, read_yaml

KINDS = {
    "models": "model",
    "tasks": "task",
    "personas": "persona",
    "persona_sets": "persona_set",
    "datasets": "dataset",
    "judges": "judge",
    "forms": "form",
}

# Words that a path or a figure uses for something else.
RESERVED = frozenset({"all", "human", "main", "config", "none", "panel", "clinicians"})

Check = Callable[[dict[str, Any], str, str], None]


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

    def load(kind: str, ids: list[str], named_by: str) -> dict[str, dict[str, Any]]:
        return {id_: _load_one(kind, id_, named_by, config, check) for id_ in ids}

    tasks = load("tasks", settings["tasks"], "key `tasks` of the study")
    datasets: dict[str, dict[str, Any]] = {}
    for task, spec in tasks.items():
        dataset = spec["dataset"]
        named_by = f"key `dataset` of config/tasks/{task}.yaml"
        datasets[dataset] = _load_one("datasets", dataset, named_by, config, check)
    contexts = settings["contexts"]
    tasks = {t: s for t, s in tasks.items() if datasets[s["dataset"]]["context"] in contexts}
    if not tasks:
        raise InputError(
            "the study runs nothing: no task of key `tasks` has a data set of a context in "
            "key `contexts`; add a task or a context"
        )
    models = load("models", settings["models"], "key `models` of the study")
    judges = load("judges", settings["judges"], "key `judges` of the study")
    judge_models = {
        judge["model"]: _load_one(
            "models", judge["model"], f"key `model` of config/judges/{id_}.yaml", config, check
        )
        for id_, judge in judges.items()
        if judge["model"] not in models
    }
    for id_ in settings["limits"]:
        if not (config / "tasks" / f"{id_}.yaml").is_file():
            raise InputError(
                f"key `limits` of the study names {id_!r}, but config/tasks/{id_}.yaml does not "
                "exist; mend the id"
            )
    wanted, named_by = settings["personas"], "key `personas` of the study"
    sets = load("persona_sets", bases(wanted), named_by)
    study = Study(
        settings=settings,
        models=models,
        judges=judges,
        judge_models=judge_models,
        forms={form: load("forms", [form], f"kind {form!r}")[form] for form in forms_of(tasks)},
        tasks=tasks,
        personas=personas_of(wanted, load("personas", plain(wanted), named_by), sets),
        persona_sets=sets,
        datasets={spec["dataset"]: datasets[spec["dataset"]] for spec in tasks.values()},
    )
    cross_check(study)
    return study


def _load_one(kind: str, id_: str, named_by: str, config: Path, check: Check) -> dict[str, Any]:
    name = f"config/{kind}/{id_}.yaml"
    path = config / kind / f"{id_}.yaml"
    if id_ in RESERVED:
        raise InputError(f"{named_by} names {id_!r}, a reserved word; choose another id")
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (config / kind).glob("*.yaml"))) or "none"
        raise InputError(
            f"{named_by} names {id_!r}, but {os.path.relpath(path)} does not exist; known ids: "
            f"{known}"
        )
    value = read_yaml(path, name)
    schema = KINDS[kind]
    if (kind, value.get("kind")) == ("tasks", SAFETY) or (kind, value.get("context")) == (
        "datasets",
        PATIENT_SAFETY,
    ):
        schema = f"safety_{schema}"
    check(value, schema, name)
    return value


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
    for id_, judge in study.judges.items():
        for key in ("sanity", "injections"):
            if judge[key] is not None and not Path(judge[key]).is_file():
                raise InputError(
                    f"config/judges/{id_}.yaml: key `{key}` names {judge[key]}, which does not "
                    "exist; mend the path"
                )
    for kind, id_, source in sources_of_study(study):
        done = f"{resources}/{kind}/" + (
            f"{id_}.parquet" if kind == "datasets" else f"{id_}/manifest.json"
        )
        if source["kind"] not in ("path", "bundled") or Path(done).exists():
            continue
        name = f"config/{kind}/{id_}.yaml"
        parts = parts_of(source, name) if kind == "models" else [source]
        for path in (part["path"] for part in parts):
            _check_file(name, path, study.data_dir)


def _check_file(name: str, path: str, data_dir: str | None) -> None:
    """See that the file of a `path` or `bundled` source is there."""
    found = path
    if "{data_dir}" in path:
        if data_dir is None:
            raise InputError(
                f"{name}: key `source.path` needs the data folder; set key `data_dir` of the study "
                "or the environment variable PERSONA_DATA_DIR"
            )
        found = path.replace("{data_dir}", data_dir)
    if found.startswith("~"):
        raise InputError(
            f"{name}: key `source.path` names {found}, but ~ does not stand for your home folder "
            "here; write the whole path"
        )
    if Path(found).is_dir():
        raise InputError(f"{name}: key `source.path` names {found}, a folder; name a file")
    if not Path(found).is_file():
        raise InputError(
            f"{name}: key `source.path` names {found}, which does not exist; mend the path"
            + (" or the data folder" if "{data_dir}" in path else "")
        )
