"""Sets of arms: an arm with places and the texts that fill them, for tasks that name the set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InputError
from ..names import ALL
from .arm_rules import check_rule
from .conditions import chosen_of, combinations, filled_with, title_of


def arms_of(set_: str, content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The arms of a set, in the order of its factors' levels.

    Args:
        set_: id of the set.
        content: of its file.

    Returns:
        Id, `set_part`, → arm, as the file of a task has one, its keys checked by its rule's schema;
        and the id of its `set`. Its `about` has the level of every factor besides.

    Raises:
        InputError: the set is not as it must be.
    """
    name = f"config/arm_sets/{set_}.yaml"
    if "title" in content["arm"]:
        raise InputError(
            f"{name}: key `arm` has a `title`, which all arms would share; take it out, or write "
            "key `title_template`"
        )
    combined = combinations(name, content["factors"], "arms", f"{set_}_")
    made = {part: _arm(content, levels) for part, levels in combined}
    left = chosen_of(name, content, list(made), "arm")
    arms = {part: made[part] for part in left}
    for part, arm in arms.items():
        where = f"{name}: arm {part!r}"
        if part == ALL:
            raise InputError(f"{where} has the id of all arms; rename a level of key `factors`")
        if "rule" not in arm:
            raise InputError(
                f"{where} has no rule; write key `rule` in key `arm` of the set or of a level"
            )
        check_rule(arm, where)
    _check_told_apart(name, arms)
    return {f"{set_}_{part}": arm | {"set": set_} for part, arm in arms.items()}


def _arm(content: Mapping[str, Any], levels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An arm of a set: the keys of all and of its levels, with their places filled."""
    keys: dict[str, Any] = dict(content["arm"])
    about = dict(keys.pop("about", {})) | {one: level["level"] for one, level in levels.items()}
    for level in levels.values():
        own = dict(level.get("arm", {}))
        about |= own.pop("about", {})
        keys |= own
    # A level's text may hold places of factors behind its own.
    for factor, level in levels.items():
        keys = {key: _filled(value, {factor: level}) for key, value in keys.items()}
    return keys | {"title": title_of(content, levels), "about": about}


def _filled(value: Any, level: Mapping[str, Mapping[str, Any]]) -> Any:
    """A value of a key with a factor's places filled in its texts."""
    if isinstance(value, str):
        return filled_with(value, level, "text")
    if isinstance(value, list):
        return [_filled(one, level) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, level) for key, one in value.items()}
    return value


def _check_told_apart(name: str, arms: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no two arms of a set make the same change, or have the same title."""
    said: dict[str, str] = {}
    for part, arm in arms.items():
        change = {key: value for key, value in arm.items() if key not in ("title", "about")}
        for what, text in (("title", arm["title"]), ("change", repr(sorted(change.items())))):
            other = said.setdefault(f"{what} {text}", part)
            if other != part:
                remedy = (
                    "name every factor that varies in key `title_template`"
                    if what == "title"
                    else "write the place of every factor in key `arm`"
                )
                raise InputError(f"{name}: arms {other} and {part} have the same {what}; {remedy}")


def with_sets(
    task: str, arms: Mapping[str, Any], named: Iterable[str], sets: Mapping[str, Any]
) -> dict[str, Any]:
    """The arms of a task, its own and those of the sets that it names.

    Raises:
        InputError: an arm of its own has the id of one of a set, or two sets make the same id.
    """
    found = dict(arms)
    for set_ in named:
        for id_, arm in sets[set_].items():
            if id_ in found:
                raise InputError(
                    f"config/tasks/{task}.yaml: key `arm_sets` names {set_!r}, which makes the arm "
                    f"{id_!r}, but the task has an arm of this id already; rename one of them"
                )
            found[id_] = arm
    return found
