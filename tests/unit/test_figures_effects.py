"""Figures of the effects of personas: they show what the tables hold, nothing else."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import random_answers
from captions import caption
from drawings import (
    ENDLESS,
    Study,
    assert_page_is_clean,
    boxes,
    is_hollow,
    lines,
    numbers,
    place,
    saved,
    words,
)
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from root import ROOT
from titles import TITLES as NAMES

from persona_paradox.figures import ink
from persona_paradox.figures.catalogue import figures
from persona_paradox.figures.words import bootstrap_note, number, share_note
from persona_paradox.files import canonical_json

FIGURES = ("triage_accuracy", "persona_effect", "spread", "subgroup_effects")
NEW = ("persona_effect", "spread", "subgroup_effects")
SEED, DRAWS = 90210, 123

PERSONAS = {
    "no_persona": ("No persona", "paper"),
    "helpful_assistant": ("Helpful assistant", "paper"),
    "ed_physician": ("ED physician", "paper"),
    "ed_nurse": ("ED nurse", "paper"),
    "ed_physician_bold": ("ED physician, bold", "paper"),
    "ed_physician_cautious": ("ED physician, cautious", "paper"),
    "general_practitioner": ("General practitioner", "comparison"),
    "layperson": ("Layperson", "comparison"),
    "bridge_engineer": ("Bridge engineer", "control"),
    "pastry_chef": ("Pastry chef", "control"),
    "museum_librarian": ("Museum librarian", "control"),
    "neutral_sentence": ("Neutral sentence, no role", "control"),
    "neutral_fact": ("Neutral fact, no role", "control"),
}
FEW_PERSONAS = ("no_persona", "ed_physician", "layperson", "pastry_chef", "neutral_fact")
MODELS = {
    "small": "Small model 1B",
    "middle": "Middle model 8B (server)",
    "big": "Big model 70B",
}
# Context, items, levels, whether the cases are for teaching.
TASKS: dict[str, tuple[str, int, int, bool]] = {
    "triage_ktas": ("emergency", 300, 5, False),
    "triage_ed": ("emergency", 60, 5, True),
    "triage_primary": ("primary_care", 60, 3, True),
}
TWO_TASKS = ("triage_ktas", "triage_primary")
GROUPS = {
    "sex": {"female": 0.48, "male": 0.5, "not recorded": 0.02},
    "age": {"below 40": 0.4, "40–64": 0.35, "65 and above": 0.25},
    "arrival": {"walked in": 0.5, "ambulance": 0.3, "private vehicle": 0.15, "other": 0.05},
}
TITLES = {"sex": "Sex", "age": "Age", "arrival": "Arrival"}
WORDINGS = ("main", "paraphrase_1", "paraphrase_2")
UNREADABLE = ("triage_primary", "ed_physician")
CONFIDENCE, TOO_FEW, SMALL = 0.95, 10, 30
# A study in which nothing is too few.
LARGE: dict[str, Any] = {"models": ("small",), "tasks": ("triage_ktas",), "subgroups": False}
LARGE |= {"personas": FEW_PERSONAS}


# --- tables as the contracts have them, written by hand --------------------------------------


TEXT, WHOLE, SHARE, FLAG = pl.String, pl.Int64, pl.Float64, pl.Boolean
KEYS = {"model": TEXT, "task": TEXT, "persona": TEXT, "context": TEXT, "dataset": TEXT}
COUNTS = {"backend": TEXT, "n": WHOLE, "n_invalid": WHOLE}
SCHEMAS: dict[str, dict[str, Any]] = {
    "cells": KEYS
    | {"variant": TEXT}
    | COUNTS
    | {"n_not_run": WHOLE}
    | dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), SHARE),
    "contrasts": KEYS
    | {"variant": TEXT, "metric": TEXT, "confidence": TEXT}
    | COUNTS
    | dict.fromkeys(("n_invalid_baseline", "n_changed", "n_gained", "n_lost"), WHOLE)
    | dict.fromkeys(("value", "baseline_value", "difference", "low", "high"), SHARE)
    | {"against": TEXT}
    | {"test": TEXT, "p": SHARE, "in_family": FLAG, "p_holm": SHARE}
    | dict.fromkeys(("detectable", "margin", "equivalence_p"), SHARE)
    | {"equivalent": FLAG},
    "robustness": KEYS
    | {"metric": TEXT}
    | COUNTS
    | {"effect": SHARE, "low": SHARE, "high": SHARE, "p_holm": SHARE, "verdict": TEXT}
    | {
        f"{of}_{name}": SHARE
        for of, name in product(("wording", "control"), ("mean", "sd", "min", "max", "low", "high"))
    }
    | dict.fromkeys(("beyond_low", "beyond_high"), SHARE)
    | {"n_wordings": WHOLE, "n_controls": WHOLE},
    "spread": {name: kind for name, kind in KEYS.items() if name != "persona"}
    | {"metric": TEXT, "kind": TEXT}
    | COUNTS
    | {"n_sets": WHOLE, "n_effects": WHOLE}
    | dict.fromkeys(("sd_observed", "sd", "low", "high", "smallest", "largest"), SHARE),
    "subgroups": KEYS
    | {"subgroup": TEXT, "group": TEXT, "metric": TEXT}
    | COUNTS
    | {"n_invalid_baseline": WHOLE}
    | dict.fromkeys(("value", "low", "high"), SHARE)
    | dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm"), SHARE)
    | {"small": FLAG},
}
VERDICTS = (
    "not significant",
    "not beyond wording",
    "not beyond controls",
    "too few wordings",
    "robust",
)


def _settings(models: list[str], tasks: list[str], personas: list[str]) -> dict[str, Any]:
    def of_task(task: str) -> dict[str, Any]:
        context, n, n_levels, teaching = TASKS[task]
        sample = f"{task}: at most {n} items, drawn with seed {SEED}, with every item of level 1."
        return {
            "title": f"Triage of {task.removeprefix('triage_')}",
            "dataset": f"Data set {task}",
            "teaching": teaching,
            "context": context,
            "levels": [f"Level {i}" for i in range(n_levels)],
            "high_acuity": 1,
            "sample": None if teaching else sample,
            "clustered": task == "triage_ktas",
            "subgroups": TITLES,
        }

    return {
        "title": "A study of random answers",
        "baseline": "no_persona",
        "seed": SEED,
        "confidence": CONFIDENCE,
        "draws": DRAWS,
        "interval": "bca",
        "power": 0.8,
        "margin": 0.05,
        "binned_ece_warning_below": 100,
        "too_few_below": TOO_FEW,
        "small_group_below": SMALL,
        "models": {model: MODELS[model] for model in models},
        "personas": {
            persona: {"title": PERSONAS[persona][0], "group": PERSONAS[persona][1]}
            for persona in sorted(personas)
        },
        "raters": {"triage_nurse": "Triage nurse"},
        **NAMES,
        "tasks": {task: of_task(task) for task in sorted(tasks)},
    }


Rows = dict[str, list[dict[str, Any]]]


def make(
    *,
    models: tuple[str, ...] = tuple(MODELS),
    tasks: tuple[str, ...] = tuple(TASKS),
    personas: tuple[str, ...] = tuple(PERSONAS),
    wordings: tuple[str, ...] = WORDINGS,
    subgroups: bool = True,
) -> Study:
    """Tables of random figures that hang together as those of a study do."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    rows: Rows = {name: [] for name in SCHEMAS}
    for model, task in product(models, tasks):
        _add_cells(rows, generator, model, task, personas=personas, wordings=wordings)
    alone = personas == ("no_persona",)
    if not alone:
        _add_robustness(rows)
        _add_spread(rows)
    if subgroups and not alone:
        _add_groups(rows, generator)
    if "triage_ktas" in tasks:
        _add_rater(rows)
    settings = _settings(list(models), list(tasks), list(personas))
    for about in settings["tasks"].values():
        about["subgroups"] = TITLES if subgroups else {}
    tables = {
        name: pl.DataFrame(
            [{column: row.get(column) for column in schema} for row in rows[name]], schema=schema
        )
        for name, schema in SCHEMAS.items()
    }
    return Study(tables, settings)


