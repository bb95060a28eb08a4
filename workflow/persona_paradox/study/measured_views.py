"""What measures of a study depend on: those of a task's cells, and of several cells together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..data.places import needed
from .cycles import families
from .study import Study
from .tuning import tuned_pairs, tuned_tasks


def measures_view(id_: str, study: Study) -> dict[str, Any]:
    """What is measured of a model in a task: the personas, and what `measured` says."""
    relations = study.relations(id_)
    return {
        **measured(id_, study),
        "baseline": study.settings["baseline"],
        "personas": list(study.personas),
        "groups": {persona: about["group"] for persona, about in study.personas.items()},
        # Only where there are some, so that what was measured of other studies stays.
        **({"relations": relations} if relations else {}),
        "label_mass_warning_below": study.settings["statistics"]["label_mass_warning_below"],
    }


def comparison_views(study: Study) -> Iterator[tuple[str, Any]]:
    """What is asked of several arms together, and of several personas, where there are such."""
    if study.compared_arms:
        yield "arms", _arms_view(study)
    if study.factor_tasks:
        yield "factors", _factors_view(study)
    if tasks := tuned_tasks(study):
        yield (
            "tuning",
            {
                "pairs": tuned_pairs(study),
                "tasks": {id_: measures_view(id_, study) for id_ in tasks},
                "personas": list(study.personas),
            },
        )
    if study.followed:
        yield "survival", _survival_view(study)
    if found := families(study):
        yield "cycles", _cycles_view(found, study)


def _cycles_view(found: list[dict[str, Any]], study: Study) -> dict[str, Any]:
    """Which models are cycles of one base, and what they are compared in."""
    judged = {id_: list({c.task: 0 for c in study.judged_cells(id_)}) for id_ in study.judges}
    return {
        "families": found,
        "personas": list(study.personas),
        "tasks": {id_: measures_view(id_, study) for id_ in study.tasks_having("measures")},
        "judged": {id_: tasks for id_, tasks in judged.items() if tasks},
        "judges": {id_: judge["model"] for id_, judge in study.judges.items()},
    }


def _arms_view(study: Study) -> dict[str, Any]:
    """Which arms are put beside each other, and what they are about."""
    tasks = {
        base_: {
            **measures_view(base_, study),
            "base": base_,
            "arms": {id_: study.tasks[id_]["arm"]["about"] for id_ in arms},
            "datasets": {id_: study.tasks[id_]["dataset"] for id_ in arms},
        }
        for base_, arms in study.compared_arms.items()
    }
    return {"models": list(study.models), "tasks": tasks}


def _survival_view(study: Study) -> dict[str, Any]:
    """Which conversations are followed, round by round, and who says whether an answer holds."""
    about = {task: measured(task, study) for task in dict.fromkeys(p[2] for p in study.followed)}
    return {
        "baseline": study.settings["baseline"],
        "personas": list(study.personas),
        "places": [
            {
                "judge": judge,
                "model": model,
                "task": task,
                "rounds": study.long_chains[task],
                # Turns of its own that an item must have to be in a round.
                "needed": [
                    needed(study.tasks[task]["turns"][:n])
                    for n in range(len(study.long_chains[task]))
                ],
                **{key: about[task][key] for key in ("dataset", "context", "cluster")},
            }
            for judge, model, task in study.followed
        ],
    }


def _factors_view(study: Study) -> dict[str, Any]:
    """What is asked of the factors of persona sets: of whom, in what, and which tests are one."""
    statistics = study.settings["statistics"]
    family = {
        "metrics": statistics["family"]["metrics"],
        "effects": statistics["factors"]["family"],
    }
    metrics = dict.fromkeys([*statistics["family"]["metrics"], *statistics["factors"]["metrics"]])
    return {
        "label_mass_warning_below": statistics["label_mass_warning_below"],
        "confidence": statistics["confidence"],
        "draws": statistics["draws"],
        "seed": study.settings["seed"],
        "models": list(study.models),
        "tasks": [[task, measured(task, study)] for task in study.factor_tasks],
        "sets": study.factor_sets,
        "metrics": list(metrics),
        "family": family,
    }


def measured(id_: str, study: Study) -> dict[str, Any]:
    """What the numbers of a task's cells need, of every kind and of its own."""
    task, dataset = study.tasks[id_], study.dataset_of(id_)
    return {
        **study.spec(id_).measured(task, dataset),
        "kind": task["kind"],
        "dataset": task["dataset"],
        "context": dataset["context"],
        "origin": dataset["origin"],
        "reference": study.traits(id_).reference,
        "cluster": dataset["columns"]["cluster"],
    }
