"""What a cell costs the processor besides its answers, by step, with the real programs.

    python benchmarks/overhead.py --write    # 6 to 12 minutes of one core
    python benchmarks/overhead.py --quick    # a trial run

A model of random weights has answered everything: the answers are in the response store. Then all
files of the cells are made again from there. Of every step the program is run as Snakemake runs it,
and Snakemake runs studies of two sizes as a whole: what a cell more takes there, and the
programs do not, is Snakemake's own part. As a whole they run twice, once as studies do, with jobs
from a server that has the libraries, and once with a Python for every job.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paths
import readme
import yaml
from project import STUDY, Project, add_model, new_project
from scaling import timed, user

from persona_paradox.launch.names import ADDRESS

DOCUMENT = paths.ROOT / "docs" / "scaling.md"
TASKS = ("triage_ed", "triage_primary")
STEPS = ("write_prompts", "deliver", "generate", "score", "calibrate")
WANTED = 2.0
# Of 10⁵ cells, as benchmarks/scaling.py measured them: seconds of a job in one of ten batches,
# planning included, and of measures and tables, per cell.
CELLS = 100_000
JOBS, JOB, TABLES = 401_202, 0.035, 0.034
# What a cell is made of, besides its answers.
MADE = ("prompts", "delivered", "responses", "scores", "calibration")


@dataclass(frozen=True)
class Sizes:
    """What is measured: items of a task, bootstrap draws, and personas of both studies."""

    items: int
    draws: int
    personas: tuple[int, int]

    @property
    def title(self) -> str:
        """Head of its column."""
        return f"{self.items} items, {self.draws:,} draws"


@dataclass(frozen=True)
class Overhead:
    """Seconds of the processor, user and system, per cell.

    Attributes:
        steps: of the program of every step, by a Python of its own.
        alone: of everything, by the difference of two studies, each program by its own Python.
        whole: the same with jobs from a server, as studies run.
    """

    steps: Mapping[str, float]
    alone: float
    whole: float

    @property
    def snakemake(self) -> float:
        """Of Snakemake itself."""
        return self.alone - sum(self.steps.values())


def study(project: Project, sizes: Sizes, personas: int) -> list[str]:
    """Let the project have a study of so many personas; the last files of its cells."""
    ids = ["no_persona", *(f"persona_{n}" for n in range(1, personas))]
    for number, id_ in enumerate(ids[1:], start=1):
        persona = {"title": id_, "group": "own", "texts": {"main": f"You are number {number}."}}
        path = project.path / "config" / "personas" / f"{id_}.yaml"
        path.write_text(yaml.safe_dump(persona))
    change = {"tasks": list(TASKS), "personas": ids, "limit": sizes.items}
    text = yaml.safe_dump(STUDY | change | {"statistics": {"draws": sizes.draws}})
    (project.path / "config" / "config.yaml").write_text(text)
    return [f"results/calibration/tiny/{task}/{id_}.parquet" for task in TASKS for id_ in ids]


def forget(project: Project) -> None:
    """Remove the files of all cells; what was answered stays in the store."""
    for stage in MADE:
        shutil.rmtree(project.path / "results" / stage)


# Jobs find no server, and are started by themselves.
ALONE = {ADDRESS: ""}


def whole(project: Project, files: Sequence[str]) -> tuple[float, float]:
    """Seconds of the processor for making the cells of a study, Snakemake's start included.

    Without a server of jobs, and with one.
    """
    found = []
    for environment in (user() | ALONE, user()):
        forget(project)
        command = ("snakemake", "--cores", "1", "--quiet", "all", "--", *files)
        found.append(timed(command, project.path, environment)[2])
    return found[0], found[1]


def steps(project: Project, files: Sequence[str]) -> dict[str, float]:
    """Seconds of the processor per cell, by step, each by its program alone."""
    forget(project)
    output = project.run("-n", "-p", "--", *files)
    found = dict.fromkeys(STEPS, 0.0)
    commands = re.findall(r"(python -S \S+ workflow/scripts/(\w+)\.py .*)", output)
    # A step after the other: the jobs of a dry run are in the order of their rules.
    for command, step in sorted(commands, key=lambda pair: STEPS.index(pair[1])):
        line = ("bash", "-c", f"set -euo pipefail; {command}")
        said, _, processor, _ = timed(line, project.path, user() | ALONE)
        if "model loaded" in said:
            raise RuntimeError(f"the cell was not fully in the store: {command}")
        found[step] += processor / len(files)
    return found


def measure(folder: Path, sizes: Sizes) -> Overhead:
    """Measure in an empty folder."""
    project = new_project(folder)
    add_model(project)
    small, large = sizes.personas
    # Answers everything, and has Python compile what it imports.
    project.run("--cores", "1", "--", *study(project, sizes, large))
    at_large = whole(project, study(project, sizes, large))
    files = study(project, sizes, small)
    at_small = whole(project, files)
    more = len(TASKS) * (large - small)
    each = [(one - other) / more for one, other in zip(at_large, at_small, strict=True)]
    return Overhead(steps(project, files), *each)


def report(measured: Mapping[str, Overhead], load: float) -> str:
    """What was measured, as Markdown."""
    lines = [
        f"{readme.processor()}, {os.cpu_count()} cores; load {load:.1f} at the start, "
        f"{os.getloadavg()[0]:.1f} at the end.{readme.busy(load)} Seconds of the processor per "
        "cell.",
        "",
        f"| | {' | '.join(measured)} |",
        f"|---|{'---|' * len(measured)}",
    ]
    rows = {f"`{step}.py`": [one.steps[step] for one in measured.values()] for step in STEPS}
    rows["Snakemake"] = [one.snakemake for one in measured.values()]
    rows["a cell besides its answers, a Python for each job"] = [
        one.alone for one in measured.values()
    ]
    rows["**the same with a server of jobs, as studies run**"] = [
        one.whole for one in measured.values()
    ]
    for title, values in rows.items():
        lines.append(f"| {title} | {' | '.join(f'{value:.2f}' for value in values)} |")
    verdicts = ["met" if one.whole <= WANTED else "missed" for one in measured.values()]
    lines.append(f"| wanted: at most {WANTED} | {' | '.join(verdicts)} |")
    return "\n".join(lines)


def end_to_end(title: str, measured: Overhead) -> str:
    """What 10⁵ cells cost besides their answers, as Markdown."""
    # Below 0 the part of Snakemake is noise.
    programs = measured.whole - max(0.0, measured.snakemake)
    rows = (
        (f"programs of the steps, {title}", programs, "measured, in proportion"),
        (f"{JOBS:,} jobs in ten batches, planning included", JOB * JOBS / CELLS, "see above"),
        ("measures and tables", TABLES, "see above"),
    )
    total = sum(seconds for _, seconds, _ in rows)
    lines = [
        f"| {CELLS:,} cells, besides the answers | s per cell | hours of one processor | |",
        "|---|---|---|---|",
    ]
    for name, seconds, where in (*rows, ("**all**", total, "")):
        lines.append(f"| {name} | {seconds:.2f} | {seconds * CELLS / 3600:.1f} | {where} |")
    return "\n".join(lines)


def main(arguments: argparse.Namespace) -> None:
    """Measure, print, and write where asked to."""
    load = os.getloadavg()[0]
    wanted = [Sizes(6, 200, (3, 13)), Sizes(60, 2000, (3, 13))]
    if arguments.quick:
        wanted = [Sizes(6, 200, (2, 3))]
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, sizes in enumerate(wanted):
            measured[sizes.title] = measure(Path(folder) / str(number), sizes)
    text = report(measured, load)
    last = end_to_end(*list(measured.items())[-1])
    print(text, last, sep="\n\n")
    if arguments.write:
        readme.write("overhead.py", text)
        readme.write("overhead.py", last, DOCUMENT)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--quick", action="store_true", help="few cells, a trial run")
    options.add_argument("--write", action="store_true", help="write README and document")
    main(options.parse_args())