def _add_cells(
    rows: Rows,
    generator: np.random.Generator,
    model: str,
    task: str,
    *,
    personas: tuple[str, ...],
    wordings: tuple[str, ...],
) -> None:
    context, n, _, _ = TASKS[task]
    base, half = float(generator.uniform(0.4, 0.7)), float(0.8 / np.sqrt(n))
    for persona in personas:
        meaning = 0.01 if PERSONAS[persona][1] == "control" else 0.06
        centre = float(generator.normal(0, meaning))
        for variant in wordings if persona != "no_persona" else ("main",):
            effect = round(n * (centre + float(generator.normal(0, 0.015)))) / n
            unreadable = (task, persona) == UNREADABLE and model == "small"
            effect = 0.0 if persona == "no_persona" else -base if unreadable else effect
            row = {"model": model, "task": task, "persona": persona, "variant": variant}
            row |= {"context": context, "dataset": f"Data set {task}", "backend": "llama.cpp"}
            row |= {"n": n, "n_invalid": n if unreadable else int(generator.integers(12))}
            right = base + effect
            ends = {"accuracy_low": max(right - half, 0.0), "accuracy_high": right + half}
            rows["cells"].append(row | {"n_not_run": 0, "accuracy": right} | ends)
            if persona != "no_persona":
                _add_contrast(rows, generator, row, base, effect)


