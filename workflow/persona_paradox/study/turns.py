"""Further turns of tasks: behind the answer the user says something fixed, and the model answers.

A task with `turns` is answered in rounds. Each is asked, step by step, as a task is, and has an id
of its own: `task@arm+1` is `task@arm` as it stands after one of its turns, and `task@+0` the first
answer of `task`. The last round is the task itself. The first round of an arm that changes nothing
but the turns is its base, where the study has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.places import TURNS, places
from ..errors import InputError
from .arms import file_of_arm
from .conditions import MARK

_AFTER = "+"


def chains(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Id of every task with turns → ids of its rounds, the task itself the last of them."""
    found = {}
    for id_, task in tasks.items():
        if turns := task.get("turns"):
            own = [_round(id_, n) for n in range(len(turns))]
            found[id_] = [*([_base(task, tasks) or own[0]]), *own[1:], id_]
    return found


def _base(task: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The base of an arm whose first answers are the base's, where the study has these."""
    arm = task.get("arm", {})
    base: str = arm.get("base", "")
    same = "turns" in arm and base in tasks and not tasks[base].get("turns")
    return base if same else None


def rounds(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rounds that are no tasks of the study: id → task, which is asked and not measured."""
    found = {}
    for id_, chain in chains(tasks).items():
        for n, one in enumerate(chain):
            if one not in tasks:
                # What is asked about the last answer alone.
                left = {key: value for key, value in _LEFT.items() if key in tasks[id_]}
                found[one] = {**tasks[id_], **left, "turns": tasks[id_]["turns"][:n]}
    return found


def read_in_turns(study: Any) -> list[str]:
    """Ids of the tasks with turns whose residual stream is read (key `readings`)."""
    asked = study.settings["readings"]
    named = asked["tasks"] if asked else []
    return [id_ for id_ in named if study.tasks.get(id_, {}).get("turns")]


# Keys that a round has not.
_LEFT: dict[str, Any] = {"null_cases": [], "verbalized": None}


def _round(id_: str, n: int) -> str:
    return f"{id_}{'' if MARK in id_ else MARK}{_AFTER}{n}"


def check_turns(name: str, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    """Check that something fills the places in what the user says behind the answer.

    Args:
        name: the task's file, in errors.
        task: with its `turns`, and `arm` where it is one.
        dataset: of its items.

    Raises:
        InputError: nothing does, or an arm names an answer that no turn says.
    """
    arm = task.get("arm", {})
    where = file_of_arm(arm) if "turns" in arm else name
    asked = [place for text in task.get("turns", []) for place in places(text)]
    named = "turns" in arm and "names" in arm
    for place in asked:
        if place == "turn" and dataset["columns"].get(TURNS) is None:
            raise InputError(
                f"{where}: key `turns` has the place {{turn}}, but the data set brings no turns; "
                f"name their column in key `columns.{TURNS}` of its file, or write what the user "
                "says"
            )
        if place != "turn" and not named:
            raise InputError(
                f"{where}: key `turns` has the place {{{place}}}, which nothing fills; use it in "
                "an arm of rule `turns` with key `names` (`wrong`, `right` or `random`)"
            )
    if named and not {"option", "letter"} & {*asked}:
        raise InputError(
            f"{where}: key `names` is {arm['names']!r}, but no turn says what is named; write "
            "{option} or {letter} into key `turns`, or take `names` out"
        )
