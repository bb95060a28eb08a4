"""What words tell: learned where there is something to learn, and never from an item itself."""

from __future__ import annotations

import json
import logging
import runpy
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import random_answers
from drawings import Study, lines, numbers, words
from matplotlib.patches import Rectangle
from root import ROOT
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.kinds.triage.scoring import score
from persona_paradox.measures.bag_of_words import cross_fitted, features, folds_of
from persona_paradox.report.summary import summary

pytestmark = pytest.mark.filterwarnings("error")

LEVELS = ["a", "b", "c", "d"]
FIELDS = [
    {"label": "Complaint", "unit": None, "category": False},
    {"label": "Heart rate", "unit": "per minute", "category": False},
    {"label": "Injury", "unit": None, "category": True},
    {"label": "Pain", "unit": None, "category": True},
]
SCORING = {
    "labels": [{"label": str(i), "level": level} for i, level in enumerate(LEVELS, start=1)],
    "levels": LEVELS,
    "high_acuity": ["a"],
}


def items_of(cases: list[str], reference: list[str], **more: Any) -> pl.DataFrame:
    ids = [f"i{number:03d}" for number in range(len(cases))]
    none = pl.Series([None] * len(cases), dtype=pl.String)
    return pl.DataFrame(
        {"item_id": ids, "case": cases, "reference": reference, "excluded": none, **more}
    )


def answers(items: pl.DataFrame, fields: Any = (), cluster: str | None = None) -> np.ndarray:
    """Probabilities of the four levels, learned in five folds."""
    fold = folds_of(items, cluster, 5, seed=1)
    table = features(items["case"].to_list(), fields)
    return cross_fitted(table, items["reference"].to_list(), fold, LEVELS)


def right(items: pl.DataFrame, found: np.ndarray) -> int:
    said = np.array(LEVELS)[found.argmax(axis=1)]
    return int((said == items["reference"].to_numpy()).sum())


def random_words(n: int, seed: int) -> list[str]:
    """Cases of eight words each, drawn from sixty."""
    drawn = np.random.default_rng(seed).integers(0, 60, (n, 8))
    return [" ".join(f"word{number}" for number in row) for row in drawn]


def test_probabilities_are_scikit_learns_own_cross_fitted_ones() -> None:
    cases = random_words(120, seed=3)
    # A word of its own makes a level likelier, and does not decide it.
    drawn = np.random.default_rng(4)
    reference = [LEVELS[i % 4] for i in range(120)]
    cases = [
        f"{case} {level * 3}" if drawn.random() < 0.6 else case
        for case, level in zip(cases, reference, strict=True)
    ]
    items = items_of(cases, reference)
    fold = folds_of(items, None, 5, seed=1)
    # Numbers and single letters are no words.
    word = r"[a-z][a-z0-9]+"
    plain = make_pipeline(TfidfVectorizer(token_pattern=word), LogisticRegression())
    expected = cross_val_predict(
        plain, cases, reference, cv=PredefinedSplit(fold), method="predict_proba"
    )
    np.testing.assert_allclose(answers(items), expected, atol=1e-9)
    with_noise = items.with_columns(case=pl.col("case") + " 7 38.6 x")
    np.testing.assert_allclose(answers(with_noise), expected, atol=1e-9)


def test_what_words_decide_is_learned_and_what_chance_decides_is_not() -> None:
    cases = random_words(240, seed=5)
    reference = [LEVELS[i % 4] for i in range(240)]
    told = [f"{case} {level * 3}" for case, level in zip(cases, reference, strict=True)]
    items = items_of(told, reference)
    assert right(items, answers(items)) == 240
    shuffled = items.with_columns(reference=pl.col("reference").shuffle(seed=6))
    low, high = proportion_confint(right(shuffled, answers(shuffled)), 240, method="wilson")
    assert low < 0.25 < high


def test_no_item_is_answered_by_its_own_level() -> None:
    """No two cases share a word, so that only the own level could tell the level."""
    reference = [LEVELS[i % 4] for i in range(80)]
    items = items_of([f"alone{i} single{i}" for i in range(80)], reference)
    assert right(items, answers(items)) <= 20


