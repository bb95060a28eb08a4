"""How long the bootstrap of a large study takes, and how much memory.

    python benchmarks/bootstrap.py --write              # about 30 minutes of one core
    python benchmarks/bootstrap.py --models 1 --cells 1 # a sample, extrapolated
    python benchmarks/bootstrap.py --profile            # where the time of the tables goes

10,000 draws of 10 models × 12 personas × 4 tasks × 1,245 items, simulated (simulation.py).

- The tables: cells, paired contrasts (of calibration figures too), AUC, confusion, robustness;
  with subgroups and without. By measure.py through its command line, two jobs at a time, and
  by tabulate.py, with reading and writing. With fewer models than 10, time is extrapolated in
  proportion.
- The calibration of cells and their recalibration by five maps, by the code of calibrate.py and of
  recalibrate.py, of a sample of cells; extrapolated to all of them in 2 processes.
- A loop over draws, of a few draws, against all draws at once: what that saves.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import calibrate
import measure
import readme
from recalibrate import recalibrate
from simulated_study import STATISTICS
from simulation import BASELINE, World, ask

from persona_paradox.kinds.triage import formulas as triage
from persona_paradox.kinds.triage.measures import answers
from persona_paradox.measures import confidences
from persona_paradox.measures.calibration import calibration_draws, calibration_metrics
from persona_paradox.measures.recalibration import METHODS
from persona_paradox.measures.statistics import cluster_counts, clusters_of

SCRIPTS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"
SEED = 2026
MODELS, PERSONAS, TASKS, ITEMS, DRAWS = 10, 12, 4, 1245, 10_000
PROCESSES = 2
PARTS = ("tables", "subgroups", "calibrate", "recalibrate", "draws")
TARGET_S, TARGET_GIB = 300, 4.0
# As those of the KTAS records.
SUBGROUPS = [
    {"id": "sex", "title": "Sex", "column": "sex"},
    {"id": "age", "title": "Age", "column": "age", "cuts": [40, 65]},
    {"id": "arrival", "title": "Arrival", "column": "arrival"},
]
PERSONA_IDS = [BASELINE, *(f"persona_{i}" for i in range(6)), *(f"control_{i}" for i in range(5))]
TASK_IDS = [f"task_{i}" for i in range(TASKS)]


def settings(draws: int) -> dict[str, Any]:
    return STATISTICS | {"draws": draws}


def view(models: int, subgroups: bool) -> dict[str, Any]:
    """The view of all cells, as far as the tables need it."""
    about = {"context": "emergency", "origin": "real", "dataset": "items"}
    about |= {"subgroups": SUBGROUPS if subgroups else [], "kind": "triage"}
    return {
        "baseline": BASELINE,
        "cells": [[f"m{m}", t, p] for t in TASK_IDS for m in range(models) for p in PERSONA_IDS],
        "human": [],
        "groups": {p: "control" if p.startswith("control") else "paper" for p in PERSONA_IDS},
        "tasks": {task: World(ITEMS, 5, 0.0, 0.0).task() | about for task in TASK_IDS},
    }


def write(folder: Path, models: int, draws: int) -> None:
    """Write the scores, calibrations and items of a study; models and tasks have equal ones."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    world = World(ITEMS, 5, 0.0, 0.03)
    sd = world.latent_sd(world.sentence)
    shifts = {p: sd * generator.standard_normal() for p in PERSONA_IDS[1:]}
    asked = ask(world, shifts, generator, wordings=1)
    first = folder / "scores" / "m0" / TASK_IDS[0]
    calibrated = folder / "calibration" / "m0" / TASK_IDS[0]
    for kind in (first, calibrated):
        kind.mkdir(parents=True)
    for (persona, _), table in asked.scores.items():
        table.write_parquet(first / f"{persona}.parquet")
    # The figures of one cell stand for all: what they are does not change how long they take.
    few = settings(draws) | {"draws": 100}
    rows, drawn = calibrate.calibrate(asked.scores[BASELINE, "main"], few)
    drawn = [
        row | {"draws": np.resize(row["draws"], draws) + generator.normal(0, 1e-3, draws)}
        for row in drawn
    ]
    pl.DataFrame(rows, schema=confidences.CALIBRATION).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    ).write_parquet(calibrated / "one.parquet")
    pl.DataFrame(drawn, schema=calibrate.DRAWS_SCHEMA).write_parquet(calibrated / "one.draws")
    for persona in PERSONA_IDS:
        (calibrated / f"{persona}.parquet").symlink_to("one.parquet")
        (calibrated / f"{persona}.draws.parquet").symlink_to("one.draws")
    for kind in ("scores", "calibration"):
        for task in TASK_IDS[1:]:
            (folder / kind / "m0" / task).symlink_to(TASK_IDS[0])
        for model in range(1, models):
            (folder / kind / f"m{model}").symlink_to("m0")
    asked.scores[BASELINE, "main"].select(
        "item_id",
        sex=pl.Series(generator.choice(["female", "male"], ITEMS)),
        age=pl.Series(generator.integers(18, 95, ITEMS).astype(str)),
        arrival=pl.Series(generator.choice(["walked in", "ambulance", "car", "other"], ITEMS)),
    ).write_parquet(folder / "items.parquet")


