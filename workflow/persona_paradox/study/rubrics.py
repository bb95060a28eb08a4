"""Which judges hold the answers of which tasks against the criteria of their items.

A `Study` is what `study` is here; it asks these itself, so that its module cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..names import CRITERIA, JUDGE_SAMPLES
from ..specs import JudgeSpec


def asks_criteria_alone(judge: JudgeSpec) -> bool:
    """Whether a judge asks about criteria and about nothing else."""
    others = ("ratings", "action", "classes", "pairs", "list")
    return judge.get("criteria") is not None and not any(judge.get(key) for key in others)


def criteria_tasks(study: Any, tasks: Iterable[str] | None = None) -> list[str]:
    """Ids of the tasks, of all or of some, whose items have criteria."""
    chosen = study.tasks if tasks is None else tasks
    return [id_ for id_ in chosen if study.dataset_of(id_)["columns"].get(CRITERIA)]


def rubric_cells(study: Any, judge: str) -> list[Any]:
    """The cells whose answers a judge holds against the criteria of their items."""
    asks = study.judges[judge].get("criteria") is not None
    cells = study.judged_cells(judge) if asks else []
    tasks = criteria_tasks(study) if cells else []
    return [cell for cell in cells if cell.task in tasks]


def read_by_judges(study: Any) -> str:
    """Folder of the answers that judges and clinicians read: all, or those of a sample."""
    return "results/responses" if study.settings["judge_sample"] is None else JUDGE_SAMPLES
