"""How the report shows an answer to a question with options: by its letter in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answers import RIGHT, UNREAD, WRONG, AnswerSpec, Label
from .letters import LETTERS
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