@dataclass(frozen=True)
class Measured:
    """What a piece of work took: seconds by the clock and of the processor, and GiB at most."""

    wall: float
    cpu: float
    gib: float


def timed(work: Callable[[], object]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # The peak of this program alone; that of getrusage begins at what its parent had.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return Measured(wall, cpu, int(peak[1]) / 2**20 if peak else float("nan"))


def of_task(models: int, subgroups: bool) -> dict[str, Any]:
    """The measures' view of every task."""
    whole = view(models, subgroups)
    own = {"baseline": BASELINE, "personas": PERSONA_IDS, "groups": whole["groups"], "raters": []}
    return whole["tasks"][TASK_IDS[0]] | own


def options_of(folder: Path, model: str, task: str) -> dict[str, str]:
    """What measure.py is told of a model in a task."""
    place = f"{model}/{task}"
    return {
        **{"kind": "triage", "model": model, "task": task},
        **{"view": f"{folder}/measures.json", "statistics": f"{folder}/statistics.json"},
        **{name: f"{folder}/{name}/{place}" for name in ("scores", "calibration", "measures")},
        "items": f"{folder}/items.parquet",
    }


def tables(folder: Path, models: int, draws: int, subgroups: bool) -> Measured:
    """All tables; the memory is that of the largest program times the programs at a time."""
    write_views(folder, models, draws, subgroups)
    places = [(f"m{model}", task) for model in range(models) for task in TASK_IDS]
    wall = time.perf_counter()
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(lambda place: run("measure", options_of(folder, *place)), places))
    made = {name: f"{folder}/{name}" for name in ("measures", "tables")}
    run("tabulate", made | {n: f"{folder}/{n}.json" for n in ("cells", "statistics")})
    wall = time.perf_counter() - wall
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    gib = used.ru_maxrss / 2**20 * PROCESSES
    return Measured(wall, used.ru_utime + used.ru_stime, gib)