def _add_contrast(
    rows: Rows, generator: np.random.Generator, row: dict[str, Any], base: float, effect: float
) -> None:
    main, clustered = row["variant"] == "main", row["task"] == "triage_ktas"
    half = float(1.2 / np.sqrt(row["n"]))
    p = float(generator.uniform(0, 0.2)) ** 2
    contrast = row | {
        "against": "persona",
        "metric": "accuracy",
        "n_invalid_baseline": 3,
        "n_changed": int(generator.integers(row["n"])),
        "value": base + effect,
        "baseline_value": base,
        "difference": effect,
        "low": effect - half,
        "high": effect + half,
        "test": "clustered McNemar" if clustered else "exact McNemar",
        "p": p,
        "in_family": main,
        "p_holm": min(1.0, 12 * p) if main else None,
        "detectable": None if clustered else 1.3 * half,
        "margin": 0.05,
        "equivalent": abs(effect) < 0.01,
    }
    # Others follow, which the figures must not mistake for it.
    other = {"metric": "under_triage_rate", "difference": 0.31}
    of_confidence = {"metric": "brier", "confidence": "top_label", "difference": 0.5}
    of_label = {"confidence": "top_label", "difference": 0.4, "n": 2}
    of_arm = {"against": "arm", "difference": 0.22}
    others = (other, of_confidence, of_label, of_arm)
    rows["contrasts"] += [contrast, *(contrast | changed for changed in others)]


def _accuracy(rows: Rows) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """Contrasts in accuracy by model and task, then by persona."""
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows["contrasts"]:
        of_answers = row["metric"] == "accuracy" and row.get("confidence") is None
        if of_answers and row["against"] == "persona":
            of = found.setdefault((row["model"], row["task"]), {})
            of.setdefault(row["persona"], []).append(row)
    return found


def _add_robustness(rows: Rows) -> None:
    for personas in _accuracy(rows).values():
        means = {p: float(np.mean([r["difference"] for r in of])) for p, of in personas.items()}
        controls = [means[p] for p in means if PERSONAS[p][1] == "control"]
        control: dict[str, Any] = {"n_controls": len(controls)}
        if len(controls) > 1:
            centre, sd = float(np.mean(controls)), float(np.std(controls, ddof=1))
            control |= {"control_mean": centre, "control_sd": sd}
            control |= {"beyond_low": centre - 4 * sd, "beyond_high": centre + 4 * sd}
        judged = [of for p, of in personas.items() if PERSONAS[p][1] != "control"]
        for i, of in enumerate(judged):
            verdict = VERDICTS[i % len(VERDICTS)]
            known = {"verdict": verdict, "wording_mean": means[of[0]["persona"]]}
            row = {**of[0], **known, **control, "n_wordings": len(of), "effect": 0.0}
            rows["robustness"] += [row, row | {"metric": "cost", "verdict": "not judged"}]


def _add_spread(rows: Rows) -> None:
    for i, personas in enumerate(_accuracy(rows).values()):
        first = next(iter(personas.values()))[0]
        controls = [p for p in personas if PERSONAS[p][1] == "control"]
        wordings = sum(len(of) for of in personas.values())
        row = {**first, "smallest": -0.05, "largest": 0.07}
        for kind, n_effects in (("paraphrase", wordings), ("control", len(controls))):
            known = n_effects > (len(personas) if kind == "paraphrase" else 1)
            sd = (
                {"sd_observed": 0.03, "sd": 0.021 + 0.01 * i, "low": 0.011, "high": 0.034}
                if known
                else {}
            )
            row |= {"kind": kind, "n_sets": 1, "n_effects": n_effects, "low": None, "high": None}
            rows["spread"].append(row | sd)
            rows["spread"].append(row | sd | {"metric": "cost", "sd": 0.777})


