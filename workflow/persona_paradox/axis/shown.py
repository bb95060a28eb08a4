"""What figures of the axis share: the layer they show, and what they say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures import words


def shown_layer(table: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of the first depth that the study reads."""
    return table.filter(depth=settings["readings"]["depths"][0])


def place(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Task, model and layer."""
    task = words.task_title(settings["readings"]["tasks"][row["task"]])
    return f"{task} · {settings['models'][row['model']]} · behind layer {row['layer']}"


def ends(settings: Mapping[str, Any]) -> str:
    """What the ends of the axis are."""
    named = settings["readings"]
    default = settings["personas"][named["default"]]["title"]
    return f"0 the mean of {len(named['roles'])} roles, 1 {default}"


def note(settings: Mapping[str, Any]) -> str:
    """How intervals are made, and what the study is."""
    tasks = settings["readings"]["tasks"]
    known = {**settings, "tasks": tasks}
    few = f"Of fewer than {settings['too_few_below']} items nothing is drawn."
    made = words.bootstrap_note(known, list(tasks), "percentile")
    return f"{made}, not adjusted. {few} {words.study_note(known, list(tasks))}"
