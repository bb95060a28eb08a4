"""The files of the configuration that the training data of adapters name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .conditions import bases, plain, split
from .cycles import file_of_adapter, is_of_validated
from .derived_models import training_models
from .reading import Check, load_adapter, load_dataset, load_one, load_task
from .training import FILES, Training, answering, asking_parts, training_of, validating


def load_training(
    adapters: Mapping[str, Mapping[str, Any]],
    base_tasks: Mapping[str, dict[str, Any]],
    config: Path,
    check: Check,
) -> Training:
    """What adapters are trained on, of all files that they name.

    Args:
        adapters: id → content, of the adapters of a study.
        base_tasks: id → content, of the tasks that it asks.
        config: folder of the configuration.
        check: validates a mapping against a schema.

    Raises:
        InputError: a file is missing or wrong, or adapters are trained on each other.
    """
    files: dict[str, dict[str, Any]] = {kind: {} for kind in FILES}
    known: dict[str, Mapping[str, Any]] = dict(adapters)
    left = list(known)

    def take(own: str, named_by: str) -> None:
        """Take in an adapter that another one rests on."""
        if own not in files["adapters"]:
            adapter = known.get(own) or load_adapter(own, named_by, config, check)
            files["adapters"][own] = adapter
            if own not in known:
                known[own] = adapter
                left.append(own)

    while left:
        id_ = left.pop(0)
        name = file_of_adapter(id_, known[id_])
        for part in (*asking_parts(known[id_]), *validating(known[id_])):
            _load_part(name, part, files, base_tasks, (config, check))
            for model, named_by in _models(name, known[id_], part, files):
                base, own = split(model)
                if base not in files["models"]:
                    files["models"][base] = load_one("models", base, named_by, config, check)
                if own:
                    take(own, named_by)
        if is_of_validated(known[id_]) and (before := known[id_]["cycle"]["before"]) is not None:
            take(before, f"{name}: key `training.cycles`")
    training = training_of(known, files, training_models(known, files))
    _check_order(training, known)
    return training


def _load_part(
    name: str,
    part: Mapping[str, Any],
    files: dict[str, dict[str, Any]],
    base_tasks: Mapping[str, dict[str, Any]],
    source: tuple[Path, Check],
) -> None:
    """Load the task of a part of training data, with its data set and personas, and its judge."""
    tasks = files["tasks"]
    task, wanted = part["task"], part["personas"]
    if task not in tasks:
        known = base_tasks.get(task)
        tasks[task] = known or load_task(task, f"{name}: key `task`", *source)
    # Checked beside all others, since a data set is of one kind of task.
    dataset = load_dataset(task, {**base_tasks, **tasks}, *source)
    files["datasets"][tasks[task]["dataset"]] = dataset
    found = [("personas", one) for one in plain(wanted)]
    found += [("persona_sets", one) for one in bases(wanted)]
    for kind, one in found:
        files[kind][one] = load_one(kind, one, f"{name}: key `personas`", *source)
    if "judge" in part:
        named_by = f"{name}: key `judge`"
        files["judges"][part["judge"]] = load_one("judges", part["judge"], named_by, *source)


def _models(
    name: str, adapter: Mapping[str, Any], part: Mapping[str, Any], files: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The models that answer and judge in a part, each with what names it."""
    if "judge" not in part:
        return []
    judge = part["judge"]
    return [
        (answering(adapter, part), f"{name}: key `answers.model`"),
        (files["judges"][judge]["model"], f"key `model` of config/judges/{judge}.yaml"),
    ]


def _check_order(training: Training, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no adapter is trained on answers of itself, by way of others."""
    for id_ in training.adapters:
        before: set[str] = set()
        left = [id_]
        while left:
            new = training.before(left.pop()) & {*training.adapters} - before
            before |= new
            left += new
        if id_ in before:
            raise InputError(
                f"{file_of_adapter(id_, known[id_])}: key `training.data` names answers or a "
                "judge that rest on this very adapter; name those of another model"
            )