def _add_groups(rows: Rows, generator: np.random.Generator) -> None:
    main = [of[0] for personas in _accuracy(rows).values() for of in personas.values()]
    base = [row for row in rows["cells"] if row["persona"] == "no_persona"]
    for row, subgroup in product([*base, *main], GROUPS):
        for group, share in GROUPS[subgroup].items():
            n = round(share * row["n"])
            half = float(1.2 / np.sqrt(n))
            known = row | {"metric": "accuracy", "subgroup": subgroup, "group": group}
            known |= {"n": n, "n_invalid": int(generator.integers(min(n, 9))), "small": n < SMALL}
            known |= {"n_invalid_baseline": 1, "value": 0.5, "low": 0.4, "high": 0.6}
            known |= {"difference": None, "p_holm": None}
            if row["persona"] != "no_persona":
                effect = row["difference"] + float(generator.normal(0, half / 4))
                ends = {"difference_low": effect - half, "difference_high": effect + half}
                p_holm = float(generator.uniform(0, 1)) if abs(effect) < half else 0.004
                known |= {"difference": effect, "p": 0.003, "p_holm": p_holm} | ends
            rows["subgroups"] += [known, known | {"metric": "cost", "difference": 0.77}]


def _add_rater(rows: Rows) -> None:
    nurse = {"model": "human", "task": "triage_ktas", "persona": "triage_nurse"}
    nurse |= {"context": "emergency", "dataset": "Data set triage_ktas", "n_invalid": 0}
    for variant, n, right in (("main", 1245, 0.85), ("same_items", 300, 0.83)):
        ends = {"accuracy_low": right - 0.03, "accuracy_high": right + 0.03}
        nurse |= {"variant": variant, "n": n, "n_not_run": 0, "accuracy": right}
        rows["cells"].append(nurse | ends)


@pytest.fixture(scope="module")
def study() -> Study:
    return make(models=("small", "big"))


@pytest.fixture(scope="module")
def some() -> Study:
    """The same of a few personas."""
    return make(models=("small", "big"), personas=FEW_PERSONAS)


@pytest.fixture(scope="module")
def wordy(study: Study) -> Study:
    """The same with long titles, percentile intervals, and items that hang together nowhere."""
    tasks = {task: about | {"clustered": False} for task, about in study.settings["tasks"].items()}
    return study.changed(tasks=tasks, interval="percentile").wordy("personas", "tasks", "models")


@pytest.fixture(scope="module")
def smallest() -> Study:
    return make(models=("small",), tasks=("triage_primary",), personas=FEW_PERSONAS)


def name_of(row: dict[str, Any], *more: str) -> str:
    return "|".join([row["model"], row["task"], row["persona"], *(row[key] for key in more)])


def patches(figure: Figure, kind: str) -> dict[str, tuple[float, float]]:
    """Left and right edge of the rectangles of a kind, by what they stand for."""
    return {
        name: (box.get_x(), box.get_x() + box.get_width())
        for name, box in boxes(figure, kind).items()
    }


def signed(share: float) -> str:
    return number(100 * share, 1, signed=True)


# --- what is drawn is what the tables hold ----------------------------------------------------


def test_forest_plot_stands_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("persona_effect")
    rows = study.rows("contrasts", against="persona", confidence=None, metric="accuracy")
    main = [row for row in rows if row["variant"] == "main"]
    points = lines(drawn, "point")
    assert {name: place(line)[0] for name, line in points.items()} == {
        name_of(row, "variant"): 100 * row["difference"] for row in rows
    }
    assert {name for name, line in points.items() if is_hollow(line)} == {
        name_of(row, "variant") for row in rows if row["variant"] != "main"
    }
    assert {name: numbers(line)[0] for name, line in lines(drawn, "interval").items()} == {
        name_of(row, "variant"): [100 * row["low"], 100 * row["high"]] for row in main
    }
    brackets = {n: np.nanmax(numbers(line)[0]) for n, line in lines(drawn, "detectable").items()}
    known = [row for row in main if row["detectable"] is not None]
    assert known
    assert brackets == pytest.approx({name_of(row): 100 * row["detectable"] for row in known})


@pytest.mark.parametrize("figure", ["persona_effect", "spread"])
def test_spread_of_the_controls_is_shaded_where_it_is(study: Study, figure: str) -> None:
    bands = patches(study.draw(figure), "band")
    rows = study.rows("robustness", metric="accuracy")
    assert set(bands) == {name_of(row) for row in rows}
    for row in rows:
        ends = (100 * row["beyond_low"], 100 * row["beyond_high"])
        assert bands[name_of(row)] == pytest.approx(ends)


@pytest.mark.parametrize("figure", ["persona_effect", "spread"])
def test_a_band_is_explained_where_it_is(study: Study, figure: str) -> None:
    """One control has no spread."""
    personas = ("no_persona", "ed_physician", "pastry_chef")
    alone = make(models=("small",), tasks=("triage_primary",), personas=personas)
    for one, there in ((study, True), (alone, False)):
        drawn = one.draw(figure)
        assert bool(patches(drawn, "band")) == there
        assert ("Band: as far as one further control" in words(drawn)) == there


