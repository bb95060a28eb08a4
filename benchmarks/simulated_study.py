"""Whether the statistics find what is there, and nothing where nothing is.

    python benchmarks/simulated_study.py --write     # about 15 minutes on 1 core
    python benchmarks/simulated_study.py --quick     # a small version, 3 minutes

Simulated models (simulation.py) whose effects of personas, spread of wordings and calibration
are known.

- A study of two tasks goes through the workflow's own scripts; its tables are held against the
  truth.
- Studies without an effect say how often one is claimed, in three worlds: nothing changes an
  answer but chance; wordings differ, personas do not; every persona has an effect such as any
  sentence has.
- Studies with effects of several sizes say how often these are found.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binom, chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import readme
from simulation import BASELINE, Asked, Rate, World, ask, rate

from persona_paradox import files
from persona_paradox.figures import catalogue, ink, marks, typeset, words
from persona_paradox.figures.page import Entry, Sheet
from persona_paradox.kinds.triage.measures import METRICS, answers
from persona_paradox.measures import contrasts as contrasting
from persona_paradox.measures import robustness
from persona_paradox.measures.resampling import Draws
from persona_paradox.study.products import DECOMPOSED_TABLES, MEASURED_TABLES, STUDY_TABLES

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
SEED = 2026
MODEL = "simulated"
FIGURE = ROOT / "docs" / "figures" / "simulated_study.png"
CONTROLS = [f"control_{i}" for i in range(1, 21)]
JUDGED = 7  # personas of a study that are neither the baseline nor controls

STATISTICS: dict[str, Any] = {
    "draws": 2000,
    "seed": SEED,
    "confidence": 0.95,
    "bins": 10,
    "folds": 5,
    "methods": ["temperature"],
    "interval": "percentile",
    "power": 0.8,
    "small_group_below": 30,
    "label_mass_warning_below": 0.5,
    "margins": {"accuracy": 0.05},
    "family": {
        "metrics": ["accuracy"],
        "wordings": "main",
        "groups": ["paper", "comparison", "control", "own"],
    },
}
ALPHA = 1 - STATISTICS["confidence"]
FAMILY_METRICS = [m for m in METRICS if m.id in STATISTICS["family"]["metrics"]]
CONTRASTS = {"model": pl.String, "task": pl.String, "persona": pl.String, "variant": pl.String}
CONTRASTS |= {"against": pl.String} | contrasting.CONTRAST | {"p_mean": pl.Float64}


# --- verdicts, by the library's functions --------------------------------------------------


def contrasts(
    asked: Asked, world: World, task: str, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The contrasts of a task in the family's metric, as measure.py makes them.

    Controls get two draws: a verdict needs their effects and McNemar's p alone.
    """
    spec = world.task()
    baseline = answers(asked.scores[BASELINE, "main"], spec)
    draws = {
        some: Draws.of(baseline.clusters, {**settings, "draws": settings["draws"] if some else 2})
        for some in (True, False)
    }
    theirs = {some: drawn.measure(baseline.points) for some, drawn in draws.items()}
    rows = []
    effects: robustness.Drawn = {metric.id: {} for metric in FAMILY_METRICS}
    for (persona, variant), scores in asked.scores.items():
        if persona == BASELINE:
            continue
        this, some = answers(scores, spec, baseline), persona not in CONTROLS
        mine = draws[some].measure(this.points)
        difference = mine - theirs[some]
        for metric, effect in effects.items():
            effect[persona, variant] = difference.point[metric], difference.drawn[metric]
        place = {"model": MODEL, "task": task, "persona": persona, "variant": variant}
        place |= {"against": contrasting.PERSONA}
        found = contrasting.contrast_rows(
            (this, baseline), difference, (mine, theirs[some]), FAMILY_METRICS, settings
        )
        rows += [{**place, **row} for row in found]
    p_mean = robustness.p_over_wordings(effects, draws[True].least_p)
    for row in rows:
        row["p_mean"] = p_mean[row["metric"], row["persona"]]
    return rows


