"""Who answers beside the models: human raters, and the line of a bag of words.

A `Study` is what `study` is here; it asks these itself, so that its module cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kinds import base
from ..names import HUMAN, WORDS
from .conditions import MARK, plain

TITLE = "Bag of words (cross-fitted)"


def raters(study: Any) -> Iterator[tuple[str, str, str]]:
    """Model, task and id of every rater: the people of each task's data set, then the words."""
    for task in study.tasks:
        for rater in study.dataset_of(task)["columns"].get("human", ()):
            yield HUMAN, task, rater["id"]
    for task in word_tasks(study):
        yield WORDS, task, WORDS


def rated_tasks(study: Any) -> list[str]:
    """Ids of the tasks whose items have a distribution over levels; an arm's items are changed."""
    tasks = plain(study.tasks_having("measures"))
    return [task for task in tasks if "distribution" in study.dataset_of(task)["columns"]]


def word_tasks(study: Any) -> list[str]:
    """Ids of the tasks that have the line of a bag of words, where the study asks for it.

    Those whose right answers are classes of the data set, which words can be learned for. Where
    every item has options of its own a letter says nothing of another item's. An arm has none: its
    items are its base's, of which some are changed.
    """
    if not study.settings["bag_of_words"]:
        return []
    return [
        id_
        for id_, task in study.tasks.items()
        if MARK not in id_ and base.classes(task, study.dataset_of(id_))
    ]


def word_answers(study: Any) -> list[str]:
    """Files of what the words answer: their last digits depend on the processor."""
    return [f"results/responses/{WORDS}/{task}/{WORDS}.parquet" for task in word_tasks(study)]


def titles(study: Any) -> dict[str, str]:
    """Id → title of all raters."""
    found = {
        rater["id"]: rater["title"]
        for task in study.tasks
        for rater in study.dataset_of(task)["columns"].get("human", ())
    }
    return found | ({WORDS: TITLE} if word_tasks(study) else {})


def word_views(study: Any) -> Iterator[tuple[str, Any]]:
    """What the line of a bag of words needs: the folds, and which fields a case is made of."""
    for id_ in word_tasks(study):
        yield f"bag_of_words/{id_}", _words(id_, study)


def _words(task: str, study: Any) -> dict[str, Any]:
    """Of a task; a field with a unit is a number, one with mapped `values` a category."""
    columns = study.dataset_of(task)["columns"]
    return {
        "folds": study.settings["statistics"]["folds"],
        "seed": study.settings["seed"],
        "cluster": columns["cluster"],
        "fields": [
            {
                "label": field["label"],
                "unit": field.get("unit"),
                "category": "values" in field,
            }
            for field in columns["case"].get("fields", ())
        ],
    }
