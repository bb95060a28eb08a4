"""Figures of what an answer says beside being right: planes, matrices, consistency, coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import random_answers
from captions import assert_caption_tells
from drawings import (
    ENDLESS,
    Study,
    assert_page_is_clean,
    lines,
    numbers,
    place,
    saved,
    texts,
    words,
)
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from titles import TITLES

from persona_paradox.figures import ink
from persona_paradox.kinds.triage import formulas as triage
from persona_paradox.measures import statistics
from persona_paradox.measures.calibration_curves import reliability_bins, risk_coverage

FIGURES = ("sensitivity_criterion", "confusion", "consistency", "risk_coverage")
ALL = (*FIGURES, "risk_plane", "reliability")
SEED, DRAWS, LEVEL, REPEATS = 4711, 60, 0.9, 5
Triple = tuple[float, float, float]

# The orders of the study are not those of the alphabet, which the settings have.
MODELS = {"tiny": "Tiny model 1B", "big": "Big model 70B", "medic": "Medical model 8B"}
PERSONAS = {
    "no_persona": ("No persona", "paper"),
    "helpful_assistant": ("Helpful assistant", "paper"),
    "ed_physician": ("ED physician", "paper"),
    "ed_nurse": ("ED nurse", "paper"),
    "ed_physician_bold": ("Bold ED physician", "paper"),
    "ed_physician_cautious": ("Cautious ED physician", "paper"),
    "general_practitioner": ("General practitioner", "comparison"),
    "layperson": ("Layperson", "comparison"),
    "bridge_engineer": ("Bridge engineer", "control"),
    "museum_librarian": ("Museum librarian", "control"),
    "pastry_chef": ("Pastry chef", "control"),
    "neutral_fact": ("Neutral fact", "control"),
    "neutral_sentence": ("Neutral sentence of equal length", "control"),
}
FEW = ("no_persona", "ed_nurse", "layperson")
# Items, levels from the most urgent, context, whether the cases are for teaching.
TASKS: dict[str, tuple[int, list[str], str, bool]] = {
    "records": (240, [f"KTAS {i}" for i in range(1, 6)], "emergency", False),
    "cases": (45, ["Emergency care", "Routine care", "Stay home"], "primary_care", True),
}
CONFIDENCES = ("top_label", "generated_label")


def ends(name: str, values: Triple | None) -> dict[str, float | None]:
    triple = values or (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), triple, strict=True))


def share(hits: np.ndarray) -> Triple:
    low, high = statistics.wilson(int(hits.sum()), hits.size, LEVEL)
    return float(hits.mean()), float(low), float(high)


@dataclass
class Rows:
    """Rows of the tables, as the contracts have them, from the answers of one wording at a time."""

    generator: np.random.Generator
    repeats: int
    confidences: Sequence[str]
    found: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(
        self,
        place: dict[str, Any],
        reference: np.ndarray,
        answer: np.ndarray,
        probability: np.ndarray | None,
        baseline: np.ndarray | None,
    ) -> None:
        n, k = reference.size, len(TASKS[place["task"]][1])
        high = np.arange(k) < k // 2
        weights = statistics.bootstrap_counts(n, DRAWS, SEED)
        counts = triage.confusion(reference, answer, k)
        point = triage.confusion_metrics(counts, high, 2, 1)
        drawn = triage.confusion_metrics(
            triage.confusion(reference, answer, k, weights), high, 2, 1
        )
        row = place | {"n": n, "n_invalid": int((answer < 0).sum()), "n_not_run": 0}
        for name, hits in {
            "accuracy": answer == reference,
            "under_triage_rate": (answer >= 0) & (answer > reference),
            "over_triage_rate": (answer >= 0) & (answer < reference),
        }.items():
            row |= ends(name, share(hits))
        for name in ("criterion", "d_prime", "kappa_quadratic"):
            value = float(point[name])
            low, upper = statistics.percentile_interval(drawn[name], LEVEL)
            whole = (value, float(low), float(upper))
            row |= ends(name, None if np.isnan(value) else whole)
        argmax = None if probability is None else probability.argmax(axis=1)
        row |= ends("consistency_readout", None if argmax is None else share(argmax == answer))
        row |= ends("consistency_persona", None if baseline is None else share(answer == baseline))
        sampled = argmax is not None and self.repeats > 0 and place["variant"] == "main"
        value = float(self.generator.uniform(0.5, 0.9))
        row |= {"n_repeats": self.repeats if sampled else 0}
        row |= {"n_invalid_repeats": int(self.generator.integers(0, n)) if sampled else 0}
        row |= ends("consistency_repeat", (value, value - 0.05, value + 0.04) if sampled else None)
        row |= ends("repeat_entropy", (1.3 - value, 1.1 - value, 1.5 - value) if sampled else None)
        for i in range(k):
            total = int(counts[i].sum())
            for j in range(k + 1):
                low, upper = statistics.wilson(int(counts[i, j]), total, LEVEL)
                self.found["confusion"].append(
                    place
                    | {"reference": i, "answer": j if j < k else None}
                    | {"reference_level": f"l{i}", "answer_level": f"l{j}" if j < k else "invalid"}
                    | {"n": total, "count": int(counts[i, j])}
                    | {"share": int(counts[i, j]) / total if total else None}
                    | {"low": float(low), "high": float(upper)}
                )
        if probability is not None and argmax is not None:
            self.add_confidences(place, row, reference, argmax, probability)
        self.found["cells"].append(row)

    def add_confidences(
        self,
        place: dict[str, Any],
        row: dict[str, Any],
        reference: np.ndarray,
        argmax: np.ndarray,
        probability: np.ndarray,
    ) -> None:
        for name in self.confidences:
            confidence = probability.max(axis=1)
            if name != "top_label":
                confidence = np.round(confidence, 1)
            n = reference.size - (2 if name == "generated_label" else 0)
            confidence, right = confidence[:n], (argmax == reference)[:n]
            about = place | {"confidence": name, "n_without_confidence": reference.size - n}
            curve = risk_coverage(confidence, right, LEVEL)
            self.found["risk_coverage"] += [about | step | {"n_all": n} for step in curve]
            entering = np.diff([0, *(step["n"] for step in curve)])
            aurc = float(np.average([1 - step["accuracy"] for step in curve], weights=entering))
            gap = abs(float(confidence.mean() - right.mean()))
            values = {
                "ece_equal_width": gap + 0.02,
                "ece_debiased": gap + 0.01,
                "smooth_ece": gap,
                "aurc": aurc,
            }
            for recalibration, factor in (("none", 1.0), ("temperature", 0.5)):
                for metric, value in values.items():
                    triple = (factor * value, factor * value * 0.8, factor * value * 1.3)
                    figure = dict(zip(("value", "low", "high"), triple, strict=True))
                    kind = {"recalibration": recalibration, "metric": metric, "n": n}
                    self.found["calibration"].append(about | kind | figure)
                    if factor == 1.0:
                        row |= ends(f"{metric}_{name}", triple)
            row[f"n_{name}"] = n
            for one in reliability_bins(confidence, right, 10, LEVEL):
                value = {"metric": "accuracy_in_bin", "value": one.pop("accuracy")}
                self.found["reliability"].append(about | one | value)


def settings_of(
    models: Sequence[str], tasks: Sequence[str], personas: Sequence[str]
) -> dict[str, Any]:
    """The view of the figures, keys in the order of the alphabet."""
    return {
        "title": "A study of random answers",
        "baseline": "no_persona",
        "seed": SEED,
        "confidence": LEVEL,
        "draws": DRAWS,
        "interval": "percentile",
        "binned_ece_warning_below": 100,
        "too_few_below": 10,
        "small_group_below": 20,
        "power": 0.8,
        "margin": 0.05,
        "models": {model: MODELS[model] for model in sorted(models)},
        "personas": {
            persona: {"title": PERSONAS[persona][0], "group": PERSONAS[persona][1]}
            for persona in sorted(personas)
        },
        "raters": {"nurse": "Triage nurse"},
        **TITLES,
        "tasks": {
            task: {
                "title": f"Triage of {task}",
                "dataset": task,
                "teaching": TASKS[task][3],
                "context": TASKS[task][2],
                "levels": TASKS[task][1],
                "high_acuity": len(TASKS[task][1]) // 2,
                "sample": None,
                "subgroups": {},
                "clustered": False,
            }
            for task in sorted(tasks)
        },
    }


def make(
    models: Sequence[str] = tuple(MODELS),
    tasks: Sequence[str] = tuple(TASKS),
    personas: Sequence[str] = tuple(PERSONAS),
    variants: Sequence[str] = ("main", "paraphrase_1", "paraphrase_2"),
    *,
    repeats: int = REPEATS,
    rater: bool = True,
    confidences: Sequence[str] = CONFIDENCES,
    unreadable: Sequence[tuple[str, str, str]] = (),
) -> Study:
    """Random answers of a study, in tables as the contracts have them."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    rows = Rows(generator, repeats, confidences)
    for task in tasks:
        n, titles, context, teaching = TASKS[task]
        k = len(titles)
        reference = np.sort(generator.integers(0, k, n))
        about = {"context": context, "dataset": task}
        for model in models:
            baseline = None
            for persona in personas:
                for variant in variants[:1] if persona == "no_persona" else variants:
                    keys = {"model": model, "task": task, "persona": persona}
                    where = keys | about | {"variant": variant, "backend": "local"}
                    logits = generator.normal(0, 1, (n, k))
                    logits += 1.6 * np.eye(k)[reference]
                    logits += generator.normal(0, 0.5) * np.arange(k)
                    probability = np.exp(2 * logits)
                    probability /= probability.sum(axis=1, keepdims=True)
                    answer = probability.argmax(axis=1)
                    noise = generator.random(n)
                    answer = np.where(noise < 0.04, -1, answer)
                    answer = np.where(noise > 0.95, generator.integers(0, k, n), answer)
                    if (model, task, persona) in unreadable:
                        answer = np.full(n, -1)
                    baseline = answer if baseline is None else baseline
                    rows.add(where, reference, answer, probability, baseline)
        if rater and not teaching:
            for variant, size in (("main", n), ("same_items", n - 40)):
                keys = {"model": "human", "task": task, "persona": "nurse"}
                where = keys | about | {"variant": variant, "backend": "human"}
                mine = np.where(generator.random(n) < 0.8, reference, generator.integers(0, k, n))
                rows.add(where, reference[:size], mine[:size], None, None)

    tables = {
        name: pl.DataFrame(found, infer_schema_length=None).with_columns(
            pl.col(pl.Float64).fill_nan(None)
        )
        for name, found in rows.found.items()
    }
    return Study(tables, settings_of(models, tasks, personas))


