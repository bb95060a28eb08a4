"""Triage: one level of urgency for every case, of which the first ones are of high acuity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from ...errors import InputError
from ...specs import DatasetSpec, TaskSpec
from ..checking import check_listed
from ..labelled import spec as labelled

TRAITS = replace(labelled.TRAITS, ordered=True)
COLUMNS = labelled.COLUMNS

WORD = "level"


class Labelled(TypedDict):
    """A label of a task."""

    label: str
    level: str


class Task(TaskSpec):
    """A file of `tasks`."""

    labels: list[Labelled]
    answer_prefix: str


class Level(TypedDict):
    """A level of urgency."""

    id: str
    title: str


class Cost(TypedDict):
    """What an error costs for each level."""

    under: float
    over: float


class Dataset(DatasetSpec):
    """A file of `datasets`."""

    levels: list[Level]
    high_acuity: list[str]
    cost: Cost


def check(name: str, task: Task, dataset: Dataset) -> None:
    """Check that every level has one label."""
    labelled.check(name, task, dataset, WORD)


def check_dataset(name: str, dataset: Dataset) -> None:
    """Check that the levels of high acuity are the first ones, and not all."""
    labelled.check_dataset(name, dataset, WORD)
    levels = list(strata(dataset))
    high = dataset["high_acuity"]
    for level in high:
        check_listed(f"{name}: key `high_acuity` names", level, "levels", levels)
    if levels[: len(high)] != [level for level in levels if level in high]:
        raise InputError(
            f"{name}: key `high_acuity` must hold the most urgent levels, the first ones of "
            "key `levels`; mend either"
        )
    if len(high) == len(levels):
        raise InputError(f"{name}: key `high_acuity` holds every level; leave one out")


def reading(dataset: Dataset) -> dict[str, Any]:
    """The levels, the most urgent first."""
    return {"levels": list(strata(dataset))}


def strata(dataset: Dataset) -> dict[str, str]:
    """A sample is stratified by reference level."""
    return labelled.strata(dataset, WORD)


def views(
    id_: str,
    task: Task,
    dataset: Dataset,
    settings: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    """How a task is answered and scored."""
    for name, view in labelled.views(id_, task, dataset, settings, WORD):
        scored = name.startswith("scoring/")
        yield name, view | {"high_acuity": dataset["high_acuity"]} if scored else view


def measured(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What the numbers need: the levels from the most urgent, which are high, and costs."""
    own = {"high_acuity": dataset["high_acuity"], "cost": dataset["cost"]}
    return labelled.measured(task, dataset, WORD) | own


def shown(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What figures say of the levels."""
    return labelled.shown(task, dataset, WORD) | {"high_acuity": len(dataset["high_acuity"])}
