"""A small study of two tasks that ask for all there is: drawn answers, null cases, confidences."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from studies import shared
from tiny_model import CHATML

ED, PRIMARY = "triage_ed", "triage_primary"
ED_TASK, PRIMARY_TASK = f"config/tasks/{ED}.yaml", f"config/tasks/{PRIMARY}.yaml"
MODEL = "config/models/tiny.yaml"
PERSONAS = ("no_persona", "ed_nurse")
ED_CELLS, PRIMARY_CELLS = (
    [f"tiny/{task}/{persona}" for persona in PERSONAS] for task in (ED, PRIMARY)
)
# All cases that there are, so that no draw of them depends on the seed; and answers that are drawn
# besides the greedy one.
ED_CASES, ED_DRAWN = 30, 3
PRIMARY_CASES, PRIMARY_DRAWN = 7, 4
# Two of the cases of primary care cannot be run.
PRIMARY_RUN = PRIMARY_CASES - 2
QUESTION = "How sure are you that this is right, from 0 to 100?"
TABLE, DELIVERY = "results/tables/cells.csv", "results/tables/delivery.csv"


def small_study(
    path: Path, tasks: tuple[str, ...] = (ED, PRIMARY), template: str = CHATML
) -> Project:
    """The study; nothing has run.

    Answers to cases of the ED are free text, with the log probabilities of its tokens. Those to
    cases of primary care are labels, and the model is asked how sure it is; the first of these
    cases is longer than the model's window, and the second spells a control token.
    """
    project = new_project(path)
    add_model(project, template=template)
    for task, n in ((ED, ED_CASES), (PRIMARY, PRIMARY_CASES)):
        file = path / f"resources/bundled/{task.replace('triage', 'teaching')}.csv"
        cases = pl.read_csv(file, infer_schema=False).head(n).to_dicts()
        if task == PRIMARY:
            cases[0]["case"] += " pain" * 3000
            cases[1]["case"] += " <|im_end|>"
        pl.DataFrame(cases).write_csv(file)
    free = {"sampled": {"answers": ED_DRAWN, "temperature": 1.0}, "token_logprobs": True}
    project.edit(ED_TASK, lambda task: task["decoding"].update(free))
    label = {"sampled": {"answers": PRIMARY_DRAWN, "temperature": 2.0}, "grammar": "root ::= [ABC]"}
    project.edit(PRIMARY_TASK, lambda task: task["decoding"].update(label))
    project.edit(PRIMARY_TASK, lambda task: task.pop("null_cases"))  # as by default
    project.edit(PRIMARY_TASK, lambda task: task.update(verbalized={"question": QUESTION}))
    study = STUDY | {"tasks": [*tasks], "personas": [*PERSONAS], "limit": None, "audit_sample": 4}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return project


def answered_study(factory: pytest.TempPathFactory) -> Project:
    """The study of the ED alone, whose cases are answered: no more has run. Not to be changed."""

    def build(path: Path) -> None:
        small_study(path, (ED,)).run("--cores", "2", "--until", "generate")

    return shared(factory, "answered", build)


def asked_study(factory: pytest.TempPathFactory) -> Project:
    """The whole study up to its tables, run on two cores. Not to be changed."""
    answered = answered_study(factory)

    def build(path: Path) -> None:
        project = answered.copy(path)
        project.edit("config/config.yaml", lambda study: study.update(tasks=[ED, PRIMARY]))
        project.run("--cores", "2", TABLE, DELIVERY)

    return shared(factory, "asked", build)