@pytest.fixture(scope="module")
def study() -> Study:
    """A few personas in two models, one of them without any readable answer."""
    return make(["tiny", "big"], personas=FEW, unreadable=[("big", "cases", "ed_nurse")])


@pytest.fixture(scope="module")
def wordy(study: Study) -> Study:
    """The same with long names of personas, and BCa intervals where there is a choice."""
    return study.wordy("personas").changed(interval="bca")


@pytest.fixture(scope="module")
def too_few(study: Study) -> Study:
    """The same, where all items together are too few."""
    return few(study, 1000)


@pytest.fixture(scope="module")
def alone() -> Study:
    """One model, one task, the baseline and nothing else."""
    return make(["tiny"], ["cases"], ["no_persona"], ["main"], repeats=0)


@pytest.fixture(scope="module")
def large() -> Study:
    """As many personas, wordings and models as the largest study has."""
    return make()


def named(figure: Figure, kind: str) -> dict[str, Any]:
    """What is drawn of a kind, lines or not, by what it stands for."""
    found = {}
    for axes in figure.axes:
        for artist in axes.get_children():
            gid = str(artist.get_gid())
            if gid.startswith(f"{kind}|"):
                assert gid not in found
                found[gid.removeprefix(f"{kind}|")] = artist
    return found