def test_forest_plot_says_what_the_tables_say(study: Study) -> None:
    drawn = words(study.draw("persona_effect"))
    for row in study.rows(
        "contrasts", against="persona", confidence=None, metric="accuracy", variant="main"
    ):
        value, low, high = (signed(row[name]) for name in ("difference", "low", "high"))
        assert f"{value} [{low}, {high}]" in drawn
        assert f"{row['n_changed']}/{row['n']}" in drawn
        assert f"{row['n_invalid']}/{row['n']} (3/{row['n']})" in drawn
        assert ("<0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}") in drawn
    found = [text.get_text() for text in study.draw("persona_effect").texts]
    rows = study.rows("robustness", metric="accuracy")
    for verdict in VERDICTS:
        assert found.count(verdict) == sum(row["verdict"] == verdict for row in rows)
    controls = [
        row
        for row in study.rows(
            "contrasts", against="persona", confidence=None, metric="accuracy", variant="main"
        )
    ]
    controls = [row for row in controls if PERSONAS[row["persona"]][1] == "control"]
    assert found.count("–") == len(controls)
    equal = study.rows(
        "contrasts",
        against="persona",
        confidence=None,
        metric="accuracy",
        variant="main",
        equivalent=True,
    )
    assert equal
    assert found.count("≈") == len(equal)
    assert "within ±5 points" in drawn


def test_forest_plot_has_a_panel_per_context(study: Study, smallest: Study) -> None:
    found = [text.get_text() for text in study.draw("persona_effect").texts]
    heads = [text for text in found if text.endswith(" care")]
    assert heads == ["a   Emergency care", "b   Primary care"]
    assert found.index("Triage of ktas") < found.index("Triage of ed (teaching cases)")
    assert found.index("Triage of ed (teaching cases)") < found.index(heads[1])
    # One axis of differences per context, the same for all.
    limits = {axes.get_xlim() for axes in study.draw("persona_effect").axes if axes.axison}
    assert len(limits) == 1
    found = [text.get_text() for text in smallest.draw("persona_effect").texts]
    assert [text for text in found if text.endswith(" care")] == ["Primary care"]


def test_spread_stands_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("spread")
    rows = study.rows("contrasts", against="persona", confidence=None, metric="accuracy")
    points = lines(drawn, "point")
    assert {name: place(line)[0] for name, line in points.items()} == {
        name_of(row, "variant"): 100 * row["difference"] for row in rows
    }
    assert {name for name, line in points.items() if is_hollow(line)} == {
        name_of(row, "variant") for row in rows if row["variant"] != "main"
    }
    means = {name: numbers(line)[0][0] for name, line in lines(drawn, "mean").items()}
    of = {name_of(row): row["wording_mean"] for row in study.rows("robustness", metric="accuracy")}
    for row in rows:
        if PERSONAS[row["persona"]][1] == "control":
            same = [r["difference"] for r in rows if name_of(r) == name_of(row)]
            of[name_of(row)] = float(np.mean(same))
    assert means == pytest.approx({name: 100 * mean for name, mean in of.items()})


def test_spread_tells_the_standard_deviations(study: Study) -> None:
    found = [text.get_text() for text in study.draw("spread").texts]
    rows = study.rows("spread", metric="accuracy")
    assert len(rows) == 2 * 3 * 2
    for row in rows:
        text = f"{100 * row['sd']:.1f} [1.1, 3.4] ({row['n_effects']})"
        assert found.count(text) == len(
            [r for r in rows if (r["sd"], r["n_effects"]) == (row["sd"], row["n_effects"])]
        )
    assert "77.7" not in words(study.draw("spread"))
    judged = study.rows("robustness", metric="accuracy")
    for verdict in VERDICTS:
        assert found.count(verdict) == sum(row["verdict"] == verdict for row in judged)


def shown_groups(study: Study) -> list[dict[str, Any]]:
    rows = study.rows("subgroups", metric="accuracy")
    return [r for r in rows if r["persona"] != "no_persona" and r["n"] >= TOO_FEW]


def test_groups_stand_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("subgroup_effects")
    rows = shown_groups(study)
    key = ("subgroup", "group")
    points = lines(drawn, "point")
    assert {name: place(line)[0] for name, line in points.items()} == {
        name_of(row, *key): 100 * row["difference"] for row in rows
    }
    assert {name: numbers(line)[0] for name, line in lines(drawn, "interval").items()} == {
        name_of(row, *key): [100 * row["difference_low"], 100 * row["difference_high"]]
        for row in rows
    }
    small = {name_of(row, *key) for row in rows if row["small"]}
    assert small
    assert {name for name, line in points.items() if is_hollow(line)} == small
    grey = {n for n, line in lines(drawn, "interval").items() if line.get_color() == ink.GREY}
    assert grey == small
    # Every mark lies in its panel, but for intervals of small groups, which end in an arrow.
    for axes in drawn.axes:
        low, high = axes.get_xlim()
        for line in axes.lines:
            kind, _, name = str(line.get_gid()).partition("|")
            x, _ = numbers(line)
            if kind == "point":
                assert low <= x[0] <= high
            elif kind == "interval" and (x[0] < low or x[1] > high):
                assert name in small
                assert name in lines(drawn, "beyond")


