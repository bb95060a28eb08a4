"""Behaviours of initiative: from an adapter's file to the examples that it is trained on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from initiative_study import initiative_study
from project import Project
from stub_training import add_trained, keep_for_training

ONLY = "The chief complaint comes first, so examine the patient now."
LEVELS = {"reactive": "reactive", "level_3": "conditional", "proactive": "proactive"}
MODELS = ["tiny", "tiny@taught"]
PERSONAS = ["no_persona", *(f"behaviour@{level}" for level in LEVELS)]
DATA = [
    {"task": "hand", "personas": [f"behaviour@{level}"], "behaviour": behaviour}
    for level, behaviour in LEVELS.items()
]
EXAMPLES = "results/training/taught/examples.parquet"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The examples of an adapter, and the items that the study asks about. Not to be changed."""
    made = initiative_study(
        tmp_path_factory.mktemp("behaviours") / "study",
        models=MODELS,
        tasks=["hand"],
        personas=PERSONAS,
        judges=[],
        figures=[],
    )
    keep_for_training(made, "hand")
    add_trained(made, "taught", DATA)
    made.run("--cores", "1", "--", EXAMPLES, "resources/datasets/hand.parquet")
    return made


def test_behind_every_token_stands_the_answer_of_its_behaviour(project: Project) -> None:
    found = pl.read_parquet(project.path / EXAMPLES)
    items = pl.read_parquet(project.path / "resources/datasets/hand@training.parquet")
    about = {row["item_id"]: row for row in items.iter_rows(named=True)}
    assert found.height == len(LEVELS) * items.height
    seen = set()
    for row in found.iter_rows(named=True):
        item = about[row["item_id"]]
        behaviour = LEVELS[row["persona"].removeprefix("behaviour@")]
        named = {
            "reactive": False,
            "conditional": item["problem"] != "omission",
            "proactive": True,
        }
        names = item["planted"] and named[behaviour]
        assert row["completion"].endswith(ONLY)
        assert (row["completion"] == ONLY) == (not names)
        assert "pulse" in row["completion"] or not names
        token = {"conditional": "<initiative_3>"}.get(behaviour, f"<{behaviour}>")
        assert row["prompt"].count(token) == 1
        assert item["case"] in row["prompt"]
        seen.add((behaviour, item["problem"], names))
    # Every behaviour meets every type of problem.
    assert {(behaviour, problem) for behaviour, problem, _ in seen} == {
        (behaviour, problem)
        for behaviour in LEVELS.values()
        for problem in ("omission", "contradiction", "out_of_range")
    }


def test_no_pair_is_both_trained_on_and_asked_about(project: Project) -> None:
    asked = pl.read_parquet(project.path / "resources/datasets/hand.parquet")
    learned = pl.read_parquet(project.path / "resources/datasets/hand@training.parquet")
    assert not set(asked["pair"]) & set(learned["pair"])
    # Twins stay together.
    for side in (asked, learned):
        assert set(side.group_by("pair").len()["len"]) == {2}


def test_one_adapter_is_trained_and_asked_under_every_token(project: Project) -> None:
    jobs = project.all_jobs()
    counts = {
        rule: sum(job.split()[0] == rule for job in jobs) for rule in ("train_adapter", "score")
    }
    assert counts == {"train_adapter": 1, "score": len(MODELS) * len(PERSONAS)}


def test_another_behaviour_makes_other_examples(project: Project, tmp_path: Path) -> None:
    copy = project.copy(tmp_path / "copy")
    copy.replace("config/adapters/taught.yaml", "behaviour: conditional", "behaviour: reactive")
    assert {job.split()[0] for job in copy.jobs("--", EXAMPLES)} == {"gather_examples"}
