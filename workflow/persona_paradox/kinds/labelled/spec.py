"""What kinds share whose answers are one of a fixed set of labels.

A data set lists the classes of its items, and a task says which label stands for which. A kind
calls them by a word of its own, such as level: key `levels` of the data set, `level` of a label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import InputError
from ..asking import RATIONALE_TOKENS, UNBOUND, constraint, decoding, greedy
from ..base import Traits
from ..checking import check_groups, check_listed, check_once, check_shown, check_told_apart

TRAITS = Traits(labels=True, ordered=False, reference=True, free_text=False, stratum="reference")
COLUMNS = ("reference",)

# Most tokens of a stated confidence, where a task does not say.
STATED_TOKENS = 8

# What a data set calls the classes of its items.
WORD = "class"
_SEVERAL = {"class": "classes"}


def classes_of(dataset: Mapping[str, Any], word: str = WORD) -> list[Mapping[str, Any]]:
    """The classes of a data set, in its order."""
    classes: list[Mapping[str, Any]] = dataset[_key(word)]
    return classes


def _key(word: str) -> str:
    return _SEVERAL.get(word, f"{word}s")


def check(name: str, task: Mapping[str, Any], dataset: Mapping[str, Any], word: str = WORD) -> None:
    """Check that every class has one label."""
    labels = [entry["label"] for entry in task["labels"]]
    check_once(f"{name}: key `labels`", labels, "remove")
    if len({label.isdigit() for label in labels}) > 1:
        raise InputError(f"{name}: key `labels` mixes letters and digits; use one kind")
    classes = {one["id"] for one in classes_of(dataset, word)}
    named = [entry[word] for entry in task["labels"]]
    if set(named) != classes or len(named) != len(classes):
        raise InputError(
            f"{name}: key `labels` must give every {word} of data set {task['dataset']!r} exactly "
            f"one label ({', '.join(sorted(classes))}), but gives {', '.join(named)}"
        )


def check_dataset(name: str, dataset: Mapping[str, Any], word: str = WORD) -> None:
    """Check the classes of a data set, its raters and subgroups, and what its cases show."""
    key = _key(word)
    classes = [one["id"] for one in classes_of(dataset, word)]
    check_once(f"{name}: key `{key}`", classes, "remove")
    check_told_apart(f"{name}: key `{key}`", [one["title"] for one in classes_of(dataset, word)])
    columns = dataset["columns"]
    for value, class_ in columns["reference"]["values"].items():
        mapped = f"{name}: key `columns.reference.values` maps {value!r} to"
        check_listed(mapped, class_, key, classes)
    case, raters = columns["case"], columns.get("human", [])
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    hidden |= {rater["column"]: "human" for rater in raters}
    hidden[columns["reference"]["column"]] = "reference"
    hidden |= dict.fromkeys(_check_distribution(name, columns, classes, word), "distribution")
    shown = {case["column"]} if "column" in case else {f["column"] for f in case["fields"]}
    check_shown(name, sorted(shown), hidden)
    check_groups(name, dataset)
    check_once(f"{name}: key `columns.human`", [r["id"] for r in raters], "rename")
    check_told_apart(f"{name}: key `columns.human`", [r["title"] for r in raters])


def _check_distribution(
    name: str, columns: Mapping[str, Any], classes: list[str], word: str
) -> list[str]:
    """Check that every class has one column of shares; the columns of the raters or shares."""
    given = columns.get("distribution", {})
    shares = given.get("shares")
    if shares is None:
        return [*given.get("raters", [])]
    key = f"{name}: key `columns.distribution.shares`"
    for class_ in shares:
        check_listed(f"{key} names", class_, _key(word), classes)
    for class_ in classes:
        if class_ not in shares:
            raise InputError(f"{key} has no column for {word} {class_!r}; name one")
    check_once(key, [*shares.values()], "rename")
    return [*shares.values()]


def reading(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What a reference may be is in `columns.reference.values`."""
    return {}


