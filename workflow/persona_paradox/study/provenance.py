"""What a study was made of: its configuration in full, and the state of its code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from ..specs import Settings
from .arms import datasets_of, tasks_of
from .conditions import base_of, bases, personas_of, plain
from .derived_models import models_of, training_models
from .study import Study
from .training import training_of


def configuration(study: Study) -> dict[str, Any]:
    """Everything that the files of a study say, by kind and id; `study_of` reads it back.

    The data folder is left out: where it lies is no part of a study. A JSON schema, arms and the
    factors of sets stand as text, because the order of their keys means something.
    """
    settings = {key: value for key, value in study.settings.items() if key != "data_dir"}
    # What is derived of a file is made of it again.
    tasks: dict[str, Any] = deepcopy(
        study.base_tasks | {id_: study.tasks[id_] for id_ in plain(study.tasks)}
    )
    sets, arm_sets = deepcopy(study.persona_sets), deepcopy(study.arm_sets)
    training = deepcopy(study.training.files)
    for task in (*tasks.values(), *training.get("tasks", {}).values()):
        if task["decoding"]["json_schema"] is not None:
            task["decoding"]["json_schema"] = json.dumps(task["decoding"]["json_schema"])
        task["arms"] = json.dumps(task.get("arms", {}))
    more = training.get("persona_sets", {})
    for content in (*sets.values(), *arm_sets.values(), *more.values()):
        content["factors"] = json.dumps(content["factors"])
    return {
        "study": settings,
        "models": study.written_models,
        "adapters": study.adapters,
        "tasks": tasks,
        "personas": {id_: study.personas[id_] for id_ in plain(study.personas)},
        "persona_sets": sets,
        "arm_sets": arm_sets,
        "datasets": {id_: study.datasets[id_] for id_ in plain(study.datasets)},
        "judges": study.judges,
        "forms": study.forms,
        "titles": study.titles,
        "training": training,
    }


def study_of(configured: Mapping[str, Any]) -> Study:
    """The study that `configuration` wrote down."""
    settings = {"data_dir": None, **configured["study"]}
    tasks, training = deepcopy(configured["tasks"]), deepcopy(configured["training"])
    for task in (*tasks.values(), *training.get("tasks", {}).values()):
        text = task["decoding"]["json_schema"]
        task["decoding"]["json_schema"] = None if text is None else json.loads(text)
        task["arms"] = json.loads(task["arms"])

    # JSON has sorted ids; a study has them in the order in which it names them.
    def named(kind: str) -> dict[str, Any]:
        known = configured[kind]
        return {id_: known[id_] for id_ in settings[kind] if id_ in known}

    sets, arm_sets = deepcopy(configured["persona_sets"]), deepcopy(configured["arm_sets"])
    more = training.get("persona_sets", {})
    for content in (*sets.values(), *arm_sets.values(), *more.values()):
        content["factors"] = json.loads(content["factors"])
    named_tasks = [id_ for id_ in settings["tasks"] if base_of(id_) in tasks]
    chosen = tasks_of(named_tasks, tasks, arm_sets)
    # What is derived of files is made of them again.
    named_models = [*settings["models"], *(judge["model"] for judge in named("judges").values())]
    models = models_of(dict.fromkeys(named_models), configured["models"], configured["adapters"])
    return Study(
        settings=cast(Settings, settings),
        models={id_: models[id_] for id_ in settings["models"]},
        tasks=chosen,
        base_tasks={base: tasks[base] for base in bases(chosen)},
        arm_sets=arm_sets,
        personas=personas_of(settings["personas"], configured["personas"], sets),
        persona_sets=sets,
        datasets=datasets_of(chosen, configured["datasets"]),
        judges=named("judges"),
        judge_models={id_: m for id_, m in models.items() if id_ not in settings["models"]},
        base_models={id_: m for id_, m in configured["models"].items() if id_ not in models},
        adapters=dict(configured["adapters"]),
        forms=dict(configured["forms"]),
        titles=dict(configured["titles"]),
        training=training_of(
            configured["adapters"], training, training_models(configured["adapters"], training)
        ),
    )


def git_state(root: Path) -> dict[str, Any]:
    """Commit of the project, its date, and whether files differ from it; nulls without git."""
    nothing = {"commit": None, "date": None, "dirty": None}

    def git(*arguments: str) -> str:
        # Another job may be at work in the same clone: take no lock.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # A copy without git inside of some other repository is not that repository.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return nothing
        commit, date = git("log", "-1", "--format=%H %cI").split()
        # Whatever the user's own settings of git leave out of a status.
        status = git("status", "--porcelain", "--untracked-files=normal")
        return {"commit": commit, "date": date, "dirty": bool(status)}
    except (OSError, subprocess.CalledProcessError, ValueError):
        return nothing
