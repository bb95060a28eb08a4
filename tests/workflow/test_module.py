"""The workflow as a module of another one: of a copy on this disk, and of a version on a host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import polars as pl
import pytest
from project import STUDY, Project, copy_project, small_study
from root import ROOT

CELL = "results/scores/tiny/triage_ed/ed_nurse.parquet"
GUIDE = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
(STATEMENT,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
NAMED = '"/path/to/persona-paradox/Snakefile"'


def put_statement(path: Path, snakefile: str) -> None:
    """Write the guide's Snakefile into a folder."""
    assert NAMED in STATEMENT
    (path / "workflow").mkdir(parents=True, exist_ok=True)
    (path / "workflow/Snakefile").write_text(STATEMENT.replace(NAMED, snakefile))


@pytest.fixture
def whole(tmp_path: Path) -> Project:
    return small_study(tmp_path / "whole")


@pytest.fixture
def deployed(whole: Project, tmp_path: Path) -> Project:
    """What Snakedeploy leaves: configuration and profiles, without code and without data."""
    path = tmp_path / "deployed"
    path.mkdir()
    for name in ("config", "profiles", "tiny.gguf"):
        (whole.path / name).rename(path / name)
    put_statement(path, f'"{whole.path}/Snakefile"')
    return Project(path)


def test_a_copy_on_this_disk_is_used_from_another_folder(
    deployed: Project, whole: Project, tmp_path: Path
) -> None:
    assert not (whole.path / "config").exists()
    used = deployed.all_jobs()
    deployed.run(CELL)
    assert pl.read_parquet(deployed.path / CELL).height == 6
    assert (deployed.path / "resources/bundled/teaching_ed.csv").is_file()
    assert not list(whole.path.glob("results/*"))
    # The same study as a clone has it: the same jobs, and the same answers.
    alone = small_study(tmp_path / "alone")
    assert alone.all_jobs() == used
    alone.run(CELL)
    answers = CELL.replace("scores", "responses")
    assert (alone.path / answers).read_bytes() == (deployed.path / answers).read_bytes()
    # What is computed is computed; a part of the code that is edited runs again what uses it.
    assert deployed.jobs(CELL) == []
    whole.replace("workflow/scripts/score.py", '"""', '"""\n\n')
    assert {job.split()[0] for job in deployed.jobs(CELL)} == {"score"}


def test_a_folder_with_the_study_alone_takes_the_rest_from_the_project(tmp_path: Path) -> None:
    whole = copy_project(tmp_path / "whole")
    path = tmp_path / "lean"
    (path / "config").mkdir(parents=True)
    (whole.path / "config/config.yaml").rename(path / "config/config.yaml")
    put_statement(path, f'"{whole.path}/Snakefile"')
    lean = Project(path)
    lean.edit("config/config.yaml", lambda study: study.update(personas=["no_persona"]))
    jobs = lean.jobs("--cores", "1")
    assert {job.rpartition("/")[2] for job in jobs if job.startswith("generate ")} == {"no_persona"}


def test_a_version_on_a_host_is_checked_out(tmp_path: Path) -> None:
    host = tmp_path / "host/owner/persona-paradox"
    project = small_study(host)

    def git(*words: str) -> None:
        named = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *named, *words], cwd=host, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", "Snakefile", "environment.yml", "workflow", "config", "resources", "CITATION.cff")
    git("commit", "--quiet", "--message", "one")
    git("tag", "v1")
    project.edit("config/personas/ed_nurse.yaml", lambda nurse: nurse.update(title="Nurse"))
    project.replace("workflow/scripts/score.py", '"""', '"""\n\n')
    git("commit", "--quiet", "--all", "--message", "two")
    git("tag", "v2")

    used = tmp_path / "used"
    used.mkdir()
    for name in ("config", "profiles", "tiny.gguf"):
        (host / name).rename(used / name)
    study = Project(used)
    # Where Snakemake would ask the host, git asks this disk.
    away = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(tmp_path / 'host').as_uri()}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://host.invalid/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    where = 'github("owner/persona-paradox", path="Snakefile", tag="{}", host="host.invalid")'
    put_statement(used, where.format("v1"))
    study.run(CELL, **away)
    assert pl.read_parquet(used / CELL).height == STUDY["limit"]
    put_statement(used, where.format("v2"))
    assert {job.split()[0] for job in study.all_jobs(CELL, **away)} == {"score"}