def test_groups_tell_n_invalid_and_what_is_significant(study: Study) -> None:
    drawn = study.draw("subgroup_effects")
    found = [text.get_text() for text in drawn.texts]
    stars = [text for text in drawn.texts if text.get_gid() == "star"]
    rows = [row for row in shown_groups(study) if row["p_holm"] < 1 - CONFIDENCE]
    assert rows
    assert len(stars) == len(rows)
    assert "* p (Holm) < 0.05" in words(drawn)
    panels = 2  # lines of panels of a task
    for task, (_, n, _, _) in TASKS.items():
        assert any(f"n = {n} items" in text for text in found), task
        for subgroup, groups in GROUPS.items():
            for group, share in groups.items():
                assert str(round(share * n)) in found
                sign = "⚠ " if round(share * n) < SMALL else ""
                assert found.count(f"{sign}{group}") >= panels
            assert found.count(TITLES[subgroup]) == 3 * panels
    in_panels = [text.get_text() for axes in drawn.axes for text in axes.texts]
    few = [
        row
        for row in study.rows("subgroups", metric="accuracy")
        if row["n"] < TOO_FEW and row["persona"] != "no_persona"
    ]
    assert in_panels.count("too few") == len(few) > 0
    counts = [str(row["n_invalid"]) for row in study.rows("subgroups", metric="accuracy")]
    assert all(found.count(count) > 0 for count in counts)


def test_human_line_is_that_of_the_models_items(study: Study) -> None:
    drawn = study.draw("triage_accuracy")
    (line,) = lines(drawn, "rater").values()
    assert numbers(line)[0] == [0.83, 0.83]
    assert "Triage nurse on the same items, n = 300" in words(drawn)
    same = pl.col("variant") == "same_items"
    of_all = study.changed({"cells": study.tables["cells"].filter(~same)})
    drawn = of_all.draw("triage_accuracy")
    (line,) = lines(drawn, "rater").values()
    assert numbers(line)[0] == [0.85, 0.85]
    assert "Triage nurse, n = 1245" in words(drawn)


