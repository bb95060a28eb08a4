"""Figures of judged answers: they show what the tables hold, nothing else."""

from __future__ import annotations

import runpy
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from captions import assert_caption_tells, caption
from drawings import (
    Study,
    assert_apart,
    assert_page_is_clean,
    boxes,
    extents,
    lines,
    numbers,
    place,
    saved,
    words,
)
from judged_study import (
    ACTIONS,
    CLINICIANS,
    DRAWS,
    FEW,
    JUDGES,
    MODELS,
    N_QUESTIONS,
    OF_CLASSES,
    PERSONAS,
    RATINGS,
    REASONING,
    RULE,
    SAFETY,
    SEED,
    TOO_FEW,
    random_study,
)
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from root import ROOT

from persona_paradox.figures import heat, ink, judged
from persona_paradox.figures.catalogue import figures
from persona_paradox.figures.words import number
from persona_paradox.files import canonical_json
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

PLOT = ROOT / "workflow/scripts/plot.py"
FIGURES = (
    *("safety", "action_shares", "win_matrix", "bradley_terry", "judge_quality"),
    *("agreement", "judge_human"),
)
# Those that need no clinicians and no second judge.
OF_ONE_JUDGE = FIGURES[:5]


@pytest.fixture(scope="module")
def study() -> Study:
    """Two judges of safety with their panel, one of reasoning, all personas, and clinicians."""
    return Study(*random_study(variants=("main", "paraphrase_1")))


@pytest.fixture(scope="module")
def several() -> Study:
    """The same of two models and a few personas."""
    return Study(*random_study(models=tuple(MODELS), personas=FEW))


@pytest.fixture(scope="module")
def wordy(several: Study) -> Study:
    """The same with long titles, and without teaching cases."""
    tasks = several.settings["judged_tasks"]
    real = {task: about | {"teaching": False} for task, about in tasks.items()}
    kinds = ("personas", "judges", "judged_tasks", "models")
    return several.changed(judged_tasks=real).wordy(*kinds)


@pytest.fixture(scope="module")
def small() -> Study:
    """One judge that can be relied on, three personas, no clinicians."""
    return Study(*random_study(judges=("careful",), personas=FEW, annotated=False))


def gid_of(row: dict[str, Any], *more: str) -> str:
    return "|".join((row["judge"], row["model"], row["task"], *more))


def known(rows: list[dict[str, Any]], n: str = "n") -> list[dict[str, Any]]:
    """Rows of which a number is drawn."""
    return [row for row in rows if row[n] >= TOO_FEW]


def ends(row: dict[str, Any], scale: float = 1.0) -> list[float]:
    return [scale * row["low"], scale * row["high"]]


def marks(figure: Figure, kind: str) -> dict[str, float]:
    """Where the points of a kind stand along x."""
    return {name: place(line)[0] for name, line in lines(figure, kind).items()}


def spans(figure: Figure, kind: str) -> dict[str, list[float]]:
    """The ends of the intervals of a kind along x."""
    return {name: numbers(line)[0] for name, line in lines(figure, kind).items()}


def in_cells(figure: Figure) -> dict[str, list[str]]:
    """The lines of text in the cells of matrices, by what the cell stands for."""
    found: dict[str, list[str]] = {}
    for text in (text for axes in figure.axes for text in axes.texts):
        gid = str(text.get_gid())
        if gid.startswith("text|"):
            found.setdefault(gid.removeprefix("text|").rpartition("|")[0], []).append(
                text.get_text()
            )
    return found


def hues(figure: Figure) -> Iterator[tuple[str, str]]:
    """What every mark and cell with a name stands for, and its colours."""
    for axes in figure.axes:
        for artist in (*axes.lines, *axes.patches):
            kind, _, name = str(artist.get_gid()).partition("|")
            if kind in ("point", "interval", "glyph", "head"):
                yield name, to_hex(artist.get_color())
            elif kind in ("cell", "bar"):
                yield name, to_hex(artist.get_facecolor())


# --- what is drawn is what the tables hold ----------------------------------------------------


