"""A small study of a model that thinks aloud: in labels, in reasoning, and before patients."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import Project, add_model, new_project
from safety_study import CAREFUL, CAREFUL_FILE, reason_briefly, write
from studies import shared
from tiny_model import THINKS

PRIMARY, REASONED = "triage_primary", "triage_primary_rationale"
SAFETY = "safety_teaching_short"
TASKS = (PRIMARY, REASONED, SAFETY)
PERSONAS = ("no_persona", "ed_nurse")
MODEL, MARKS = "config/models/tiny.yaml", ("<think>", "</think>")
LONGEST, DRAWN, ITEMS = 20, 2, 5
QUESTION = "How sure are you, from 0 to 100?"
ARCHIVE = "results/archive.zip"

STUDY = {
    "title": "A small study of a model that thinks",
    "models": ["tiny"],
    "tasks": [*TASKS],
    "personas": [*PERSONAS],
    "baseline": "no_persona",
    "limit": ITEMS,
    "limits": {SAFETY: 2},
    "judges": ["careful"],
    "figures": [],
    "tables": ["cells"],
    "statistics": {"draws": 200},
    "seed": 7,
}
JUDGE = {
    key: value
    for key, value in CAREFUL.items()
    if key not in ("pairs", "list", "sanity", "injections")
}


def small_study(path: Path) -> Project:
    """The study; nothing has run."""
    project = new_project(path)
    add_model(project, template=THINKS, marks=MARKS, seed=6)
    project.edit(MODEL, lambda m: m.update(thinking={"think": True, "max_tokens": LONGEST}))
    write(project, "config/config.yaml", STUDY)
    write(project, CAREFUL_FILE, JUDGE)
    for task in TASKS:
        project.edit(f"config/tasks/{task}.yaml", lambda t: t["decoding"].update(max_tokens=6))
    project.edit(f"config/tasks/{PRIMARY}.yaml", _ask_for_all)
    project.edit(f"config/tasks/{REASONED}.yaml", reason_briefly)
    return project


def _ask_for_all(task: dict) -> None:
    task |= {"null_cases": ["N/A"], "verbalized": {"question": QUESTION}}
    task["decoding"]["sampled"] = {"answers": DRAWN, "temperature": 1.5}


def thinking_study(factory: pytest.TempPathFactory) -> Project:
    """The study, all of which is made, and its archive; not to be changed."""

    def build(path: Path) -> None:
        small_study(path).run("--cores", "2", "all", ARCHIVE)

    return shared(factory, "thinking", build)
