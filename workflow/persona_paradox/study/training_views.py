"""The parts of a study that the training of adapters depends on; see `views`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from ..data.split import REST, TRAINING, VALIDATION, split_by
from ..specs import JudgeSpec, PersonaSpec
from .cells import Cell
from .conditions import split
from .judge_views import judge_views, judged_classes
from .study import Study
from .training import split_of

Window = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, int | None]]

# Keys of how a task is scored that say what its answers are called.
_ANSWERS = ("labels", "levels", "select", "order_seed")
# Settings that may be whole numbers where others are not.
_NUMBERS = ("alpha", "learning_rate", "beta")


def split_view(id_: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Which side of its training split a data set is; nothing where it has none."""
    if "training" not in dataset:
        return {}
    base, part = split(id_)
    side = part if part in (TRAINING, VALIDATION) else REST
    by = {"by": split_by(dataset["columns"]), "part": side}
    return {"training": split_of(base, dataset) | by}


def control_tokens(persona: PersonaSpec) -> dict[str, Any]:
    """The control tokens that a persona's sentence may spell; nothing where it names none."""
    return {"control_tokens": persona["control_tokens"]} if "control_tokens" in persona else {}


def training_views(study: Study, window: Window) -> Iterator[tuple[str, Any]]:
    """The views of all adapters that are trained.

    Args:
        study: the study.
        window: how much of a model's window is left for the prompts of a task.
    """
    for model, task in dict.fromkeys((c.model, c.task) for c in study.training.all_cells):
        known = study.known_models | study.written_models
        found = window(known[model], study.training.tasks[task])
        yield f"window/{model}/{task}", found
    for id_, persona in study.training.personas.items():
        texts = {"main": persona["texts"]["main"]}
        yield f"training_personas/{id_}", {"texts": texts} | control_tokens(persona)
    for id_, judge in study.training.judges.items():
        # What is asked here is the same in every study.
        asked = cast(JudgeSpec, {**judge, "pairs": None, "list": None})
        alone = replace(study, judges={id_: asked})
        for name, view in judge_views(id_, alone):
            yield f"training_{name}", view
    for id_ in study.training.cells:
        adapter = study.adapters[id_]
        settings: Mapping[str, Any] = adapter["training"]
        numbers = {key: float(settings[key]) for key in _NUMBERS}
        left = ("data", "cycles", VALIDATION)
        yield f"training/{id_}", {k: v for k, v in settings.items() if k not in left} | numbers
        yield f"examples/{id_}", _examples(id_, study)
    for id_ in study.training.validated:
        yield f"validation/{id_}", _validation(id_, study)


def _validation(id_: str, study: Study) -> dict[str, Any]:
    """What the candidates of a cycle are compared by."""
    by = study.training.validated[id_]
    first = by.judged[0]
    task = study.training.tasks[first.cell.task]
    judge = study.training.judges[first.judge]
    found = {
        "number": study.adapters[id_]["cycle"]["number"],
        "before": by.before,
        "candidates": {split(model)[1]: model for model in by.candidates},
        "task": first.cell.task,
        "personas": [one.cell.persona for one in by.judged if one.cell.model == by.before],
        "kind": task["kind"],
        "dataset": task["dataset"],
        "cluster": study.dataset_of(first.cell.task)["columns"].get("cluster"),
        "judge": first.judge,
        "rule": first.rule,
        "stop": by.stop,
        "seed": by.seed,
    }
    if by.stop["unusable_judge"]:
        found["tests"] = {
            "better": {rating["id"]: rating["better"] for rating in judge["ratings"]},
            "classes": judged_classes(judge, study),
            "usable": judge["usable"],
            "compares": False,
            **({"sanity_classes": judge["sanity_classes"]} if judge["sanity_classes"] else {}),
        }
    return found


def _examples(id_: str, study: Study) -> dict[str, Any]:
    """What an adapter's examples are made of: its method, files, and cells with their tasks."""
    adapter = study.adapters[id_]
    training = study.training
    cells, taught, judged = training.cells[id_], training.taught[id_], training.judged[id_]
    tasks: dict[str, dict[str, Any]] = {
        one.cell.task: {
            "kind": study.kind(one.cell.task),
            "dataset": study.training.tasks[one.cell.task]["dataset"],
        }
        for one in judged
    }
    for task in dict.fromkeys(cell.task for cell in [*cells, *(one.cell for one in taught)]):
        spec, dataset = study.training.tasks[task], study.dataset_of(task)
        own = {**study.settings, "seed": dataset["training"]["seed"]}
        views = dict(study.spec(task).views(task, spec, dataset, own))
        tasks[task] = {
            "kind": spec["kind"],
            "dataset": spec["dataset"],
            "answer_prefix": views[f"read_out/{task}"]["answer_prefix"],
            "answers": {k: v for k, v in views[f"scoring/{task}"].items() if k in _ANSWERS},
        }
    return {
        "method": adapter["training"]["method"],
        "cells": [_ids(cell) for cell in cells],
        "judged": [[*_ids(one.cell), one.judge, one.rule] for one in judged],
        "tasks": tasks,
        "files": [part["file"] for part in adapter["training"]["data"] if "file" in part],
        # Where the cycle before leaves nothing to prefer, its adapter is handed on.
        **({"may_be_none": True} if id_ in study.training.after else {}),
    } | ({"taught": [[*_ids(one.cell), one.behaviour] for one in taught]} if taught else {})


def _ids(cell: Cell) -> list[str]:
    return [cell.model, cell.task, cell.persona]
