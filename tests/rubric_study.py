"""A small study of rubrics: the model itself holds its answers against criteria."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from project import Project, add_model, new_project
from safety_study import CAREFUL, write
from studies import shared

TASK, PLAIN = "safety_rubrics", "safety_teaching"
PERSONAS = ("ed_nurse", "no_persona")
# Of six items, one of every category, judges read four.
ITEMS, SAMPLE, CHECKS = 6, 4, 3
PACKET = "results/clinician/packet.zip"
STUDY = {
    "title": "A small study of rubrics",
    "models": ["tiny"],
    "tasks": [TASK, PLAIN],
    "personas": ["no_persona", "ed_nurse"],
    "baseline": "no_persona",
    "limit": ITEMS,
    "judges": ["ticks", "both"],
    "judge_sample": SAMPLE,
    "rankings": {"pairs": "baseline", "groups": ["paper"]},
    "clinicians": {"answers": 4, "pairs": 1},
    "seed": 7,
}
KNOWN = "resources/bundled/judge_criteria.csv"
CRITERIA = {"question": "Criterion: {criterion} 1 = met, 2 = not met.", "sanity": KNOWN}
# One judge ticks criteria and does nothing else, the other rates and compares besides.
TICKS = {key: CAREFUL[key] for key in ("model", "reads", "own_family", "instruction", "user")}
TICKS |= {"title": "Random weights as judge of criteria", "criteria": CRITERIA}
BOTH = {k: v for k, v in CAREFUL.items() if k not in ("list", "sanity", "injections")}
BOTH |= {"title": "Random weights as judge of all", "criteria": CRITERIA, "rationale_tokens": 0}


def small_study(path: Path) -> Project:
    """A study of which nothing has run."""
    project = new_project(path)
    add_model(project)
    write(project, "config/config.yaml", STUDY)
    write(project, "config/judges/ticks.yaml", TICKS)
    write(project, "config/judges/both.yaml", BOTH)
    for task in (TASK, PLAIN):
        project.edit(f"config/tasks/{task}.yaml", lambda t: t["decoding"].update(max_tokens=12))
    known = pl.read_csv(path / KNOWN, infer_schema=False).head(CHECKS)
    known.write_csv(path / KNOWN)
    return project


def rubric_study(factory: pytest.TempPathFactory) -> Project:
    """The study, all of which has run, and its packet; not to be changed."""

    def build(path: Path) -> None:
        project = small_study(path)
        output = project.run("--cores", "1", "all", PACKET)
        (path / "output.txt").write_text(output)

    return shared(factory, "rubrics", build)


def items_of(project: Project, task: str) -> pl.DataFrame:
    """The items of a task's data set."""
    spec = yaml.safe_load((project.path / f"config/tasks/{task}.yaml").read_text())
    return pl.read_parquet(project.path / f"resources/datasets/{spec['dataset']}.parquet")
