"""Ambiguous cases and conformal sets: of which tasks a study has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from .conditions import file_of, plain
from .raters import rated_tasks
from .routing import answers_view
from .study import Study


def conformal_tasks(study: Study) -> list[str]:
    """Ids of the tasks whose answers have conformal sets; an arm's items are changed."""
    tasks = plain(study.tasks_having("measures")) if study.settings["conformal"] else []
    traits = {task: study.traits(task) for task in tasks}
    return [task for task in tasks if traits[task].labels and traits[task].reference]


def ambiguity_views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of ambiguous cases and of conformal sets, where the study has such."""
    if study.has("distribution"):
        yield "ambiguity", answers_view(rated_tasks(study), study)
    if study.has("conformal"):
        tasks = conformal_tasks(study)
        ordered = [task for task in tasks if study.traits(task).ordered]
        asked = {"asked": study.settings["conformal"], "ordered": ordered}
        yield "conformal", answers_view(tasks, study) | asked


def ambiguity_shown(study: Study) -> dict[str, Any]:
    """What figures say of them: the tasks, where there are some."""
    found = {"ambiguity": rated_tasks(study), "conformal": conformal_tasks(study)}
    return {name: tasks for name, tasks in found.items() if tasks}


def check_ambiguity(study: Study) -> None:
    """Check that there are labels of which conformal sets can be made.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    asked = study.settings["conformal"]
    if asked is None:
        return
    tasks = conformal_tasks(study)
    if not tasks:
        raise InputError(
            "key `conformal` of the study asks for sets of labels, but no task of it has labels of "
            "which one is right; add such a task to key `tasks`, or take the key out"
        )
    if asked["scores"] == ["ordinal"]:
        for task in tasks:
            if not study.traits(task).ordered:
                raise InputError(
                    f"{file_of('tasks', task)}: the labels of the task have no order, and key "
                    "`conformal.scores` of the study lists 'ordinal' alone; add lac or aps to it"
                )
