"""The files of the configuration, one by one, each checked by its schema."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..kinds import base
from ..names import ALL
from .arms import check_arms
from .cycles import check_cycles, cycle_named, of_cycle
from .yaml_reading import read_yaml

# Folder of the configuration → schema of its files; those of tasks and data sets are of a kind.
SCHEMAS = {
    "models": "model",
    "adapters": "adapter",
    "personas": "persona",
    "persona_sets": "persona_set",
    "arm_sets": "arm_set",
    "judges": "judge",
    "forms": "form",
}

# Folders of files of the configuration that a study names.
CHECKED = (*SCHEMAS, "tasks", "datasets")

# Words that a path or a figure uses for something else.
RESERVED = frozenset(
    {"all", "human", "bag_of_words", "main", "config", "none", "panel", "clinicians"}
)

Check = Callable[[dict[str, Any], str, str], None]


def load_task(id_: str, named_by: str, config: Path, check: Check) -> dict[str, Any]:
    """A task, by the schema of its kind."""
    name = f"config/tasks/{id_}.yaml"
    task = _read("tasks", id_, named_by, config)
    known = base.kinds()
    if task.get("kind") not in known:
        what = f"is {task['kind']!r}, which is none" if "kind" in task else "is missing"
        raise InputError(
            f"{name}: key `kind` {what}; write one of {', '.join(known)}, or add a folder to "
            "workflow/persona_paradox/kinds"
        )
    base.check_whole(task["kind"])
    check(task, f"{task['kind']}/task", name)
    check_arms(name, task.get("arms", {}))
    return task


def load_dataset(
    task: str, tasks: Mapping[str, dict[str, Any]], config: Path, check: Check
) -> dict[str, Any]:
    """The data set of a task, by the schema of the task's kind."""
    id_, kind = tasks[task]["dataset"], tasks[task]["kind"]
    for other, spec in tasks.items():
        if spec["dataset"] == id_ and spec["kind"] != kind:
            raise InputError(
                f"config/tasks/{task}.yaml: key `kind` is {kind!r}, but config/tasks/{other}.yaml, "
                f"a task of kind {spec['kind']!r}, reads data set {id_!r} too; give each a data "
                "set of its own kind"
            )
    name = f"config/datasets/{id_}.yaml"
    dataset = _read("datasets", id_, f"key `dataset` of config/tasks/{task}.yaml", config)
    given = deepcopy(dataset)
    try:
        check(dataset, f"{kind}/dataset", name)
    except InputError:
        for other in base.kinds():
            if _passes(check, deepcopy(given), f"{other}/dataset", name):
                raise InputError(
                    f"config/tasks/{task}.yaml: key `kind` is {kind!r}, but data set {id_!r} is "
                    f"one for tasks of kind {other!r}; mend either"
                ) from None
        raise
    return dataset


def _passes(check: Check, content: dict[str, Any], schema: str, name: str) -> bool:
    try:
        check(content, schema, name)
    except InputError:
        return False
    return True


def load_one(kind: str, id_: str, named_by: str, config: Path, check: Check) -> dict[str, Any]:
    """A file of one of the folders of `SCHEMAS`."""
    value = _read(kind, id_, named_by, config)
    check(value, SCHEMAS[kind], f"config/{kind}/{id_}.yaml")
    return value


def _read(kind: str, id_: str, named_by: str, config: Path) -> dict[str, Any]:
    """A file of the configuration."""
    path = config / kind / f"{id_}.yaml"
    if id_ in RESERVED:
        raise InputError(f"{named_by} names {id_!r}, a reserved word; choose another id")
    if not path.is_file():
        if kind == "personas" and (config / "persona_sets" / path.name).is_file():
            raise InputError(
                f"{named_by} names {id_!r}, which is a set of personas; write {id_}@{ALL}, or one "
                "of its personas"
            )
        known = ", ".join(sorted(p.stem for p in (config / kind).glob("*.yaml"))) or "none"
        raise InputError(
            f"{named_by} names {id_!r}, but {os.path.relpath(path)} does not exist; known ids: "
            f"{known}"
        )
    return read_yaml(path, f"config/{kind}/{id_}.yaml")


def whole_of(id_: str, named_by: str, config: Path, check: Check) -> str:
    """The adapter that an id stands for where one is to be trained: of cycles the last."""
    if not (config / "adapters" / f"{id_}.yaml").is_file():
        return id_
    training = load_one("adapters", id_, named_by, config, check).get("training", {})
    return f"{id_}_{training['cycles']}" if "cycles" in training else id_


def load_adapter(id_: str, named_by: str, config: Path, check: Check) -> dict[str, Any]:
    """An adapter; `tuned_2` may be the second cycle of `tuned`, `tuned_2_dpo` a candidate of it."""
    own = (config / "adapters" / f"{id_}.yaml").is_file()
    if not own and (named := cycle_named(id_)) is not None:
        whole, number, method = named
        if (config / "adapters" / f"{whole}.yaml").is_file():
            adapter = load_one("adapters", whole, named_by, config, check)
            check_cycles(f"config/adapters/{whole}.yaml", adapter)
            if "cycles" in adapter.get("training", {}):
                return of_cycle(whole, adapter, number, method)
    adapter = load_one("adapters", id_, named_by, config, check)
    check_cycles(f"config/adapters/{id_}.yaml", adapter)
    if "cycles" in adapter.get("training", {}):
        raise InputError(
            f"{named_by} names {id_!r}, whose file has key `training.cycles`; name one of its "
            f"cycles, such as {id_}_1"
        )
    return adapter