def test_figures_of_tables_that_the_workflow_made(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = random_answers.study(tmp_path_factory, "one model")
    of_answers = (pl.col("metric") == "accuracy") & pl.col("confidence").is_null()
    of_answers &= pl.col("against") == "persona"
    wordings = made.tables["contrasts"].filter(of_answers)
    groups = made.tables["subgroups"].filter(
        (pl.col("metric") == "accuracy") & pl.col("difference").is_not_null() & (pl.col("n") >= 5)
    )
    expected = {
        "persona_effect": wordings["difference"],
        "spread": wordings["difference"],
        "subgroup_effects": groups["difference"],
    }
    for figure, values in expected.items():
        drawn = made.draw(figure)
        found = [place(line)[0] for line in lines(drawn, "point").values()]
        assert len(found) == 3 * 3 * (3 if figure == "subgroup_effects" else 2)
        assert sorted(found) == pytest.approx(sorted(100 * value for value in values))
        # The only control has no spread.
        assert ("not available" in words(drawn)) == (figure == "spread")
        assert_page_is_clean(drawn)


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_words_name_study_n_interval_seed_and_sample(study: Study, figure: str) -> None:
    drawn = words(study.draw(figure))
    assert study.settings["title"] in drawn
    for _, n, _, _ in TASKS.values():
        assert f"n = {n}" in drawn
    assert f"seed {SEED}" in drawn
    assert f"{DRAWS} " in drawn
    assert "95% " in drawn
    assert drawn.count(study.settings["tasks"]["triage_ktas"]["sample"]) == 1
    assert "Author-written teaching cases, not clinically validated. Not medical advice." in drawn


@pytest.mark.parametrize("figure", NEW)
def test_words_say_how_intervals_were_made_and_what_is_our_own(
    study: Study, wordy: Study, figure: str
) -> None:
    assert "our own definition" in words(study.draw(figure))
    kind = "basic" if figure == "spread" else "BCa"
    over = "over items, in Triage of ktas over clusters of items"
    assert f"95% {kind} bootstrap intervals {over}" in words(study.draw(figure))
    kind = "basic" if figure == "spread" else "percentile"
    assert f"95% {kind} bootstrap intervals over items (123 draws" in words(wordy.draw(figure))


def test_all_tasks_clustered() -> None:
    settings = _settings(["small"], ["triage_ktas"], ["no_persona"])
    note = "95% BCa bootstrap intervals over clusters of items (123 draws"
    assert bootstrap_note(settings).startswith(note)
    assert share_note(settings, ["triage_ktas"]).startswith(note)
    settings = _settings(["small"], list(TASKS), ["no_persona"])
    assert f"no draws; in Triage of ktas {note}" in share_note(settings, TASKS)
    assert "not used here" in share_note(settings, ["triage_ed"])


# --- what may be missing ----------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_few_items_are_too_few(some: Study, figure: str) -> None:
    drawn = some.changed(too_few_below=61).draw(figure)
    points = lines(drawn, "point")
    assert points
    assert {name.split("|")[1] for name in points} == {"triage_ktas"}
    kinds = ("interval", "mean", "band", "detectable", "struck")
    left = [name for kind in kinds for name in [*lines(drawn, kind), *patches(drawn, kind)]]
    assert not [name for name in left if "triage_ktas" not in name]
    assert "too few" in words(drawn)
    assert "Too few: fewer than 61 items" in words(drawn)
    assert "Too few" not in words(make(**LARGE).draw(figure))


@pytest.mark.parametrize("figure", FIGURES)
def test_one_model_and_one_task(smallest: Study, figure: str) -> None:
    drawn = smallest.draw(figure)
    personas = {name.split("|")[2] for name in lines(drawn, "point")}
    assert personas == set(FEW_PERSONAS) - ({"no_persona"} if figure in NEW else set())
    assert "Small model 1B" in words(drawn)
    assert_page_is_clean(drawn)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_study_of_the_baseline_alone(figure: str) -> None:
    made = make(models=("small",), tasks=("triage_ed",), personas=("no_persona",))
    # Tables without rows may have lost the kinds of their columns.
    bare = {
        name: table if table.height else pl.DataFrame(schema=dict.fromkeys(table.columns, pl.Null))
        for name, table in made.tables.items()
    }
    for chosen in (made, made.changed(bare)):
        drawn = chosen.draw(figure)
        assert_page_is_clean(drawn)
        if figure in NEW:
            assert not lines(drawn, "point")
            assert "not available: the study has no persona beside the baseline" in words(drawn)
            assert "Not medical advice." in words(drawn)


def test_a_study_without_subgroups_says_so() -> None:
    made = make(models=("small",), personas=FEW_PERSONAS, subgroups=False)
    drawn = made.draw("subgroup_effects")
    assert "The data sets of this study declare no subgroups." in words(drawn)
    assert not lines(drawn, "point")
    assert_page_is_clean(drawn)


def test_a_task_without_subgroups_is_named(some: Study) -> None:
    groups = some.tables["subgroups"].filter(pl.col("task") != "triage_ed")
    drawn = words(some.changed({"subgroups": groups}).draw("subgroup_effects"))
    assert "Without subgroups in their data sets: Triage of ed." in drawn


def test_without_robustness_there_is_no_verdict(some: Study) -> None:
    plain = some.changed({name: some.tables[name].clear() for name in ("robustness", "spread")})
    for figure in ("persona_effect", "spread"):
        drawn = plain.draw(figure)
        assert "erdict" not in words(drawn)
        assert "any sentence" not in words(drawn)
        assert not patches(drawn, "band")
        assert len(lines(drawn, "point")) == 2 * 3 * 4 * 3
        assert_page_is_clean(drawn)
    # No margin, no equivalence.
    without = pl.lit(None, pl.Boolean)
    contrasts = plain.tables["contrasts"].with_columns(equivalent=without)
    drawn = plain.changed({"contrasts": contrasts}, margin=None).draw("persona_effect")
    assert "quivalent" not in words(drawn)


@pytest.mark.parametrize("figure", NEW)
def test_a_missing_figure_is_not_available(some: Study, figure: str) -> None:
    gone = (pl.col("persona") == "layperson") & (pl.col("task") == "triage_ed")
    known = pl.when(~gone).then(pl.col(pl.Float64)).name.keep()
    tables = ("contrasts", "robustness", "subgroups")
    drawn = some.changed({n: some.tables[n].with_columns(known) for n in tables}).draw(figure)
    assert not [name for name in lines(drawn, "point") if "|triage_ed|layperson|" in name]
    assert words(drawn).count("not available") >= 2
    assert_page_is_clean(drawn)


@pytest.mark.parametrize("figure", FIGURES)
def test_unreadable_answers_are_struck_out(study: Study, some: Study, figure: str) -> None:
    struck = lines(study.draw(figure), "struck")
    if figure == "subgroup_effects":
        assert not struck
        everything = some.tables["subgroups"].with_columns(n_invalid=pl.col("n"))
        drawn = some.changed({"subgroups": everything}).draw(figure)
        assert len(lines(drawn, "struck")) == len(lines(drawn, "point"))
        return
    name = "small|" + "|".join(UNREADABLE)
    assert set(struck) == {f"{name}|{variant}" for variant in WORDINGS}
    points = lines(study.draw(figure), "point")
    assert {key: place(line) for key, line in struck.items()} == {
        key: place(points[key]) for key in struck
    }


# --- the page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off_and_no_text_lies_on_another(
    study: Study, wordy: Study, figure: str
) -> None:
    assert study.draw(figure).get_figwidth() == pytest.approx(183 / 25.4)
    assert_page_is_clean(study.draw(figure))
    assert_page_is_clean(wordy.draw(figure))


