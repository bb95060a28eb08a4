"""What those who read answers depend on: of judges the sample and the criteria, and clinicians."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..names import CRITERIA
from .identities import identifying
from .rubrics import criteria_tasks
from .study import Study


def reader_views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of samples and criteria for judges, where there are some, and of clinicians."""
    yield from _judge_sample_views(study)
    for id_ in study.active_judges:
        judge = study.judges[id_]
        if judge["criteria"] is not None:
            asked = {"instruction": judge["instruction"], "user": judge["user"]}
            yield f"judge_criteria/{id_}", asked | {"question": judge["criteria"]["question"]}
    if study.forms:
        yield "forms", study.forms
        yield "answers_shown", _shown_view(study)
        yield "packet", _packet_view(study)


def _judge_sample_views(study: Study) -> Iterator[tuple[str, Any]]:
    """How the items of a task are drawn whose answers judges read, where they read a sample."""
    settings = {key: study.settings[key] for key in ("judge_sample", "seed")}
    for id_ in study.asked_tasks if settings["judge_sample"] is not None else ():
        traits = study.traits(id_)
        yield (
            f"judge_sample/{id_}",
            {**settings, "stratum": traits.stratum, "evenly": traits.evenly},
        )


def _shown_view(study: Study) -> dict[str, Any]:
    """Which answers clinicians may see."""
    tasks: dict[str, dict[str, Any]] = {}
    for form, ids in study.form_tasks.items():
        for id_ in ids:
            stratum = study.traits(id_).stratum
            tasks[id_] = {"dataset": study.tasks[id_]["dataset"], "form": form, "stratum": stratum}
            tasks[id_] |= {"turns": True} if id_ in study.before else {}
    cells = [[c.model, c.task, c.persona] for c in study.shown_cells]
    return {"tasks": tasks, "cells": cells}


def _packet_view(study: Study) -> dict[str, Any]:
    """How the packet for clinicians is drawn, and what must not be read in it."""
    clinicians = study.settings["clinicians"]
    others = [*study.tasks, *study.datasets, *study.judges]
    shown_here = {cell.task for cell in study.shown_cells}
    criteria = {
        task: study.tasks[task]["dataset"] for task in criteria_tasks(study) if task in shown_here
    }
    return {
        "seed": study.settings["seed"],
        "n_answers": clinicians["answers"],
        "n_pairs": clinicians["pairs"],
        "baseline": study.settings["baseline"],
        "forms": study.forms,
        "strings": identifying(study.personas, study.models, others),
        # Only where there are some, so that packets of other studies stay.
        **({CRITERIA: criteria} if criteria else {}),
    }
