"""Figures: they show what the tables hold, nothing else, and the same bytes every time."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
import yaml
from captions import caption
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from persona_paradox import config
from persona_paradox.figures import (
    persona_effect,
    reliability,
    risk_plane,
    style,
    triage_accuracy,
)
from persona_paradox.files import canonical_json
from persona_paradox.responses import SCHEMA, human_responses
from persona_paradox.scoring import score

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
FIGURES: dict[str, Any] = {
    "triage_accuracy": triage_accuracy,
    "reliability": reliability,
    "risk_plane": risk_plane,
    "persona_effect": persona_effect,
}
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
ONE_MODEL, ONE_TASK = {"small": MODELS["small"]}, {"primary": TASKS["primary"]}
UNREADABLE = ("big", "primary", "ed_nurse")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- a study on random answers, through the real scoring and table code ---------------------


@dataclass(frozen=True)
class Results:
    """Tables of a study and the settings of its figures."""

    folder: Path
    settings: dict[str, Any]
    _drawn: dict[str, Figure] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        return {path.stem: pl.read_parquet(path) for path in sorted(self.folder.glob("*.parquet"))}

    def draw(self, figure: str) -> Figure:
        """The figure, drawn once."""
        if figure not in self._drawn:
            self._drawn[figure] = self.draw_anew(figure)
        return self._drawn[figure]

    def draw_anew(self, figure: str) -> Figure:
        drawn = FIGURES[figure].draw(self.tables, self.settings)
        assert isinstance(drawn, Figure)
        return drawn


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
) -> Results:
    generator = np.random.Generator(np.random.PCG64(SEED))
    view: dict[str, Any] = {"baseline": "no_persona", "cells": [], "human": [], "tasks": {}}
    view["groups"] = {persona: about["group"] for persona, about in personas.items()}
    scores = folder / "scores"
    (folder / "items").mkdir()

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
            "kind": "teaching" if teaching else "real",
            "cost": {"under": 2, "over": 1},
            "high_acuity": levels[:1],
            "levels": levels,
            "labels_by_urgency": labels,
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
            view["human"].append(["human", task, "nurse"])
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
    statistics_file, calibration = folder / "statistics.json", folder / "calibration"
    for model, task, persona in view["cells"]:
        cell = Path(model, task, f"{persona}.parquet")
        script("calibrate").main(
            Namespace(
                scores=scores / cell,
                settings=statistics_file,
                calibration=calibration / cell,
                draws=calibration / cell.with_suffix(".draws.parquet"),
            )
        )
    script("aggregate").main(
        Namespace(
            cells=folder / "cells.json",
            statistics=statistics_file,
            scores=scores,
            calibration=calibration,
            recalibration=None,
            items=folder / "items",
            tables=folder / "tables",
            threads=1,
        )
    )
    return Results(folder / "tables", settings)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Results:
    two = {name: PERSONAS[name] for name in ("no_persona", "ed_nurse")}
    folder = tmp_path_factory.mktemp("smallest")
    return make(folder, models=ONE_MODEL, tasks=ONE_TASK, personas=two, variants=("main",))


# --- what can be read back from a figure -----------------------------------------------------


def lines(figure: Figure, kind: str) -> dict[str, Line2D]:
    """The lines of a kind, by the cell that they stand for."""
    found: dict[str, Line2D] = {}
    for axes in figure.axes:
        for line in axes.lines:
            gid = str(line.get_gid())
            if gid.startswith(f"{kind}|"):
                name = gid.removeprefix(f"{kind}|")
                # A human rater stands in the panel of every model.
                assert name not in found or name.startswith("human|")
                found[name] = line
    return found


def numbers(line: Line2D) -> tuple[list[float], list[float]]:
    x, y = line.get_data()
    return [float(v) for v in np.asarray(x)], [float(v) for v in np.asarray(y)]


def place(line: Line2D) -> tuple[float, float]:
    (x,), (y,) = numbers(line)
    return x, y


def texts(figure: Figure) -> list[Text]:
    found = [*figure.texts]
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        found += [*axes.get_xticklabels(), *axes.get_yticklabels()] if axes.axison else []
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in texts(figure)).replace("\n", " ")


def by_cell(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    keys = ("model", "task", "persona", "variant")
    return {"|".join(row[key] for key in keys): row for row in table.iter_rows(named=True)}


def of_models(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("model") != "human")


# --- bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_equal_tables_give_equal_bytes(study: Results, figure: str, tmp_path: Path) -> None:
    forms: tuple[Literal["pdf", "png"], ...] = ("pdf", "png")
    for form in forms:
        for i in range(2):
            style.save(study.draw_anew(figure), tmp_path / f"{i}.{form}", form)
        first, second = ((tmp_path / f"{i}.{form}").read_bytes() for i in range(2))
        assert first == second
    assert not [b for b in (b"tEXt", b"tIME", b"iTXt") if b in first]
    pdf = (tmp_path / "0.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/FontFile2" in pdf  # TrueType
    assert b"/Type3" not in pdf


def test_script_gives_the_same_bytes_in_every_process(smallest: Results, tmp_path: Path) -> None:
    # A user's own matplotlib settings and the hashing of the process change nothing.
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\npdf.fonttype: 3\n")
    outputs = []
    for i, environment in enumerate(
        ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "MATPLOTLIBRC": str(tmp_path)})
    ):
        out = tmp_path / str(i)
        command = [sys.executable, str(SCRIPTS / "plot.py"), "--figure", "triage_accuracy"]
        command += ["--tables", str(smallest.folder)]
        command += ["--settings", str(smallest.folder.parent / "figures.json")]
        command += ["--pdf", f"{out}.pdf", "--png", f"{out}.png", "--log", f"{out}.log"]
        subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)
        outputs.append([Path(f"{out}.{form}").read_bytes() for form in ("pdf", "png")])
    assert outputs[0] == outputs[1]
    style.save(smallest.draw("triage_accuracy"), tmp_path / "here.png", "png")
    assert (tmp_path / "here.png").read_bytes() == outputs[0][1]


def test_script_names_a_missing_table_in_one_sentence(smallest: Results, tmp_path: Path) -> None:
    settings = smallest.folder.parent / "figures.json"
    command = [sys.executable, str(SCRIPTS / "plot.py"), "--figure", "reliability"]
    command += ["--tables", str(tmp_path), "--settings", str(settings)]
    command += ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "cells.parquet is missing; run snakemake to make it" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


# --- what is drawn is what the tables hold ----------------------------------------------------


def test_accuracy_stands_at_the_tables_values(study: Results) -> None:
    figure = study.draw("triage_accuracy")
    cells = by_cell(of_models(study.tables["cells"]))
    points = lines(figure, "point")
    assert len(points) == 2 * 3 * (1 + 2 * 3)
    assert {name: place(line)[0] for name, line in points.items()} == {
        name: row["accuracy"] for name, row in cells.items()
    }
    main = {name: row for name, row in cells.items() if row["variant"] == "main"}
    assert {name: numbers(line)[0] for name, line in lines(figure, "interval").items()} == {
        name: [row["accuracy_low"], row["accuracy_high"]] for name, row in main.items()
    }
    for name, line in points.items():
        hollow = to_hex(line.get_markerfacecolor()) == "#ffffff"
        assert hollow == (name not in main)


def test_effect_stands_at_the_tables_values(study: Results) -> None:
    figure = study.draw("persona_effect")
    of_answers = (pl.col("metric") == "accuracy") & pl.col("confidence").is_null()
    contrasts = by_cell(study.tables["contrasts"].filter(of_answers))
    points = lines(figure, "point")
    assert len(points) == 2 * 3 * 2 * 3
    assert {name: place(line)[0] for name, line in points.items()} == {
        name: 100 * row["difference"] for name, row in contrasts.items()
    }
    assert {name: numbers(line)[0] for name, line in lines(figure, "interval").items()} == {
        name: [100 * row["low"], 100 * row["high"]]
        for name, row in contrasts.items()
        if row["variant"] == "main"
    }
    drawn = words(figure)
    for row in contrasts.values():
        if row["variant"] == "main":
            invalid = f"{row['n_invalid']}/{row['n']} ({row['n_invalid_baseline']}/{row['n']})"
            assert invalid in drawn
            assert f"{row['n_changed']}/{row['n']}" in drawn
            assert (
                f"{100 * row['difference']:+.1f} [".replace("-", "−").replace("+0.0", "0.0")
                in drawn
            )
            if row["p_holm"] is not None and row["p_holm"] >= 0.001:
                assert f"{row['p_holm']:.3f}" in drawn


def test_risk_plane_stands_at_the_tables_values(study: Results) -> None:
    figure = study.draw("risk_plane")
    # A rater stands where the items are those of the models.
    drawn = pl.when(pl.col("model") == "human").then(pl.lit("same_items")).otherwise(pl.lit("main"))
    cells = by_cell(study.tables["cells"].filter(pl.col("variant") == drawn))
    points = lines(figure, "point")
    assert len(points) == 2 * 3 * 4 + 1
    assert {name: place(line) for name, line in points.items()} == {
        name: (row["over_triage_rate"], row["under_triage_rate"]) for name, row in cells.items()
    }
    over, under = lines(figure, "over"), lines(figure, "under")
    for name, row in cells.items():
        ends = [row[f"over_triage_rate_{end}"] for end in ("low", "high")]
        assert numbers(over[name]) == (ends, [row["under_triage_rate"]] * 2)
        ends = [row[f"under_triage_rate_{end}"] for end in ("low", "high")]
        assert numbers(under[name]) == ([row["over_triage_rate"]] * 2, ends)


def test_reliability_stands_at_the_tables_values(study: Results) -> None:
    figure = study.draw("reliability")
    bins = study.tables["reliability"].filter(
        (pl.col("metric") == "accuracy_in_bin")
        & (pl.col("confidence") == "top_label")
        & (pl.col("variant") == "main")
        & (pl.col("n") > 0)
    )
    expected = {
        f"{row['model']}|{row['task']}|{row['persona']}|{row['bin']}": row
        for row in bins.iter_rows(named=True)
    }
    points = lines(figure, "point")
    assert {name: place(line) for name, line in points.items()} == {
        name: (row["mean_confidence"], row["value"]) for name, row in expected.items()
    }
    assert {name: numbers(line)[1] for name, line in lines(figure, "interval").items()} == {
        name: [row["low"], row["high"]] for name, row in expected.items()
    }
    # The area without the white edge is in proportion to the number of items in a cell.
    cell = [name for name in points if name.startswith("small|records|no_persona|")]
    areas = [(float(points[name].get_markersize()) - 0.4) ** 2 for name in cell]
    per_item = [area / expected[name]["n"] for area, name in zip(areas, cell, strict=True)]
    assert per_item == pytest.approx([per_item[0]] * len(cell))
    drawn = words(figure)
    for row in (
        of_models(study.tables["cells"]).filter(pl.col("variant") == "main").iter_rows(named=True)
    ):
        names = [f"ece_equal_width_top_label{end}" for end in ("", "_low", "_high")]
        value, low, high = (row[name] for name in names)
        assert f"ECE {value:.2f} [{low:.2f}, {high:.2f}]" in drawn


def test_human_rater_is_a_line_with_n(study: Results) -> None:
    figure = study.draw("triage_accuracy")
    cells = by_cell(study.tables["cells"])
    row = cells.get("human|records|nurse|same_items") or cells["human|records|nurse|main"]
    (line,) = lines(figure, "rater").values()
    assert numbers(line)[0] == [row["accuracy"]] * 2
    (band,) = (p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle))
    ends = [band.get_x(), band.get_x() + band.get_width()]
    assert ends == pytest.approx([row["accuracy_low"], row["accuracy_high"]])
    same = " on the same items" if row["variant"] == "same_items" else ""
    assert f"Triage nurse{same}, n = 30" in words(figure)


def test_a_guess_is_one_over_the_levels(study: Results) -> None:
    chance = lines(study.draw("triage_accuracy"), "chance")
    assert {task: numbers(line)[0][0] for task, line in chance.items()} == {
        task: 1 / n_levels for task, (_, n_levels, _) in TASKS.items()
    }


def test_personas_stand_in_the_studys_order_with_controls_apart(study: Results) -> None:
    for figure in ("triage_accuracy", "persona_effect"):
        points = lines(study.draw(figure), "point")
        main = {n: place(p)[1] for n, p in points.items() if n.startswith("small|records|")}
        main = {n.split("|")[2]: y for n, y in main.items() if n.endswith("|main")}
        order = ["no_persona", "ed_physician", "ed_nurse", "layperson"]
        assert sorted(main, key=main.__getitem__) == [p for p in order if p in main]
        gaps = np.diff(sorted(main.values()))
        assert gaps[-1] > gaps[0]


def test_a_persona_looks_the_same_in_every_figure(smallest: Results) -> None:
    looks: dict[str, set[tuple[str, str]]] = {}
    for figure in FIGURES:
        for name, line in lines(smallest.draw(figure), "point").items():
            look = (to_hex(line.get_color()), str(line.get_marker()))
            looks.setdefault(name.split("|")[2], set()).add(look)
    assert all(len(found) == 1 for found in looks.values())
    assert len(set.union(*looks.values())) == 2


def test_looks_differ_in_shape_and_colour() -> None:
    looks = style.looks([f"persona_{i}" for i in range(40)])
    assert len({(look.colour, look.marker) for look in looks.values()}) == 40
    first = list(looks.values())[:11]
    assert len({look.marker for look in first}) == len({look.colour for look in first}) == 11


def test_models_have_a_shape_each(study: Results) -> None:
    points = lines(study.draw("triage_accuracy"), "point")
    shapes: dict[str, set[bytes]] = {}
    for name, line in points.items():
        outline = MarkerStyle(line.get_marker()).get_path().vertices
        shapes.setdefault(name.split("|")[0], set()).add(np.asarray(outline).tobytes())
    assert [len(found) for found in shapes.values()] == [1, 1]
    assert not set.intersection(*shapes.values())
    assert set(MODELS.values()) <= {t.get_text() for t in texts(study.draw("triage_accuracy"))}


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_words_name_study_n_interval_and_seed(study: Results, figure: str) -> None:
    drawn = words(study.draw(figure))
    assert study.settings["title"] in drawn
    for n, _, _ in TASKS.values():
        assert f"n = {n}" in drawn
    assert f"seed {SEED}" in drawn
    assert f"{DRAWS} " in drawn
    assert "90% " in drawn
    assert "Author-written teaching cases, not clinically validated." in drawn
    assert "Triage of primary (teaching cases)" in drawn
    assert "Triage of records (teaching cases)" not in drawn


def test_words_call_the_triage_rates_our_own(study: Results) -> None:
    drawn = words(study.draw("risk_plane"))
    assert "our own definition: an invalid answer counts in neither" in drawn
    for row in of_models(study.tables["cells"]).iter_rows(named=True):
        if row["variant"] == "main" and row["n_invalid"]:
            title = study.settings["personas"][row["persona"]]["title"]
            assert f"{title} {row['n_invalid']}/{row['n']}" in drawn


def test_invalid_answers_are_counted_beside_the_accuracy(study: Results) -> None:
    found = [t.get_text() for t in study.draw("triage_accuracy").texts]
    shown = sorted(text for text in found if text.endswith(" invalid"))
    main = of_models(study.tables["cells"]).filter(pl.col("variant") == "main")
    assert shown == sorted(f"{r['n_invalid']}/{r['n']} invalid" for r in main.iter_rows(named=True))


def test_warning_where_a_binned_error_is_biased(study: Results) -> None:
    heads = [t.get_text() for t in study.draw("reliability").texts]
    # Below 25: two tasks of two models.
    assert heads.count("⚠ n < 25: binned ECE is biased upwards") == 2 * 2
    assert heads.count("n = 24 (< 25)") == heads.count("n = 18 (< 25)") == 2 * 4
    assert heads.count("n = 30 (< 25)") == 0


@pytest.mark.parametrize("figure", FIGURES)
def test_no_teaching_note_without_teaching_cases(study: Results, figure: str) -> None:
    real = {name: t.filter(pl.col("task") == "records") for name, t in study.tables.items()}
    drawn = words(FIGURES[figure].draw(real, study.settings))
    assert "teaching" not in drawn
    assert "Not medical advice." in drawn


# --- what may be missing ----------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_one_model_and_one_task(smallest: Results, figure: str) -> None:
    drawn = smallest.draw(figure)
    points = lines(drawn, "point")
    assert {name.split("|")[2] for name in points} == (
        {"ed_nurse"} if figure == "persona_effect" else {"no_persona", "ed_nurse"}
    )
    assert "Small model 1B" in words(drawn)
    assert "not available" not in words(drawn)


def test_unreadable_answers_are_struck_out(study: Results) -> None:
    name = "|".join(UNREADABLE)
    for figure in ("triage_accuracy", "persona_effect", "risk_plane"):
        drawn = study.draw(figure)
        struck, points = lines(drawn, "struck"), lines(drawn, "point")
        variants = ["main"] if figure == "risk_plane" else ["main", "paraphrase_1"]
        assert set(struck) == {f"{name}|{variant}" for variant in variants}
        for key, line in struck.items():
            assert place(line) == place(points[key])
    bold = [t for t in study.draw("triage_accuracy").texts if t.get_text() == "18/18 invalid"]
    assert [t.get_fontweight() for t in bold] == ["bold"]
    panels = [a for a in study.draw("reliability").axes if to_hex(a.get_facecolor()) != "#ffffff"]
    assert [t.get_text() for a in panels for t in a.texts] == ["all answers invalid"]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_cell_without_figures_says_so(study: Results, figure: str) -> None:
    tables = study.tables
    gone = (pl.col("persona") == "ed_physician") & (pl.col("task") == "records")

    def blank(table: pl.DataFrame) -> pl.DataFrame:
        floats = pl.col(pl.Float64)
        if "persona" not in table.columns:
            return table
        return table.with_columns(pl.when(~gone).then(floats).name.keep())

    emptied = {name: blank(table) for name, table in tables.items()}
    drawn = FIGURES[figure].draw(emptied, study.settings)
    left = [name for name in lines(drawn, "point") if "|records|ed_physician|" in name]
    assert left == []
    if figure != "risk_plane":
        assert words(drawn).count("not available") >= 2


def test_a_plane_without_points_says_so(smallest: Results) -> None:
    tables = smallest.tables
    rates = pl.col("^(over|under)_triage_rate.*$")
    tables["cells"] = (
        tables["cells"]
        .with_columns(pl.lit(None, pl.Float64).alias("x"))
        .with_columns(pl.when(False).then(rates).name.keep())
    )
    drawn = risk_plane.draw(tables, smallest.settings)
    assert not lines(drawn, "point")
    assert "not available" in words(drawn)


def test_a_study_of_the_baseline_alone(tmp_path: Path) -> None:
    alone = {"no_persona": PERSONAS["no_persona"]}
    made = make(tmp_path, models=ONE_MODEL, tasks=ONE_TASK, personas=alone, variants=("main",))
    drawn = made.draw("persona_effect")
    assert not lines(drawn, "point")
    assert "not available: the study has no persona beside the baseline" in words(drawn)
    assert len(lines(made.draw("triage_accuracy"), "point")) == 1


# --- points on each other ---------------------------------------------------------------------


def test_markers_on_one_place_stay_visible_and_stay_there(study: Results) -> None:
    tables = study.tables
    rates = [
        f"{side}_triage_rate{end}" for side in ("over", "under") for end in ("", "_low", "_high")
    ]
    shares = [0.4, 0.3, 0.5, 0.2, 0.1, 0.35]
    same = [pl.lit(share).alias(name) for name, share in zip(rates, shares, strict=True)]
    tables["cells"] = of_models(tables["cells"]).with_columns(same)
    drawn = risk_plane.draw(tables, study.settings)
    points = {n: p for n, p in lines(drawn, "point").items() if n.startswith("small|records|")}
    assert {place(p) for p in points.values()} == {(0.4, 0.2)}
    sizes = [float(p.get_markersize()) for p in points.values()]
    assert sizes == sorted(set(sizes))
    hollow = [p.get_markerfacecolor() == "none" for p in points.values()]
    assert hollow == [False, True, True, True]
    assert set(points) <= set(lines(drawn, "listed"))


# --- the page ---------------------------------------------------------------------------------


def page_texts(figure: Figure) -> Iterator[tuple[str, Any]]:
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in texts(figure):
        yield text.get_text(), text.get_window_extent(renderer)


def assert_page_is_clean(drawn: Figure) -> None:
    """Nothing is cut off, and no text of the page lies on another."""
    with style.context():
        drawn.canvas.draw()
        boxes = list(page_texts(drawn))
    width, height = drawn.bbox.width, drawn.bbox.height
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text
    own = {t.get_text() for t in drawn.texts}
    written = [(text, box) for text, box in boxes if text in own]
    for (one, a), (other, b) in combinations(written, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert not (across > 1 and down > 1), (one, other)


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off_and_no_text_lies_on_another(study: Results, figure: str) -> None:
    settings = study.settings | {
        "title": "A title that is far longer than a line of the page can hold, as some are, " * 2,
        "personas": {
            name: about | {"title": f"{about['title']} with a long name that has to be broken"}
            for name, about in study.settings["personas"].items()
        },
    }
    for chosen in (study.settings, settings):
        assert_page_is_clean(FIGURES[figure].draw(study.tables, chosen))


def test_the_word_for_human_raters_is_the_configurations() -> None:
    assert style.HUMAN == config.HUMAN


# --- captions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FIGURES, "table"])
def test_caption_tells_interval_seed_and_what_the_cases_are(name: str) -> None:
    of_table = name == "table"
    file = name if of_table else "figure"
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    own = {"seed": 77, "limit": 12, "statistics": {"confidence": 0.999, "draws": 321}}
    for settings in (default, own, {}, {"statistics": None}):
        text = caption(file, settings, figure=name)
        assert "author-written and not clinically validated" in text
        assert "Not medical advice." in text
        assert "own definition" in text
    text = caption(file, own, figure=name)
    title = "table of the study" if of_table else name.replace("_", " ").capitalize()
    assert text.removeprefix("A ").startswith(f"**{title}")
    assert "99.9% " in text
    assert "321 " in text
    assert "77" in text
    assert "at most 12 items per task" in text
