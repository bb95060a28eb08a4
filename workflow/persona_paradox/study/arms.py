"""Arms of tasks: the same task about the same items, changed by a rule.

A task's file declares them; `task@arm` becomes a task like any other, on the data set
`dataset@arm`, which is made of the base's by a module of `data/arms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..names import ALL
from .conditions import MARK, MOST_CHARACTERS, base_of, split

RULES = Path(__file__).parents[1] / "data/arms"


def rules() -> list[str]:
    """Names of all rules, sorted."""
    return sorted(path.stem for path in RULES.glob("[!_]*.py"))


def check_arms(
    name: str, arms: Mapping[str, dict[str, Any]], check: Callable[[dict[str, Any], str, str], None]
) -> None:
    """Check the keys of a task's arms, each by the schema of its rule; `name` is of its file.

    Raises:
        InputError: a rule is unknown, or a key is not as it must be.
    """
    for id_, arm in arms.items():
        where = f"{name}: key `arms.{id_}`"
        if arm["rule"] not in rules():
            raise InputError(
                f"{where} has the rule {arm['rule']!r}, which is none; use one of "
                f"{', '.join(rules())}, or add a module to workflow/persona_paradox/data/arms"
            )
        if not (RULES / f"{arm['rule']}.schema.yaml").is_file():
            raise InputError(
                f"workflow/persona_paradox/data/arms/{arm['rule']}.py: nothing says what keys an "
                f"arm of this rule has; write {arm['rule']}.schema.yaml beside it"
            )
        check(arm, f"arms/{arm['rule']}", where)


def tasks_of(wanted: Sequence[str], written: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The tasks that a study names, in its order.

    Args:
        wanted: ids; `task@arm` is an arm of a task, `task@all` the task and all its arms.
        written: id → content of its file, for every base.

    Returns:
        Id → task. An arm has the keys of its base, a `title` and a `dataset` of its own, and
        `arm`: the id of its `base`, its own `id`, and what its file says of it.

    Raises:
        InputError: a task has no such arm, or arms of one data set have one name, but differ.
    """
    found: dict[str, dict[str, Any]] = {}
    for id_ in wanted:
        base, part = split(id_)
        task = written[base]
        arms = task.get("arms", {})
        chosen = list(arms) if part == ALL else [part] if part else []
        for arm in chosen:
            if arm not in arms:
                known = ", ".join(f"{base}{MARK}{one}" for one in (ALL, *arms))
                raise InputError(
                    f"key `tasks` of the study names {id_!r}, but config/tasks/{base}.yaml has no "
                    f"such arm; use one of {known}, or add it to key `arms`"
                )
        if part in ("", ALL):
            found.setdefault(base, task)
        for arm in chosen:
            found.setdefault(f"{base}{MARK}{arm}", _arm(base, arm, task))
    _check_alike(found)
    return found


def _arm(base: str, id_: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """An arm as a task."""
    about = task["arms"][id_]
    dataset = f"{task['dataset']}{MARK}{id_}"
    if id_ == ALL or max(len(dataset), len(f"{base}{MARK}{id_}")) > MOST_CHARACTERS:
        raise InputError(
            f"config/tasks/{base}.yaml: key `arms` has the id {id_!r}, "
            + (
                "which stands for every arm"
                if id_ == ALL
                else f"which makes an id of more than {MOST_CHARACTERS} characters"
            )
            + "; rename it"
        )
    return {
        **{key: value for key, value in task.items() if key != "arms"},
        "title": f"{task['title']}, {about['title']}",
        "dataset": dataset,
        "arm": {"base": base, "id": id_, **about},
    }


def _check_alike(tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that arms of one name, of tasks that share a data set, are the same change."""
    seen: dict[str, tuple[str, Any]] = {}
    for task in tasks.values():
        if "arm" not in task:
            continue
        base = task["arm"]["base"]
        other, what = seen.setdefault(task["dataset"], (base, rule_of(task["arm"])))
        if what != rule_of(task["arm"]):
            raise InputError(
                f"config/tasks/{base}.yaml: key `arms.{task['arm']['id']}` is another change than "
                f"the arm of this name in config/tasks/{other}.yaml, which has the same data set; "
                "rename one of them"
            )


def rule_of(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm changes: its rule and the rule's keys."""
    return {key: value for key, value in arm.items() if key not in ("base", "id", "title")}


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
                    "arm": rule_of(arm)
                    | {"name": f"config/tasks/{arm['base']}.yaml: key `arms.{arm['id']}`"},
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