def test_a_cluster_is_in_one_fold() -> None:
    """Two visits of every patient say the same, and no other patient does."""
    reference = [LEVELS[(i // 2) % 4] for i in range(80)]
    patients = [f"p{i // 2}" for i in range(80)]
    items = items_of([f"alone{i // 2} single{i // 2}" for i in range(80)], reference)
    items = items.with_columns(patient=pl.Series(patients))
    assert right(items, answers(items, cluster="patient")) <= 20
    # That it matters: where visits are torn apart the other one tells it.
    assert right(items, answers(items)) > 50


def test_numbers_and_fixed_values_are_read_where_words_are_blind() -> None:
    generator = np.random.default_rng(7)
    cases, reference = [], []
    for i in range(200):
        fast, hurt = bool(generator.random() < 0.5), bool(generator.random() < 0.5)
        rate = f"{generator.integers(110, 160) if fast else generator.integers(55, 95)} per minute"
        yes, no = ("yes", "no") if hurt else ("no", "yes")
        shown = "not recorded" if i % 40 == 0 else rate
        cases.append(f"Complaint: ill\nHeart rate: {shown}\nInjury: {yes}\nPain: {no}")
        reference.append(LEVELS[2 * fast + hurt])
    items = items_of(cases, reference)
    assert right(items, answers(items, FIELDS)) >= 194
    low, _ = proportion_confint(right(items, answers(items)), 200, method="wilson")
    assert low < 0.35


def test_a_field_ends_where_a_later_one_begins() -> None:
    shown = "Complaint: ill,\nlate\nHeart rate: 81.5 per minute\nInjury: yes,\nknee\nPain: no"
    silent = "Complaint: ill\nHeart rate: not recorded\nInjury: yes"
    assert features([shown, silent], FIELDS).rows() == [
        (shown, 81.5, "yes,\nknee", "no"),
        (silent, None, "yes", ""),
    ]


@pytest.mark.parametrize(
    ("reference", "known"),
    [
        (["a", "b", "b", "c", "a", "b"], True),
        (["a"] * 6, True),
        (["a", "b"], True),
        (["a"], False),
    ],
    ids=["fewer than folds", "one level", "two items", "one item"],
)
def test_too_few_items_are_answered_as_well_as_can_be(reference: list[str], known: bool) -> None:
    items = items_of([f"some words {i} of{i}" for i in range(len(reference))], reference)
    found = answers(items)
    assert found.shape == (len(reference), 4)
    if known:
        np.testing.assert_allclose(found.sum(axis=1), 1)
    else:
        assert np.isnan(found).all()
    assert np.isnan(answers(items.with_columns(case=pl.lit("1 2 3")))).all()


def written(tmp_path: Path, items: pl.DataFrame) -> pl.DataFrame:
    """What the script makes of items."""
    items.write_parquet(tmp_path / "items.parquet")
    view = {"folds": 5, "seed": 1, "cluster": None, "fields": []}
    for name, content in (("view", view), ("scoring", SCORING)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    paths = {name: tmp_path / f"{name}.json" for name in ("view", "scoring")}
    paths |= {name: tmp_path / f"{name}.parquet" for name in ("items", "responses")}
    runpy.run_path(str(ROOT / "workflow/scripts/bag_of_words.py"))["main"](Namespace(**paths))
    return pl.read_parquet(tmp_path / "responses.parquet")


def test_answers_pass_through_scoring(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reference = [*(LEVELS[i % 3] for i in range(60)), "d", "d"]
    cases = [f"{level * 3} and more" for level in reference]
    items = items_of(cases, reference).with_columns(
        excluded=pl.when(pl.col("item_id") == "i000").then(pl.lit("never shown"))
    )
    with caplog.at_level(logging.INFO):
        responses = written(tmp_path, items)
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 1
    assert "level d has 2 items, fewer than the 5 folds" in told[0]
    assert responses["item_id"].to_list() == items["item_id"].to_list()[1:]
    assert set(responses["backend"]) == {"scikit-learn"}
    scores = score(responses, items, SCORING)
    assert scores["label"].null_count() == 0
    assert scores["label"].equals(scores["label_logprob_argmax"].rename("label"))
    assert scores["label_probabilities"].list.sum().to_numpy() == pytest.approx(1)
    assert scores.head(59)["correct"].all()
    alone = score(written(tmp_path, items.tail(1)), items, SCORING)
    assert alone["parse_status"].to_list() == ["no_answer"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Random answers of a study, whose nurse is answered for by words as well."""
    found = random_answers.study(tmp_path_factory, "whole")
    rows = {}
    for name in ("cells", "confusion"):
        table = found.tables[name]
        of_words = table.filter(model="human").with_columns(
            model=pl.lit("bag_of_words"), persona=pl.lit("bag_of_words")
        )
        if name == "cells":
            lower = [pl.col(f"accuracy{end}") / 2 for end in ("", "_low", "_high")]
            of_words = of_words.with_columns(lower)
        rows[name] = pl.concat([table, of_words])
    titles = {"nurse": "Triage nurse", "bag_of_words": "Bag of words (cross-fitted)"}
    return found.changed(rows, raters=titles, folds=200)


def test_words_stand_beside_the_nurse_and_are_no_human(study: Study) -> None:
    figure = study.draw("triage_accuracy")
    (row,) = study.rows("cells", model="bag_of_words", variant="same_items")
    drawn = lines(figure, "rater")
    assert set(drawn) == {"records|nurse", "records|bag_of_words"}
    assert numbers(drawn["records|bag_of_words"])[0] == [row["accuracy"]] * 2
    patterns = {str(line._dash_pattern) for line in drawn.values()}  # type: ignore[attr-defined]
    assert len(patterns) == 2
    bands = [p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle)]
    ends = sorted((band.get_x(), band.get_x() + band.get_width()) for band in bands)
    assert ends[0] == pytest.approx((row["accuracy_low"], row["accuracy_high"]))
    assert "Bag of words (cross-fitted) on the same items, n = 30" in words(figure)
    for name in ("confusion", "risk_plane"):
        drawn_words = words(study.draw(name))
        assert "Triage nurse (human)" in drawn_words
        assert "Bag of words (cross-fitted)" in drawn_words
        assert "(cross-fitted) (human)" not in drawn_words
    assert "fewer than 200 items" in words(study.draw("confusion"))


def test_the_summary_says_which_levels_are_too_few(study: Study) -> None:
    statistics = {
        "label_mass_warning_below": 0.5,
        "family": {"metrics": ["accuracy"], "wordings": "main", "groups": ["paper"]},
    }
    said = summary(study.tables, study.settings, statistics)
    assert "  - Bag of words (cross-fitted), all records: accuracy " in said
    # Here the models answered all of them; where it is a part, that stands beside it.
    part = "Bag of words (cross-fitted), the items the models answered: accuracy "
    assert part not in said
    fewer = pl.when(pl.col("variant") == "same_items").then(pl.col("n") - 1).otherwise("n")
    tables = {**study.tables, "cells": study.tables["cells"].with_columns(n=fewer)}
    assert part in summary(tables, study.settings, statistics)
    told = [line for line in said.splitlines() if "can hardly be learned" in line]
    assert len(told) == 1
    assert "fewer items than the 200 folds" in told[0]
    enough = summary(study.tables, dict(study.settings) | {"folds": 2}, statistics)
    assert "can hardly be learned" not in enough
