"""Who is named: among which personas, and in which tasks the model itself is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from ..identification.options import LETTERS, NONE
from ..kinds import asking
from .study import Study


def identification_view(study: Study) -> dict[str, Any]:
    """What is asked, and the options: the personas in the study's order, and none of them."""
    asked = study.settings["identification"]
    if asked is None:
        return {}
    options = [
        {"id": id_, "title": study.personas[id_]["title"]} for id_ in study.identified_personas
    ]
    options.append({"id": NONE, "title": asked["none"]})
    return {
        "question": asked["question"],
        "answer_prefix": asked["answer_prefix"],
        "labels": list(LETTERS[: len(options)]),
        "options": options,
        "seed": study.settings["seed"],
    }


def named_tasks(study: Study) -> list[str]:
    """Ids of the tasks in which the model or a judge names personas, in the study's order."""
    judged = {cell.task for id_ in study.naming_judges for cell in study.judged_cells(id_)}
    return [id_ for id_ in study.tasks if id_ in study.identified_tasks or id_ in judged]


def identification_views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of the identification, where the study has one."""
    view = identification_view(study)
    if not view:
        return
    yield "identification", view
    # The letter itself may take two tokens: a blank and the letter.
    yield "identification_decoding", asking.greedy(view["labels"], 2)
    yield (
        "identified",
        {
            "options": view["options"],
            "personas": list(study.personas),
            "baseline": study.settings["baseline"],
            "places": [
                [m, t] for m in sorted(study.models) for t in sorted(study.identified_tasks)
            ],
            "judges": {
                id_: sorted({(c.model, c.task) for c in study.judged_cells(id_)})
                for id_ in study.naming_judges
            },
            "tasks": {
                id_: {
                    "dataset": study.tasks[id_]["dataset"],
                    "cluster": study.dataset_of(id_)["columns"]["cluster"],
                }
                for id_ in named_tasks(study)
            },
        },
    )


def check_identification(study: Study) -> None:
    """Check that there is something to choose from, and somebody to be asked.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    asked = study.settings["identification"]
    if asked is None:
        return
    for id_ in asked["tasks"]:
        if id_ not in study.tasks:
            raise InputError(
                f"key `identification.tasks` of the study names {id_!r}, which key `tasks` does "
                f"not list; use some of {', '.join(study.tasks)}"
            )
    known = study.identified_personas
    if not known:
        raise InputError(
            "key `identification.groups` of the study names no group with a persona beside the "
            "baseline, so that there is nobody to name; add a group"
        )
    if len(known) >= len(LETTERS):
        raise InputError(
            f"key `identification.groups` of the study makes {len(known)} personas the options, "
            f"but there are letters for {len(LETTERS) - 1} beside `none`; name fewer groups"
        )
    for id_ in known:
        title = study.personas[id_]["title"]
        if " ".join(title.split()).casefold() == " ".join(asked["none"].split()).casefold():
            raise InputError(
                f"key `identification.none` of the study is {asked['none']!r}, which is the title "
                f"of persona {id_!r}; write another text there"
            )
