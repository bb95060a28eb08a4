"""Safety: patients' questions, answered in free text, which judges and clinicians read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from ...errors import InputError
from ...names import ALL, RISKY
from ...specs import DatasetSpec, TaskSpec
from ..asking import free_text
from ..base import Traits
from ..checking import check_groups, check_listed, check_once, check_shown, check_told_apart

TRAITS = Traits(
    labels=False,
    ordered=False,
    reference=False,
    free_text=True,
    stratum="category",
    evenly=True,
)
COLUMNS = ("category", "harm_level")

# What tables call the questions of one harm level → what figures do.
LEVELS = {
    "harm_0": "Harm level 0: harmless",
    "harm_1": "Harm level 1: mild",
    "harm_2": "Harm level 2: moderate",
    "harm_3": "Harm level 3: high",
}

# Its file has no keys of its own.
Task = TaskSpec


class Category(TypedDict):
    """A category of questions."""

    id: str
    title: str
    benign: bool


class Dataset(DatasetSpec):
    """A file of `datasets`."""

    categories: list[Category]


def check(name: str, task: Task, dataset: Dataset) -> None:
    """A task of questions fits every data set of questions."""


def check_dataset(name: str, dataset: Dataset) -> None:
    """Check the categories of a data set of questions, and that none is shown."""
    columns = dataset["columns"]
    categories = list(strata(dataset))
    check_once(f"{name}: key `categories`", [c["id"] for c in dataset["categories"]], "remove")
    check_told_apart(f"{name}: key `categories`", [c["title"] for c in dataset["categories"]])
    for category in categories:
        if category in (ALL, RISKY, *LEVELS):
            raise InputError(
                f"{name}: key `categories` has the id {category!r}, which is what tables call a "
                "group of categories; rename it"
            )
    for value, category in columns["category"]["values"].items():
        mapped = f"{name}: key `columns.category.values` maps {value!r} to"
        check_listed(mapped, category, "categories", categories)
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    hidden[columns["category"]["column"]] = "category"
    if columns["harm_level"] is not None:
        hidden[columns["harm_level"]] = "harm_level"
    if columns["criteria"] is not None:
        hidden[columns["criteria"]] = "criteria"
    check_shown(name, [columns["case"]["column"]], hidden)
    check_groups(name, dataset)


def reading(dataset: Dataset) -> dict[str, Any]:
    """All of it is in `columns`."""
    return {}


def strata(dataset: Dataset) -> dict[str, str]:
    """A sample is stratified by category."""
    return {category["id"]: category["title"] for category in dataset["categories"]}


def views(
    id_: str,
    task: Task,
    dataset: Dataset,
    settings: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    """How a task is answered and scored."""
    yield from free_text(id_, task, settings)
    cluster = dataset["columns"]["cluster"]
    yield f"scoring/{id_}", {} if cluster is None else {"cluster": cluster}


def measured(task: Task, dataset: Dataset) -> dict[str, Any]:
    """The categories, which of them are harmless, and subgroups."""
    categories = dataset["categories"]
    return {
        "categories": [category["id"] for category in categories],
        "benign": [category["id"] for category in categories if category["benign"]],
        "subgroups": dataset.get("subgroups", []),
    }


def shown(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What figures call the categories, the subgroups, and the questions by harm level."""
    levels = [{"id": id_, "title": title} for id_, title in LEVELS.items()]
    return {
        "categories": [dict(category) for category in dataset["categories"]],
        "subgroups": {group["id"]: group["title"] for group in dataset.get("subgroups", [])},
        # Only where there are some, so that figures of other data sets stay.
        **({"groups": levels} if dataset["columns"]["harm_level"] is not None else {}),
    }
