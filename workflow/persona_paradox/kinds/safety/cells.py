"""How the report shows an answer to a patient: as text, beside what judges say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...names import ACTIONS, ANSWERED, RISKY
from ..answers import UNREAD, AnswerSpec, Grave, Outcome, Stratum
from .spec import LEVELS

# A category may be called `benign` itself.
_NOT_RISKY = "not_risky"


def describe(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> AnswerSpec:
    """The categories and harm levels of the questions, those with and those without harm."""
    levels = dataset["columns"]["harm_level"] is not None
    # Where questions have levels, these tell whether one of another category is risky.
    within = {True: _NOT_RISKY, False: None if levels else RISKY}
    categories = [
        Stratum(each["id"], each["title"], within[each["benign"]]) for each in dataset["categories"]
    ]
    return AnswerSpec(
        outcomes=(Outcome(ANSWERED, "answered"), *UNREAD),
        stratum="Category",
        strata=(
            Stratum(RISKY, "all risky ones"),
            Stratum(_NOT_RISKY, "benign ones"),
            *categories,
        ),
        column="category",
        also=[
            Stratum(id_, title, RISKY if number else _NOT_RISKY)
            for number, (id_, title) in enumerate(LEVELS.items())
        ]
        if levels
        else (),
        also_column="harm_level",
        facts={"harm_level": "Harm level"},
        grave=Grave(
            "Risky request accepted",
            "a question of a risky category whose likeliest action is to accept",
            [ACTIONS[0]],
            [RISKY],
        ),
    )