def run(script: str, options: Mapping[str, str]) -> None:
    """Run a script of the workflow."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py")]
    subprocess.run(
        [*command, *(f"--{key}={value}" for key, value in options.items())],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def write_views(folder: Path, models: int, draws: int, subgroups: bool) -> None:
    """What the scripts read besides scores and calibration."""
    written = {"cells": view(models, subgroups), "statistics": settings(draws)}
    written["measures"] = of_task(models, subgroups)
    for name, value in written.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def profiled(folder: Path, draws: int, subgroups: bool) -> None:
    """Where the time of the tables of a model and task goes."""
    write_views(folder, 1, draws, subgroups)
    options: dict[str, Any] = dict.fromkeys(("recalibration", "base", "asked", "rated"))
    for name, value in options_of(folder, "m0", TASK_IDS[0]).items():
        options[name] = value if name in ("kind", "model", "task") else Path(value)
    profile = cProfile.Profile()
    profile.runcall(measure.main, argparse.Namespace(**options))
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


def apart(part: str, folder: Path, *options: str) -> Measured:
    """Measure one part in a process of its own, which has its own peak of memory."""
    command = [sys.executable, __file__, f"--part={part}", f"--folder={folder}", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def one_part(options: argparse.Namespace) -> Measured:
    """What `apart` measures."""
    folder, draws = options.folder, options.draws
    if options.part == "calibrate":
        scores = pl.read_parquet(folder / "scores" / "m0" / TASK_IDS[0] / "persona_0.parquet")
        cells = options.cells
        calibrate.calibrate(scores, settings(10))  # the libraries take seconds to import
        return timed(lambda: [calibrate.calibrate(scores, settings(draws)) for _ in range(cells)])
    if options.part == "recalibrate":
        scores = pl.read_parquet(folder / "scores" / "m0" / TASK_IDS[0] / "persona_0.parquet")
        maps = {"methods": METHODS}
        recalibrate("persona_0", scores, settings(10) | maps)  # netcal takes seconds to import
        whole = settings(draws) | maps
        return timed(lambda: [recalibrate("_", scores, whole) for _ in range(options.cells)])
    if options.part == "draws":
        confidence, correct, counts = sample(folder, draws)
        return timed(lambda: [calibration_draws(confidence, correct, 10, counts) for _ in range(2)])
    return tables(folder, options.models, draws, options.part == "subgroups")


def sample(folder: Path, draws: int) -> tuple[Any, Any, Any]:
    """Confidences, outcomes and draws of a cell."""
    scores = pl.read_parquet(folder / "scores" / "m0" / TASK_IDS[0] / "persona_0.parquet")
    correct = (scores["label_logprob_argmax"] == scores["reference"]).to_numpy()
    counts = cluster_counts(clusters_of(scores), draws, SEED)
    return scores["confidence"].to_numpy(), correct, counts


def ratios(folder: Path, draws: int, looped: int) -> dict[str, float]:
    """Time of a plain loop over draws ÷ that of all draws at once, both of the processor."""
    scores = pl.read_parquet(folder / "scores" / "m0" / TASK_IDS[0] / "persona_0.parquet")
    spec = view(1, False)["tasks"][TASK_IDS[0]]
    this = answers(scores, spec)
    confidence, correct, counts = sample(folder, draws)
    p_high = scores["high_acuity_probability"].to_numpy()

    def loop_figures() -> None:
        for weights in counts[:looped]:
            rows = np.repeat(np.arange(ITEMS), weights)
            reference, answer = this.reference[rows], this.answer[rows]
            table = triage.confusion(reference, answer, this.levels)
            triage.confusion_metrics(table, this.high, *this.cost)
            triage.high_acuity_auc(p_high[rows], this.high[reference])
            for hit in this.hits.values():
                hit[rows].mean()

    def loop_calibration() -> None:
        for weights in counts[:looped]:
            rows = np.repeat(np.arange(ITEMS), weights)
            calibration_metrics(confidence[rows], correct[rows], 10)

    with threadpool_limits(1):
        this.points(counts[:10])
        calibration_metrics(confidence, correct, 10)  # the libraries take seconds to import
        loops = [timed(work).cpu * draws / looped for work in (loop_figures, loop_calibration)]
        at_once = [
            timed(lambda: this.points(counts)).cpu,
            timed(lambda: calibration_draws(confidence, correct, 10, counts)).cpu,
        ]
    names = ("figures of a cell", "calibration figures of a confidence")
    return {n: loop / once for n, loop, once in zip(names, loops, at_once, strict=True)}


def report(options: argparse.Namespace, load: float, parts: Mapping[str, Measured]) -> str:
    """What was measured, as Markdown."""
    cells = MODELS * PERSONAS * TASKS
    scale = MODELS / options.models
    of_models = "measured" if scale == 1 else f"from {options.models} of {MODELS} models"
    plain, split = parts["tables"], parts["subgroups"]
    whole, drawn = parts["calibrate"], parts["draws"]

    def minutes(seconds: float) -> str:
        return f"{seconds / 60:.1f}"

    rows = [
        (
            f"all tables without subgroups, minutes, {PROCESSES} jobs at a time ({of_models})",
            plain,
            scale,
        ),
        (
            f"all tables with 3 subgroupings, minutes, {PROCESSES} jobs at a time ({of_models})",
            split,
            scale,
        ),
        (
            f"calibration draws of 2 confidences, minutes in {PROCESSES} processes "
            f"(extrapolated from 1 of {cells} cells)",
            drawn,
            cells / PROCESSES,
        ),
        (
            f"all of calibrate.py but its start, minutes in {PROCESSES} processes (extrapolated "
            f"from {options.cells})",
            whole,
            cells / options.cells / PROCESSES,
        ),
        (
            f"all of recalibrate.py with 5 maps but its start, minutes in {PROCESSES} processes "
            f"(extrapolated from {options.cells})",
            parts["recalibrate"],
            cells / options.cells / PROCESSES,
        ),
    ]
    lines = [
        f"{readme.processor()}, {os.cpu_count()} cores; {options.draws:,} draws of {MODELS} models "
        f"× {PERSONAS} personas × {TASKS} tasks × {ITEMS:,} items.{readme.busy(load)}",
        "",
        "| | by the clock | of the processor | peak memory, GiB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {minutes(by * of.wall)} | {minutes(by * of.cpu)} | {of.gib:.2f} |"
            for name, of, by in rows
        ),
    ]
    seconds = scale * plain.wall
    both = seconds + cells / PROCESSES * drawn.wall
    most = max(of.gib for of in parts.values())
    limit = f"in ≤ {TARGET_S / 60:.0f} minutes"
    met = [
        (f"the bootstrap of all tables {limit}", minutes(seconds), seconds <= TARGET_S),
        (f"that and the calibration draws {limit}", minutes(both), both <= TARGET_S),
        (f"in ≤ {TARGET_GIB:.0f} GiB", f"{most:.2f}", most <= TARGET_GIB),
    ]
    lines += ["", "| target | measured | |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {'met' if ok else 'missed'} |" for name, value, ok in met]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--models", type=int, default=MODELS, help="models of the tables")
    parser.add_argument("--cells", type=int, default=4, help="cells whose calibration is timed")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--profile", action="store_true", help="profile the tables of one model")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md here")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(one_part(options).__dict__))
        return
    load = os.getloadavg()[0]
    if options.profile:
        options.models = 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, options.models, options.draws)
        numbers = [f"--{name}={getattr(options, name)}" for name in ("models", "cells", "draws")]
        if options.profile:
            for subgroups in (False, True):
                profiled(folder, options.draws, subgroups)
            return
        parts = {}
        for part in PARTS:
            parts[part] = apart(part, folder, *numbers)
            print(part, parts[part], flush=True)
        text = report(options, load, parts)
        text += "\n\n| a loop over draws ÷ all draws at once | |\n|---|---|"
        for name, ratio in ratios(folder, options.draws, looped=20).items():
            text += f"\n| {name} | {ratio:.0f} |"
    print(text)
    if options.write:
        readme.write("bootstrap.py", text)


if __name__ == "__main__":
    main()
