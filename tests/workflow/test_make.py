"""What `make` does, with stand-ins for what is long: what it says, and in which order it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project, copy_project
from root import ROOT

# Notes what it is called with, and leaves what a run leaves.
SNAKEMAKE = """#!/bin/sh
echo "$*" >> calls
mkdir -p results
{ printf '## What was found\\n\\n- Nothing.\\n\\n'
  printf '## What was asked\\n\\n- Much.\\n'; } > results/summary.md
case "$*" in *first-look*) ;; *) touch results/report.html ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project, set up."""
    made = copy_project(tmp_path / "project")
    for name in ("Makefile", "requirements.txt"):
        shutil.copy2(ROOT / name, made.path / name)
    programs = made.path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "snakemake").write_text(SNAKEMAKE)
    (programs / "snakemake").chmod(0o755)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    (made.path / ".venv/.ready").touch()
    return made


def make(project: Project) -> list[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PERSONA_", "MAKE"))}
    done = subprocess.run(
        ["make"],
        cwd=project.path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_make_says_what_it_takes_looks_first_and_ends_with_what_was_found(project: Project) -> None:
    said = make(project)
    (time,) = [at for at, line in enumerate(said) if "time here: about" in line]
    (first,) = [at for at, line in enumerate(said) if line.startswith("A first look: ")]
    assert time < first
    assert "results/figures/triage_accuracy.png" in said[first]
    assert said[-2] == "- Nothing."
    assert f"xdg-open {project.path}/results/report.html" in said[-1]
    calls = (project.path / "calls").read_text().splitlines()
    assert len(calls) == 2
    assert "--configfile config/studies/first-look.yaml -- results/figures/" in calls[0]
    assert calls[1] == "--cores all"


def test_what_is_there_already_is_not_looked_at_first(project: Project) -> None:
    make(project)
    (project.path / "calls").unlink()
    said = make(project)
    assert (project.path / "calls").read_text().splitlines() == ["--cores all"]
    assert not [line for line in said if "first look" in line]


CELLS = ("write_prompts ", "deliver ", "generate ", "score ", "calibrate ")
TEACHING = ("--configfile", "config/studies/teaching.yaml")


@pytest.mark.parametrize(
    ("part", "whole", "n"),
    [
        (
            (
                *("--configfile", "config/studies/first-look.yaml"),
                *("--", "results/figures/triage_accuracy.png", "results/summary.md"),
            ),
            (),
            6,
        ),
        ((), TEACHING, 24),
    ],
    ids=["first look", "default"],
)
def test_a_larger_study_takes_over_the_cells_of_a_part(
    tmp_path: Path, part: tuple[str, ...], whole: tuple[str, ...], n: int
) -> None:
    """The first look is a part of the default study, and that one of the study of ten personas."""
    project = copy_project(tmp_path / "project")
    cells = {job for job in project.jobs(*part) if job.startswith(CELLS)}
    assert len([job for job in cells if job.startswith("generate ")]) == n
    # The same jobs, of the same parts of the configuration, so that none of them runs again.
    assert cells <= {*project.jobs(*whole)}
    views = {path.name for path in (project.path / "results/config/decoding").iterdir()}
    assert len({name.partition("-")[0] for name in views}) == len(views)