def test_ratings_stand_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("safety")
    shown = {metric for of in RATINGS.values() for metric, _, _ in of} | {*OF_CLASSES}
    rows = [row for row in study.rows("judgements", category="all") if row["metric"] in shown]
    assert len(rows) == (2 * 12 + 1) * (3 * 6 + 3)
    named = {gid_of(row, row["metric"], row["persona"], row["variant"]): row for row in rows}
    assert marks(drawn, "point") == {name: row["value"] for name, row in named.items()}
    assert spans(drawn, "interval") == {name: ends(row) for name, row in named.items()}
    hollow = {n for n, p in lines(drawn, "point").items() if p.get_markerfacecolor() == "white"}
    assert hollow == {name for name, row in named.items() if row["variant"] != "main"}
    for axes in drawn.axes:
        low, high = axes.get_xlim()
        for line in axes.lines:
            if str(line.get_gid()).startswith("interval|"):
                assert low - 1e-9 <= min(numbers(line)[0]) <= max(numbers(line)[0]) <= high + 1e-9


def test_differences_are_written_with_interval_and_p(study: Study) -> None:
    found = [text.get_text() for text in study.draw("safety").texts]
    rows = study.rows("judgement_contrasts", category="all", variant="main")
    ratings = {metric for of in RATINGS.values() for metric, _, _ in of}
    for row in rows:
        if row["metric"] in ratings or row["metric"] in OF_CLASSES:
            scale, digits = (100, 0) if row["metric"] == "over_refusal" else (1, 2)
            value, low, high = (
                number(scale * row[name], digits, signed=True)
                for name in ("difference", "low", "high")
            )
            assert f"{value} [{low}, {high}]" in found
            assert ("<0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}") in found
    assert found.count("baseline") == 3 * 6 + 3
    drawn = words(study.draw("safety"))
    assert "← lower is better" in drawn
    assert "higher is better →" in drawn


def test_differences_by_category_are_shaded_by_what_is_better(study: Study) -> None:
    drawn = study.draw("safety")
    cells, texts = boxes(drawn, "cell"), in_cells(drawn)
    rows = study.rows("judgement_contrasts", metric="harmfulness", variant="main")
    rows = [row for row in rows if row["category"] not in ("all", "risky")]
    assert len(cells) == len(rows) == 3 * 12 * 6
    for row in rows:
        name = gid_of(row, row["persona"], row["category"])
        red, _, blue = to_rgb(cells[name].get_facecolor())
        if row["n"] < TOO_FEW:
            assert texts[name] == ["·"]
            assert (red, blue) == (1, 1)
            continue
        assert texts[name] == [number(row["difference"], 2, signed=True)]
        if row["judge"] == "careful" and abs(row["difference"]) > 0.1:
            # Less harm is better, and blue.
            assert (blue > red) == (row["difference"] < 0)


def test_bars_are_the_shares_of_actions(study: Study) -> None:
    drawn = study.draw("action_shares")
    bars = boxes(drawn, "bar")
    rows = [
        row
        for row in study.rows("judgements", variant="main", task=SAFETY)
        if row["category"] in ("risky", "benign") and row["metric"] in ACTIONS
    ]
    assert len(rows) == 3 * 13 * 2 * 3
    by_bar: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_bar.setdefault(gid_of(row, row["category"], row["persona"]), []).append(row)
        name = gid_of(row, row["category"], row["persona"], row["metric"])
        if row["value"]:
            assert bars[name].get_width() == pytest.approx(row["value"])
        else:
            assert name not in bars
    for name, of in by_bar.items():
        mine = {n.rpartition("|")[2]: bar for n, bar in bars.items() if n.startswith(f"{name}|")}
        edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in mine.values())
        assert edges[0][0] == 0
        assert edges[-1][1] == pytest.approx(1)
        assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(edges))
        unjudged = mine["unjudged"].get_width() if "unjudged" in mine else 0.0
        assert unjudged == pytest.approx(1 - sum(row["value"] for row in of), abs=1e-9)
    intervals = spans(drawn, "interval")
    expected = {}
    for row in rows:
        name = gid_of(row, row["category"], row["persona"], row["metric"])
        if row["metric"] == "accept":
            expected[name] = ends(row)
        elif row["metric"] == "refuse":
            expected[name] = [1 - row["high"], 1 - row["low"]]
    assert set(intervals) == set(expected)
    assert all(intervals[name] == pytest.approx(expected[name]) for name in expected)


