"""What the training of an adapter asks of its base, its tasks and its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..kinds import base
from .conditions import file_of
from .study import Study
from .training import parts_with

# Keys of a task that put something between its prompt and the answer.
_BETWEEN = {"rationale": "a reasoning before it", "turns": "further turns behind it"}


def check_training(study: Study) -> None:
    """Check that every adapter can be trained as its file says.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    for id_, task in study.training.tasks.items():
        study.spec(id_).check(file_of("tasks", id_), task, study.dataset_of(id_))
    for id_, adapter in study.adapters.items():
        if "training" in adapter:
            name = f"config/adapters/{id_}.yaml"
            _check_base(name, adapter["base"], study.written_models[adapter["base"]])
            for part in parts_with(adapter, "task"):
                _check_task(name, adapter["training"]["method"], part["task"], study)


def _check_base(name: str, id_: str, model: Mapping[str, Any]) -> None:
    if model["source"]["kind"] == "server":
        raise InputError(
            f"{name}: key `base` names {id_!r}, which runs on a server, where no adapter can be "
            "trained; name a model that runs here"
        )
    if model["thinking"]["think"]:
        raise InputError(
            f"{name}: key `base` names {id_!r}, which thinks before it answers, so that no prompt "
            "stands before an answer; name one whose key `thinking.think` is false"
        )


def _check_task(name: str, method: str, id_: str, study: Study) -> None:
    task = study.training.files["tasks"][id_]
    if method != "sft":
        raise InputError(
            f"{name}: key `training.method` is {method!r}, which compares answers, but task "
            f"{id_!r} of key `data` has references alone; use sft, or a part with key `file`"
        )
    if not base.has(task["kind"], "training"):
        raise InputError(
            f"{name}: key `data` names the task {id_!r}, but a task of kind {task['kind']!r} has "
            "no reference that an answer could be; take a part with key `file`"
        )
    for key, what in _BETWEEN.items():
        if task.get(key):
            raise InputError(
                f"{name}: key `data` names the task {id_!r}, which asks for {what} (key `{key}`), "
                "so that its references are no answers to its prompts; name a task without"
            )
