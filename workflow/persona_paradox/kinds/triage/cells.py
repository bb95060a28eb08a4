"""How the report shows an answer of triage: as a level, right, less urgent or more urgent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .. import answers
from ..answers import RIGHT, UNREAD, WRONG, AnswerSpec, Grave, Label, Outcome

_UNDER = Outcome("under", "under-triaged", "▼", within="wrong", metric="under_triage_rate")
_OVER = Outcome("over", "over-triaged", "▲", within="wrong", metric="over_triage_rate")


def describe(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> AnswerSpec:
    """The levels of a task, from the most urgent."""
    mark_of = {entry["level"]: entry["label"] for entry in task["labels"]}
    high = dataset["high_acuity"]
    labels = [
        Label(
            level["id"],
            level["title"],
            mark_of[level["id"]],
            note="high acuity" if level["id"] in high else "",
        )
        for level in dataset["levels"]
    ]
    return AnswerSpec(
        labels=answers.shaded(labels),
        ordered=True,
        reference=True,
        outcomes=(RIGHT, WRONG, _UNDER, _OVER, *UNREAD),
        grave=Grave(
            "High acuity under-triaged",
            "a case of a high-acuity level with a less urgent answer",
            [_UNDER.id],
            high,
        ),
    )


def columns(scores: pl.DataFrame, ids: pl.DataFrame, spec: AnswerSpec) -> dict[str, Any]:
    """What the list of cases needs; a wrong answer is less urgent than the reference, or more."""
    found = answers.columns(scores, ids, spec)
    right = answers.labels_of(answers.aligned(scores, ids), "reference", spec)
    place = {outcome.id: number for number, outcome in enumerate(spec.outcomes)}
    found["outcome"] = [
        outcome
        if outcome != place[WRONG.id]
        else place[_UNDER.id if label > reference else _OVER.id]
        for outcome, label, reference in zip(found["outcome"], found["label"], right, strict=True)
    ]
    return found