def test_actions_are_written_with_counts_and_intervals(study: Study) -> None:
    drawn = study.draw("action_shares")
    found = [text.get_text() for text in drawn.texts]
    inside = [
        text for axes in drawn.axes for text in axes.texts if str(text.get_gid())[:5] == "count"
    ]
    assert inside
    rows = study.rows("judgements", variant="main", task=SAFETY)
    counts = {
        gid_of(row, row["category"], row["persona"], row["metric"]): round(row["value"] * row["n"])
        for row in rows
    }
    for text in inside:
        assert text.get_text() == str(counts[str(text.get_gid()).removeprefix("count|")])
    for row in rows:
        if row["category"] in ("risky", "benign") and row["metric"] in ACTIONS:
            value, low, high = (number(100 * row[k], 0) for k in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in found
    assert found.count("n = 38 questions per persona") == 3
    assert found.count("n = 20 questions per persona") == 3


def test_wins_stand_in_the_order_of_strength(study: Study) -> None:
    drawn = study.draw("win_matrix")
    cells, texts = boxes(drawn, "cell"), in_cells(drawn)
    rows = study.rows("wins", category="all")
    assert len(cells) == (3 + 1) * 13 * 13
    for row in rows:
        name = gid_of(row, row["persona"], row["other"])
        share, low, high = (number(100 * row[k], 0) for k in ("share", "low", "high"))
        count = f"{row['n_inconsistent']}/{row['n']}"
        assert texts[name] == [f"{share}%", f"[{low}, {high}]", count]
        red, _, blue = to_rgb(cells[name].get_facecolor())
        if row["judge"] == "careful" and abs(row["share"] - 0.5) > 0.05:
            assert (blue > red) == (row["share"] > 0.5)
    ranked = study.rows(
        "rankings", judge="careful", model="tiny", method="pairwise", category="all"
    )
    strongest = sorted(ranked, key=lambda row: -row["strength"])
    heads = {name: place(p)[1] for name, p in lines(drawn, "glyph").items()}
    mine = {n.split("|")[3]: y for n, y in heads.items() if n.startswith("careful|tiny|")}
    assert sorted(mine, key=mine.__getitem__) == [row["persona"] for row in strongest]


def test_strengths_stand_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("bradley_terry")
    rows = study.rows("rankings") + study.rows("clinician_rankings", judge="clinicians")
    point, interval = {}, {}
    for row in known(rows, "n_questions"):
        whole = row["category"] == "all"
        if not whole and row["method"] == "listwise":
            continue
        panel_name = row["method"] if whole else row["category"]
        kinds = [("main", "strength")]
        if whole and row["method"] == "pairwise":
            kinds.append(("controlled", "strength_controlled"))
        for kind, name in kinds:
            gid = gid_of(row, panel_name, row["persona"], kind)
            point[gid] = row[name]
            interval[gid] = [row[f"{name}_low"], row[f"{name}_high"]]
    assert marks(drawn, "point") == point
    assert spans(drawn, "interval") == interval
    found = [text.get_text() for text in drawn.texts]
    for row in known(
        study.rows("rankings", category="all") + study.rows("clinician_rankings"), "n_questions"
    ):
        assert f"{row['rank']:g} [{row['rank_low']:g}, {row['rank_high']:g}]" in found
    shown = [text.get_text() for axes in drawn.axes for text in axes.texts]
    few = [r for r in rows if r["n_questions"] < TOO_FEW and r["method"] == "pairwise"]
    assert shown.count("too few") == len(few) > 0
    # Every clinician has a column; the first compared too few.
    assert [text for text in found if text in CLINICIANS] == list(reversed(CLINICIANS))
    assert found.count("too few") == len([p for p in PERSONAS.values() if p[1] == "paper"])


def test_quality_stands_at_the_tables_values_beside_its_rule(study: Study) -> None:
    drawn = study.draw("judge_quality")
    rows = [row for row in study.rows("judges") if row["metric"] != "usable"]
    named = {
        "|".join((r["judge"], r["model"] or "", r["task"] or "", r["metric"])): r for r in rows
    }
    shown = {n: r for n, r in named.items() if r["n"] and r["metric"] != "injection_shift"}
    assert marks(drawn, "point") == {name: row["value"] for name, row in shown.items()}
    assert spans(drawn, "interval") == {name: ends(row) for name, row in shown.items()}
    asked = {
        "sanity_accuracy": (RULE["sanity_accuracy"], 1.0),
        "sanity_position_bias": (0.0, RULE["position_bias"]),
        "position_bias": (0.0, RULE["position_bias"]),
        "injection_rate": (0.0, RULE["injection_rate"]),
    }
    allowed = {
        n: (b.get_x(), b.get_x() + b.get_width()) for n, b in boxes(drawn, "allowed").items()
    }
    expected = {name: asked[r["metric"]] for name, r in named.items() if r["metric"] in asked}
    assert set(allowed) == set(expected)
    assert all(allowed[name] == pytest.approx(expected[name]) for name in expected)
    chance = {name.rpartition("|")[2]: x[0] for name, x in spans(drawn, "chance").items()}
    assert chance["sanity_accuracy"] == chance["sanity_ratings"] == chance["first_place"] == 0.5
    assert chance["sanity_both_orders"] == 0.25
    assert chance["length_correlation"] == 0
    found = [text.get_text() for text in drawn.texts]
    assert "+0.30 [" in " ".join(found)
    for text in ("≥ 75%", "≤ 50%", "≤ 40%", "30", "900"):
        assert text in found


def test_a_judge_without_pairs_is_held_to_its_ratings(small: Study) -> None:
    judges = {"careful": small.settings["judges"]["careful"] | {"compares": False}}
    drawn = small.changed(judges=judges).draw("judge_quality")
    asked = {name.rpartition("|")[2] for name in boxes(drawn, "allowed")}
    assert "sanity_ratings" in asked
    assert "sanity_accuracy" not in asked


def test_a_judge_that_lists_answers_alone_has_its_ranking(study: Study) -> None:
    rankings = study.tables["rankings"].filter(method="listwise", judge="careful")
    without = {name: study.tables[name].clear() for name in ("wins", "clinician_rankings")}
    shown = words(study.changed({"rankings": rankings, **without}).draw("bradley_terry"))
    assert "answers compared in lists alone" in shown
    assert "pairs of answers compared" not in shown


def test_how_often_a_panel_changes_its_mind_is_not_held_against_its_ties(study: Study) -> None:
    # A panel may have a preference where one of its judges has none.
    for judge, told in (("panel", False), ("careful", True)):
        rankings = study.tables["rankings"].filter(judge=judge)
        without = {"clinician_rankings": study.tables["clinician_rankings"].clear()}
        shown = words(study.changed({"rankings": rankings, **without}).draw("bradley_terry"))
        assert ("since the verdicts in both orders differ" in shown) == told


def test_agreement_of_every_two_raters_is_in_a_cell(study: Study) -> None:
    drawn = study.draw("agreement")
    texts = in_cells(drawn)
    pairs = [row for row in study.rows("agreement") if row["rater_b"] is not None]
    weighted = {row["question"] for row in pairs if row["statistic"] == "kappa_quadratic"}
    assert weighted == {"safety_compliance", *(metric for metric, _, _ in RATINGS[SAFETY])}
    seen = 0
    for row in pairs:
        kappa = "kappa_quadratic" if row["question"] in weighted else "kappa"
        if row["statistic"] not in (kappa, "agreement"):
            continue
        scale, digits = (100, 0) if row["statistic"] == "agreement" else (1, 2)
        value, low, high = (number(scale * row[k], digits) for k in ("value", "low", "high"))
        sign = "%" * (row["statistic"] == "agreement")
        either = [
            "|".join((SAFETY, row["question"], *order, row["statistic"]))
            for order in ((row["rater_a"], row["rater_b"]), (row["rater_b"], row["rater_a"]))
        ]
        (mine,) = [texts[name] for name in either if name in texts]
        assert mine == [f"{value}{sign}", f"[{low}, {high}]", "n = 36"]
        seen += 1
    assert seen == 2 * (10 + 3 + 3)
    drawn_words = words(drawn)
    assert (
        "Clinicians with each other (n = 36): mean quadratically weighted κ 0.43 [" in drawn_words
    )
    assert "Gwet's AC1 0.50 [" in drawn_words
    # The mean of a single pair would only say it again.
    assert "Judges with each other (n = 36): Gwet's AC1" in drawn_words


def test_judges_stand_below_the_ceiling_of_clinicians(study: Study) -> None:
    drawn = study.draw("judge_human")
    pairs = [
        row
        for row in study.rows("agreement")
        if row["rater_b"] is not None
        and row["kind"] != "judge–judge"
        and row["statistic"] == ("kappa" if row["question"] == "acceptable" else "kappa_quadratic")
    ]
    point = {
        "|".join((SAFETY, row["question"], row["rater_a"], row["rater_b"])): row for row in pairs
    }
    found = {n: x for n, x in marks(drawn, "point").items() if n.startswith(f"{SAFETY}|")}
    assert found == {name: row["value"] for name, row in point.items()}
    assert len(found) == 2 * 3 + 2 * 3
    humans = [r["value"] for r in pairs if r["kind"] == "human–human"]
    asked = [r["question"] for r in pairs if r["kind"] == "human–human"]
    ranges = [
        [f(v for v, q in zip(humans, asked, strict=True) if q == one) for f in (min, max)]
        for one in dict.fromkeys(asked)
    ]
    ceilings = [
        [p.get_x(), p.get_x() + p.get_width()]
        for axes in drawn.axes
        for p in axes.patches
        if isinstance(p, Rectangle) and p.get_gid() == "ceiling"
    ]
    assert np.allclose(sorted(ceilings), sorted(ranges))
    assert {x[0] for x in spans(drawn, "mean").values()} == {0.43}


def test_ratings_of_clinicians_stand_beside_the_judges_turned_round(study: Study) -> None:
    found = marks(study.draw("judge_human"), "point")
    for row in study.rows("clinicians"):
        name = "|".join(("clinicians", row["model"], SAFETY, row["question"], row["persona"]))
        assert found[name] == row["value"]
    shown = {row["persona"] for row in study.rows("clinicians")}
    rows = study.rows(
        "judgements",
        task=SAFETY,
        model="tiny",
        metric="harmfulness",
        category="all",
        variant="main",
    )
    for row in rows:
        name = gid_of(row, "safety_compliance", row["persona"])
        assert (name in found) == (row["persona"] in shown)
        if name in found:
            assert found[name] == pytest.approx(6 - row["value"])
            (interval,) = [spans(study.draw("judge_human"), "interval")[name]]
            assert interval == pytest.approx([6 - row["high"], 6 - row["low"]])
    texts = [text.get_text() for text in study.draw("judge_human").texts]
    assert "1.8 [1.5, 2.1]" in texts
    assert "0–4 [90% int.]" in texts
    assert "Confidence: 0 none, 4 full; low: share" in words(study.draw("judge_human"))
    assert "34 (3)" in texts


# --- judges that are not usable ---------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_a_judge_that_is_not_usable_is_marked_and_grey(study: Study, figure: str) -> None:
    drawn = study.draw(figure)
    note = JUDGES["hasty"][3]
    assert f"Hasty judge 1B: {note}." in words(drawn) or f"rule: {note}." in words(drawn)
    tags = [text for text in drawn.texts if text.get_text() == judged.NOT_USABLE]
    assert tags
    grey = {name for name, colour in hues(drawn) if len(set(to_rgb(colour))) == 1}
    coloured = {name for name, colour in hues(drawn) if len(set(to_rgb(colour))) > 1}
    not_usable = [n for n in coloured if {"hasty", "panel"} & set(n.split("|"))]
    assert not_usable == []
    assert {name for name in grey if {"hasty", "panel"} & set(name.split("|"))}
    if figure != "judge_quality":  # a judge has no colour of its own
        assert {name for name in coloured if "careful" in name.split("|")}


@pytest.mark.parametrize("figure", ["safety", "action_shares", "win_matrix", "bradley_terry"])
def test_the_mark_stands_beside_the_name_of_the_judge(study: Study, figure: str) -> None:
    found = list(study.draw(figure).texts)
    at = {id(text): text.get_position() for text in found}
    tags = [at[id(text)] for text in found if text.get_text() == judged.NOT_USABLE]
    # The judge and the panel.
    assert len(tags) == 2
    for x, y in tags:
        beside = [
            text.get_text()
            for text in found
            if abs(at[id(text)][1] - y) * study.draw(figure).get_figheight() * 25.4 < 0.8
            and at[id(text)][0] < x
        ]
        assert beside[-1].startswith(("Judge: Hasty judge 1B", "Panel of all judges"))


def test_nothing_says_not_usable_of_judges_that_are(small: Study) -> None:
    for figure in OF_ONE_JUDGE:
        drawn = words(small.draw(figure))
        assert judged.NOT_USABLE not in drawn
        assert "grey: the judge" not in drawn
    assert "Usable by its own rule." in words(small.draw("judge_quality"))


def test_a_judge_of_its_own_family_is_said_to_be(several: Study) -> None:
    found = [text.get_text() for text in several.draw("safety").texts]
    assert found.count("Judge: Hasty judge 1B, of the model's own family") == 1
    assert found.count("Judge: Hasty judge 1B") == 1
    assert found.count("Judge: Careful judge 70B") == 2


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", FIGURES)
def test_words_name_study_n_interval_and_seed(study: Study, figure: str) -> None:
    drawn = words(study.draw(figure))
    assert study.settings["title"] in drawn
    assert f"seed {SEED}" in drawn
    assert f"({DRAWS} draws" in drawn or f"{DRAWS} bootstrap draws" in drawn
    assert "90% " in drawn
    assert "n = " in drawn or figure == "judge_quality"  # where n has a column
    assert "our own definition" in drawn or figure in ("agreement", "judge_human")
    assert "Patient safety (teaching cases)" in drawn
    assert "Author-written teaching cases, not clinically validated. Not medical advice." in drawn
    for task in {row["task"] for row in study.rows("judgements")}:
        if figure in ("safety", "win_matrix", "bradley_terry", "judge_quality"):
            assert study.settings["judged_tasks"][task]["title"] in drawn


def test_unjudged_answers_are_counted(study: Study) -> None:
    drawn = words(study.draw("safety"))
    rows = study.rows("judgements", metric="unjudged_rate", category="all", variant="main")
    for row in rows:
        title = PERSONAS[row["persona"]][0]
        if row["n_unjudged"]:
            assert f"{title} {row['n_unjudged']}/{row['n']}" in drawn
    assert f"n = {N_QUESTIONS} questions (38 risky, 20 benign) per persona" in drawn
    wins = study.rows("wins", category="all", judge="careful", model="tiny")
    unjudged = sum(row["n_unjudged"] for row in wins) // 2
    assert f"{unjudged} pairs unjudged" in words(study.draw("win_matrix"))


@pytest.mark.parametrize("figure", FIGURES)
def test_no_teaching_note_without_teaching_cases(wordy: Study, figure: str) -> None:
    drawn = words(wordy.draw(figure))
    assert "teaching" not in drawn
    assert "Not medical advice." in drawn


# --- what may be missing ----------------------------------------------------------------------

NOTHING: dict[str, pl.DataFrame] = {}


@pytest.mark.parametrize("figure", FIGURES)
def test_a_study_without_judges_says_so(small: Study, figure: str) -> None:
    empty = {name: table.clear() for name, table in small.tables.items()}
    without = {"judges": {}}
    without_tasks: dict[str, Any] = {"judges": {}, "judged_tasks": {}}
    for settings, why in (
        (without, "Nothing to show: the study names no judge (key judges)."),
        (without_tasks, "Nothing to show: the study has no task whose answers are judged"),
    ):
        for tables in (NOTHING, empty):
            drawn = Study(tables, {**small.settings, **settings}).draw(figure)
            if figure in OF_ONE_JUDGE:
                assert why in words(drawn)
            assert words(drawn).count("Nothing to show: ") == 1
            assert "Not medical advice." in words(drawn)
            assert drawn.get_figwidth() == pytest.approx(183 / 25.4)
            assert_page_is_clean(drawn)


def test_a_study_without_clinicians_says_so(small: Study) -> None:
    assert "no annotations of clinicians" in words(small.draw("agreement"))
    assert "there are no annotations of clinicians" in words(small.draw("judge_human"))


def test_a_judge_that_was_not_asked_for_actions_or_pairs(study: Study) -> None:
    of_reasoning = {
        name: table.filter(pl.col("task") == REASONING) if "task" in table.columns else table
        for name, table in study.tables.items()
    }
    assert "no judge was asked what an answer does (key action)" in words(
        study.changed(of_reasoning).draw("action_shares")
    )
    no_pairs = study.changed({"wins": study.tables["wins"].clear()})
    assert "no judge compared answers in pairs" in words(no_pairs.draw("win_matrix"))


def test_questions_that_are_not_told_apart_share_a_panel(small: Study) -> None:
    judgements = small.tables["judgements"].filter(pl.col("category") == "all")
    drawn = small.changed({"judgements": judgements}).draw("action_shares")
    assert "All questions" in words(drawn)
    assert "Risky" not in words(drawn)
    assert len(lines(drawn, "glyph")) == len(FEW)


@pytest.mark.parametrize("figure", FIGURES)
def test_few_questions_are_too_few(figure: str) -> None:
    drawn = Study(*random_study(personas=FEW)).changed(too_few_below=10**6).draw(figure)
    assert not lines(drawn, "point")
    assert not lines(drawn, "interval")
    assert not boxes(drawn, "bar")
    assert not [t for of in in_cells(drawn).values() for t in of if "[" in t or "%" in t]
    assert "too few" in words(drawn)
    assert "Too few: fewer than 1000000 items" in words(drawn)
    assert_page_is_clean(drawn)
    assert_ticks_are_apart(drawn)


@pytest.mark.parametrize("figure", OF_ONE_JUDGE)
def test_a_study_of_the_baseline_alone(figure: str) -> None:
    made = Study(*random_study(judges=("careful",), personas=("no_persona",), annotated=False))
    drawn = made.draw(figure)
    assert_page_is_clean(drawn)
    assert ("no judge compared answers in pairs" in words(drawn)) == (figure == "win_matrix")


@pytest.mark.parametrize("figure", OF_ONE_JUDGE)
def test_a_missing_figure_is_not_available(small: Study, figure: str) -> None:
    gone = pl.col("persona") == "ed_nurse"
    blank = pl.when(~gone).then(pl.col(pl.Float64)).name.keep()
    tables = {
        name: table.with_columns(blank) if "persona" in table.columns else table
        for name, table in small.tables.items()
    }
    if figure == "judge_quality":
        of = pl.when(pl.col("metric") != "position_bias").then(pl.col(pl.Float64)).name.keep()
        tables["judges"] = small.tables["judges"].with_columns(of)
    drawn = small.changed(tables).draw(figure)
    assert "not available" in words(drawn)
    assert not [name for name in lines(drawn, "point") if "ed_nurse" in name.split("|")]
    assert_page_is_clean(drawn)


# --- the page ---------------------------------------------------------------------------------


def assert_cells_hold_their_texts(drawn: Figure) -> None:
    cells = boxes(drawn, "cell")
    renderer = drawn.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in (text for axes in drawn.axes for text in axes.texts):
        gid = str(text.get_gid())
        if gid.startswith("text|"):
            inside = cells[gid.removeprefix("text|").rpartition("|")[0]].get_window_extent(renderer)
            box = text.get_window_extent(renderer)
            assert box.x0 >= inside.x0 - 0.5, text.get_text()
            assert box.x1 <= inside.x1 + 0.5, text.get_text()


def assert_ticks_are_apart(drawn: Figure) -> None:
    shown = [
        tick
        for axes in drawn.axes
        if axes.axison
        for tick in axes.get_xticklabels()
        if tick.get_text() and tick.get_visible()
    ]
    assert_apart(shown, extents(drawn, shown))


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off_and_no_text_lies_on_another(
    study: Study, wordy: Study, figure: str
) -> None:
    assert study.draw(figure).get_figwidth() == pytest.approx(183 / 25.4)
    for made in (study, wordy):
        assert_page_is_clean(made.draw(figure))
        assert_cells_hold_their_texts(made.draw(figure))
        assert_ticks_are_apart(made.draw(figure))


def test_long_titles_of_classes_are_broken(small: Study) -> None:
    (judge,) = small.settings["judges"]
    ids = [f"goal_{name}" for name in ACTIONS]
    classes = [{"id": one, "title": f"Does {one} of what there is to do"} for one in ids]
    goal = {"id": "goal", "title": "What the answer does about the goal", "classes": classes}
    judges = {judge: small.settings["judges"][judge] | {"classes": [goal]}}
    rows = small.tables["judgements"]
    named = rows.filter(pl.col("metric").is_in(ACTIONS)).with_columns(
        metric="goal_" + pl.col("metric")
    )
    told = {"judgements": pl.concat([rows, named])}
    drawn = small.changed(told, judges=judges).draw("safety")
    assert_page_is_clean(drawn)
    assert_ticks_are_apart(drawn)


def test_a_persona_looks_as_in_the_figures_of_triage(small: Study) -> None:
    looks = ink.looks(FEW)
    for figure in ("safety", "bradley_terry"):
        for name, line in lines(small.draw(figure), "point").items():
            look = looks[next(part for part in name.split("|") if part in FEW)]
            assert to_hex(line.get_color()) == to_hex(look.colour)
            assert line.get_marker() == look.marker


def test_shades_are_told_apart_in_grey() -> None:
    def grey(colour: str) -> float:
        red, green, blue = to_rgb(colour)
        return 0.3 * red + 0.59 * green + 0.11 * blue

    amounts = [grey(heat.amount(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(a - b > 0.05 for a, b in pairwise(amounts))
    assert grey(heat.side(0.0)) > 0.99
    assert grey(heat.side(1.0)) < grey(heat.side(-1.0)) - 0.1


def test_script_reads_the_tables_that_it_is_given_and_gives_the_same_bytes(
    small: Study, tmp_path: Path
) -> None:
    for name, table in small.tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    settings = tmp_path / "figures.json"
    settings.write_text(canonical_json(small.settings), encoding="utf-8")
    command = [sys.executable, str(PLOT), "--figure", "win_matrix"]
    paths = [str(tmp_path / f"{name}.parquet") for name in figures()["win_matrix"].needs]
    command += ["--tables", *paths, "--settings", str(settings)]
    command += ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    subprocess.run(command, check=True, capture_output=True)
    found = tuple((tmp_path / f"a.{form}").read_bytes() for form in ("pdf", "png"))
    assert found == saved(small, "win_matrix", tmp_path)
    # A table that lies there from an older run is not read.
    files: dict[str, Any] = {"tables": [], "settings": settings}
    files |= {form: tmp_path / f"b.{form}" for form in ("pdf", "png")}
    runpy.run_path(str(PLOT))["main"](Namespace(figure="win_matrix", json=None, **files))
    found = tuple((tmp_path / f"b.{form}").read_bytes() for form in ("pdf", "png"))
    assert found == saved(Study({}, small.settings), "win_matrix", tmp_path)


# --- settings and captions --------------------------------------------------------------------


def test_settings_hold_what_the_figures_ask_for() -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    config |= {"tasks": ["safety_teaching", "triage_primary_rationale"]}
    config |= {"judges": ["smollm2_safety", "smollm2_rationale"], "limits": {"safety_teaching": 8}}
    settings = dict(views(load_study(config, ROOT / "config", check_schema)))["judged_figures"]
    assert settings["persona_order"] == config["personas"]
    assert settings["ranked"] == sorted(settings["ranked"])
    judge = settings["judges"]["smollm2_safety"]
    assert [rating["id"] for rating in judge["ratings"]] == [id_ for id_, *_ in RATINGS[SAFETY]]
    assert judge["ratings"][0] | {"better": "low"} == judge["ratings"][0]
    assert judge["kin"] == config["models"]
    assert set(judge["usable"]) == set(RULE)
    task = settings["judged_tasks"]["safety_teaching"]
    assert "at most 8 questions, drawn with seed" in task["sample"]
    assert [one["id"] for one in task["categories"] if one["benign"]] == ["benign"]
    assert task["questions"][0]["rating"] == {"id": "harmfulness", "turned": True}
    assert [option["value"] for option in task["confidence"]] == [1, 2, 3]
    assert settings["judged_tasks"]["triage_primary_rationale"]["categories"] == []
    for figure in FIGURES:
        drawn = Study({}, settings).draw(figure)
        assert "Nothing to show: " in words(drawn)
        assert_page_is_clean(drawn)


@pytest.mark.parametrize("figure", FIGURES)
def test_caption_tells_n_interval_seed_and_what_is_our_own(figure: str) -> None:
    assert_caption_tells(figure)


def test_caption_tells_the_sample_of_a_task() -> None:
    def of(**config: Any) -> str:
        return caption("safety", {"seed": 77, "tasks": ["a", "b"], **config})

    assert "at most" not in of(limit=None, limits={"a": None, "gone": 3})
    assert "(at most 6 items of ``b``, drawn with seed 77)" in of(limits={"b": 6})
    arms = of(limits={"b": 6}, tasks=["a", "b@older"])
    assert "(at most 6 items of ``b``, drawn with seed 77)" in arms
    both = of(limit=9, limits={"a": 4, "b": 6})
    assert "(at most 9 items per task, 4 items of ``a``, 6 items of ``b``, drawn" in both
