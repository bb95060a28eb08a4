"""Figures: they show what the tables hold, nothing else, and the same bytes every time."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from argparse import Namespace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import random_answers
from captions import assert_caption_tells, assert_table_caption_tells
from drawings import (
    ENDLESS,
    Study,
    assert_page_is_clean,
    is_hollow,
    lines,
    numbers,
    place,
    saved,
    texts,
    words,
)
from matplotlib.colors import to_hex
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle
from random_answers import DRAWS, MODELS, SEED, TASKS, UNREADABLE
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.figures import ink, typeset

PLOT = ROOT / "workflow/scripts/plot.py"
FIGURES = ("triage_accuracy", "reliability", "risk_plane", "persona_effect")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return random_answers.study(tmp_path_factory, "whole")


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return random_answers.study(tmp_path_factory, "smallest")


def by_cell(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    keys = ("model", "task", "persona", "variant")
    return {"|".join(row[key] for key in keys): row for row in table.iter_rows(named=True)}


def of_models(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("model") != "human")


# --- bytes ----------------------------------------------------------------------------------


def test_every_process_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    # A user's own matplotlib settings and the hashing of the process change nothing.
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\npdf.fonttype: 3\n")
    environment = {"PYTHONHASHSEED": "2", "MATPLOTLIBRC": str(tmp_path)}
    folder = random_answers.folder_of(tmp_path_factory, "smallest")
    made = random_answers.study(tmp_path_factory, "smallest")
    command = [sys.executable, str(PLOT), "--figure", "triage_accuracy"]
    command += ["--tables", str(folder / "tables/cells.parquet")]
    command += ["--settings", str(folder / "figures.json")]
    command += ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)
    pdf, png = ((tmp_path / f"a.{form}").read_bytes() for form in ("pdf", "png"))
    assert (pdf, png) == saved(made, "triage_accuracy", tmp_path)
    assert not [b for b in (b"tEXt", b"tIME", b"iTXt") if b in png]
    assert b"CreationDate" not in pdf


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    files = {"pdf": tmp_path / "a.pdf", "png": tmp_path / "a.png", "settings": tmp_path / "s.json"}
    options = Namespace(figure="reliability", tables=[tmp_path / "cells.parquet"], **files)
    with pytest.raises(InputError, match=r"cells\.parquet is missing; run snakemake to make it"):
        runpy.run_path(str(PLOT))["main"](options)
    assert not list(tmp_path.iterdir())


# --- what is drawn is what the tables hold ----------------------------------------------------


def test_accuracy_stands_at_the_tables_values(study: Study) -> None:
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
    assert {name for name, line in points.items() if is_hollow(line)} == points.keys() - main.keys()


def test_effect_stands_at_the_tables_values(study: Study) -> None:
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


def test_risk_plane_stands_at_the_tables_values(study: Study) -> None:
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


def test_reliability_stands_at_the_tables_values(study: Study) -> None:
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


def test_human_rater_is_a_line_with_n(study: Study) -> None:
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


def test_a_guess_is_one_over_the_levels(study: Study) -> None:
    chance = lines(study.draw("triage_accuracy"), "chance")
    assert {task: numbers(line)[0][0] for task, line in chance.items()} == {
        task: 1 / n_levels for task, (_, n_levels, _) in TASKS.items()
    }


def test_personas_stand_in_the_studys_order_with_controls_apart(study: Study) -> None:
    for figure in ("triage_accuracy", "persona_effect"):
        points = lines(study.draw(figure), "point")
        main = {n: place(p)[1] for n, p in points.items() if n.startswith("small|records|")}
        main = {n.split("|")[2]: y for n, y in main.items() if n.endswith("|main")}
        order = ["no_persona", "ed_physician", "ed_nurse", "layperson"]
        assert sorted(main, key=main.__getitem__) == [p for p in order if p in main]
        gaps = np.diff(sorted(main.values()))
        assert gaps[-1] > gaps[0]


def test_a_persona_looks_the_same_in_every_figure(smallest: Study) -> None:
    looks: dict[str, set[tuple[str, str]]] = {}
    for figure in FIGURES:
        for name, line in lines(smallest.draw(figure), "point").items():
            look = (to_hex(line.get_color()), str(line.get_marker()))
            looks.setdefault(name.split("|")[2], set()).add(look)
    assert all(len(found) == 1 for found in looks.values())
    assert len(set.union(*looks.values())) == 2


def test_looks_differ_in_shape_and_colour() -> None:
    looks = ink.looks([f"persona_{i}" for i in range(40)])
    assert len({(look.colour, look.marker) for look in looks.values()}) == 40
    first = list(looks.values())[:11]
    assert len({look.marker for look in first}) == len({look.colour for look in first}) == 11


def test_models_have_a_shape_each(study: Study) -> None:
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
def test_words_name_study_n_interval_and_seed(study: Study, figure: str) -> None:
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


def test_words_call_the_triage_rates_our_own(study: Study) -> None:
    drawn = words(study.draw("risk_plane"))
    assert "our own definition: an invalid answer counts in neither" in drawn
    for row in of_models(study.tables["cells"]).iter_rows(named=True):
        if row["variant"] == "main" and row["n_invalid"]:
            title = study.settings["personas"][row["persona"]]["title"]
            assert f"{title} {row['n_invalid']}/{row['n']}" in drawn


def test_invalid_answers_are_counted_beside_the_accuracy(study: Study) -> None:
    found = [t.get_text() for t in study.draw("triage_accuracy").texts]
    shown = sorted(text for text in found if text.endswith(" invalid"))
    main = of_models(study.tables["cells"]).filter(pl.col("variant") == "main")
    assert shown == sorted(f"{r['n_invalid']}/{r['n']} invalid" for r in main.iter_rows(named=True))


def test_warning_where_a_binned_error_is_biased(study: Study) -> None:
    heads = [t.get_text() for t in study.draw("reliability").texts]
    # Below 25: two tasks of two models.
    assert heads.count("⚠ n < 25: binned ECE is biased upwards") == 2 * 2
    assert heads.count("n = 24 (< 25)") == heads.count("n = 18 (< 25)") == 2 * 4
    assert heads.count("n = 30 (< 25)") == 0


@pytest.mark.parametrize("figure", FIGURES)
def test_no_teaching_note_without_teaching_cases(study: Study, figure: str) -> None:
    real = {name: t.filter(pl.col("task") == "records") for name, t in study.tables.items()}
    drawn = words(study.changed(real).draw(figure))
    assert "teaching" not in drawn
    assert "Not medical advice." in drawn


# --- what may be missing ----------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_one_model_and_one_task(smallest: Study, figure: str) -> None:
    drawn = smallest.draw(figure)
    points = lines(drawn, "point")
    assert {name.split("|")[2] for name in points} == (
        {"ed_nurse"} if figure == "persona_effect" else {"no_persona", "ed_nurse"}
    )
    assert "Small model 1B" in words(drawn)
    assert "not available" not in words(drawn)


def test_unreadable_answers_are_struck_out(study: Study) -> None:
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
def test_a_cell_without_figures_says_so(study: Study, figure: str) -> None:
    gone = (pl.col("persona") == "ed_physician") & (pl.col("task") == "records")
    blank = pl.when(~gone).then(pl.col(pl.Float64)).name.keep()
    emptied = {
        name: table.with_columns(blank) if "persona" in table.columns else table
        for name, table in study.tables.items()
    }
    drawn = study.changed(emptied).draw(figure)
    left = [name for name in lines(drawn, "point") if "|records|ed_physician|" in name]
    assert left == []
    if figure != "risk_plane":
        assert words(drawn).count("not available") >= 2


def test_a_plane_without_points_says_so(smallest: Study) -> None:
    rates = pl.col("^(over|under)_triage_rate.*$")
    cells = smallest.tables["cells"].with_columns(pl.when(False).then(rates).name.keep())
    drawn = smallest.changed({"cells": cells}).draw("risk_plane")
    assert not lines(drawn, "point")
    assert "not available" in words(drawn)


def test_a_study_of_the_baseline_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = random_answers.study(tmp_path_factory, "baseline alone")
    drawn = made.draw("persona_effect")
    assert not lines(drawn, "point")
    assert "not available: the study has no persona beside the baseline" in words(drawn)
    assert len(lines(made.draw("triage_accuracy"), "point")) == 1


# --- points on each other ---------------------------------------------------------------------


def test_markers_on_one_place_stay_visible_and_stay_there(study: Study) -> None:
    rates = [
        f"{side}_triage_rate{end}" for side in ("over", "under") for end in ("", "_low", "_high")
    ]
    shares = [0.4, 0.3, 0.5, 0.2, 0.1, 0.35]
    same = [pl.lit(share).alias(name) for name, share in zip(rates, shares, strict=True)]
    cells = of_models(study.tables["cells"]).with_columns(same)
    drawn = study.changed({"cells": cells}).draw("risk_plane")
    points = {n: p for n, p in lines(drawn, "point").items() if n.startswith("small|records|")}
    assert {place(p) for p in points.values()} == {(0.4, 0.2)}
    sizes = [float(p.get_markersize()) for p in points.values()]
    assert sizes == sorted(set(sizes))
    hollow = [p.get_markerfacecolor() == "none" for p in points.values()]
    assert hollow == [False, True, True, True]
    assert set(points) <= set(lines(drawn, "listed"))


# --- the page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off_and_no_text_lies_on_another(study: Study, figure: str) -> None:
    assert_page_is_clean(study.draw(figure))
    assert_page_is_clean(study.wordy("personas").draw(figure))


@pytest.mark.parametrize("width", [8.0, 30.0, 170.0])
def test_a_line_holds_as_many_words_as_fit(width: float) -> None:
    text = "A longerthanalinecanbe word, (iiii) WWWW 90% " * 9
    broken = typeset.wrap(text, width, ink.SMALL_PT).split("\n")
    assert "".join(broken).replace(" ", "") == text.replace(" ", "")
    # A word is broken where it is longer than the line, and only there.
    assert (" ".join(broken).split() == text.split()) == (width > 10)
    assert all(typeset.width_of(line, ink.SMALL_PT) <= width for line in broken)
    for line, following in pairwise(broken):
        more = f"{line} {following.split()[0]}"
        assert typeset.width_of(more, ink.SMALL_PT) > width
    assert typeset.wrap(" ", width, ink.SMALL_PT) == ""


# --- captions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_caption_tells_interval_seed_and_what_the_cases_are(name: str) -> None:
    assert_caption_tells(name)


def test_caption_of_tables_tells_as_much() -> None:
    assert_table_caption_tells()


@pytest.mark.parametrize("title", ENDLESS, ids=["blanks", "none"])
@pytest.mark.parametrize("figure", FIGURES)
def test_titles_that_are_longer_than_the_page_are_broken(
    study: Study, figure: str, title: str
) -> None:
    assert_page_is_clean(study.endless(title).draw_anew(figure))
