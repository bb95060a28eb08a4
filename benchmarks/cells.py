"""What the store saves, and what memory the engine takes: measured through the command line.

A copy of the project with a model of random weights: the model is not even loaded where the store
has all answers, so what is timed is Python and the store, the same for every model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import paths
import yaml
from project import STUDY, Project, add_model, new_project
from workload import TASK, semigran_file

from persona_paradox.engine.store import Segment, Store, segments

PERSONAS = (
    "no_persona",
    "helpful_assistant",
    "ed_physician",
    "ed_nurse",
    "ed_physician_bold",
    "ed_physician_cautious",
)
CASES = "cases.jsonl"
TIMES = 5
SEGMENT = 1000  # answers that one job may have stored


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    cases: int = 45
    personas: Sequence[str] = PERSONAS
    others: int = 50_000
    answers: Sequence[int] = (100, 400, 1600)


@dataclass(frozen=True)
class Cells:
    """What was measured.

    Attributes:
        first: answers that the first run computed.
        stored: seconds of a cell that is fully in the store.
        crowded: the same, where its scope holds `Sizes.others` other answers.
        added: answers that were computed after a case had been added.
        peaks: memory in MB with all questions made, and the peak; per number of answers.
    """

    first: int
    stored: Sequence[float]
    crowded: Sequence[float]
    added: int
    peaks: Sequence[tuple[float, float]]


def measure(folder: Path, sizes: Sizes) -> Cells:
    """Measure in an empty folder."""
    project = new_project(folder / "project")
    add_model(project)
    project.edit("config/models/tiny.yaml", lambda model: model["engine"].update(context=2048))
    study = STUDY | {"tasks": [TASK], "personas": list(sizes.personas), "limit": None}
    (project.path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    lines = semigran_file().read_text(encoding="utf-8").splitlines()
    first = run(project, lines[: sizes.cases])
    command = generate_command(project)
    stored = times(project, command)
    crowd(project, sizes.others)
    crowded = times(project, command)
    new = json.loads(lines[0])
    new["case_description"] += " The symptoms began a week ago."
    added = run(project, [*lines[: sizes.cases], json.dumps(new)])
    peaks = [peak(project.path / "tiny.gguf", count) for count in sizes.answers]
    return Cells(first, stored, crowded, added, peaks)


def store_of(project: Project) -> dict[str, str]:
    """The environment that puts the store into the project."""
    return {"PERSONA_STORE_DIR": str(project.path / "store")}


def run(project: Project, lines: Sequence[str]) -> int:
    """Answer some cases under all personas; returns how many answers were computed."""
    text = "".join(f"{line}\n" for line in lines)
    (project.path / CASES).write_text(text, encoding="utf-8")
    source = {"path": CASES, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    project.edit("config/datasets/semigran.yaml", lambda data: data["source"].update(source))
    study = yaml.safe_load((project.path / "config" / "config.yaml").read_text())
    cells = [f"results/responses/tiny/{TASK}/{persona}.parquet" for persona in study["personas"]]
    project.run("--cores", "2", *cells, **store_of(project))
    logs = sorted((project.path / "logs" / "generate" / "tiny" / TASK).glob("*.log"))
    found = [re.search(r"(\d+) of (\d+) answers from the store", log.read_text()) for log in logs]
    return sum(int(match[2]) - int(match[1]) for match in found if match)


def generate_command(project: Project) -> str:
    """The command of the rule that answers one cell, as Snakemake would run it."""
    cell = f"results/responses/tiny/{TASK}/no_persona.parquet"
    output = project.run("-n", "-p", "--forcerun", "generate", "--", cell, **store_of(project))
    found = re.search(r"python workflow/scripts/generate\.py .*", output)
    if not found:
        raise RuntimeError(f"no command of rule generate in:\n{output}")
    return found[0]


def times(project: Project, command: str) -> list[float]:
    """Wall times of a command in a project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | store_of(project) | {"PATH": path}
    found = []
    for _ in range(TIMES):
        started = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=project.path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(time.perf_counter() - started)
        if "model loaded" in done.stderr:
            raise RuntimeError("the cell was not fully in the store")
    return found


def crowd(project: Project, count: int) -> None:
    """Store other answers where those of the study are."""
    (scope,) = (project.path / "store").glob("*/*")
    _, value = next(iter(Segment(segments(scope)[0])))
    for start in range(0, count, SEGMENT):
        with Store(scope.parents[1], scope.name) as store:
            for number in range(start, min(start + SEGMENT, count)):
                store.put(hashlib.sha256(str(number).encode()).hexdigest(), value)


def peak(model: Path, count: int) -> tuple[float, float]:
    """Memory in MB of a process that answers `count` questions: before, and at its peak."""
    command = [sys.executable, str(paths.ROOT / "benchmarks" / "memory.py"), str(model), str(count)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, most = output.split()
    return float(before), float(most)
