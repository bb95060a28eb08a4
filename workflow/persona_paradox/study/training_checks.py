"""What the training of an adapter asks of its base, its tasks and its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.split import VALIDATION
from ..errors import InputError
from ..kinds import base
from ..names import ANSWERS
from .conditions import file_of
from .cycles import file_of_adapter, methods_of
from .judge_checks import checks_of
from .study import Study
from .training import is_made, parts_with

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
        name = file_of_adapter(id_, adapter)
        if is_made(adapter):
            known = study.written_models | study.training.files.get("models", {})
            _check_base(name, "base", adapter["base"], known[adapter["base"]])
        if "validation" in adapter:
            _check_validation(name, adapter["validation"], study)
        if "training" in adapter:
            (method,) = methods_of(adapter["training"])
            for part in parts_with(adapter, "task"):
                _check_references(name, method, part, study)
            for part in parts_with(adapter, "answers"):
                _check_answers(name, method, part["answers"], study)
    for id_, judge in study.training.judges.items():
        _check_local(f"config/judges/{id_}.yaml", "model", judge["model"], study)


def _check_local(name: str, key: str, id_: str, study: Study) -> None:
    if study.training.models[id_]["source"]["kind"] == "server":
        raise InputError(
            f"{name}: key `{key}` names {id_!r}, which runs on a server, but adapters are trained "
            "on what models say that run here; name such a model"
        )


def _check_base(name: str, key: str, id_: str, model: Mapping[str, Any]) -> None:
    if model["source"]["kind"] == "server":
        raise InputError(
            f"{name}: key `{key}` names {id_!r}, which runs on a server, where no adapter can be "
            "trained; name a model that runs here"
        )
    if model["thinking"]["think"]:
        raise InputError(
            f"{name}: key `{key}` names {id_!r}, which thinks before it answers, so that no prompt "
            "stands before an answer; name one whose key `thinking.think` is false"
        )


def _check_references(name: str, method: str, part: Mapping[str, Any], study: Study) -> None:
    id_ = part["task"]
    task = study.training.files["tasks"][id_]
    if method != "sft":
        raise InputError(
            f"{name}: key `training.method` is {method!r}, which compares answers, but task "
            f"{id_!r} of key `data` has references alone; use sft, or a part with key `file` or "
            "`answers`"
        )
    if not base.has(task["kind"], "training"):
        raise InputError(
            f"{name}: key `data` names the task {id_!r}, but a task of kind {task['kind']!r} has "
            "no reference that an answer could be; take a part with key `file`"
        )
    taught, behaviour = base.taught(task["kind"]), part.get("behaviour")
    if taught and behaviour not in taught:
        why = "says not which behaviour" if behaviour is None else f"has {behaviour!r}"
        raise InputError(
            f"{name}: key `data` names the task {id_!r}, and its key `behaviour` is wrong or "
            f"missing ({why}); set it to one of {', '.join(taught)}"
        )
    if behaviour is not None and not taught:
        raise InputError(
            f"{name}: key `data` has key `behaviour` beside the task {id_!r}, but a task of kind "
            f"{task['kind']!r} has one right answer to every item; take the key out"
        )
    _check_straight(name, id_, task)


def _check_answers(name: str, method: str, part: Mapping[str, Any], study: Study) -> None:
    task = study.training.files["tasks"][part["task"]]
    if method == "sft":
        raise InputError(
            f"{name}: key `training.method` is 'sft', but key `answers` brings answers that are "
            "compared; use dpo or kto"
        )
    _check_worth(name, "answers", part, study)
    if method == "dpo" and not task["decoding"]["sampled"]["answers"]:
        raise InputError(
            f"{name}: key `training.method` is 'dpo', which compares answers to one prompt, but "
            f"task {part['task']!r} asks for one; set key `decoding.sampled.answers` of "
            f"config/tasks/{part['task']}.yaml, or use kto"
        )
    model = str(part.get("model", ""))
    if model:
        _check_local(name, "answers.model", model, study)


def _check_validation(name: str, about: Mapping[str, Any], study: Study) -> None:
    _check_worth(name, VALIDATION, about, study)
    dataset = study.training.files["tasks"][about["task"]]["dataset"]
    if VALIDATION not in study.training.files["datasets"][dataset].get("training", {}):
        raise InputError(
            f"config/datasets/{dataset}.yaml: an adapter is chosen by this data set, but no items "
            f"of it are kept for validation; write key `training.{VALIDATION}` with the share of "
            "them"
        )
    judge = study.training.judges[about["judge"]]
    if about["stop"]["unusable_judge"] and not checks_of(judge):
        raise InputError(
            f"{name}: key `{VALIDATION}.stop.unusable_judge` is true, but the judge "
            f"{about['judge']!r} has no answers of known worth, by which it could be found usable; "
            f"give it some (key `sanity_classes` of config/judges/{about['judge']}.yaml), or set "
            "the key to false"
        )


def _check_worth(name: str, key: str, part: Mapping[str, Any], study: Study) -> None:
    """Check that something says what answers are worth."""
    task, judge = study.training.files["tasks"][part["task"]], study.training.judges[part["judge"]]
    if not base.has(task["kind"], "preference"):
        raise InputError(
            f"{name}: key `{key}.task` names {part['task']!r}, but nothing says what an answer "
            f"to a task of kind {task['kind']!r} is worth; name a task of kind safety"
        )
    if judge["action"] is None or judge["reads"] != ANSWERS:
        raise InputError(
            f"{name}: key `{key}.judge` names {part['judge']!r}, which does not say what an "
            "answer does; name a judge that has key `action` and reads answers"
        )
    _check_straight(name, part["task"], task)


def _check_straight(name: str, id_: str, task: Mapping[str, Any]) -> None:
    """Check that a task is answered behind its prompt, and there is nothing more to it."""
    for key, what in _BETWEEN.items():
        if task.get(key):
            raise InputError(
                f"{name}: key `data` names the task {id_!r}, which asks for {what} (key `{key}`), "
                "so that no answer stands behind its prompts; name a task without"
            )
