"""A study on random answers, through the real scoring and table code."""

from __future__ import annotations

import runpy
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from drawings import Study
from once import built_once
from root import ROOT
from titles import TITLES

from persona_paradox.engine.responses import SCHEMA, human_responses
from persona_paradox.files import canonical_json, read_json
from persona_paradox.kinds.triage.scoring import score

CALIBRATE = ROOT / "workflow/scripts/calibrate.py"
MEASURE = ROOT / "workflow/scripts/measure.py"
TABULATE = ROOT / "workflow/scripts/tabulate.py"
SEED = 90210
DRAWS = 100

# The study's order is not that of the alphabet, which the settings have.
MODELS = {"small": "Small model 1B", "big": "Big model 70B"}
PERSONAS = {
    "no_persona": {"title": "No persona", "group": "paper"},
    "layperson": {"title": "Layperson", "group": "control"},
    "ed_physician": {"title": "ED physician", "group": "paper"},
    "ed_nurse": {"title": "ED nurse", "group": "paper"},
}
# Items, levels from the most urgent, whether the cases are for teaching.
TASKS: dict[str, tuple[int, int, bool]] = {
    "records": (30, 5, False),
    "emergency": (24, 4, True),
    "primary": (18, 3, True),
}
UNREADABLE = ("big", "primary", "ed_nurse")
_ONE = {"models": {"small": MODELS["small"]}, "tasks": {"primary": TASKS["primary"]}}
# What `make` is called with, by the name of the study.
STUDIES: dict[str, dict[str, Any]] = {
    "whole": {},
    "one model": {"models": _ONE["models"]},
    "smallest": _ONE
    | {"personas": {name: PERSONAS[name] for name in ("no_persona", "ed_nurse")}}
    | {"variants": ("main",)},
    "baseline alone": _ONE
    | {"personas": {"no_persona": PERSONAS["no_persona"]}, "variants": ("main",)},
}


def responses(
    generator: np.random.Generator, items: pl.DataFrame, labels: list[str], variant: str
) -> pl.DataFrame:
    """Random answers, of which some cannot be read."""
    log_p = np.log(generator.dirichlet(np.full(len(labels), 0.7), items.height))
    rows = []
    for item, values in zip(items["item_id"], log_p, strict=True):
        readable = generator.random() > 0.08
        text = labels[generator.integers(len(labels))] if readable else "I cannot say."
        row = {"item_id": item, "prompt_id": f"{item}-{variant}", "variant": variant, "repeat": 0}
        rows.append(row | {"text": text, "label_logprob": values.tolist(), "label_mass": 0.9})
    return pl.DataFrame(rows, schema=SCHEMA)


