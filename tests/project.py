"""Small projects in folders of their own, run through the command line."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from root import ROOT
from tiny_model import write_tiny_model

from persona_paradox.files import sha256_file
from persona_paradox.launch.calls import snakemake
from persona_paradox.launch.names import ADDRESS, read_early
from persona_paradox.launch.start import start_server

PARTS = ("Snakefile", "environment.yml", "CITATION.cff", "profiles", "workflow", "config")
PARTS = (*PARTS, "resources/bundled")


@dataclass(frozen=True)
class Project:
    """A copy of this project in a folder of its own, driven by the command line."""

    path: Path

    def copy(self, path: Path) -> Project:
        """A copy of it, the times of files and links as they are."""
        return Project(shutil.copytree(self.path, path, symlinks=True))

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake as a user would; stdout holds all output."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env = _launching(environment) | env | environment
        return snakemake(arguments, self.path, env, ROOT / "tests/warm_snakemake.py")

    def run(self, *arguments: str, **environment: str) -> str:
        """Run snakemake and expect success; returns its output."""
        done = self.snakemake(*arguments, **environment)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def jobs(self, *arguments: str) -> list[str]:
        """The jobs of a dry run, as `rule model/task/persona`, sorted.

        Without the target rule, and without those that write down what the study was made of and
        what it left, which run whenever another job does.
        """
        last = ("provenance", "report", "crate")
        return [job for job in self.all_jobs(*arguments) if job not in last]

    def all_jobs(self, *arguments: str, **environment: str) -> list[str]:
        """The jobs of a dry run, without the target rule alone."""
        output = self.run("-n", *arguments, **environment)
        found = []
        for block in re.split(r"\n(?=(?:local)?rule )", output)[1:]:
            rule = re.match(r"(?:local)?rule (\w+):", block)
            assert rule
            wildcards = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
            pairs = dict(p.split("=") for p in wildcards[1].split(", ")) if wildcards else {}
            order = ("judge", "what", "model", "dataset", "task", "persona", "first", "second")
            order = (*order, "figure", "adapter")
            name = "/".join(pairs[key] for key in order if key in pairs)
            found.append(f"{rule[1]} {name}".strip())
        return sorted(job for job in found if job != "all")

    def edit(self, file: str, change: Callable[[dict], object]) -> None:
        """Change a YAML file in place."""
        path = self.path / file
        value = yaml.safe_load(path.read_text())
        change(value)
        path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace a text that stands in a file."""
        path = self.path / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def checksums(self) -> dict[str, str]:
        """SHA-256 of every file under results/."""
        root = self.path / "results"
        return {
            str(path.relative_to(root)): sha256_file(path)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def _launching(environment: dict[str, str]) -> dict[str, str]:
    """The server of jobs, as the environment names it; none where it could not serve them.

    There snakemake starts one of its own, as it does for a user.
    """
    return {} if read_early(environment) else {ADDRESS: _address()}


@cache
def _address() -> str:
    """The server that all runs of this process share."""
    start_server()
    return os.environ.pop(ADDRESS)


@cache
def _compile() -> None:
    compileall.compile_dir(ROOT / "workflow", quiet=2)


def copy_project(path: Path) -> Project:
    """Copy the project's own files, as they are, to `path`; its code is compiled already."""
    _compile()
    # What another process is writing has such a name, and may be gone.
    ignore = shutil.ignore_patterns("*.pyc.*")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, path / part, ignore=ignore)
        else:
            path.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, path / part)
    return Project(path)


def new_project(path: Path) -> Project:
    """Copy the project's own files to `path`; tasks ask for one answer to every item, no more.

    What they ask for besides (sampled answers, null cases) has tests of its own.
    """
    project = copy_project(path)
    for file in sorted((path / "config/tasks").glob("*.yaml")):
        project.edit(f"config/tasks/{file.name}", _ask_once)
    return project


def _ask_once(task: dict) -> None:
    task["decoding"].pop("sampled", None)
    if task.get("kind") not in ("safety", "initiative"):
        task["null_cases"] = []


def add_model(project: Project, name: str = "tiny", **options: object) -> None:
    """Write a random-weights model into a project, with its configuration file."""
    gguf = project.path / f"{name}.gguf"
    write_tiny_model(gguf, **options)
    model = {
        "title": f"Random weights ({name})",
        "family": "tiny",
        "licence": "MIT",
        "source": {"kind": "path", "path": gguf.name, "sha256": sha256_file(gguf)},
        "engine": {"context": 1024},
    }
    path = project.path / "config" / "models" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(model, sort_keys=False))


STUDY = {
    "title": "A small study",
    "models": ["tiny"],
    "tasks": ["triage_ed", "triage_primary"],
    "personas": ["no_persona", "ed_nurse", "bridge_engineer"],
    "baseline": "no_persona",
    "limit": 6,
    "seed": 7,
    "figures": ["persona_effect", "triage_accuracy"],
    "statistics": {"draws": 200},
}


def small_study(path: Path, **change: object) -> Project:
    """A project with a small study of a random-weights model; nothing has run."""
    project = new_project(path)
    add_model(project)
    file = path / "config/config.yaml"
    file.write_text(yaml.safe_dump(STUDY | change, sort_keys=False, allow_unicode=True))
    return project
