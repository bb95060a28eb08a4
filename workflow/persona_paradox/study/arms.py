"""Arms of tasks: the same task about the same items, changed by a rule.

A task's file declares them, or a set does that it names; `task@arm` becomes a task like any other,
on the data set `dataset@arm`, which is made of the base's by a module of `data/arms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..names import ALL
from .arm_rules import check_rule
from .arm_sets import arms_of, with_sets
from .conditions import MARK, MOST_CHARACTERS, base_of, listed, matching, split

# Keys of an arm that say nothing of its items, and become keys of its task.
OF_TASK = ("turns",)

# Keys of an arm, as a study has it, that change no item.
_NO_CHANGE = ("base", "id", "title", "about", "set", *OF_TASK)


def check_arms(name: str, arms: Mapping[str, dict[str, Any]]) -> None:
    """Check the keys of a task's arms, each by the schema of its rule; `name` is of its file.

    Raises:
        InputError: a rule is unknown, or a key is not as it must be.
    """
    for id_, arm in arms.items():
        check_rule(arm, f"{name}: key `arms.{id_}`")


def tasks_of(
    wanted: Sequence[str],
    written: Mapping[str, dict[str, Any]],
    sets: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The tasks that a study names, in its order.

    Args:
        wanted: ids; `task@arm` is an arm of a task, `task@all` the task and all its arms,
            `task@bias_*` the arms that begin so.
        written: id → content of its file, for every base.
        sets: id → content of its file, for every set of arms that a base names.

    Returns:
        Id → task. An arm has the keys of its base, a `title` and a `dataset` of its own, and
        `arm`: the id of its `base`, its own `id`, what its file says of it, and its `set` if any.

    Raises:
        InputError: a task has no such arm, or arms of one data set have one name, but differ.
    """
    made = {id_: arms_of(id_, content) for id_, content in sets.items()}
    found: dict[str, dict[str, Any]] = {}
    for id_ in wanted:
        base, part = split(id_)
        task = written[base]
        arms = with_sets(base, task.get("arms", {}), task.get("arm_sets", ()), made)
        chosen = matching(part, arms) if part else []
        if not chosen and part not in ("", ALL):
            known = listed(f"{base}{MARK}{one}" for one in (ALL, *arms))
            raise InputError(
                f"key `tasks` of the study names {id_!r}, but config/tasks/{base}.yaml has no "
                f"such arm; use {known}, or add it to key `arms`"
            )
        if part in ("", ALL):
            found.setdefault(base, task)
        for arm in chosen:
            found.setdefault(f"{base}{MARK}{arm}", _arm(base, arm, task, arms[arm]))
    _check_alike(found)
    return found


def file_of_arm(arm: Mapping[str, Any]) -> str:
    """The file and the key that say what an arm is, as errors call them."""
    if "set" in arm:
        part = arm["id"].removeprefix(f"{arm['set']}_")
        return f"config/arm_sets/{arm['set']}.yaml: arm {part!r}"
    return f"config/tasks/{arm['base']}.yaml: key `arms.{arm['id']}`"


def _arm(base: str, id_: str, task: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """An arm as a task."""
    dataset = f"{task['dataset']}{MARK}{id_}"
    if id_ == ALL or max(len(dataset), len(f"{base}{MARK}{id_}")) > MOST_CHARACTERS:
        key = "arm_sets" if "set" in about else "arms"
        raise InputError(
            f"config/tasks/{base}.yaml: key `{key}` has the id {id_!r}, "
            + (
                "which stands for every arm"
                if id_ == ALL
                else f"which makes an id of more than {MOST_CHARACTERS} characters"
            )
            + "; rename it"
        )
    of_task = {key: about[key] for key in OF_TASK if key in about}
    if of_task and all(task.get(key) == value for key, value in of_task.items()):
        raise InputError(
            f"{file_of_arm({'base': base, 'id': id_, **about})} says behind the answer what the "
            "task says already; change its key `turns` or remove it"
        )
    return {
        **{key: value for key, value in task.items() if key not in ("arms", "arm_sets")},
        "title": f"{task['title']}, {about['title']}",
        "dataset": dataset,
        **of_task,
        "arm": {"base": base, "id": id_, **about},
    }


def _check_alike(tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that arms of one name, of tasks that share a data set, are the same change."""
    seen: dict[str, tuple[str, Any]] = {}
    for task in tasks.values():
        if "arm" not in task:
            continue
        arm = task["arm"]
        other, what = seen.setdefault(task["dataset"], (arm["base"], rule_of(arm)))
        if what != rule_of(arm):
            raise InputError(
                f"{file_of_arm(arm)} is another change than the arm of this name of "
                f"config/tasks/{other}.yaml, which has the same data set; rename one of them"
            )


def rule_of(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm changes: its rule and the rule's keys."""
    return {key: value for key, value in arm.items() if key not in _NO_CHANGE}


def sets_of(
    tasks: Mapping[str, Mapping[str, Any]], written: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Ids of the sets of arms that the bases of a study's tasks name, each once."""
    bases = dict.fromkeys(map(base_of, tasks))
    return list(dict.fromkeys(set_ for id_ in bases for set_ in written[id_].get("arm_sets", ())))


def datasets_of(
    tasks: Mapping[str, Mapping[str, Any]], written: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The data sets of tasks, each arm's behind its base.

    Args:
        tasks: as `tasks_of` gives them.
        written: id → content of its file, for every base.

    Returns:
        Id → data set. That of an arm has the licence, the columns and the subgroups of its base,
        but no human raters, who saw other cases; and `arm`: the `rule`, its keys, and the `name` of
        the arm in errors.
    """
    found: dict[str, dict[str, Any]] = {}
    for task in tasks.values():
        id_ = task["dataset"]
        base = base_of(id_)
        found.setdefault(base, written[base])
        if "arm" in task:
            arm = task["arm"]
            columns = written[base]["columns"]
            found.setdefault(
                id_,
                {
                    **written[base],
                    "title": f"{written[base]['title']}, {arm['title']}",
                    "columns": columns | ({"human": []} if "human" in columns else {}),
                    "arm": rule_of(arm) | {"name": file_of_arm(arm)},
                },
            )
    return found


def view_of(id_: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What the items of an arm depend on besides those of its base."""
    arm = {key: value for key, value in dataset["arm"].items() if key != "name"}
    return {
        "arm": arm,
        "base": base_of(id_),
        "case": dataset["columns"]["case"],
    }