def make(
    folder: Path,
    *,
    models: Mapping[str, str] = MODELS,
    tasks: Mapping[str, tuple[int, int, bool]] = TASKS,
    personas: Mapping[str, Mapping[str, str]] = PERSONAS,
    variants: tuple[str, ...] = ("main", "paraphrase_1"),
    rater: bool = True,
) -> None:
    """Fill a folder with such a study: tables, figures.json, and what they are made of."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    view: dict[str, Any] = {"baseline": "no_persona", "cells": [], "rated": [], "tasks": {}}
    view["groups"] = {persona: about["group"] for persona, about in personas.items()}
    scores = folder / "scores"
    (folder / "items").mkdir(parents=True)

    def write(table: pl.DataFrame, model: str, task: str, name: str) -> None:
        path = scores / model / task / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(path)

    for task, (n, n_levels, teaching) in tasks.items():
        levels = [f"level_{i}" for i in range(n_levels)]
        labels = [str(i + 1) for i in range(n_levels)]
        label_of = dict(zip(levels, labels, strict=True))
        named = [{"label": label_of[level], "level": level} for level in levels]
        scoring = {"labels": named, "levels": levels, "high_acuity": levels[:1]}
        answers = generator.choice(levels, n)
        items = pl.DataFrame(
            {
                "item_id": [f"i{i:03d}" for i in range(n)],
                "reference": [levels[i % n_levels] for i in range(n)],
                "human_nurse": answers,
                "sex": [("f", "m", None)[i % 3] for i in range(n)],
            }
        )
        items.write_parquet(folder / "items" / f"{task}.parquet")
        view["tasks"][task] = {
            "context": "emergency",
            "dataset": task,
            "kind": "triage",
            "origin": "teaching" if teaching else "real",
            "cost": {"under": 2, "over": 1},
            "high_acuity": levels[:1],
            "levels": levels,
            "labels": labels,
            "subgroups": [{"id": "sex", "title": "Sex", "column": "sex"}],
        }
        for model in models:
            for persona in personas:
                view["cells"].append([model, task, persona])
                texts = variants[:1] if persona == "no_persona" else variants
                answered = [responses(generator, items, labels, text) for text in texts]
                table = pl.concat(answered)
                if (model, task, persona) == UNREADABLE:
                    table = table.with_columns(text=pl.lit("I cannot say."))
                write(score(table, items, scoring), model, task, persona)
        if rater and not teaching:
            view["rated"].append(["human", task, "nurse"])
            answered_by_hand = human_responses(items, "nurse", label_of)
            write(score(answered_by_hand, items, scoring), "human", task, "nurse")

    statistics = {
        "bins": 10,
        "confidence": 0.9,
        "draws": DRAWS,
        "seed": SEED,
        "interval": "percentile",
        "folds": 3,
        "power": 0.8,
        "margins": {"accuracy": 0.05},
        "label_mass_warning_below": 0.5,
        "small_group_below": 10,
        "family": {"metrics": ["accuracy"], "wordings": "main", "groups": ["paper", "control"]},
    }
    settings = {
        "title": "A study of random answers",
        "baseline": "no_persona",
        "seed": SEED,
        "confidence": 0.9,
        "draws": DRAWS,
        "binned_ece_warning_below": 25,
        "too_few_below": 5,
        "small_group_below": 10,
        "power": 0.8,
        "interval": "percentile",
        "margin": 0.05,
        "models": dict(models),
        "personas": {persona: dict(personas[persona]) for persona in sorted(personas)},
        "raters": {"nurse": "Triage nurse"},
        **TITLES,
        "tasks": {
            task: {
                "title": f"Triage of {task}",
                "dataset": task,
                "teaching": teaching,
                "context": "emergency",
                "levels": [f"Level {i}" for i in range(n_levels)],
                "high_acuity": 1,
                "sample": None,
                "clustered": False,
                "subgroups": {"sex": "Sex"},
            }
            for task, (_, n_levels, teaching) in sorted(tasks.items())
        },
    }
    for name, content in {"cells": view, "statistics": statistics, "figures": settings}.items():
        (folder / f"{name}.json").write_text(canonical_json(content), encoding="utf-8")
    calibrate = runpy.run_path(str(CALIBRATE))["main"]
    statistics_file, calibration = folder / "statistics.json", folder / "calibration"
    for model, task, persona in view["cells"]:
        cell = Path(model, task, f"{persona}.parquet")
        calibrate(
            Namespace(
                scores=scores / cell,
                settings=statistics_file,
                calibration=calibration / cell,
                draws=calibration / cell.with_suffix(".draws.parquet"),
            )
        )
    measure = runpy.run_path(str(MEASURE))["main"]
    for model, task in dict.fromkeys((m, t) for m, t, _ in view["cells"] + view["rated"]):
        rated = model == "human"
        own = {"baseline": "no_persona", "groups": view["groups"]}
        own |= {"personas": list(personas), "label_mass_warning_below": 0.5}
        (folder / "measures.json").write_text(canonical_json(view["tasks"][task] | own))
        first = scores / next(iter(models)) / task / "no_persona.parquet"
        measure(
            Namespace(
                view=folder / "measures.json",
                statistics=statistics_file,
                kind="triage",
                model=model,
                task=task,
                scores=scores / model / task,
                items=folder / "items" / f"{task}.parquet",
                calibration=None if rated else calibration / model / task,
                recalibration=None,
                base=None,
                raters=["nurse"] if rated else None,
                asked=first if rated else None,
                measures=folder / "measures" / model / task,
            )
        )
    runpy.run_path(str(TABULATE))["main"](
        Namespace(
            cells=folder / "cells.json",
            statistics=statistics_file,
            measures=folder / "measures",
            tables=folder / "tables",
        )
    )


def folder_of(factory: pytest.TempPathFactory, name: str) -> Path:
    """The folder of one of the STUDIES, made once in a run of the tests."""
    return built_once(factory, f"random answers, {name}", lambda path: make(path, **STUDIES[name]))


def study(factory: pytest.TempPathFactory, name: str) -> Study:
    """Tables and settings of one of the STUDIES."""
    folder = folder_of(factory, name)
    tables = {path.stem: pl.read_parquet(path) for path in sorted(folder.glob("tables/*.parquet"))}
    return Study(tables, read_json(folder / "figures.json"))
