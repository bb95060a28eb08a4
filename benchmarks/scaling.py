"""What a study of many cells costs: planning, scheduling, measuring and putting together.

    python benchmarks/scaling.py --write                    # hours of one core, 10² to 10⁵ cells
    python benchmarks/scaling.py --cells 100 1000           # a trial run

Nothing is answered. The study has copies of a model, a task and a persona, and every program that a
rule would start is replaced by one that makes the files it was told to write; so what is timed is
Snakemake with our rules. One model in one task is measured by the real program, from copies of the
scores and calibrations of a real small study, and what that gives, named as that of every model and
task, is put together by the real program.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import paths
import polars as pl
import readme
import yaml
from matplotlib import pyplot as plt
from project import STUDY, Project, add_model, new_project
from scipy import stats

from persona_paradox.files import write_table

DOCUMENT = paths.ROOT / "docs" / "scaling.md"
FIGURE = paths.ROOT / "docs" / "figures" / "scaling.png"
# Cells → models, tasks, personas.
SHAPES = {
    100: (2, 5, 10),
    1_000: (5, 10, 20),
    10_000: (10, 10, 100),
    100_000: (100, 10, 100),
}
BATCHES = 10
MB = 10**6

# Stands in for python where a rule calls it: makes every file below results/ or resources/ that the
# command line names and that is not there.
STAND_IN = """\
#!/bin/bash
for word in "$@"; do
  case "$word" in
    results/*.*|resources/*.*)
      if [ ! -e "$word" ]; then
        mkdir -p "${word%/*}"
        case "$word" in
          *manifest.json) echo '{"size": 1000000, "cache_bytes_per_token": 1000}' > "$word" ;;
          *) echo > "$word" ;;
        esac
      fi ;;
  esac
done
"""

TITLES = {
    "plan": "dry run",
    "batch": f"dry run of one of {BATCHES} batches",
    "schedule": "all jobs of the cells, each doing nothing",
    "schedule_batch": f"jobs of one of {BATCHES} batches, each doing nothing",
    "measure": "one model in one task, by the real program",
    "tabulate": "tables, by the real program",
}


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        kind: key of `TITLES`.
        cells: cells of the study.
        jobs: jobs that were planned or run; 0 where it was one.
        seconds: by the clock.
        processor: seconds of the processor, children included.
        peak_mb: largest memory of one process.
    """

    kind: str
    cells: int
    jobs: int
    seconds: float
    processor: float
    peak_mb: float


def timed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[str, float, float, float]:
    """Run a command; its output, seconds by the clock and of the processor, and peak in MB."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{text[-4000:]}")
    return text, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB


def many(folder: Path, cells: int) -> Project:
    """A study of so many cells; nothing in it can be answered."""
    models, tasks, personas = SHAPES[cells]
    project = new_project(folder)
    config = project.path / "config"
    add_model(project, "tiny")
    model = (config / "models" / "tiny.yaml").read_text()
    task = (config / "tasks" / "triage_ed.yaml").read_text()
    study = dict(STUDY)
    for key, count, text in (
        ("models", models, model),
        ("tasks", tasks, task),
    ):
        study[key] = [f"{key}_{number}" for number in range(count)]
        for id_ in study[key]:
            about = yaml.safe_load(text) | {"title": id_}
            (config / key / f"{id_}.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
    study["personas"] = ["no_persona", *(f"persona_{n}" for n in range(1, personas))]
    for number, id_ in enumerate(study["personas"][1:], start=1):
        persona = {"title": id_, "group": "own", "texts": {"main": f"You are number {number}."}}
        (config / "personas" / f"{id_}.yaml").write_text(yaml.safe_dump(persona))
    (config / "config.yaml").write_text(yaml.safe_dump(study))
    return project


def user(first: Path | None = None) -> dict[str, str]:
    """The environment of a user, with a folder in front of the path."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    places = [str(first)] if first else []
    env["PATH"] = os.pathsep.join([*places, str(Path(sys.executable).parent), env["PATH"]])
    return env


def jobs_in(output: str) -> int:
    """The number of jobs that a dry run or a run lists."""
    totals = [line.split() for line in output.splitlines() if line.startswith("total ")]
    return int(totals[0][1])


def plan(project: Project, cells: int, *batch: str) -> Cost:
    """Dry run of all tables."""
    command = ("snakemake", "-n", "--quiet", "rules", *batch, "--", "results/tables/cells.csv")
    output, *cost = timed(command, project.path, user())
    return Cost("batch" if batch else "plan", cells, jobs_in(output), *cost)


def schedule(project: Project, cells: int, *which: str) -> Cost:
    """Jobs of the cells, by programs that do nothing; leaves their files."""
    folder = project.path / "stand-in"
    folder.mkdir()
    program = folder / "python"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    command = ("snakemake", "--cores", "2", "--quiet", "rules", *which)
    output, *cost = timed(command, project.path, user(folder))
    kind = "schedule_batch" if "--batch" in which else "schedule"
    return Cost(kind, cells, jobs_in(output), *cost)


def template(folder: Path) -> Project:
    """A real study of one cell, whose files stand for those of all cells."""
    project = new_project(folder)
    add_model(project)
    study = STUDY | {"tasks": ["triage_ed"], "personas": ["no_persona", "ed_nurse"]}
    (project.path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    project.run("--cores", "2", "--until", "calibrate")
    return project


def measure(project: Project, real: Project, cells: int) -> Cost:
    """The measures of all personas of a model in a task; leaves those of every model and task."""
    # The views of the study are written when Snakemake reads it.
    project.run("-n", "--quiet", "all", "--", "resources/models/models_0/model.gguf")
    views = project.path / "results" / "config"
    (of_task,) = (views / "measures").glob("tasks_0-*.json")
    (statistics,) = views.glob("statistics-*.json")
    personas = json.loads(of_task.read_text())["personas"]
    for stage, suffixes in (
        ("scores", [".parquet"]),
        ("calibration", [".parquet", ".draws.parquet"]),
    ):
        folder = project.path / "results" / stage / "models_0" / "tasks_0"
        folder.mkdir(parents=True, exist_ok=True)
        for persona in personas:
            source = "no_persona" if persona == "no_persona" else "ed_nurse"
            for suffix in suffixes:
                kept = real.path / f"results/{stage}/tiny/triage_ed/{source}{suffix}"
                shutil.copy(kept, folder / f"{persona}{suffix}")
    datasets = project.path / "resources" / "datasets"
    shutil.copytree(real.path / "resources" / "datasets", datasets, dirs_exist_ok=True)
    place = "models_0/tasks_0"
    command = [sys.executable, "workflow/scripts/measure.py", "--kind=triage"]
    command += ["--model=models_0", "--task=tasks_0"]
    command += [f"--view={of_task}", f"--statistics={statistics}"]
    command += [f"--scores=results/scores/{place}", f"--calibration=results/calibration/{place}"]
    command += [
        f"--items={datasets / 'teaching_ed.parquet'}",
        f"--measures=results/measures/{place}",
    ]
    _, *cost = timed(command, project.path, user())
    multiply(project.path / "results" / "measures", cells)
    return Cost("measure", len(personas), 0, *cost)


def multiply(measures: Path, cells: int) -> None:
    """Name the tables of a model in a task as those of every other one; numbers differ a little.

    Equal numbers would be packed into almost nothing.
    """
    models, tasks, _ = SHAPES[cells]
    generator = np.random.default_rng(cells)
    for path in (measures / "models_0" / "tasks_0").iterdir():
        table = pl.read_parquet(path)
        numbers = [name for name, dtype in table.schema.items() if dtype == pl.Float64]
        for model in range(models):
            for task in range(tasks):
                place = {"model": f"models_{model}", "task": f"tasks_{task}"}
                noise = 1 + 1e-9 * generator.standard_normal((len(numbers), table.height))
                other = table.with_columns(
                    *(pl.lit(value).alias(key) for key, value in place.items()),
                    *(pl.col(name) * pl.lit(pl.Series(noise[i])) for i, name in enumerate(numbers)),
                )
                write_table(other, measures / place["model"] / place["task"] / path.name, {})


def tabulate(project: Project, cells: int) -> Cost:
    """The tables of a study, of what was measured."""
    views = project.path / "results" / "config"
    (of_cells,), (statistics,) = views.glob("cells-*.json"), views.glob("statistics-*.json")
    command = [sys.executable, "workflow/scripts/tabulate.py"]
    command += [f"--cells={of_cells}", f"--statistics={statistics}"]
    command += ["--measures=results/measures", "--tables=results/tables"]
    _, *cost = timed(command, project.path, user())
    return Cost("tabulate", cells, 0, *cost)


@dataclass(frozen=True)
class Fit:
    """A slope by least squares, with its 95% interval."""

    slope: float
    low: float
    high: float

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float]) -> Fit:
        """Of at least three points."""
        found = stats.linregress(x, y)
        reach = stats.t.ppf(0.975, len(x) - 2) * found.stderr
        return cls(found.slope, found.slope - reach, found.slope + reach)

    def shown(self, digits: int) -> str:
        """Slope and interval."""
        return f"{self.slope:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def report(costs: Sequence[Cost], load: float) -> str:
    """What was measured, as Markdown."""
    lines = [
        f"{readme.processor()}, 2 cores.{readme.busy(load)} Tables: {STUDY['limit']} items and "
        f"{STUDY['statistics']['draws']} draws per cell, one process.",
        "",
        "| | cells | jobs | by the clock, s | processor, s | ms per cell | peak memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, title in TITLES.items():
        for cost in (one for one in costs if one.kind == kind):
            jobs = f"{cost.jobs:,}" if cost.jobs else "1"
            lines.append(
                f"| {title} | {cost.cells:,} | {jobs} | {cost.seconds:.1f} | {cost.processor:.1f} "
                f"| {1000 * cost.processor / cost.cells:.1f} | {cost.peak_mb:,.0f} |"
            )
    lines += [
        "",
        "What a cell more costs, by least squares with 95% intervals: a straight line, and the "
        "exponent of a power of the number of cells (1 is proportional; less where the start "
        "weighs).",
        "",
        "| | sizes | ms of the processor per cell | kB of memory per cell | exponent |",
        "|---|---|---|---|---|",
    ]
    for kind, title in TITLES.items():
        ours = [one for one in costs if one.kind == kind]
        if len(ours) < 3:
            continue
        cells = [one.cells for one in ours]
        time_ = Fit.of(cells, [1000 * one.processor for one in ours])
        memory = Fit.of(cells, [1000 * one.peak_mb for one in ours])
        power = Fit.of(np.log(cells), np.log([one.processor for one in ours]))
        lines.append(
            f"| {title} | {len(ours)} | {time_.shown(1)} | {memory.shown(0)} | {power.shown(2)} |"
        )
    return "\n".join(lines)


def draw(costs: Sequence[Cost], path: Path) -> None:
    """Time and memory by the number of cells."""
    figure, axes = plt.subplots(1, 2, figsize=(7.1, 3.6), layout="constrained")
    looks = dict(zip(TITLES, ("o-", "s--", "^-.", "v-.", "D:", "P:"), strict=True))
    for kind, title in TITLES.items():
        ours = [one for one in costs if one.kind == kind]
        cells = [one.cells for one in ours]
        for axis, values in zip(
            axes, ([o.processor for o in ours], [o.peak_mb for o in ours]), strict=True
        ):
            axis.loglog(cells, values, looks[kind], label=title, color="0.2", markersize=4)
    axes[0].set_ylabel("time of the processor, s")
    axes[1].set_ylabel("peak memory, MB")
    for axis in axes:
        axis.set_xlabel("cells")
        axis.grid(alpha=0.3)
    lines = axes[0].get_lines()
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200, metadata={"Software": None})


def main(arguments: argparse.Namespace) -> None:
    """Measure what the record does not have yet, print, and write where asked to."""
    load = os.getloadavg()[0]
    costs: list[Cost] = []
    if arguments.record and arguments.record.exists():
        kept = json.loads(arguments.record.read_text())
        load, costs = kept["load"], [Cost(**cost) for cost in kept["costs"]]

    def keep(kind: str, cells: int, measure: Callable[[], Cost]) -> None:
        if any((cost.kind, cost.cells) == (kind, cells) for cost in costs):
            return
        costs.append(measure())
        print(costs[-1], flush=True)
        if arguments.record:
            kept = {"load": load, "costs": [asdict(cost) for cost in costs]}
            arguments.record.write_text(json.dumps(kept, indent=1))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real: list[Project] = []

        def measured(project: Project, cells: int) -> Cost:
            if not real:
                real.append(template(folder / "real"))
            return measure(project, real[0], cells)

        for cells in sorted(arguments.cells):
            project = many(folder / str(cells), cells)
            keep("plan", cells, partial(plan, project, cells))
            if cells >= arguments.batched_from:
                one = ("--batch", f"tabulate=1/{BATCHES}")
                keep("batch", cells, partial(plan, project, cells, *one))
                part = many(folder / f"{cells}-batch", cells)
                one = (*one, "--", "results/tables/cells.csv")
                keep("schedule_batch", cells, partial(schedule, part, cells, *one))
                shutil.rmtree(part.path)
            if cells <= arguments.scheduled_to:
                all_ = ("--until", "calibrate")
                keep("schedule", cells, partial(schedule, project, cells, *all_))
            done = ("tabulate", cells) in {(cost.kind, cost.cells) for cost in costs}
            if cells <= arguments.tabulated_to and not done:
                # What it leaves is what the tables are made of.
                costs.append(measured(project, cells))
                keep("tabulate", cells, partial(tabulate, project, cells))
            shutil.rmtree(project.path)
    costs.sort(key=lambda cost: cost.cells)
    text = report(costs, load)
    print(text)
    if arguments.write:
        draw(costs, FIGURE)
        readme.write("scaling.py", text, DOCUMENT)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--cells", type=int, nargs="+", default=list(SHAPES), choices=list(SHAPES))
    options.add_argument("--batched-from", type=int, default=1_000)
    options.add_argument("--scheduled-to", type=int, default=100_000)
    options.add_argument("--tabulated-to", type=int, default=100_000)
    options.add_argument(
        "--record", type=Path, help="JSON file of what was measured: goes on there"
    )
    options.add_argument("--write", action="store_true", help="write figure and document")
    main(options.parse_args())