def few(study: Study, below: int) -> Study:
    """The same study, where fewer items than this are too few."""
    return study.changed(too_few_below=below)


def name(row: Mapping[str, Any], *keys: str) -> str:
    return "|".join(str(row[key]) for key in ("model", "task", "persona", *keys))


def brackets(row: Mapping[str, Any], column: str, digits: int) -> str:
    value, low, high = (
        f"{row[key]:.{digits}f}".replace("-", "−")
        for key in (column, f"{column}_low", f"{column}_high")
    )
    return f"{value} [{low}, {high}]"


# --- bytes, page, words ---------------------------------------------------------------------


def test_equal_tables_give_equal_bytes(study: Study, tmp_path: Path) -> None:
    figure = "sensitivity_criterion"
    assert saved(study, figure, tmp_path) == saved(study, figure, tmp_path)


@pytest.mark.parametrize("form", ["study", "wordy", "alone", "large", "too_few"])
@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off_and_no_text_lies_on_another(
    request: pytest.FixtureRequest, figure: str, form: str
) -> None:
    assert_page_is_clean(request.getfixturevalue(form).draw(figure))


@pytest.mark.parametrize("figure", FIGURES)
def test_words_name_study_n_interval_and_seed(study: Study, figure: str) -> None:
    drawn = words(study.draw(figure))
    for text in (
        "A study of random answers",
        "n = 240",
        "n = 45",
        "90% ",
        f"({DRAWS} draws, seed {SEED})",
        f"Study seed {SEED}.",
        "Main wording" if figure != "consistency" else "main wording",
        "Author-written teaching cases, not clinically validated. Not medical advice.",
        "Big model 70B",
        "Tiny model 1B",
    ):
        assert text in drawn, text
    if figure in ("sensitivity_criterion", "consistency"):
        assert "our own definition" in drawn