@pytest.mark.parametrize("figure", FIGURES)
def test_three_models_have_a_shape_each(figure: str) -> None:
    made = make(tasks=TWO_TASKS, personas=FEW_PERSONAS)
    drawn = made.draw(figure)
    points = lines(drawn, "point")
    assert {name.split("|")[0] for name in points} == set(MODELS)
    assert all(title in words(drawn) for title in MODELS.values())
    assert_page_is_clean(drawn)
    shapes: dict[str, set[bytes]] = {}
    for name, line in points.items():
        outline = MarkerStyle(line.get_marker()).get_path().vertices
        shapes.setdefault(name.split("|")[0], set()).add(np.asarray(outline).tobytes())
    assert [len(found) for found in shapes.values()] == [1, 1, 1]
    assert len(set.union(*shapes.values())) == 3
    # Models of a persona and a group stand below each other in the same panel.
    rows: dict[tuple[int, float], set[str]] = {}
    for name, line in points.items():
        if "paraphrase" not in name:
            rows.setdefault((id(line.axes), round(place(line)[1], 6)), set()).add(name)
    assert all(len(names) == 1 for names in rows.values())


def test_a_persona_looks_the_same_in_every_figure(smallest: Study) -> None:
    looks: dict[str, set[tuple[str, str]]] = {}
    for figure in FIGURES:
        for name, line in lines(smallest.draw(figure), "point").items():
            look = (to_hex(line.get_color()), str(line.get_marker()))
            looks.setdefault(name.split("|")[2], set()).add(look)
    assert set(looks) == set(FEW_PERSONAS)
    assert all(len(found) == 1 for found in looks.values())


def test_script_draws_from_the_tables_it_needs_and_the_same_in_every_process(
    smallest: Study, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in figures()["spread"].needs]
    for path in paths:
        smallest.tables[path.stem].write_parquet(path)
    settings = tmp_path / "figures.json"
    settings.write_text(canonical_json(smallest.settings), encoding="utf-8")
    command = [sys.executable, str(ROOT / "workflow/scripts/plot.py")]
    command += ["--figure", "spread", "--tables", *map(str, paths), "--settings", str(settings)]
    command += ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    subprocess.run(command, check=True, capture_output=True)
    found = tuple((tmp_path / f"a.{form}").read_bytes() for form in ("pdf", "png"))
    assert found == saved(smallest, "spread", tmp_path)


# --- captions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", NEW)
def test_caption_tells_n_interval_seed_and_what_is_our_own(figure: str) -> None:
    statistics = {"confidence": 0.999, "draws": 321, "interval": "bca", "too_few_below": 7}
    own = {"seed": 77, "limit": 12, "statistics": statistics | {"small_group_below": 44}}
    for settings in (own, {}):
        text = caption(figure, settings)
        assert text.startswith(f"**{figures()[figure].title}")
        assert "own definition" in text
        if settings:
            kind = "basic" if figure == "spread" else "BCa"
            assert f"99.9% {kind} bootstrap" in text
            assert "(321 draws, seed 77)" in text
            assert "fewer than 7" in text
            assert "at most 12 items per task" in text
            assert ("44 items" in text) == (figure == "subgroup_effects")


@pytest.mark.parametrize("title", ENDLESS, ids=["blanks", "none"])
@pytest.mark.parametrize("figure", FIGURES)
def test_titles_that_are_longer_than_the_page_are_broken(
    some: Study, figure: str, title: str
) -> None:
    assert_page_is_clean(some.endless(title).draw_anew(figure))
