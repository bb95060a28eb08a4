"""Which persona, and when: what a study asks of policies over its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from ..names import ALL
from .conditions import plain
from .measured_views import measured
from .study import Study

# Policies that need key `routing.escalation`, and what stands there besides two personas.
_NEEDS = {
    "escalate_on_flags": "flags",
    "escalate_on_disagreement": "second",
    "escalate_on_confidence": "cautious",
}

# Rates that say how far a label is from the right one: labels without an order have none.
_OF_ORDER = ("under_triage_rate", "over_triage_rate")


def routed_tasks(study: Study) -> list[str]:
    """Ids of the tasks of whose answers policies choose; an arm's items are its base's."""
    tasks = plain(study.tasks_having("measures")) if study.settings["routing"] else []
    traits = {task: study.traits(task) for task in tasks}
    return [task for task in tasks if traits[task].labels and traits[task].reference]


def routed_personas(study: Study) -> list[str]:
    """Ids of the personas, the baseline first."""
    baseline = study.settings["baseline"]
    return [baseline, *(id_ for id_ in study.personas if id_ != baseline)]


def routing_views(study: Study) -> Iterator[tuple[str, Any]]:
    """The view of the policies, where the study asks for some."""
    asked = study.settings["routing"]
    if asked is None:
        return
    yield "routing", {**asked, **answers_view(routed_tasks(study), study)}


def answers_view(tasks: list[str], study: Study) -> dict[str, Any]:
    """What is needed to read the answers of all personas to some tasks (`measuring.answers_of`)."""
    return {
        "personas": routed_personas(study),
        "models": list(study.models),
        "tasks": {task: measured(task, study) for task in tasks},
        "label_mass_warning_below": study.settings["statistics"]["label_mass_warning_below"],
    }


def routing_shown(study: Study) -> dict[str, Any]:
    """What figures say of the policies: the tasks, and the origins that are kept apart."""
    tasks = {task: study.dataset_of(task)["origin"] for task in routed_tasks(study)}
    asked = study.settings["routing"]
    limit = asked["constraint"] if asked else None
    return {
        "tasks": list(tasks),
        "origins": list(dict.fromkeys(tasks.values())),
        "limited": limit["metric"] if limit else None,
        # Whether an answer of some task has a cost.
        "costed": any("cost" in measured(task, study) for task in tasks),
    }


def check_routing(study: Study) -> None:
    """Check that there is something to choose from, and that what is named is there.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    asked = study.settings["routing"]
    if asked is None:
        return
    tasks = routed_tasks(study)
    if not tasks:
        raise InputError(
            "key `routing` of the study asks for policies, but no task of it has labels of which "
            "one is right; add such a task to key `tasks`, or take the key out"
        )
    if len(study.personas) < 2:
        raise InputError(
            "key `routing` of the study asks for policies, but key `personas` lists one persona, "
            "so that there is nothing to choose; add a persona"
        )
    limit = asked["constraint"]
    ordered = [task for task in tasks if study.traits(task).ordered]
    if limit is not None and limit["metric"] in _OF_ORDER and not ordered:
        raise InputError(
            f"key `routing.constraint.metric` of the study is {limit['metric']!r}, but the labels "
            "of its tasks have no order; use invalid_rate, refused_rate or unreadable_rate"
        )
    escalation: dict[str, Any] = {**(asked["escalation"] or {})}
    for policy, needed in _NEEDS.items():
        if asked["policies"] != ALL and policy in asked["policies"] and not escalation.get(needed):
            key = f"escalation.{needed}" if escalation else "escalation"
            raise InputError(
                f"key `routing.policies` of the study names {policy!r}, which needs key "
                f"`routing.{key}`; write it, or take the policy out"
            )
    named = {key: escalation[key] for key in ("lean", "second", "cautious") if escalation.get(key)}
    for key, id_ in named.items():
        if id_ not in study.personas:
            raise InputError(
                f"key `routing.escalation.{key}` of the study is {id_!r}, which key `personas` "
                "does not list; add it there, or name one of these"
            )
    if len({*named.values()}) < len(named):
        raise InputError(
            "key `routing.escalation` of the study names one persona twice; write different ones "
            f"in {', '.join(f'`{key}`' for key in named)}"
        )
