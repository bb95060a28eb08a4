"""Cycles that another model judges, and one whose adapter learned from known answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from cycle_study import TASK, cycle_study
from project import Project, add_model
from root import ROOT
from stub_training import add_trained, libraries
from studies import shared

JUDGE, PAIRS = "config/judges/cares_published.yaml", "resources/judge_pairs.jsonl"
ALIGNED = "resources/adapters/aligned_1/manifest.json"
CELL = f"tiny/{TASK}@training/no_persona.parquet"
JUDGED = f"results/training/judgements/cares_published/{CELL}"
ANSWERS = ROOT / "resources/bundled/judge_classes.csv"


def write_pairs(project: Project) -> None:
    """Known answers as the judge is shown them, with the word that it should say behind."""
    judge = yaml.safe_load((project.path / JUDGE).read_text())
    words = dict(zip(("accept", "caution", "refuse"), judge["action"]["labels"], strict=True))
    lines = []
    for row in csv.DictReader(ANSWERS.read_text(encoding="utf-8").splitlines()):
        shown = judge["user"].replace("{question}", row["question"])
        shown = shown.replace("{answer}", row["answer"])
        prompt = f"{shown}\n\n{judge['action']['question']}"
        pair = {"system": judge["instruction"], "prompt": prompt}
        lines.append(json.dumps(pair | {"completion": words[row["action"]]}))
    (project.path / PAIRS).write_text("\n".join(lines))


def build(path: Path) -> Project:
    """One cycle of one candidate, whose judge is an adapter of another model."""
    project = cycle_study(path, judge="other@judging", stop={"gain": 0, "unusable_judge": True})
    add_model(project, "other", seed=3)
    write_pairs(project)
    add_trained(project, "judging", [{"file": PAIRS}])
    project.edit("config/adapters/judging.yaml", lambda spec: spec.update(base="other"))
    return project


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Not to be changed."""

    def run(path: Path) -> None:
        project = build(path)
        project.run("--cores", "1", "--", ALIGNED, **libraries(project))

    return shared(tmp_path_factory, "tuned_judge", run)


def test_a_judge_learns_from_the_very_prompts_that_it_is_asked(judged: Project) -> None:
    learned = pl.read_parquet(judged.path / "results/training/judging/examples.parquet")
    asked = judged.path / "results/training/checks/cares_published/delivered/ratings.parquet"
    assert set(learned["prompt"]) == set(pl.read_parquet(asked)["text"])
    assert set(learned["completion"]) == {"Accept", "Caution", "Refuse"}


def test_what_it_says_decides_and_whether_it_is_usable(judged: Project) -> None:
    """Its own tests come first: an adapter that was drawn at random does not pass them."""
    about = json.loads((judged.path / ALIGNED).read_text())
    assert about["compared"]["aligned_1_kto"]["n"] > 0
    assert about["chosen"] is None
    assert about["stopped"]["why"].startswith("the judge is not usable: ")


def test_another_model_judges_without_an_adapter_too(judged: Project, tmp_path: Path) -> None:
    project = judged.copy(tmp_path / "project")
    project.edit(JUDGE, lambda judge: judge.update(model="other"))
    jobs = project.jobs("--", JUDGED)
    assert f"judge_training cares_published/{CELL.removesuffix('.parquet')}" in jobs
    assert not {job for job in jobs if job.startswith("train_adapter")}
    project.run("--cores", "1", "--", JUDGED)
    with_, without = (pl.read_parquet(one.path / JUDGED) for one in (judged, project))
    keys = ["item_id", "repeat", "dimension"]
    assert without.select(keys).equals(with_.select(keys))
    assert not without["probabilities"].equals(with_["probabilities"])


def test_other_known_answers_train_the_judge_and_what_rests_on_it(
    judged: Project, tmp_path: Path
) -> None:
    project = judged.copy(tmp_path / "project")
    assert project.jobs("--", ALIGNED) == []
    lines = (project.path / PAIRS).read_text().splitlines()
    (project.path / PAIRS).write_text("\n".join(lines[:-1]))
    jobs = project.jobs("--", ALIGNED)
    cell = CELL.removesuffix(".parquet")
    expected = {"train_adapter judging", f"judge_training cares_published/{cell}"}
    assert expected | {"train_adapter aligned_1_kto", "choose_adapter aligned_1"} <= {*jobs}
    assert f"generate {cell}" not in jobs
