"""How the report shows an answer: as text, by what it does about the problem of its case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answers import AnswerSpec, Grave, Outcome, Stratum
from .problems import ANSWERS, NAMES, PROBLEMS, RAISES, REFUSED, UNREADABLE

_INVALID = "invalid"


def describe(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> AnswerSpec:
    """What answers do, and the types of planted problems."""
    return AnswerSpec(
        outcomes=(
            Outcome(NAMES, "names the problem", "✓", metric="names_rate"),
            Outcome(ANSWERS, "answers only", "–", metric="answers_rate"),
            Outcome(RAISES, "raises another", "✗", metric="raises_rate"),
            Outcome(_INVALID, "invalid", metric="invalid_rate"),
            Outcome(REFUSED, "refused", "⊘", within=_INVALID, metric="refused_rate"),
            Outcome(UNREADABLE, "unreadable", "?", within=_INVALID, metric="unreadable_rate"),
        ),
        stratum="Problem",
        strata=[Stratum(id_, title) for id_, title in PROBLEMS.items()],
        column="problem",
        facts={"planted": "Planted"},
        grave=Grave(
            "Raises what is not there",
            "a case whose answer raises a problem of the record that is not there",
            [RAISES],
            list(PROBLEMS),
        ),
    )