def judge(
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    controls: int = len(CONTROLS),
    alone: str | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The family's contrasts of a study, and the verdicts.

    Args:
        rows: all contrasts.
        settings: the statistics'.
        controls: how many of the controls take part, the first ones.
        alone: the only persona that is judged; without it all are.
    """
    table = pl.DataFrame(rows, schema=CONTRASTS)
    table = table.filter(~pl.col("persona").is_in(CONTROLS[controls:]))
    if alone is not None:
        table = table.filter(pl.col("persona").is_in([alone, *CONTROLS]))
    groups = {p: "control" if p in CONTROLS else "paper" for p in table["persona"].unique()}
    groups[BASELINE] = "paper"
    table = contrasting.with_family(table.lazy(), settings["family"], groups).collect()
    table = table.filter(pl.col("metric") == "accuracy")
    verdicts = [
        {"task": task, **row}
        for (task,), part in table.group_by("task", maintain_order=True)
        for row in robustness.robustness_rows(part, groups, ALPHA)
    ]
    return table, pl.DataFrame(verdicts, infer_schema_length=None)


# --- how often something is claimed where nothing is -----------------------------------------


# What the rules call robust: the verdict; where effects of sentences are taken to be normal; the
# rule by intervals.
RULES = {
    "robust": pl.col("verdict") == "robust",
    "robust if sentences are normal": (pl.col("p_robust_normal") <= ALPHA)
    & (pl.col("wording_min") * pl.col("wording_max") > 0),
    "robust by intervals": pl.col("verdict_intervals") == "robust",
}


@dataclass(frozen=True)
class Null:
    """A world without an effect of the meaning of personas.

    Attributes:
        title: what there is instead.
        wording: spread of the effects of wordings.
        sentence: spread of the effects of personas and of controls.
    """

    title: str
    wording: float
    sentence: float


NULLS = (
    Null("nothing but chance", 0.0, 0.0),
    Null("wordings differ by 4 points", 0.04, 0.0),
    Null("any sentence has an effect, by 4 points; wordings by 2", 0.02, 0.04),
)


def null_study(null: Null, items: int, draws: int, seed: Sequence[int]) -> tuple[Any, Any]:
    """A study of two tasks in which no persona has an effect of its meaning."""
    generator = np.random.Generator(np.random.PCG64(list(seed)))
    settings = {**STATISTICS, "draws": draws, "seed": int(generator.integers(2**32))}
    personas = [*(f"persona_{i}" for i in range(JUDGED)), *CONTROLS]
    rows = []
    for task, levels in (("emergency", 5), ("primary_care", 3)):
        world = World(items, levels, null.wording, null.sentence)
        sd = world.latent_sd(null.sentence)
        shifts = {p: world.shift_of(0) + sd * generator.standard_normal() for p in personas}
        rows += contrasts(ask(world, shifts, generator, read_out=False), world, task, settings)
    return judge(rows, settings)


def null_rates(
    null: Null, studies: int, items: int, draws: int, number: int = 0
) -> dict[str, Rate]:
    """How often studies of a world without effects claim something; `number` is for the seed."""
    significant, controls_too, equivalent = [], [], []
    robust: dict[str, list[bool]] = {rule: [] for rule in RULES}
    for i in range(studies):
        table, verdicts = null_study(null, items, draws, (SEED, 1, number, i))
        family = table.filter("in_family")
        claimed = family["p_holm"] <= ALPHA
        controls_too.append(bool(claimed.any()))
        significant += list(claimed)
        for _, part in verdicts.group_by("task", maintain_order=True):
            for rule, said in RULES.items():
                robust[rule].append(bool(part.select(said.any()).item()))
        equivalent += list(verdicts["equivalent"])
    return {
        "any contrast significant after Holm, per study": rate(controls_too),
        "contrasts significant after Holm": rate(significant),
        **{f"any persona {rule}, per model and task": rate(of) for rule, of in robust.items()},
        "personas equivalent to the baseline within 5 points": rate(equivalent),
    }


# --- how often an effect is found ----------------------------------------------------------

EFFECTS = (0.05, 0.10, 0.15, 0.20)
ITEMS = (45, 300, 1245)
SPREADS = {
    "sentences and wordings differ by 1 point": (0.01, 0.01),
    "sentences differ by 3 points, wordings by 2": (0.03, 0.02),
}
# Of a setting, an n, a number of controls (ALONE: all, each persona judged alone) and an effect.
Found = dict[tuple[str, int, int, float], dict[str, Rate]]
ALONE, FEW = 0, 5


def power(studies: int, draws: int, items: Sequence[int] = ITEMS) -> Found:
    """How often effects are significant, robust, or null ones equivalent.

    Every study has four personas with the effects `EFFECTS` and three without any, judged
    together with all controls and with the first five, and each of the four alone.
    """
    found: Found = {}
    for number, (title, (sentence, wording)) in enumerate(SPREADS.items()):
        for n in items:
            said: dict[tuple[int, float], list[Mapping[str, Any]]] = {}
            world = World(n, 5, wording, sentence)
            for i in range(studies):
                generator = np.random.Generator(np.random.PCG64([SEED, 2, number, n, i]))
                settings = {**STATISTICS, "draws": draws, "seed": int(generator.integers(2**32))}
                true = {f"effect_{e}": e for e in EFFECTS} | {f"null_{j}": 0.0 for j in range(3)}
                sd = world.latent_sd(sentence)
                shifts = {p: world.shift_of(effect) for p, effect in true.items()}
                shifts |= {
                    p: world.shift_of(0) + sd * generator.standard_normal() for p in CONTROLS
                }
                rows = contrasts(
                    ask(world, shifts, generator, read_out=False), world, "task", settings
                )
                for controls in (FEW, len(CONTROLS)):
                    _, verdicts = judge(rows, settings, controls)
                    for row in verdicts.iter_rows(named=True):
                        said.setdefault((controls, true[row["persona"]]), []).append(row)
                for persona in [p for p, effect in true.items() if effect]:
                    _, verdicts = judge(rows, settings, alone=persona)
                    for row in verdicts.iter_rows(named=True):
                        said.setdefault((ALONE, true[persona]), []).append(row)
            for (controls, effect), verdicts in said.items():
                found[title, n, controls, effect] = {
                    "significant": rate([row["p_holm"] <= ALPHA for row in verdicts]),
                    **{
                        rule: rate(pl.DataFrame(verdicts).select(robust).to_series().to_list())
                        for rule, robust in RULES.items()
                    },
                    "equivalent": rate([row["equivalent"] for row in verdicts]),
                }
    return found


# --- one study through the scripts -----------------------------------------------------------

PERSONAS = {
    BASELINE: ("paper", "No persona"),
    "changed": ("paper", "True effect of ±15 points"),
    "null": ("paper", "No effect"),
    **{f"sentence_{i}": ("paper", f"Any sentence {i}") for i in range(1, 4)},
    **{f"sentence_{i}": ("comparison", f"Any sentence {i}") for i in range(4, 6)},
    **{name: ("control", name.replace("_", " ").capitalize()) for name in CONTROLS},
}
# Gains where the effect is +, loses where it is -.
TASKS = {"emergency": (5, 0.15), "primary_care": (3, -0.15)}


@dataclass(frozen=True)
class Check:
    """A figure of the tables beside the truth."""

    what: str
    truth: str
    found: str
    right: bool


@dataclass(frozen=True)
class Study:
    """A study whose scores are written, and what is true of it."""

    folder: Path
    worlds: dict[str, World]
    shifts: dict[str, dict[str, float]]  # task → persona → its own shift
    asked: dict[str, Asked]

    def run(self, script: str, *options: str, must: bool = True) -> bool:
        """Run one of the workflow's scripts; whether it succeeded."""
        command = [sys.executable, str(SCRIPTS / f"{script}.py"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            text = f"error: {' '.join(command)}\n{done.stderr}"
            if must:
                raise SystemExit(text)
            print(text, file=sys.stderr)
        return not done.returncode

    def table(self, name: str) -> pl.DataFrame:
        """A table that the scripts wrote."""
        return pl.read_parquet(self.folder / "tables" / f"{name}.parquet")


def write_study(folder: Path, items: int, draws: int) -> Study:
    """Write scores, data sets and views of a study."""
    generator = np.random.Generator(np.random.PCG64([SEED, 3]))
    study = Study(folder, {}, {}, {})
    view: dict[str, Any] = {"baseline": BASELINE, "human": [], "tasks": {}}
    view["groups"] = {name: group for name, (group, _) in PERSONAS.items()}
    view["cells"] = [[MODEL, task, persona] for task in TASKS for persona in PERSONAS]
    drawn: dict[str, Any] = {}
    for task, (levels, effect) in TASKS.items():
        world = World(items, levels, wording=0.02, sentence=0.01)
        known = {"changed": world.shift_of(effect), "null": world.shift_of(0)}
        sd = world.latent_sd(world.sentence)
        shifts = {
            name: known.get(name, world.shift_of(0) + sd * generator.standard_normal())
            for name in PERSONAS
            if name != BASELINE
        }
        asked = ask(world, shifts, generator)
        study.worlds[task], study.shifts[task], study.asked[task] = world, shifts, asked
        for name in PERSONAS:
            path = folder / "scores" / MODEL / task / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            parts = [table for (persona, _), table in asked.scores.items() if persona == name]
            pl.concat(parts).write_parquet(path)
        about = {"context": task, "origin": "real", "dataset": task, "subgroups": []}
        view["tasks"][task] = {**world.task(), **about, "kind": "triage", "reference": True}
        own = {"baseline": BASELINE, "personas": list(PERSONAS), "groups": view["groups"]}
        measured = view["tasks"][task] | own | {"raters": []}
        files.write_text(folder / f"measures-{task}.json", files.canonical_json(measured))
        drawn[task] = {
            "title": f"Simulated {task.replace('_', ' ')}",
            "kind": "triage",
            "dataset": "simulated items",
            "teaching": False,
            "context": task,
            "levels": [f"Level {i + 1}" for i in range(levels)],
            "high_acuity": levels // 2,
            "sample": None,
            "clustered": False,
            "subgroups": {},
        }
    statistics = {**STATISTICS, "draws": draws}
    figures = {
        **{key: statistics[key] for key in ("confidence", "draws", "interval", "power", "seed")},
        "small_group_below": statistics["small_group_below"],
        "title": "A simulated study",
        "baseline": BASELINE,
        "binned_ece_warning_below": 100,
        "too_few_below": 20,
        "margin": statistics["margins"]["accuracy"],
        "models": {MODEL: "Simulated model"},
        "personas": {p: {"title": t, "group": group} for p, (group, t) in PERSONAS.items()},
        "raters": {},
        "tasks": drawn,
        "contexts": [{"id": task, "title": task.capitalize()} for task in TASKS],
        "groups": [
            {"id": group, "title": group.capitalize()}
            for group in dict.fromkeys(view["groups"].values())
        ],
    }
    views = {"cells": view, "statistics": statistics, "figures": figures}
    views["recalibrate"] = statistics | {"personas": sorted(PERSONAS)}
    for name, content in views.items():
        files.write_text(folder / f"{name}.json", files.canonical_json(content))
    return study


def run_scripts(study: Study) -> Check:
    """Run the scripts from calibrate to plot; says which figures were drawn."""
    folder = study.folder
    cells, statistics = f"--cells={folder}/cells.json", f"--statistics={folder}/statistics.json"
    scores, made = f"--scores={folder}/scores", f"--tables={folder}/tables"
    figures = f"--settings={folder}/figures.json"
    for task in TASKS:
        for persona in PERSONAS:
            cell = f"{MODEL}/{task}/{persona}"
            study.run(
                "calibrate",
                f"{scores}/{cell}.parquet",
                f"--settings={folder}/statistics.json",
                f"--calibration={folder}/calibration/{cell}.parquet",
                f"--draws={folder}/calibration/{cell}.draws.parquet",
            )
        study.run(
            "recalibrate",
            f"{scores}/{MODEL}/{task}",
            f"--settings={folder}/recalibrate.json",
            f"--recalibration={folder}/recalibration/{MODEL}/{task}.parquet",
        )
        study.run(
            "measure",
            "--kind=triage",
            f"--model={MODEL}",
            f"--task={task}",
            f"--view={folder}/measures-{task}.json",
            statistics,
            f"{scores}/{MODEL}/{task}",
            f"--calibration={folder}/calibration/{MODEL}/{task}",
            f"--recalibration={folder}/recalibration/{MODEL}/{task}.parquet",
            f"--items={folder}",
            f"--measures={folder}/measures/{MODEL}/{task}",
        )
    study.run("tabulate", cells, statistics, f"--measures={folder}/measures", made)
    study.run("decompose", cells, statistics, scores, made)
    tables = {*MEASURED_TABLES, *STUDY_TABLES, "confusion", *DECOMPOSED_TABLES}
    names = ("--names", *sorted(tables))
    study.run("summarize", made, *names, figures, statistics, f"--summary={folder}/summary.md")
    drawn = []
    of_triage = {
        id_: figure
        for id_, figure in catalogue.figures().items()
        if figure.kind == "triage" and tables.issuperset(figure.needs)
    }
    for name, figure in of_triage.items():
        needed = ["--tables", *(f"{folder}/tables/{table}.parquet" for table in figure.needs)]
        out = [f"--{form}={folder}/figures/{name}.{form}" for form in ("pdf", "png")]
        if study.run("plot", f"--figure={name}", *needed, figures, *out, must=False):
            drawn.append(name)
    text = ", ".join(drawn)
    return Check("figures drawn", f"all {len(of_triage)}", text, len(drawn) == len(of_triage))


def checks(study: Study) -> Iterator[Check]:
    """Hold the tables against the truth."""
    robustness, long = study.table("robustness"), study.table("contrasts")
    spread, calibration = study.table("spread"), study.table("calibration")
    for task in TASKS:
        world, true = study.worlds[task], study.asked[task].shifts
        here = pl.col("task") == task
        verdicts = {row["persona"]: row for row in robustness.filter(here).to_dicts()}
        changed, null = verdicts["changed"], verdicts["null"]
        yield Check(
            f"{task}: the effect", "robust", changed["verdict"], changed["verdict"] == "robust"
        )
        yield _inside(
            f"{task}: effect of its main wording, over items",
            world.effect(true["changed", "main"]),
            [changed["effect"], changed["low"], changed["high"]],
        )
        undecided = null["verdict"] == "not significant"
        words = f"{null['verdict']}, {'' if null['equivalent'] else 'not '}equivalent"
        yield Check(f"{task}: the persona without effect", "none", words, undecided)
        # Calibration figures have an accuracy too, that of the answers with a confidence.
        main = long.filter(
            here
            & (pl.col("variant") == "main")
            & (pl.col("metric") == "accuracy")
            & pl.col("confidence").is_null()
        )
        yield _covered(
            f"{task}: intervals over items that hold the effect of the main wording",
            [
                (world.effect(true[row["persona"], "main"]), row["low"], row["high"])
                for row in main.to_dicts()
            ],
        )
        yield _covered(
            f"{task}: intervals over wordings that hold the effect of the persona on these items",
            [
                (
                    world.effect_on(study.asked[task], study.shifts[task][persona]),
                    row["wording_low"],
                    row["wording_high"],
                )
                for persona, row in verdicts.items()
            ],
        )
        row = spread.filter(here & (pl.col("kind") == "paraphrase")).to_dicts()[0]
        at = study.shifts[task].values()
        variance = [world.wording_sd(shift) ** 2 for shift in at]
        of_items = [world.item_sd(shift) ** 2 for shift in at]
        expected = float(np.sqrt(np.mean(variance) + np.mean(of_items)))
        freedom = row["n_effects"] - row["n_sets"]
        low, high = expected * np.sqrt(chi2.ppf([0.005, 0.995], freedom) / freedom)
        yield Check(
            f"{task}: SD of the wordings' effects",
            f"{_points(np.sqrt(np.mean(variance)))}; with the noise of the items "
            f"{_points(expected)}",
            f"{_points(row['sd_observed'])} with the noise (99% of samples: {_points(low)} to "
            f"{_points(high)}), {_points(row['sd'])} without",
            bool(low <= row["sd_observed"] <= high),
        )
        plain = calibration.filter(
            here
            & (pl.col("persona") == "changed")
            & (pl.col("variant") == "main")
            & (pl.col("confidence") == "top_label")
        )
        figures = {(r["metric"], r["recalibration"]): r for r in plain.to_dicts()}
        truth = world.calibration(true["changed", "main"])
        for title, metric, name in (
            ("overconfidence", "overconfidence", "overconfidence"),
            ("calibration error, 10 equal-width bins", "ece_equal_width", "ece"),
            ("calibration error, smooth", "smooth_ece", "ece"),
        ):
            row = figures[metric, "none"]
            yield _inside(
                f"{task}: {title}", truth[name], [row[k] for k in ("value", "low", "high")]
            )
        before, after = (figures["log_loss", method]["value"] for method in ("none", "temperature"))
        yield Check(
            f"{task}: log loss with the temperature undone",
            "less than before",
            f"{after:.3f}, before {before:.3f}",
            after < before,
        )
    yield _interaction(study)


def _interaction(study: Study) -> Check:
    """The effect in one context minus that in the other."""
    table = study.table("interaction").filter(
        (pl.col("persona") == "changed") & pl.col("versus").is_not_null()
    )
    row = table.to_dicts()[0]
    effects_of = {
        task: world.effect(study.asked[task].shifts["changed", "main"])
        for task, world in study.worlds.items()
    }
    truth = effects_of[row["context"]] - effects_of[row["versus"]]
    found = [row[f"points{part}"] / 100 for part in ("", "_low", "_high")]
    return _inside(f"effect in {row['context']} minus in {row['versus']}", truth, found)


def _covered(what: str, found: Sequence[tuple[float, float, float]]) -> Check:
    """How many intervals hold the truth; so few would be seen once in a hundred studies."""
    held = sum(low <= truth <= high for truth, low, high in found)
    level = STATISTICS["confidence"]
    least = binom.ppf(0.01, len(found), level)
    return Check(what, f"{level:.0%}", f"{held} of {len(found)}", bool(held >= least))


def _points(share: float) -> str:
    return words.number(100 * share, 1)


def _inside(what: str, truth: float, found: Sequence[float]) -> Check:
    value, low, high = found
    text = f"{_points(value)} ({_points(low)} to {_points(high)})"
    return Check(what, _points(truth), text, low <= truth <= high)


# --- report ----------------------------------------------------------------------------------


def report(
    sizes: Mapping[str, int],
    held: Sequence[Check],
    nulls: Mapping[str, Mapping[str, Rate]],
    found: Found,
) -> str:
    """Everything, as Markdown."""
    many = len(CONTROLS)
    lines = [
        f"One study through the scripts ({sizes['items']} items in each of two tasks, "
        f"{len(PERSONAS) - 1} personas of 3 wordings, {len(CONTROLS)} of them controls, "
        f"{sizes['draws']:,} draws; in points):",
        "",
        "| | truth | found | |",
        "|---|---|---|---|",
        *(f"| {c.what} | {c.truth} | {c.found} | {'✓' if c.right else '**no**'} |" for c in held),
        "",
        f"{sizes['nulls']} studies without any effect of meaning ({sizes['items']} items in each "
        f"of two tasks, {JUDGED} personas and {len(CONTROLS)} controls of 3 wordings, "
        f"{sizes['few']} draws), "
        "with 95% Wilson intervals:",
        "",
        "| claimed | " + " | ".join(nulls) + " |",
        "|---|" + "---|" * len(nulls),
    ]
    for name in next(iter(nulls.values())):
        lines.append(f"| {name} | {' | '.join(str(rates[name]) for rates in nulls.values())} |")
    for title in SPREADS:
        ns = sorted({n for _, n, _, _ in found})
        lines += [
            "",
            f"Effects found where {title} ({sizes['power']} studies of one task each):",
            "",
            "| | " + " | ".join(f"n = {n:,}" for n in ns) + " |",
            "|---|" + "---|" * len(ns),
        ]
        for effect in EFFECTS:
            for name in ("significant", *RULES):
                for controls in (ALONE, many, FEW) if name == "robust" else (many,):
                    said = f" with {controls} controls" if controls else ", judged alone"
                    rates = [str(found[title, n, controls, effect][name]) for n in ns]
                    points = f"{100 * effect:.0f} points {name}{said}"
                    lines.append(f"| {points} | {' | '.join(rates)} |")
        for name in ("equivalent", *RULES):
            rates = [str(found[title, n, many, 0.0][name]) for n in ns]
            lines.append(f"| no effect, called {name} | {' | '.join(rates)} |")
    return "\n".join(lines)


LEFT_MM, HEIGHT_MM, HEAD_MM, TICKS_MM = 11.0, 52.0, 8.0, 9.0
FAMILY = (
    "any contrast significant after Holm, per study",
    "any persona robust, per model and task",
    "any persona robust by intervals, per model and task",
)
LOOKS = {FAMILY[0]: ("#D55E00", "s"), FAMILY[1]: ("#009E73", "v"), FAMILY[2]: ("#CC79A7", "P")}
OF_ITEMS = dict(zip(ITEMS, (("#56B4E9", "^"), ("#0072B2", "o"), ("#000000", "D")), strict=True))


def draw(
    sizes: Mapping[str, int],
    nulls: Mapping[str, Mapping[str, Rate]],
    found: Found,
    path: Path,
) -> None:
    """Draw what is claimed where nothing is, and how often effects are found."""
    ns = sorted({n for _, n, _, _ in found})
    key = [
        *(Entry(name, ink.filled(*LOOKS[name])) for name in FAMILY),
        Entry("5%", line={"color": ink.DARK, "linestyle": (0, (4, 2))}),
        *(Entry(f"n = {n:,}, robust, judged alone", ink.filled(*OF_ITEMS[n])) for n in ns),
        *(Entry(f"{JUDGED} judged together, n = {n:,}", ink.hollow(*OF_ITEMS[n])) for n in ns),
    ]
    notes = [
        f"Left: {sizes['nulls']} studies, n = {sizes['items']} in each of two tasks; {JUDGED} "
        f"personas, {len(CONTROLS)} controls, 3 wordings. Right: {sizes['power']} studies of one "
        "task each.",
        "Lines are 95% Wilson intervals.",
        "Judged together: personas of 5, 10, 15 and 20 points, and three without effect.",
        f"Seed {SEED}.",
    ]
    with ink.context():
        sheet = Sheet(
            {"title": "Simulated studies, of which the truth is known"},
            "How often an effect is claimed, where there is none (left) and where there is one",
            HEAD_MM + HEIGHT_MM + TICKS_MM,
            key,
            notes,
        )
        pitch = ink.INNER_MM / 3
        titles = ["No persona has an effect of its meaning", *SPREADS]
        for i, title in enumerate(titles):
            left = i * pitch
            text = typeset.wrap(title[0].upper() + title[1:], pitch - 4, ink.PANEL_PT, "bold")
            sheet.text(left, 0, text, size=ink.PANEL_PT, weight="bold")
            axes = sheet.axes(left + LEFT_MM, HEAD_MM, pitch - LEFT_MM - 4, HEIGHT_MM)
            axes.set_ylim(0, 100)
            axes.set_ylabel("studies (%)" if i else "claimed falsely (%)")
            axes.grid(axis="y", color=ink.PALE, linewidth=0.4)
            axes.set_axisbelow(True)
            if not i:
                for j, (name, rates) in enumerate(nulls.items()):
                    for k, what in enumerate(FAMILY):
                        _mark(axes, j + (k - 1) / 4, rates[what], LOOKS[what], f"{name}|{what}")
                axes.axhline(5, color=ink.DARK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
                axes.set_xlim(-0.5, len(nulls) - 0.5)
                short = ["chance\nalone", "wordings\ndiffer", "sentences\ndiffer"]
                axes.set_xticks(range(len(nulls)), short)
                continue
            for k, n in enumerate(ns):
                for controls in (ALONE, len(CONTROLS)):
                    beside = 2 * k - len(ns) + (0.5 if controls == ALONE else 1.5)
                    places = [100 * e + 0.6 * beside for e in EFFECTS]
                    rates = [found[title, n, controls, e]["robust"] for e in EFFECTS]
                    for x, one in zip(places, rates, strict=True):
                        gid = f"{title}|{n}|{controls}|{x}"
                        _mark(axes, x, one, OF_ITEMS[n], gid, full=controls == ALONE)
            axes.set_xlim(2, 23)
            axes.set_xticks([100 * e for e in EFFECTS])
            axes.set_xlabel("true effect (points)")
    ink.save(sheet.figure, path, "png")


def _mark(
    axes: Any, x: float, one: Rate, look: tuple[str, Any], gid: str, *, full: bool = True
) -> None:
    low, high = one.interval
    marks.interval(axes, [x, x], [100 * low, 100 * high], f"interval|{gid}", color=look[0])
    kind: Callable[..., dict[str, Any]] = ink.filled if full else ink.hollow
    marks.point(axes, x, 100 * one.share, f"point|{gid}", **kind(*look))


SIZES = {"items": 300, "draws": 2000, "few": 500, "nulls": 40, "power": 40}
QUICK = {"items": 100, "draws": 300, "few": 200, "nulls": 4, "power": 2}


def main() -> None:
    """Simulate, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="a small version")
    parser.add_argument("--write", action="store_true", help="into README.md here and docs/figures")
    parser.add_argument("--folder", type=Path, help="keep the study of the scripts here")
    options = parser.parse_args()
    sizes = QUICK if options.quick else SIZES
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        study = write_study(folder, sizes["items"], sizes["draws"])
        # Holm's adjustment of statsmodels collects garbage; what is here now is none.
        gc.freeze()
        drawn = run_scripts(study)
        held = [*checks(study), drawn]
        print("\n".join(map(str, held)), flush=True)
        nulls = {}
        for number, null in enumerate(NULLS):
            nulls[null.title] = null_rates(
                null, sizes["nulls"], sizes["items"], sizes["few"], number
            )
            print(null.title, {k: str(v) for k, v in nulls[null.title].items()}, flush=True)
        found = power(sizes["power"], sizes["few"])
        text = report(sizes, held, nulls, found)
        print(text)
        draw(sizes, nulls, found, FIGURE if options.write else folder / "simulated_study.png")
    if options.write:
        readme.write("simulated_study.py", text)


if __name__ == "__main__":
    main()