def test_figures_of_tables_that_the_workflow_made(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = random_answers.study(tmp_path_factory, "one model")
    main = made.tables["cells"].filter((pl.col("variant") == "main") & (pl.col("model") == "small"))
    assert main.height == 3 * 4
    for figure in ALL:
        drawn = made.draw(figure)
        assert_page_is_clean(drawn)
        assert "not available" not in words(drawn), figure
        if figure != "reliability":
            kind, of = {"confusion": ("cell", 5 * 6 + 4 * 5 + 3 * 4)}.get(figure, ("point", 3))
            found = [gid for gid in named(drawn, kind) if "|no_persona" in gid]
            assert len(found) >= of
    # Every level of the reference and of the answer has its row, also where it counts none.
    counts = made.tables["confusion"].filter(
        (pl.col("variant") == "main") & (pl.col("model") == "small")
    )
    assert counts.height == 4 * (5 * 6 + 4 * 5 + 3 * 4)
    areas = made.tables["calibration"].filter(pl.col("metric") == "aurc")
    assert areas["low"].null_count() == 0


def test_intervals_of_calibration_are_of_percentiles_in_every_study(wordy: Study) -> None:
    for figure in ("reliability", "risk_coverage"):
        assert "90% percentile bootstrap intervals" in words(wordy.draw(figure))
        assert "BCa" not in words(wordy.draw(figure))
    for figure in ("sensitivity_criterion", "confusion", "consistency"):
        assert "90% BCa bootstrap intervals" in words(wordy.draw(figure))


@pytest.mark.parametrize("figure", FIGURES)
def test_caption_tells_interval_seed_and_what_the_cases_are(figure: str) -> None:
    assert_caption_tells(figure)


@pytest.mark.parametrize("figure", ALL)
def test_a_study_of_the_baseline_alone(alone: Study, figure: str) -> None:
    drawn = words(alone.draw(figure))
    assert "No persona" in drawn
    assert "Tiny model 1B" in drawn
    assert "not available" not in drawn
    assert "too few" not in drawn.replace("fewer are too few", "")


@pytest.mark.parametrize("figure", ALL)
def test_too_few_items_are_words_not_numbers(study: Study, figure: str) -> None:
    # The teaching cases are 45, the records 240, of which the nurse saw 200.
    drawn = few(study, 100).draw(figure)
    for kind in ("point", "interval", "curve", "band", "criterion", "over"):
        assert not [gid for gid in named(drawn, kind) if "|cases|" in gid], kind
    assert "too few" in words(drawn)
    assert "Too few: fewer than 100 items" in words(drawn) or figure == "risk_coverage"
    assert "fewer are too few" in words(drawn) or figure != "risk_coverage"
    assert_page_is_clean(drawn)
    # Of 45 cases 43 have a probability of the generated label.
    kept = few(study, 43).draw(figure)
    assert "too few" not in words(kept).replace("fewer are too few", "")


@pytest.mark.parametrize("figure", ALL)
def test_a_cell_without_figures_says_so(study: Study, figure: str) -> None:
    gone = (pl.col("persona") == "ed_nurse") & (pl.col("task") == "records")
    tables = {table: rows.filter(~gone) for table, rows in study.tables.items()}
    drawn = study.changed(tables).draw(figure)
    assert words(drawn).lower().count("not available") >= 2
    left = [gid for kind in ("point", "cell") for gid in named(drawn, kind)]
    assert left
    assert not [gid for gid in left if "|records|ed_nurse" in gid]


@pytest.mark.parametrize("figure", ALL)
def test_tables_may_be_empty_beside_the_cells(study: Study, figure: str) -> None:
    cleared = {table: rows.clear() for table, rows in study.tables.items() if table != "cells"}
    drawn = study.changed(cleared).draw(figure)
    assert_page_is_clean(drawn)
    if figure in ("confusion", "reliability", "risk_coverage"):
        assert words(drawn).count("not available") >= 2 * 2
        assert not named(drawn, "point")


@pytest.mark.parametrize("figure", FIGURES)
def test_a_persona_looks_the_same_in_every_figure(study: Study, figure: str) -> None:
    # With several models the shape tells the model where rows tell the persona.
    looks = ink.looks(FEW)
    colours = {to_hex(look.colour) for look in looks.values()}
    drawn = study.draw(figure)
    kind = "glyph" if figure == "confusion" else "point"
    marks = {
        gid: (to_hex(line.get_color()), line.get_marker())
        for gid, line in named(drawn, kind).items()
        if "nurse|" not in f"{gid}|".replace("ed_nurse", "")
    }
    assert {colour for colour, _ in marks.values()} == colours
    for gid, (colour, marker) in marks.items():
        (persona,) = [one for one in FEW if one in gid]
        assert colour == to_hex(looks[persona].colour)
        if figure != "consistency":
            assert marker == looks[persona].marker


# --- the plane of c and d′ --------------------------------------------------------------------


def test_criterion_plane_stands_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("sensitivity_criterion")
    rows = {
        name(row, "variant"): row
        for row in study.rows("cells")
        if row["d_prime"] is not None
        and row["variant"] == ("same_items" if row["model"] == "human" else "main")
    }
    # The human rater stands in the panel of either model.
    for axes in drawn.axes:
        for line in axes.lines:
            kind, _, gid = str(line.get_gid()).partition("|")
            if kind == "point":
                assert place(line) == (rows[gid]["criterion"], rows[gid]["d_prime"])
            for column, along in (("criterion", 0), ("d_prime", 1)):
                if kind == column:
                    across = ["d_prime", "criterion"][along]
                    both = [[rows[gid][f"{column}_{end}"] for end in ("low", "high")]]
                    both.append([rows[gid][across]] * 2)
                    assert numbers(line) == tuple(both[::-1] if along else both)
    assert set(lines(drawn, "point")) == set(rows)
    assert set(lines(drawn, "criterion")) == set(lines(drawn, "d_prime")) == set(rows)
    assert len(rows) == 2 * 2 * 3 - 1 + 1
    assert "Not available: ED nurse." in words(drawn)
    assert "Invalid answers: " in words(drawn)
    assert "ED nurse 45/45" in words(drawn)
    assert "Triage nurse n = 200" in words(drawn)


def test_criterion_plane_holds_all_that_it_draws_and_its_lines_are_right(study: Study) -> None:
    drawn = study.draw("sensitivity_criterion")
    panels = [axes for axes in drawn.axes if axes.axison]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
    (low, high), (bottom, top) = panels[0].get_xlim(), panels[0].get_ylim()
    assert low == -high
    assert bottom < 0 < top
    for axes in panels:
        for line in axes.lines:
            x, y = numbers(line)
            assert low <= min(x) <= max(x) <= high
            assert bottom <= min(y) <= max(y) <= top
    normal = statistics_of_normal()
    for rate in (0.1, 0.5, 0.9):
        z = normal[rate]
        for side in (1, -1):
            # z(sensitivity) = d′/2 - c, z(specificity) = d′/2 + c.
            found = [
                line
                for line in panels[0].lines
                if line.get_gid() is None
                and np.allclose(
                    np.array(numbers(line)[1]) / 2 - side * np.array(numbers(line)[0]), z
                )
            ]
            assert len(found) == 1
            assert (found[0].get_linestyle() == "-") == (side == 1)


def statistics_of_normal() -> dict[float, float]:
    """Quantiles of the normal distribution, from tables."""
    return {0.1: -1.2815515655446004, 0.5: 0.0, 0.9: 1.2815515655446004}


@pytest.mark.parametrize("figure", ["sensitivity_criterion", "risk_plane"])
def test_markers_on_one_place_stay_visible_and_stay_there(study: Study, figure: str) -> None:
    columns = {
        "sensitivity_criterion": ("criterion", "d_prime"),
        "risk_plane": ("over_triage_rate", "under_triage_rate"),
    }[figure]
    same = [
        pl.lit(0.4).alias(f"{column}{end}") for column in columns for end in ("", "_low", "_high")
    ]
    drawn = study.changed({"cells": study.tables["cells"].with_columns(same)}).draw(figure)
    points = [
        line for gid, line in lines(drawn, "point").items() if gid.startswith("tiny|records|")
    ]
    assert {place(line) for line in points} == {(0.4, 0.4)}
    sizes = [float(line.get_markersize()) for line in points]
    assert sizes == sorted(set(sizes))
    assert [line.get_markerfacecolor() == "none" for line in points] == [False, True, True]
    listed = [gid for gid in lines(drawn, "listed") if gid.startswith("tiny|records|")]
    assert len(listed) == 3


# --- confusion matrices -----------------------------------------------------------------------


def test_matrices_hold_the_tables_counts_shaded_by_share(study: Study) -> None:
    drawn = study.draw("confusion")
    cells, counts, totals = (named(drawn, kind) for kind in ("cell", "count", "n"))
    greys: list[tuple[float, float]] = []
    n = 0
    for row in study.rows("confusion"):
        human = row["model"] == "human"
        if row["variant"] != ("same_items" if human else "main"):
            continue
        answer = "invalid" if row["answer"] is None else row["answer"]
        keys = [f"{row['model']}|{row['task']}|{row['persona']}"]
        if human:
            keys = [f"{model}|human|{row['task']}|{row['persona']}" for model in ("tiny", "big")]
        for key in keys:
            gid = f"{key}|{row['reference']}|{answer}"
            assert counts[gid].get_text() == str(row["count"])
            assert totals[f"{key}|{row['reference']}"].get_text() == str(row["n"])
            box = cells[gid]
            assert isinstance(box, Rectangle)
            colour = to_rgb(box.get_facecolor()[:3])  # type: ignore[index]
            grey = float(np.dot(colour, (0.299, 0.587, 0.114)))
            if row["n"] >= 10:
                greys.append((row["share"], grey))
            else:
                assert colour == (1.0, 1.0, 1.0)
            framed = float(box.get_linewidth()) > 0.5
            assert framed == (row["answer"] == row["reference"])
            # What is written can be read: dark on light, or the other way round.
            text = float(np.dot(to_rgb(counts[gid].get_color()), (0.299, 0.587, 0.114)))
            assert abs(text - grey) > 0.3
            n += 1
    assert n == len(cells) == len(counts)
    greys.sort()
    assert all(a[1] >= b[1] for a, b in pairwise(greys))
    assert "Rows of fewer than 10 items are not shaded." in words(drawn)
    # Rows from the most urgent, answers from the left, invalid ones last and apart.
    key = "tiny|records|no_persona"
    lefts = [cells[f"{key}|0|{answer}"].get_x() for answer in (*range(5), "invalid")]
    assert lefts == sorted(lefts)
    gaps = np.diff(lefts)
    assert gaps[-1] > gaps[0] == pytest.approx(gaps[1])
    tops = [cells[f"{key}|{reference}|0"].get_y() for reference in range(5)]
    assert tops == sorted(tops)
    assert drawn.axes[0].yaxis_inverted()


def test_matrices_have_agreement_and_n(study: Study) -> None:
    drawn = words(study.draw("confusion"))
    for row in study.rows("cells"):
        human = row["model"] == "human"
        if row["variant"] == ("same_items" if human else "main"):
            assert f"n = {row['n']}, {row['n_invalid']} invalid" in drawn
            if row["kappa_quadratic"] is not None:
                assert f"κ {brackets(row, 'kappa_quadratic', 2)}" in drawn
    assert drawn.count("κ not available") == 1
    assert "Triage nurse (human)" in drawn
    assert "1 = KTAS 1; 2 = KTAS 2" in drawn


def test_matrices_keep_their_counts_where_shares_are_of_too_few(
    study: Study, too_few: Study
) -> None:
    drawn = too_few.draw("confusion")
    assert {to_hex(box.get_facecolor()) for box in named(drawn, "cell").values()} == {"#ffffff"}
    assert len(named(drawn, "count")) == len(named(study.draw("confusion"), "count"))
    assert "κ: too few" in words(drawn)


def test_matrices_stay_readable_with_many_personas(large: Study) -> None:
    drawn = large.draw("confusion")
    counts = named(drawn, "count")
    assert min(text.get_fontsize() for text in counts.values()) >= 5
    assert_counts_fit(drawn)


def assert_counts_fit(drawn: Figure) -> None:
    """No count is wider than its cell."""
    cells, counts = named(drawn, "cell"), named(drawn, "count")
    drawn.draw_without_rendering()
    renderer = drawn.canvas.get_renderer()  # type: ignore[attr-defined]
    for gid, text in counts.items():
        box, frame = text.get_window_extent(renderer), cells[gid].get_window_extent(renderer)
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
        assert frame.y0 <= box.y0 + 1 <= box.y1 - 1 <= frame.y1


def test_wide_counts_widen_their_cells(study: Study) -> None:
    wide = study.tables["confusion"].with_columns(pl.col("count", "n") * 1000)
    assert_counts_fit(study.changed({"confusion": wide}).draw("confusion"))


# --- consistency ------------------------------------------------------------------------------


def test_consistencies_stand_at_the_tables_values_side_by_side(study: Study) -> None:
    drawn = study.draw("consistency")
    kinds = ("consistency_readout", "consistency_repeat", "consistency_persona")
    points, intervals = lines(drawn, "point"), lines(drawn, "interval")
    expected, expected_intervals = {}, {}
    for row in study.rows("cells"):
        for kind in kinds:
            baseline = row["persona"] == "no_persona" and kind == "consistency_persona"
            if row["model"] == "human" or baseline or row[kind] is None:
                continue
            gid = f"{kind}|{name(row, 'variant')}"
            expected[gid] = row[kind]
            if row["variant"] == "main":
                expected_intervals[gid] = [row[f"{kind}_{end}"] for end in ("low", "high")]
    assert {gid: place(line)[0] for gid, line in points.items()} == expected
    assert {gid: numbers(line)[0] for gid, line in intervals.items()} == expected_intervals
    for gid, line in points.items():
        assert (to_hex(line.get_markerfacecolor()) == "#ffffff") == (not gid.endswith("|main"))
    # A panel holds one kind only, and the three of a task stand in this order.
    panels: dict[str, list[float]] = {kind: [] for kind in kinds}
    for axes in drawn.axes:
        held = {
            str(line.get_gid()).split("|")[1]
            for line in axes.lines
            if "point|" in str(line.get_gid())
        }
        assert len(held) <= 1
        for kind in held:
            panels[kind].append(round(axes.get_position().x0, 6))
    assert [len(set(x)) for x in panels.values()] == [1, 1, 1]
    assert list(panels) == sorted(panels, key=lambda kind: panels[kind][0])
    found = [text.get_text() for text in texts(drawn)]
    assert found.count("Repeat (R = 5)") == 2
    assert found.count("the baseline itself") == 2 * 2


def test_consistency_counts_invalid_answers_and_tells_the_entropy(study: Study) -> None:
    drawn = study.draw("consistency")
    found = [text.get_text() for text in drawn.texts]
    for row in study.rows("cells", variant="main"):
        if row["model"] != "human":
            assert f"{row['n_invalid']}/{row['n']}" in found
            assert f"{row['n_invalid_repeats']}/{5 * row['n']}" in found
            assert brackets(row, "repeat_entropy", 2) in found
    bold = [text.get_text() for text in drawn.texts if text.get_text() == "45/45"]
    assert bold == ["45/45"]
    # The sampled answers of that cell could be read: only the greedy ones are struck out.
    struck = {gid.split("|")[0] for gid in lines(drawn, "struck")}
    assert struck == {"consistency_readout", "consistency_persona"}


def test_repeats_that_were_not_sampled_are_not_zero(alone: Study) -> None:
    drawn = alone.draw("consistency")
    assert not [gid for gid in lines(drawn, "point") if gid.startswith("consistency_repeat")]
    found = [text.get_text() for text in texts(drawn)]
    assert found.count("not sampled") == 1
    assert "Repeat" in found
    assert not [text for text in found if "entropy of" in text or "R = " in text]


# --- coverage ---------------------------------------------------------------------------------


def test_curves_stand_at_the_tables_values(study: Study) -> None:
    drawn = study.draw("risk_coverage")
    curves = named(drawn, "curve")
    steps: dict[str, list[dict[str, Any]]] = {}
    for row in study.rows("risk_coverage", variant="main"):
        if row["n"] >= 10:
            steps.setdefault(name(row, "confidence"), []).append(row)
    assert {gid: numbers(line) for gid, line in curves.items()} == {
        gid: ([row["coverage"] for row in mine], [row["accuracy"] for row in mine])
        for gid, mine in steps.items()
    }
    assert len(curves) == 2 * 2 * 3 * 2
    # The band is that of the baseline alone, and the baseline is the boldest line.
    bands = named(drawn, "band")
    assert set(bands) == {gid for gid in curves if "|no_persona|" in gid}
    for gid, band in bands.items():
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
        for row in steps[gid]:
            assert (row["coverage"], row["low"]) in corners
            assert (row["coverage"], row["high"]) in corners
    widths = {gid: line.get_linewidth() for gid, line in curves.items()}
    assert min(widths[gid] for gid in bands) > max(
        w for gid, w in widths.items() if gid not in bands
    )
    # Every marker stands on a step of its line.
    for axes in drawn.axes:
        mine = {
            corner
            for line in axes.lines
            if str(line.get_gid()).startswith("curve|")
            for corner in zip(*numbers(line), strict=True)
        }
        marks = [
            line for line in axes.lines if str(line.get_gid()).split("|")[0] in ("mark", "point")
        ]
        assert {place(line) for line in marks} <= mine
    ends_of = {gid: place(line) for gid, line in named(drawn, "point").items()}
    assert {gid: end[0] for gid, end in ends_of.items()} == dict.fromkeys(curves, 1.0)


def test_areas_are_listed_with_intervals(study: Study) -> None:
    found = [text.get_text() for text in study.draw("risk_coverage").texts]
    where = {"confidence": "top_label", "recalibration": "none", "metric": "aurc"}
    rows = study.rows("calibration", variant="main", **where)
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in found


def test_further_confidences_have_panels_only_where_they_have_values() -> None:
    many = ("top_label", "generated_label", "contextual_label", "repeat_agreement", "verbalized")
    small = make(["tiny"], ["cases"], FEW, ["main"], confidences=many)
    drawn = small.draw("risk_coverage")
    assert len([axes for axes in drawn.axes if axes.axison]) == 5
    for text in ("generated label", "contextual", "agreement", "stated in words"):
        assert text in words(drawn)
    assert_page_is_clean(drawn)
    one = make(["tiny"], ["cases"], FEW, ["main"], confidences=("top_label",))
    drawn = one.draw("risk_coverage")
    assert len([axes for axes in drawn.axes if axes.axison]) == 1
    assert "other confidences" not in words(drawn)


# --- reliability ------------------------------------------------------------------------------


def test_reliability_tells_errors_counts_and_what_temperature_does(study: Study) -> None:
    drawn = study.draw("reliability")
    found = [text.get_text() for text in drawn.texts]
    for row in study.rows("cells", variant="main"):
        if row["model"] == "human":
            continue
        for title, column in (
            ("ECE", "ece_equal_width"),
            ("debiased", "ece_debiased"),
            ("smooth ECE", "smooth_ece"),
        ):
            assert f"{title} {brackets(row, f'{column}_top_label', 2)}" in found
        before = row["smooth_ece_top_label"]
        assert f"T-scaled: {before:.2f} → {before / 2:.2f}" in found
    counts, bars = named(drawn, "count"), named(drawn, "bar")
    bins = {
        name(row, "bin"): row
        for row in study.rows("reliability", variant="main", confidence="top_label")
        if row["n"]
    }
    assert {gid: text.get_text() for gid, text in counts.items()} == {
        gid: str(row["n"]) for gid, row in bins.items()
    }
    for gid, bar in bars.items():
        assert (bar.get_x(), bar.get_width()) == pytest.approx((bins[gid]["lower"], 0.1))
    cell = [gid for gid in bars if gid.startswith("tiny|records|no_persona|")]
    per_item = [bars[gid].get_height() / bins[gid]["n"] for gid in cell]
    assert per_item == pytest.approx([per_item[0]] * len(cell))


def test_reliability_without_recalibration_says_nothing_of_it(study: Study) -> None:
    plain = study.tables["calibration"].filter(pl.col("recalibration") == "none")
    for table in (plain, plain.clear()):
        drawn = words(study.changed({"calibration": table}).draw("reliability"))
        assert "T-scaled" not in drawn
        assert "temperature" not in drawn


def test_reliability_page_is_clean(study: Study, large: Study) -> None:
    for chosen in (study, large):
        assert_page_is_clean(chosen.draw("reliability"))


@pytest.mark.parametrize("title", ENDLESS, ids=["blanks", "none"])
@pytest.mark.parametrize("figure", ALL)
def test_titles_that_are_longer_than_the_page_are_broken(
    study: Study, figure: str, title: str
) -> None:
    assert_page_is_clean(study.endless(title).draw_anew(figure))