def strata(dataset: Mapping[str, Any], word: str = WORD) -> dict[str, str]:
    """A sample is stratified by class."""
    return {one["id"]: one["title"] for one in classes_of(dataset, word)}


def views(
    id_: str,
    task: Mapping[str, Any],
    dataset: Mapping[str, Any],
    settings: Mapping[str, Any],
    word: str = WORD,
) -> Iterator[tuple[str, Any]]:
    """How a task is answered, in one step or two, and scored."""
    labels = [entry["label"] for entry in task["labels"]]
    yield from answering(id_, task, labels, settings)
    yield f"scoring/{id_}", scoring(task, dataset, settings, word)


def answering(
    id_: str, task: Mapping[str, Any], labels: list[str], settings: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """How a task is answered, in one step or two; `labels` are those whose probability is read."""
    read_out = {"labels": labels, "answer_prefix": task["answer_prefix"]}
    how = decoding(task, labels, settings["seed"])
    rationale, verbalized = task.get("rationale"), task.get("verbalized")
    if rationale is None:
        yield f"read_out/{id_}", read_out | constraint(task)
        yield f"decoding/{id_}", how
    else:
        # Two steps: the reasoning, with all that the task asks for; then the label behind it.
        header = rationale["header"]
        most = rationale.get("max_tokens", RATIONALE_TOKENS)
        reasoning = {"labels": [], "max_tokens": most, "stop": [*how["stop"], header]}
        yield f"read_out/{id_}", {"labels": [], "answer_prefix": ""} | constraint(task)
        yield f"decoding/{id_}", how | reasoning
        yield f"rationale/{id_}", {"header": header, "answer_prefix": task["answer_prefix"]}
        yield f"conclusion_read_out/{id_}", {"labels": labels, "answer_prefix": ""} | UNBOUND
        yield f"conclusion_decoding/{id_}", greedy(labels, task["decoding"]["max_tokens"])
    if verbalized is not None:
        yield f"verbalized/{id_}", {"question": verbalized["question"]}
        most = verbalized.get("max_tokens", STATED_TOKENS)
        yield f"verbalized_decoding/{id_}", greedy([], most)


def scoring(
    task: Mapping[str, Any],
    dataset: Mapping[str, Any],
    settings: Mapping[str, Any],
    word: str = WORD,
) -> dict[str, Any]:
    """What `scoring.score` of a kind is given: labels with their classes, the classes in order."""
    below = "label_mass_warning_below"
    view: dict[str, Any] = {
        "labels": [{"label": one["label"], "level": one[word]} for one in task["labels"]],
        "levels": [one["id"] for one in classes_of(dataset, word)],
        below: settings["statistics"][below],
    }
    return view | answered(task, dataset)


def answered(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What a score needs of every kind: the line before a label, and the column of clusters."""
    view: dict[str, Any] = {}
    if task.get("rationale") is not None:
        view["header"] = task["rationale"]["header"]
    if dataset["columns"]["cluster"] is not None:
        view["cluster"] = dataset["columns"]["cluster"]
    return view


def measured(
    task: Mapping[str, Any], dataset: Mapping[str, Any], word: str = WORD
) -> dict[str, Any]:
    """What the numbers need: the classes, their labels in the same order, and subgroups."""
    classes = [one["id"] for one in classes_of(dataset, word)]
    label_of = {entry[word]: entry["label"] for entry in task["labels"]}
    return {
        "levels": classes,
        "labels": [label_of[one] for one in classes],
        "subgroups": dataset.get("subgroups", []),
    }


def shown(task: Mapping[str, Any], dataset: Mapping[str, Any], word: str = WORD) -> dict[str, Any]:
    """What figures call the classes and the subgroups."""
    return {
        "levels": [one["title"] for one in classes_of(dataset, word)],
        "subgroups": {group["id"]: group["title"] for group in dataset.get("subgroups", [])},
    }
