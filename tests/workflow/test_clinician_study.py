"""A study of safety from the answers to the last figure, and clinicians there and back."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
import report_page
from documented import check_files
from project import Project
from refusals import refused_by_a_job
from safety_study import PACKET, PERSONAS, ask_clinicians, judged_study

ANNOTATORS = ("R1", "R2", "R3")
AGREEMENT = "results/tables/agreement.csv"


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The whole study, and the packet; it is not to be changed."""
    return judged_study(tmp_path_factory)


@pytest.fixture
def copied(ran: Project, tmp_path: Path) -> Project:
    """A copy of it, which is the study that asks clinicians."""
    project = ran.copy(tmp_path / "project")
    ask_clinicians(project)
    return project


def fill(project: Project, annotator: str) -> Path:
    """Fill in the packet's CSV file; the choices differ between items and annotators."""
    with zipfile.ZipFile(project.path / PACKET) as archive:
        rows = list(csv.DictReader(archive.read("answers.csv").decode("utf-8-sig").splitlines()))
    for i, row in enumerate(rows):
        turn = i + ANNOTATORS.index(annotator) * (i % 2)
        row["annotator"] = annotator
        row["confidence"] = str(1 + turn % 3)
        if row["kind"] == "pair":
            row["preference"] = ("A", "equal", "B")[turn % 3]
        else:
            row["safety_compliance"] = str(1 + turn % 5)
            row["acceptable"] = str(turn % 2)
    path = project.path / "resources/annotations" / f"{annotator}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def table(project: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/tables/{name}.parquet")


def test_a_study_without_triage_has_all_of_its_results(ran: Project) -> None:
    figures = {path.stem for path in (ran.path / "results/figures").glob("*.png")}
    assert {"safety", "action_shares", "win_matrix", "bradley_terry", "judge_quality"} <= figures
    assert "triage_accuracy" not in figures
    shares = table(ran, "judgements").filter(category="all", variant="main")
    for persona in PERSONAS:
        part = shares.filter(persona=persona)
        kinds = ("accept", "caution", "refuse", "unjudged_rate")
        assert part.filter(pl.col("metric").is_in(kinds))["value"].sum() == pytest.approx(1)
    words = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    usable = table(ran, "judges").filter(metric="usable").row(0, named=True)
    assert ("NOT USABLE" in words) == (not usable["met"])
    assert usable["met"] or usable["note"] in words
    assert "No annotations yet" in words


def test_annotations_come_back_into_the_tables(copied: Project) -> None:
    for annotator in ANNOTATORS:
        fill(copied, annotator)
    shutil.rmtree(copied.path / "results/figures")
    figures = ["agreement", "judge_human"]
    copied.edit("config/config.yaml", lambda study: study.update(figures=figures))
    copied.run("--cores", "1")
    rated = table(copied, "clinicians")
    assert set(rated["persona"]) == set(PERSONAS)
    assert set(rated["n_annotators"]) == {len(ANNOTATORS)}
    agreement = table(copied, "agreement").filter(question="safety_compliance")
    pairs = agreement.filter(statistic="kappa", kind="human–human").drop_nulls("rater_a")
    assert pairs.height == len(ANNOTATORS)
    # The judge's ratings are none of those that the form asks for.
    assert set(agreement["kind"]) == {"human–human"}
    drawn = sorted((copied.path / "results/figures").glob("*.png"))
    assert [path.stem for path in drawn] == figures
    seen = check_files(copied.path)
    judged = ("judgements", "judgement_contrasts", "rankings", "wins", "judges")
    tables = (*judged, "clinicians", "clinician_rankings", "agreement")
    assert {f"results/tables/{name}.parquet" for name in tables} <= seen
    copied.run("--report", "report.html")
    report_page.check(copied.path, copied.path / "report.html")
    words = (copied.path / "results/summary.md").read_text(encoding="utf-8")
    assert "3 clinicians" in words
    assert "human–human" in words


def test_annotations_outlive_the_packet_that_the_study_would_make_now(copied: Project) -> None:
    for annotator in ANNOTATORS:
        fill(copied, annotator)
    copied.replace("config/personas/ed_nurse.yaml", "You are an", "You may be an")
    copied.run("--cores", "1", PACKET, AGREEMENT)
    assert len(list((copied.path / "resources/packets").glob("*.key.csv"))) == 2
    assert table(copied, "clinicians")["n_annotators"].to_list()


def test_a_file_of_an_unknown_packet_is_refused(copied: Project) -> None:
    path = fill(copied, "R1")
    (packet_id,) = {row["packet_id"] for row in csv.DictReader(path.read_text().splitlines())}
    path.write_text(path.read_text().replace(packet_id, "bcdfghjkmnpq"))
    refused_by_a_job(
        copied,
        "results/clinician/annotations.parquet",
        "resources/annotations/R1.csv is of packet bcdfghjkmnpq, whose key "
        "resources/packets/bcdfghjkmnpq.key.csv is missing; put back what was kept when the packet "
        "was made",
    )


def test_annotations_of_another_study_are_refused(copied: Project) -> None:
    fill(copied, "R1")
    copied.edit("config/config.yaml", lambda s: s.update(personas=["no_persona", "ed_nurse"]))
    refused_by_a_job(
        copied,
        "results/clinician/annotations.parquet",
        "which shows answers of persona 'ed_physician', but the study does not run it; add it to "
        "key `personas` of the study, or move the files elsewhere",
    )


def test_annotations_on_a_question_that_was_renamed_are_refused(copied: Project) -> None:
    fill(copied, "R1")
    copied.edit("config/forms/answers.yaml", lambda f: f["questions"][1].update(id="fit"))
    refused_by_a_job(
        copied, AGREEMENT, "'acceptable'", "config/forms/answers.yaml does not ask", "put back"
    )
