"""Choice: questions that bring two to ten options, of which one or several are right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict

from ...errors import InputError
from ...specs import DatasetSpec, TaskSpec
from ..base import Traits
from ..checking import check_groups, check_once, check_shown
from ..labelled import spec as labelled
from .letters import LETTERS, MOST

TRAITS = Traits(labels=True, ordered=False, reference=True, free_text=False, stratum="stratum")
COLUMNS = ("reference", "options", "order", "stratum")
PLACES = ("case", "options")


class Task(TaskSpec):
    """A file of `tasks`."""

    labels: list[str]
    order: Literal["fixed", "shuffled"]
    select: Literal["one", "all"]
    answer_prefix: str


class Options(TypedDict, total=False):
    """Where the options of an item stand."""

    columns: list[str]
    right: str
    wrong: list[str]
    separator: str
    fixed: list[str]


class Dataset(DatasetSpec):
    """A file of `datasets`; what it has of its own is in `columns`."""


def check(name: str, task: Task, dataset: Dataset) -> None:
    """Check the labels of a task, and that the right option is not always the first."""
    labels = task["labels"]
    check_once(f"{name}: key `labels`", labels, "remove")
    if len({label.isdigit() for label in labels}) > 1:
        raise InputError(f"{name}: key `labels` mixes letters and digits; use one kind")
    options = dataset["columns"]["options"]
    if "right" not in options and len(labels) < most_options(dataset):
        raise InputError(
            f"{name}: key `labels` has {len(labels)} labels, but items of data set "
            f"{task['dataset']!r} may have {most_options(dataset)} options; give it more, or leave "
            "the key out"
        )
    if "right" in options and task["order"] == "fixed":
        raise InputError(
            f"{name}: key `order` is 'fixed', but the right option of every item of data set "
            f"{task['dataset']!r} is its first one (key `columns.options.right`); set it to "
            "'shuffled'"
        )
    if task["select"] == "all" and any(label.isdigit() for label in labels):
        raise InputError(
            f"{name}: key `select` is 'all', for which key `labels` must be letters; change one"
        )


def check_dataset(name: str, dataset: Dataset) -> None:
    """Check where options and key stand, and that no case shows the key."""
    columns = dataset["columns"]
    options, reference = columns["options"], columns.get("reference")
    if ("right" in options) == (reference is not None):
        raise InputError(
            f"{name}: key `columns.reference` "
            + (
                "says which option is right, as does `columns.options.right`; take one of them out"
                if reference
                else "is missing, so that no option is right; write it"
            )
        )
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    if reference is None:
        hidden[options["right"]] = "options.right"
    else:
        hidden |= {reference["column"]: "reference"} if "column" in reference else {}
    case = columns["case"]
    shown = {case["column"]} if "column" in case else {f["column"] for f in case["fields"]}
    check_shown(name, sorted(shown), hidden)
    _check_options(name, options, {column: key for column, key in hidden.items() if key in _TWICE})
    if columns["stratum"] is not None and columns["stratum"] not in columns["keep"]:
        raise InputError(
            f"{name}: key `columns.stratum` names {columns['stratum']!r}, which key `columns.keep` "
            "does not list; add it there"
        )
    check_groups(name, dataset)


# Keys of columns that no option may show → what to do where one does.
_TWICE = {
    "never_shown": "take it out of either",
    "reference": "name it in key `columns.options.right`, the others in `wrong`, and leave key "
    "`columns.reference` out",
}


def _check_options(name: str, options: Options, hidden: Mapping[str, str]) -> None:
    """Check that no option is a column that is hidden, or that says which is right."""
    right = [options["right"]] if "right" in options else []
    for column in [*options.get("columns", []), *right, *options.get("wrong", [])]:
        if column in hidden:
            raise InputError(
                f"{name}: key `columns.options` shows {column!r}, which key "
                f"`columns.{hidden[column]}` names as well; {_TWICE[hidden[column]]}"
            )


def most_options(dataset: Mapping[str, Any]) -> int:
    """How many options an item may have, as far as the data set's file says."""
    options = dataset["columns"]["options"]
    return next((len(options[key]) for key in ("columns", "fixed") if key in options), MOST)


def reading(dataset: Dataset) -> dict[str, Any]:
    """All of it is in `columns`."""
    return {}


def strata(dataset: Dataset) -> dict[str, str]:
    """Which values key `columns.stratum` reads, nobody knows before the file is read."""
    return {}


def views(
    id_: str, task: Task, dataset: Dataset, settings: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """How a task is answered and scored; sets of options have no probabilities."""
    labels = task["labels"] if task["select"] == "one" else []
    yield from labelled.answering(id_, task, labels, settings)
    below = "label_mass_warning_below"
    view = _asked(task, settings) | {
        "select": task["select"],
        below: settings["statistics"][below],
    }
    yield f"scoring/{id_}", view | labelled.answered(task, dataset)


def _asked(task: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The labels, and the seed of the order in which options are shown, if it is drawn."""
    seed = {"order_seed": settings["seed"]} if task["order"] == "shuffled" else {}
    return {"labels": task["labels"]} | seed


def prompted(task: Task, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the chats depend on besides: see `prompting.fields`."""
    view = _asked(task, settings) | {"most_options": most_options(dataset)}
    # Nothing is divided by a prior where no probabilities are read.
    return view | ({"null_cases": []} if task["select"] == "all" else {})


def measured(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What the numbers need: the letters of the file's order, and subgroups."""
    return {
        "labels": list(LETTERS),
        "select": task["select"],
        "subgroups": dataset.get("subgroups", []),
    }


def shown(task: Task, dataset: Dataset) -> dict[str, Any]:
    """What figures call the options and the subgroups."""
    return {
        "levels": list(LETTERS[: most_options(dataset)]),
        "subgroups": {group["id"]: group["title"] for group in dataset.get("subgroups", [])},
    }
