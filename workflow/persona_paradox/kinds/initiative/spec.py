"""Initiative: cases with a planted problem or without one, answered in free text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import InputError
from ...specs import DatasetSpec, TaskSpec
from ..asking import free_text
from ..base import Traits
from ..checking import check_groups, check_shown
from .problems import BEHAVIOURS, PROBLEMS

TRAITS = Traits(
    labels=False,
    ordered=False,
    reference=False,
    free_text=True,
    stratum="problem",
    evenly=True,
)
COLUMNS = ("pair", "problem", "planted", "names", "beside")

# What `training.completions` can teach.
TAUGHT = BEHAVIOURS

# Their files have no keys that others need to know.
Task = TaskSpec
Dataset = DatasetSpec

# Columns of the items by which subgroups may be told, beside those that are kept.
_GROUPED = ("problem", "pair")


def check(name: str, task: Task, dataset: Dataset) -> None:
    """A task of initiative fits every data set of initiative."""


def check_dataset(name: str, dataset: Dataset) -> None:
    """Check what a case shows, and that what is planted by rule stands in it.

    Raises:
        InputError: one sentence with the key and the remedy.
    """
    columns = dataset["columns"]
    case = columns["case"]
    fields = {one["column"]: one for one in case.get("fields", ())}
    shown = [*fields] or [case["column"]]
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    for key in ("pair", "problem", "planted", "names", "beside"):
        if key in columns:
            hidden[columns[key]["column"]] = key
    check_shown(name, shown, hidden)
    for number, rule in enumerate(columns.get("plant", {"rules": ()})["rules"]):
        _check_rule(f"{name}: key `columns.plant.rules.{number}", rule, fields)
    known = columns | {"keep": [*columns["keep"], *_GROUPED]}
    check_groups(name, {**dataset, "columns": known})


def _check_rule(where: str, rule: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    for column, value in rule["set"].items():
        if column not in fields:
            raise InputError(
                f"{where}.set` names {column!r}, which is the column of no field of the case; use "
                + (f"one of {', '.join(fields)}" if fields else "a case that is made of `fields`")
            )
        values = fields[column].get("values")
        if value is not None and values is not None and value not in values:
            raise InputError(
                f"{where}.set.{column}` is {value!r}, which key `columns.case.fields` does not map "
                f"in `values`; use one of {', '.join(values)}"
            )
        if value is None and fields[column].get("required"):
            raise InputError(
                f"{where}.set.{column}` is null, but the field is `required`, so that no model "
                "would see the case; plant another problem"
            )


def reading(dataset: Dataset) -> dict[str, Any]:
    """All of it is in `columns`."""
    return {}


def strata(dataset: Dataset) -> dict[str, str]:
    """A sample is stratified by the type of the problem."""
    return dict(PROBLEMS)


def views(
    id_: str, task: Task, dataset: Dataset, settings: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """How a task is answered, and how the answers are read."""
    yield from free_text(id_, task, settings)
    yield f"scoring/{id_}", {"cluster": dataset["columns"]["cluster"]}


def measured(task: Task, dataset: Dataset) -> dict[str, Any]:
    """The types of problems, and subgroups."""
    return {"problems": list(PROBLEMS), "subgroups": dataset.get("subgroups", [])}


def shown(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What figures call the subgroups."""
    groups = dataset.get("subgroups", [])
    return {"subgroups": {group["id"]: group["title"] for group in groups}}
