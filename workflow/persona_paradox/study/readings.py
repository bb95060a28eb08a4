"""What is read of the residual stream: of which personas and tasks, and what it is held against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from .cells import Cell
from .measured_views import measured
from .study import Study
from .turns import chains


def read_models(study: Study) -> list[str]:
    """Ids of the models that are read: those that run here."""
    return [id_ for id_ in study.models if id_ in study.local_models]


def read_tasks(study: Study) -> dict[str, list[str]]:
    """Tasks that are read → their rounds, the task itself the last; see `turns`."""
    asked = study.settings["readings"]
    rounds = chains(study.tasks)
    return {task: rounds.get(task, [task]) for task in (asked["tasks"] if asked else ())}


def read_cells(study: Study) -> list[Cell]:
    """The cells that are read, each round of a conversation one."""
    rounds = dict.fromkeys(one for chain in read_tasks(study).values() for one in chain)
    models = read_models(study)
    return [Cell(m, t, p) for t in rounds for m in models for p in study.personas]


def default_of(study: Study) -> str:
    """Id of the persona at one end of the axis."""
    asked = study.settings["readings"]
    default = asked["default"] if asked else None
    return study.settings["baseline"] if default is None else default


def roles_of(study: Study) -> list[str]:
    """Ids of the personas whose mean is the other end."""
    asked = study.settings["readings"]
    groups = asked["roles"] if asked else []
    default = default_of(study)
    return [
        id_ for id_, spec in study.personas.items() if spec["group"] in groups and id_ != default
    ]


def steered(study: Study) -> list[str]:
    """Ids of the personas that are no text but a push along a vector."""
    return [id_ for id_, spec in study.personas.items() if "steering" in spec]


def reading_views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of the readings, where the study has some."""
    asked = study.settings["readings"]
    if asked is None:
        return
    yield "readings", {"depths": asked["depths"]}
    yield (
        "axis",
        {
            "models": read_models(study),
            "personas": list(study.personas),
            "default": default_of(study),
            "roles": roles_of(study),
            "steered": steered(study),
            "metrics": asked["metrics"],
            "tasks": {
                task: {
                    "rounds": chain,
                    "dataset": study.tasks[task]["dataset"],
                    "cluster": study.dataset_of(task)["columns"]["cluster"],
                }
                for task, chain in read_tasks(study).items()
            },
            "measured": {
                task: measured(task, study)["dataset"] for task in study.tasks_having("measures")
            },
        },
    )


def readings_shown(study: Study) -> dict[str, Any]:
    """What figures say of the readings but for the tasks' titles: turns, and both ends."""
    asked = study.settings["readings"]
    return {
        "turns": {id_: len(chain) for id_, chain in read_tasks(study).items()},
        "models": read_models(study),
        "default": default_of(study),
        "roles": roles_of(study),
        "depths": asked["depths"] if asked else [],
        "metrics": asked["metrics"] if asked else [],
        "incoherent": asked["incoherent"] if asked else {},
    }


def check_readings(study: Study) -> None:
    """Check that there is something to read, and both ends of an axis.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    asked = study.settings["readings"]
    if asked is None:
        return
    for id_ in asked["tasks"]:
        if id_ not in study.tasks:
            raise InputError(
                f"key `readings.tasks` of the study names {id_!r}, which key `tasks` does not "
                f"list; use some of {', '.join(study.tasks)}"
            )
    if not read_models(study):
        raise InputError(
            "key `readings` of the study asks for the residual stream, but every model of key "
            "`models` runs on a server, which does not show it; add a model that runs here, or "
            "take the key out"
        )
    default = default_of(study)
    if default not in study.personas:
        raise InputError(
            f"key `readings.default` of the study is {default!r}, which key `personas` does not "
            "list; add it there, or name one of these"
        )
    if len(roles_of(study)) < 2:
        raise InputError(
            f"key `readings.roles` of the study names groups with {len(roles_of(study))} personas "
            f"beside {default!r}, but their mean takes two at least; add a group, or "
            "personas of one"
        )
