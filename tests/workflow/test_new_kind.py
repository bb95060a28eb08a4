"""A new kind of task is a folder: nothing else of the project is touched."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import polars as pl
import pytest
from coin_study import KIND, PERSONAS, TOSSES, coin_study
from loaded_modules import loaded, named, watch
from project import Project

CELLS = [f"tiny/coin/{persona}" for persona in PERSONAS]
ARCHIVE = "results/archive.zip"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study of a coin, run from its YAML files to its archive."""
    project = coin_study(tmp_path_factory.mktemp("coin") / "study", recalibrations=["logistic"])
    noting = watch(project.path.parent / "notes")
    project.run("--cores", "2", **noting)
    project.run("--cores", "2", ARCHIVE, **noting)
    return project


def table(ran: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(ran.path / f"results/tables/{name}.parquet")


def scores(ran: Project, cell: str) -> pl.DataFrame:
    return pl.read_parquet(ran.path / f"results/scores/{cell}.parquet")


def test_items_are_as_the_kind_reads_them(ran: Project) -> None:
    items = pl.read_parquet(ran.path / "resources/datasets/coin.parquet")
    assert items.columns == ["item_id", "case", "reference", "excluded", "metal"]
    assert items["reference"].to_list() == ["heads", "tails", "tails"] * (TOSSES // 3)


def test_a_place_of_the_message_is_filled_by_the_kind(ran: Project) -> None:
    prompts = pl.read_parquet(ran.path / "results/prompts/coin/ed_nurse.parquet")
    assert prompts["user"].to_list()[:2] == [
        "Toss 0. It is made of GOLD.",
        "Toss 1. It is made of BRASS.",
    ]


def test_answers_are_scored(ran: Project) -> None:
    for cell in CELLS:
        found = scores(ran, cell)
        assert found.height == TOSSES
        assert set(found["label"]) <= {"A", "B"}
        assert found["correct"].to_list() == (found["label"] == found["reference"]).to_list()
        assert not {"level_error", "high_acuity_probability"} & set(found.columns)


def test_all_that_is_measured_has_its_n_and_interval(ran: Project) -> None:
    measured = table(ran, "measures").filter(metric="heads_rate", variant="main")
    assert sorted(measured["persona"]) == sorted(PERSONAS)
    for row in measured.iter_rows(named=True):
        heads = (scores(ran, f"tiny/coin/{row['persona']}")["label"] == "A").mean()
        assert row["value"] == heads
        assert (row["n"], row["n_invalid"]) == (TOSSES, 0)
        assert row["low"] <= row["value"] <= row["high"]
    contrasts = table(ran, "contrasts").filter(metric="heads_rate")
    assert sorted(contrasts["persona"]) == sorted(set(PERSONAS) - {"no_persona"})
    cells = table(ran, "cells")
    assert {"accuracy", "heads_rate"} < set(cells.columns)
    assert cells["context"].to_list() == ["casino"] * len(PERSONAS)


def test_it_has_a_table_of_its_own(ran: Project) -> None:
    sides = table(ran, "sides")
    assert sides.height == 2 * len(PERSONAS)
    assert sides.filter(side="heads")["n_fell"].to_list() == [TOSSES // 3] * len(PERSONAS)
    answered = sides.group_by("persona").agg(pl.sum("n_answered"))
    assert answered["n_answered"].to_list() == [TOSSES] * len(PERSONAS)
    assert (ran.path / "results/tables/sides.csv").read_text().count("\n") == 1 + sides.height


def test_it_has_a_figure_of_its_own(ran: Project) -> None:
    assert (ran.path / "results/figures/heads.pdf").read_bytes().startswith(b"%PDF")
    assert (ran.path / "results/figures/heads.png").read_bytes().startswith(b"\x89PNG")
    # And those of any kind whose answers are labels, but none of another kind's.
    figures = {path.stem for path in (ran.path / "results/figures").glob("*.pdf")}
    assert figures == {"heads", "answer_outcomes", "persona_effect"}


def test_the_summary_says_what_the_kind_has_to_say(ran: Project) -> None:
    text = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    assert "## How often is it heads?" in text
    assert re.search(r"- ED nurse: \d+ times heads\.", text)


def test_the_page_shows_its_answers(ran: Project) -> None:
    page = (ran.path / "results/report.html").read_text(encoding="utf-8")
    assert "Heads or tails" in page
    for chunk in ("items/coin", "cells/tiny/coin", "answers/tiny/coin/0"):
        assert f'"{chunk}"' in page


def test_the_archive_holds_its_files(ran: Project) -> None:
    with zipfile.ZipFile(ran.path / ARCHIVE) as archive:
        names = set(archive.namelist())
    stages = ("responses", "scores", "calibration")
    wanted = [f"results/{stage}/{cell}.parquet" for stage in stages for cell in CELLS]
    wanted += ["resources/datasets/coin.parquet", "results/tables/sides.parquet"]
    wanted += ["results/figures/heads.pdf", "results/summary.md", "results/report.html"]
    wanted += [
        f"workflow/persona_paradox/kinds/coin/{path.relative_to(KIND).as_posix()}"
        for path in KIND.rglob("*")
        if path.suffix in (".py", ".yaml")
    ]
    assert set(wanted) <= names


def test_every_job_names_the_code_that_it_runs(ran: Project) -> None:
    inputs, notes = named(ran.path), loaded(ran.path.parent / "notes")
    assert {log.split("/")[1] for log in notes} >= {
        *("download_dataset", "write_prompts", "deliver", "generate", "score", "calibrate"),
        *("measure", "tabulate", "plot", "report", "archive"),
    }
    for log, modules in notes.items():
        assert log in inputs, log
        assert modules <= inputs[log], (log, sorted(modules - inputs[log]))


def test_an_edited_kind_runs_its_own_jobs_alone(ran: Project, tmp_path: Path) -> None:
    copy = ran.copy(tmp_path / "copy")
    copy.replace("workflow/persona_paradox/kinds/coin/figures/heads.py", '"heads"}', '"Heads"}')
    # For papers, and for the report.
    assert copy.jobs() == ["plot heads", "specify heads"]
    copy = ran.copy(tmp_path / "again")
    copy.replace("workflow/persona_paradox/kinds/coin/scoring.py", "of a toss", "of one toss")
    rules = {job.split()[0] for job in copy.jobs()}
    assert "score" in rules
    assert not {"write_prompts", "deliver", "generate", "download_dataset"} & rules
