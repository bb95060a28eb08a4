"""What every refusal is: one sentence on file, key and remedy, and nothing half-made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from project import Project
from root import ROOT
from snakemake.common.configfile import load_configfile

from persona_paradox.errors import InputError
from persona_paradox.study.opening import VIEWS, open_study
from persona_paradox.study.yaml_reading import check_study_file

STUDY = "config/config.yaml"
Change = Callable[[Project], object]


def set_key(file: str, *path: str | int, value: object) -> Change:
    """A change of one value of a YAML file."""

    def edit(content: dict) -> None:
        at = content
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return lambda project: project.edit(file, edit)


def set_text(file: str, text: str) -> Change:
    """A change of all that stands in a file."""
    return lambda project: (project.path / file).write_text(text)


def open_here(project: Project) -> dict[str, str]:
    """Open a study as the Snakefile does, and with Snakemake's own reader; its views."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PERSONA_")}
    with chdir(project.path), patch.dict(os.environ, outside, clear=True):
        check_study_file(Path(STUDY), STUDY)
        return open_study(load_configfile(STUDY), Path(), Path("config"))[1]


@contextmanager
def nothing_left(project: Project) -> Iterator[None]:
    """Whatever is refused inside leaves no file but views, which are named by what they hold."""

    def files() -> set[Path]:
        made = (path.relative_to(project.path) for path in project.path.rglob("*"))
        return {path for path in made if not path.is_relative_to(VIEWS)} - {Path("results")}

    before = files()
    yield
    assert files() == before


def says(message: str, *words: str) -> None:
    """A message is one line, which holds all of `words`."""
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


def refused(project: Project, *words: str) -> None:
    """A study cannot be opened, for a reason that holds all of `words`."""
    with nothing_left(project), pytest.raises(InputError) as caught:
        open_here(project)
    says(str(caught.value), *words)


def refused_at_once(project: Project, *words: str) -> None:
    """A dry run names its profile and says one line `error: …` that holds all of `words`."""
    done = project.snakemake("-n")
    assert done.returncode == 1, done.stdout
    profile, message = done.stdout.splitlines()
    assert profile.startswith("Using workflow specific profile")
    assert message.startswith("error: ")
    says(message, *words)
    assert not list(project.path.glob("resources/models/*/*.gguf"))


def refused_by_a_script(project: Project, name: str, *words: str, **options: str) -> None:
    """A script of the workflow says one line `error: …` and writes nothing but its log.

    Args:
        name: of the script.
        words: what the line holds.
        options: of the script, as its rule gives them; paths are relative to the project.
    """
    command = [sys.executable, str(ROOT / "workflow/scripts" / f"{name}.py")]
    for option, value in options.items():
        command += ["--" + option.replace("_", "-"), value]
        # As Snakemake does for outputs.
        (project.path / value).parent.mkdir(parents=True, exist_ok=True)
    with nothing_left(project):
        done = subprocess.run(
            command, cwd=project.path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1, done.stderr
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ")
    says(message, *words)


def refused_by_a_job(project: Project, target: str, *words: str) -> None:
    """A run fails with one line `error: …` that holds all of `words`, and makes no target."""
    done = project.snakemake("--cores", "1", target)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    lines = {line.strip() for line in done.stdout.splitlines() if line.startswith("error: ")}
    assert len(lines) == 1, done.stdout
    says(lines.pop(), *words)
    assert not (project.path / target).exists()
    assert not [p for p in project.path.rglob("*.part") if ".snakemake" not in p.parts]
