"""Rubrics of items, judges that read a sample, and what they cost, through the command line."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from documented import check_files
from project import Project
from rubric_study import (
    CHECKS,
    ITEMS,
    PACKET,
    PERSONAS,
    PLAIN,
    SAMPLE,
    TASK,
    items_of,
    rubric_study,
    small_study,
)


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; it is not to be changed."""
    return rubric_study(tmp_path_factory)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """The same study; nothing has run."""
    return small_study(tmp_path / "project")


def read(project: Project, path: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{path}.parquet")


def test_every_file_has_the_columns_that_are_documented(ran: Project) -> None:
    seen = check_files(ran.path)
    assert "results/criteria/{judge}/{model}/{task}/{persona}.parquet" in seen
    assert "results/checks/{judge}/criteria.parquet" in seen
    assert "results/judge_samples/{model}/{task}/{persona}.parquet" in seen
    assert "results/tables/rubrics.parquet" in seen


def test_a_judge_is_asked_about_every_criterion_of_its_sample(ran: Project) -> None:
    criteria = dict(items_of(ran, TASK).select("item_id", "criteria").iter_rows())
    samples = []
    for persona in PERSONAS:
        asked = read(ran, f"responses/tiny/{TASK}/{persona}")["item_id"].to_list()
        table = read(ran, f"criteria/ticks/tiny/{TASK}/{persona}")
        ids = table["item_id"].unique(maintain_order=True).to_list()
        assert len(asked) == ITEMS
        assert len(ids) == SAMPLE
        assert set(ids) < set(asked)
        samples.append(ids)
        for id_ in ids:
            own = json.loads(criteria[id_])
            part = table.filter(item_id=id_)
            assert part["criterion"].to_list() == [one["criterion"] for one in own]
            assert part["points"].to_list() == [one["points"] for one in own]
        assert set(table["status"]) == {"read"}
        chats = read(ran, f"judging/ticks/criteria/tiny/{TASK}/{persona}")
        assert chats.height == table.height
        for (_,), part in chats.group_by("item_id"):
            text = part["text"].to_list()
            shared = text[0][: text[0].index("Criterion: ")]
            assert all(one.startswith(shared) for one in text)
    assert samples[0] == samples[1], "the same items of all personas"


def test_the_other_judge_reads_the_same_sample_in_every_form(ran: Project) -> None:
    ids = set(read(ran, f"criteria/ticks/tiny/{TASK}/ed_nurse")["item_id"])
    assert set(read(ran, f"judgements/both/tiny/{TASK}/ed_nurse")["item_id"]) == ids
    assert set(read(ran, f"rankings/both/tiny/{TASK}")["item_id"]) == ids
    assert read(ran, f"judgements/both/tiny/{PLAIN}/ed_nurse")["item_id"].n_unique() == SAMPLE


def test_who_ticks_criteria_alone_reads_no_other_task(ran: Project) -> None:
    assert not (ran.path / f"results/judgements/ticks/tiny/{PLAIN}").exists()
    assert not (ran.path / f"results/criteria/both/tiny/{PLAIN}").exists()


def score(table: pl.DataFrame) -> list[float]:
    """The published formula, item by item."""
    found = []
    for (_,), part in table.group_by("item_id", maintain_order=True):
        points = part.filter(pl.col("met"))["points"].sum()
        found.append(points / part.filter(pl.col("points") > 0)["points"].sum())
    return found


@pytest.mark.parametrize("judge", ["ticks", "both"])
def test_scores_stand_in_the_tables(ran: Project, judge: str) -> None:
    table = read(ran, "tables/judgements").filter(judge=judge, task=TASK, category="all")
    rubrics = read(ran, "tables/rubrics").filter(judge=judge, task=TASK)
    values = {}
    for persona in PERSONAS:
        each = score(read(ran, f"criteria/{judge}/tiny/{TASK}/{persona}"))
        values[persona] = min(max(sum(each) / len(each), 0), 1)
        row = table.filter(persona=persona, metric="rubric_score").row(0, named=True)
        assert row["value"] == pytest.approx(values[persona])
        assert row["n"] == SAMPLE
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
        own = rubrics.filter(persona=persona, tag="all", metric="rubric_score").row(0, named=True)
        assert own["value"] == pytest.approx(values[persona])
        assert {"all", "axis:safety", "axis:accuracy"} <= set(rubrics["tag"])
    contrast = read(ran, "tables/judgement_contrasts").filter(
        judge=judge, task=TASK, category="all", persona="ed_nurse"
    )
    row = contrast.filter(metric="rubric_score").row(0, named=True)
    assert row["difference"] == pytest.approx(values["ed_nurse"] - values["no_persona"])
    assert row["p_holm"] is not None
    expected = contrast.filter(metric="rubric_score_expected")
    assert expected["p_holm"].to_list() == [None], "of two scores one is tested"


def test_a_judge_of_criteria_is_tested_on_criteria(ran: Project) -> None:
    quality = read(ran, "tables/judges").filter(pl.col("task").is_null())
    for judge in ("ticks", "both"):
        checks = read(ran, f"checks/{judge}/criteria")
        assert checks.height == 2 * CHECKS
        right = (checks["met"] == (checks["variant"] == "met")).sum()
        row = quality.filter(judge=judge, metric="sanity_criteria").row(0, named=True)
        assert row["value"] == pytest.approx(right / checks.height)
    notes = dict(quality.filter(metric="usable").select("judge", "note").iter_rows())
    assert "its accuracy on the criteria of known answers is" in notes["ticks"]
    assert notes["both"].startswith("there are no sanity pairs; its accuracy on the criteria")
    words = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    assert "Rubric score" in words


def test_clinicians_tick_criteria_and_agree_with_judges(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "project")
    with zipfile.ZipFile(project.path / PACKET) as archive:
        rows = list(csv.DictReader(archive.read("answers.csv").decode().splitlines()))
    (kept,) = (project.path / "resources/packets").glob("*.criteria.json")
    criteria = json.loads(kept.read_text())
    assert criteria.keys() <= {row["item"] for row in rows if row["kind"] == "single"}
    for number, annotator in enumerate(("R1", "R2")):
        for place, row in enumerate(rows):
            row |= {"annotator": annotator, "confidence": "2"}
            if row["kind"] == "pair":
                row["preference"] = "A"
                continue
            row |= {"safety_compliance": "3", "acceptable": str(place % 2)}
            for k in range(len(criteria.get(row["item"], ()))):
                row[f"criterion_{k + 1}"] = str((place + k * (1 + number)) % 2)
        path = project.path / f"resources/annotations/{annotator}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    project.run("--cores", "1", "results/tables/agreement.csv", "results/summary.md")
    check_files(project.path)
    n = sum(map(len, criteria.values()))
    table = read(project, "tables/agreement").filter(task=TASK, question="criteria")
    kappas = table.filter(pl.col("statistic") == "kappa").drop_nulls("rater_a")
    pairs = set(kappas.select("rater_a", "rater_b").iter_rows())
    assert pairs >= {("R1", "R2"), ("R1", "ticks"), ("R2", "both")}
    assert set(kappas["n"]) == {n}
    shares = read(project, "tables/clinicians").filter(task=TASK, question="criteria")
    assert shares["n_ratings"].sum() == 2 * len(criteria)
    words = (project.path / "results/summary.md").read_text(encoding="utf-8")
    assert "Agreement on criteria met" in words


def test_what_judges_cost_is_told_before_and_at_the_start(ran: Project) -> None:
    done = subprocess.run(
        [sys.executable, "workflow/scripts/check_study.py", "config/config.yaml"],
        cwd=ran.path,
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(re.findall(r"judge (\w+): at most ([\d,]+) chats", done.stderr))
    for output in (done.stderr, (ran.path / "output.txt").read_text()):
        assert dict(re.findall(r"judge (\w+): at most ([\d,]+) chats", output)) == told
    for judge in ("ticks", "both"):
        folder = ran.path / "results/judging" / judge
        tables = [pl.read_parquet(path) for path in folder.rglob("*.parquet")]
        chats = sum(table.height for table in tables)
        # Equal answers are not compared; and items have 4.35 criteria on the mean.
        assert chats == pytest.approx(int(told[judge].replace(",", "")), rel=0.1)
    assert "a token is taken as 4 characters" in done.stderr


def test_a_run_that_asks_no_judge_tells_no_cost(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "project")
    figure = min((project.path / "results/figures").glob("*.png")).relative_to(project.path)
    (project.path / figure).unlink()
    said = project.run("--cores", "1", "--", str(figure))
    assert "rule plot:" in said
    assert "chats" not in said


def test_a_sample_is_of_the_study_and_of_no_cell(fresh: Project) -> None:
    jobs = fresh.jobs("--cores", "1")
    assert sum(job.startswith("sample_answers") for job in jobs) == 2 * len(PERSONAS)
    fresh.edit("config/config.yaml", lambda study: study.pop("judge_sample"))
    assert not any(job.startswith("sample_answers") for job in fresh.jobs("--cores", "1"))
