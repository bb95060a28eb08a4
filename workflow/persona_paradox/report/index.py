"""What the page of the report knows at once: everything but rows and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

import polars as pl

from ..names import ACTIONS, CONFIDENCES
from ..study.inventory import restricted_tasks
from ..study.raters import titles
from ..study.study import Study
from .chunks import BLOCK, shown
from .class_figures import class_figures
from .figures import METRICS, RATED, figures
from .overview import suites

Json = dict[str, Any]


def withholds(study: Study) -> list[str]:
    """Ids of the tasks whose texts are left out of the report."""
    return [] if study.settings["report"]["withheld_texts"] else restricted_tasks(study)


def index(
    study: Study,
    tables: Mapping[str, pl.DataFrame],
    tasks: Mapping[str, Json],
    drawings: Sequence[Json],
) -> Json:
    """Titles, levels and settings: everything but rows and answers.

    Args:
        study: the study.
        tables: its tables, by name.
        tasks: task → `n` of its items, `groups` as `cells.group_names` gives them, and `answers`,
            its `AnswerSpec`.
        drawings: `id`, `title` and `shows` of figures that stand in the page as they are.
    """
    settings = study.settings
    personas_in = {id_: study.titles["groups"][id_] for id_ in study.ids_of("groups")}
    rated = [model for model in RATED if any(c.model == model for c in study.rater_cells)]
    drawn = figures(list(personas_in.values()), rated)
    drawn += class_figures(study.judges[id_] for id_ in study.active_judges)
    return {
        "title": settings["title"],
        "baseline": settings["baseline"],
        "confidence": settings["statistics"]["confidence"],
        # Of the Wilson intervals that the page computes for what a reader filters.
        "z": NormalDist().inv_cdf((1 + settings["statistics"]["confidence"]) / 2),
        "block": BLOCK,
        "actions": list(ACTIONS),
        "models": {
            id_: model["title"] + (" (server)" if id_ in study.servers else "")
            for id_, model in study.models.items()
        },
        "personas": {
            id_: {
                "title": persona["title"],
                "group": persona["group"],
                "texts": study.texts(id_),
            }
            for id_, persona in study.personas.items()
        },
        "groups": personas_in,
        "rated": {model: RATED[model][0] for model in rated},
        "tasks": {
            id_: _task(study, id_) | told | {"answers": asdict(told["answers"])}
            for id_, told in tasks.items()
        },
        "suites": suites(study),
        "judges": {id_: _judge(study, id_, tables["judges"]) for id_ in study.active_judges},
        "tables": {
            name: {"columns": table.columns, "rows": table.height, "shown": shown(table)}
            for name, table in tables.items()
        },
        "metrics": METRICS,
        "confidences": list(CONFIDENCES),
        "figures": [asdict(figure) for figure in drawn if figure.table in tables],
        "drawings": drawings,
    }


def _task(study: Study, id_: str) -> Json:
    task = study.tasks[id_]
    spec, named = study.datasets[task["dataset"]], titles(study)
    return {
        "title": task["title"],
        "user": task["user"],
        "dataset": spec["title"],
        "teaching": spec["origin"] == "teaching",
        "licence": spec["licence"]["id"],
        "withheld": id_ in withholds(study),
        "raters": {
            cell.persona: named[cell.persona] for cell in study.rater_cells if cell.task == id_
        },
    }


def _judge(study: Study, id_: str, judges: pl.DataFrame) -> Json:
    judge = study.judges[id_]
    verdict = judges.filter((pl.col("judge") == id_) & (pl.col("metric") == "usable"))
    usable = verdict.item(0, "value") if verdict.height else None
    return {
        "title": judge["title"],
        "scale": judge["scale"],
        "ratings": [
            {key: rating[key] for key in ("id", "title", "better")} for rating in judge["ratings"]
        ],
        "actions": judge["action"] is not None,
        "classes": [
            {
                "id": one["id"],
                "title": one["title"],
                "classes": [each["title"] for each in one["classes"]],
            }
            for one in judge["classes"]
        ],
        "usable": None if usable is None else bool(usable),
        "note": verdict.item(0, "note") if verdict.height else None,
        "places": sorted({f"{cell.model}/{cell.task}" for cell in study.judged_cells(id_)}),
    }
