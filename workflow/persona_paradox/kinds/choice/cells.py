"""How the report shows an answer to a question with options: by its letter in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .. import answers
from ..answers import INVALID, RIGHT, UNREAD, WRONG, AnswerSpec, Label
from .letters import LETTERS, places
from .spec import most_options


def describe(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> AnswerSpec:
    """The options of a task; a set of options has no label, but an outcome."""
    # An arm may add options.
    letters = LETTERS if "arm" in task else LETTERS[: most_options(dataset)]
    labels = [Label(letter, f"option {letter}", letter) for letter in letters]
    return AnswerSpec(
        labels=labels if task["select"] == "one" else (),
        reference=task["select"] == "one",
        outcomes=(RIGHT, WRONG, *UNREAD),
        facts={"options": "Options, in the order of the file", "reference": "Right ones"},
    )


def columns(scores: pl.DataFrame, ids: pl.DataFrame, spec: AnswerSpec) -> dict[str, Any]:
    """What the list of cases needs; of sets `said` besides, by which they are told apart."""
    found = answers.columns(scores, ids, spec)
    if not spec.labels:
        rows = answers.aligned(scores, ids).select("label", "parse_status")
        found["said"] = [_number(label, status) for label, status in rows.iter_rows()]
    return found


def _number(letters: str | None, status: str | None) -> int | None:
    """A set as 2 to the power of each place, added up."""
    if letters is None:
        return None if status is None else INVALID
    return sum(1 << place for place in places(letters))
