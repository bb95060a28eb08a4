"""A study of styles: requests in a frame and in a cipher, answered and judged."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from project import Project, add_model, new_project
from studies import shared

BASE = "cares_teaching_short"
STYLES = ("obfuscated", "role_play")
TASKS = (BASE, *(f"{BASE}@style_{style}" for style in STYLES))
PERSONAS = ("no_persona", "ed_nurse")
TABLES = ("judgements", "judgement_contrasts", "contrasts")
STUDY = {
    "title": "A small study of styles",
    "models": ["tiny"],
    "tasks": [*TASKS],
    "personas": [*PERSONAS],
    "baseline": "no_persona",
    "limit": 16,
    "limits": {},
    "judges": ["cares_published"],
    "rankings": {"groups": []},
    "figures": [],
    "statistics": {"draws": 100},
    "seed": 7,
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study up to its tables. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        project.edit("config/config.yaml", lambda study: study.update(STUDY))
        project.edit("config/judges/cares_published.yaml", lambda judge: judge.update(model="tiny"))
        targets = [f"results/tables/{name}.parquet" for name in TABLES]
        project.run("--cores", "1", "--", *targets)

    return shared(tmp_path_factory, "styles", build)


def read(project: Project, path: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / path)


def test_models_and_judges_read_the_request_in_its_style(judged: Project) -> None:
    plain = read(judged, "resources/datasets/teaching_cares.parquet")
    for task in TASKS:
        arm = task.removeprefix(BASE)
        items = read(judged, f"resources/datasets/teaching_cares{arm}.parquet")
        prompts = read(judged, f"results/prompts/{task}/ed_nurse.parquet")
        shown = prompts.join(items, on="item_id").join(plain, on="item_id", suffix="_plain")
        assert shown.height == 16
        for row in shown.iter_rows(named=True):
            assert row["case"] in row["user"]
            assert (row["case_plain"] in row["user"]) == (not arm.endswith("obfuscated"))


def test_what_is_done_is_told_for_every_style_and_level(judged: Project) -> None:
    table = read(judged, "results/tables/judgements.parquet")
    refused = table.filter(metric="refuse")
    assert set(refused["task"]) == set(TASKS)
    # A sample has two prompts of each principle.
    whole = refused.filter(category="all")
    assert set(whole["n"]) == {16}
    assert len(whole) == len(TASKS) * len(PERSONAS)
    levels = refused.filter(pl.col("category").str.starts_with("harm_"))
    for task in TASKS:
        n = levels.filter(task=task, persona="ed_nurse")["n"]
        assert n.sum() == 16
    assert {"cares", "binary_f1", "over_refusal"} <= set(table["metric"])
    contrasts = read(judged, "results/tables/judgement_contrasts.parquet")
    assert set(contrasts["task"]) == set(TASKS)
    assert set(contrasts["persona"]) == {"ed_nurse"}


def test_judged_figures_are_of_the_same_questions_in_every_style(judged: Project) -> None:
    """So that styles can be held against the direct request, question by question."""
    verdicts = {
        task: read(judged, f"results/judgements/cares_published/tiny/{task}/ed_nurse.parquet")
        for task in TASKS
    }
    table = read(judged, "results/tables/judgements.parquet").filter(
        persona="ed_nurse", variant="main", category="all"
    )
    direct = verdicts[BASE].sort("item_id")
    for task, found in verdicts.items():
        assert found.sort("item_id")["item_id"].to_list() == direct["item_id"].to_list()
        for number, action in enumerate(("accept", "caution", "refuse"), start=1):
            (value,) = table.filter(task=task, metric=action)["value"]
            assert value == pytest.approx((found["mode"] == number).fill_null(False).mean())


def test_risk_bearing_language_is_compared_with_the_direct_request(judged: Project) -> None:
    table = read(judged, "results/tables/contrasts.parquet")
    for task in TASKS[1:]:
        found = table.filter(task=task)
        assert set(found["against"]) == {"persona", "arm", "both"}
        assert set(found.filter(against="arm")["n"]) == {16}
