"""A study that asks for some tables and figures only: what is made, and what is said."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from project import STUDY, Project, small_study

TABLES = ("cells", "delivery")
FIGURES = ["spread", "risk_plane"]
LAST = "What this does not say"


def index_of(page: str) -> dict[str, Any]:
    """What the report's page knows of the study."""
    found = re.search(r'<script type="application/json" id="index">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def sections(project: Project) -> list[str]:
    """Titles of the summary."""
    text = (project.path / "results/summary.md").read_text()
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_what_is_not_asked_for_leaves_no_hole(finished: Project) -> None:
    results = finished.path / "results"
    for path in (results / "figures").iterdir():
        path.unlink()
    finished.edit(
        "config/config.yaml", lambda study: study.update(tables=["cells"], figures=FIGURES)
    )
    finished.run("--cores", "1", "all", "results/archive.zip")
    figures = {f"results/figures/{name}.{end}" for name in FIGURES for end in ("pdf", "png")}
    assert {f"results/figures/{path.name}" for path in (results / "figures").iterdir()} == figures

    assert sections(finished) == ["Consistency", LAST]
    text = (results / "summary.md").read_text()
    assert "n = 6 items" in text
    assert "The tests of the study" not in text

    page = (results / "report.html").read_text()
    assert set(index_of(page)["tables"]) == set(TABLES)
    assert {figure["table"] for figure in index_of(page)["figures"]} == {"cells"}
    assert "<code>results/figures/</code>: spread, risk plane." in page

    crate = json.loads((results / "ro-crate-metadata.json").read_text())
    with zipfile.ZipFile(results / "archive.zip") as archive:
        archived = archive.namelist()
    for names in ([entry["@id"] for entry in crate["@graph"]], archived):
        tables = {Path(name) for name in names if name.startswith("results/tables/")}
        assert {path.stem for path in tables} == set(TABLES)
        assert {name for name in names if name.startswith("results/figures/")} >= figures


def test_none_at_all(finished: Project) -> None:
    finished.edit("config/config.yaml", lambda study: study.update(tables=[], figures=[]))
    finished.run("--cores", "1")
    page = (finished.path / "results/report.html").read_text()
    assert set(index_of(page)["tables"]) == {"delivery"}
    assert 'href="#figures"' not in page
    assert "results/figures/" not in page
    assert sections(finished) == [LAST]


def test_an_archive_is_checked_whatever_tables_it_has(tmp_path: Path) -> None:
    """`verify.py` makes anew what an archive has of cells, though no table is made of it."""
    chosen = {"tables": [], "figures": [], "recalibrations": ["temperature"]}
    project = small_study(tmp_path / "project", **chosen)
    jobs = project.jobs("tables")
    cells = [f"tiny/{task}/{persona}" for task in STUDY["tasks"] for persona in STUDY["personas"]]
    assert {f"{stage} {cell}" for stage in ("score", "calibrate") for cell in cells} <= {*jobs}
    assert {f"recalibrate tiny/{task}" for task in STUDY["tasks"]} <= {*jobs}
