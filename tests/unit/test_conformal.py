"""Conformal sets: by another definition, in plain loops, and in studies whose truth is known."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rated_cases import LEVELS, SHOWN, cell, drawn
from root import ROOT
from routed_cases import SETTINGS

from persona_paradox.ambiguity import words
from persona_paradox.ambiguity.figures import conformal_sets
from persona_paradox.ambiguity.sets import (
    SCHEMA,
    nonconformity,
    outwards,
    set_rows,
    sets_of,
    threshold,
    with_holm,
)
from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

SCORES = ("lac", "aps", "ordinal")
ASKED = {"coverage": 0.9, "folds": 5}


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
    st.integers(0, 13),
    st.sampled_from(["0.5", "0.8", "0.9", "0.95"]),
)
def test_a_label_is_in_the_set_where_its_conformal_p_is_large(
    right: list[int], score: int, declared: str
) -> None:
    """The other definition of a conformal set, in whole numbers: ties as they come."""
    p = Fraction(1 + sum(one >= score for one in right), len(right) + 1)
    inside = score <= threshold(np.array(right, dtype=float), float(declared))
    assert inside == (p > 1 - Fraction(declared))


def grown(p: list[float]) -> list[int]:
    """Levels from the likeliest outwards."""
    low = high = p.index(max(p))
    order = [low]
    while len(order) < len(p):
        below = p[low - 1] if low > 0 else -1.0
        above = p[high + 1] if high + 1 < len(p) else -1.0
        low, high = (low - 1, high) if below >= above else (low, high + 1)
        order.append(low if below >= above else high)
    return order


@given(st.lists(st.integers(0, 9), min_size=2, max_size=7).filter(any))
def test_levels_are_added_outwards(weights: list[int]) -> None:
    p = [one / sum(weights) for one in weights]
    order = grown(p)
    assert outwards(np.array([p])).tolist() == [order]
    before = nonconformity(np.array([p]), "ordinal")[0]
    assert [before[one] for one in order] == pytest.approx(
        [sum(p[other] for other in order[:place]) for place in range(len(p))]
    )


def test_sets_by_hand() -> None:
    p = np.array([[0.5, 0.1, 0.3, 0.1], [0.3, 0.6, 0.1, np.nan]])
    assert nonconformity(p, "aps")[0] == pytest.approx([0, 0.8, 0.5, 0.9])
    assert nonconformity(p, "ordinal")[0] == pytest.approx([0, 0.5, 0.6, 0.9])
    assert nonconformity(p, "lac")[0] == pytest.approx([0.5, 0.9, 0.7, 0.9])
    # What an item does not have is in no set.
    for score in SCORES:
        assert np.isnan(nonconformity(p, score)[1, 3])
    with pytest.raises(ValueError, match="no score 'x'"):
        nonconformity(p, "x")
    assert threshold(np.arange(8.0), 0.9) == np.inf
    assert threshold(np.arange(9.0), 0.9) == 8


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(SCORES))
def test_no_item_knows_its_own_level(seed: int, score: str) -> None:
    p, right = drawn(seed, 40)
    fold = np.random.default_rng(seed).permutation(40) % 5
    scores = nonconformity(p, score)
    inside = fold == 2
    other = np.where(inside, 3 - right, right)
    before, after = (sets_of(scores, one, fold, 0.8)[inside] for one in (right, other))
    assert (before == after).all()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("sharp", [0.5, 5.0])
def test_the_declared_coverage_is_reached(score: str, sharp: float) -> None:
    """Exchangeable items: at least as declared and, of scores without ties, hardly above."""
    n, studies, declared = 50, 400, 0.8
    found = []
    for seed in range(studies):
        p, right = drawn(seed, n, sharp=sharp)
        # A model that knows nothing of its own worth is covered as well.
        told = p**2 / (p**2).sum(axis=1, keepdims=True)
        chosen = sets_of(nonconformity(told, score), right, np.arange(n) % 5, declared)
        found.append(chosen[np.arange(n), right].mean())
    error = np.std(found) / np.sqrt(studies)
    assert np.mean(found) > declared - 3 * error
    if score == "lac":
        assert np.mean(found) < declared + 1 / (0.8 * n + 1) + 3 * error


def test_coverage_is_not_promised_for_every_level() -> None:
    """A model that never thinks of the most urgent level, 16 cases of 200."""
    right = np.array([0] * 16 + [3] * 184)
    p = np.tile([0.01, 0.04, 0.15, 0.8], (200, 1)) + np.random.default_rng(1).uniform(
        0, 1e-6, (200, 4)
    )
    rows = [*set_rows({"a": cell(p, right)}, "lac", ASKED, SETTINGS, dict(enumerate(LEVELS)))]
    by_level = {row["level"]: row for row in rows}
    assert by_level["all"]["coverage"] == pytest.approx(0.9, abs=0.02)
    assert by_level["red"]["coverage"] == 0
    assert by_level["green"]["coverage"] > 0.95
    assert (by_level["red"]["n"], by_level["orange"]["n"]) == (16, 0)


def table_of(answers: dict[str, Any], score: str = "ordinal") -> pl.DataFrame:
    rows = set_rows(answers, score, ASKED, SETTINGS, dict(enumerate(LEVELS)))
    return with_holm(pl.DataFrame([*rows], schema=SCHEMA))


def test_sets_of_personas_are_compared_on_the_same_items() -> None:
    p, right = drawn(3, 200, sharp=4)
    vague = (p + 1) / (p + 1).sum(axis=1, keepdims=True)
    unknown = np.where(np.arange(200)[:, None] < 10, np.nan, p)
    table = table_of(
        {
            "no_persona": cell(np.eye(4)[right], right),
            "vague": cell(np.full((200, 4), 0.25), right, [-1] * 200),
            "same": cell(vague, right),
            "unknown": cell(unknown, right),
        }
    )
    found = {row["persona"]: row for row in table.filter(level="all").to_dicts()}
    sure, vague_row = found["no_persona"], found["vague"]
    assert (sure["size"], sure["coverage"], sure["n_single"]) == (1, 1, 200)
    assert sure["size_difference"] is None
    assert vague_row["size"] == pytest.approx(1 + vague_row["size_difference"])
    assert vague_row["size_difference_p_holm"] < 0.05
    assert vague_row["n_invalid"] == 200
    # Levels that are all as likely tell nothing: sets are all levels but those beyond the share.
    assert vague_row["coverage"] >= 0.9
    assert (found["unknown"]["n"], found["unknown"]["n_unknown"]) == (190, 10)
    of_levels = table.filter(pl.col("level") != "all")
    assert of_levels["size_difference_p_holm"].null_count() == of_levels.height


def test_clusters_stay_together() -> None:
    """Of two copies of every item neither may tell the other's level."""
    p, right = drawn(8, 60)
    twice = cell(
        np.repeat(p, 2, axis=0), np.repeat(right, 2), clusters=[f"c{i // 2}" for i in range(120)]
    )
    (row, *_) = set_rows({"a": twice}, "lac", ASKED, SETTINGS, {})
    assert (row["n"], row["n_clusters"]) == (120, 60)
    assert row["coverage_low"] < row["coverage"] < row["coverage_high"]


def test_sets_are_drawn_and_told_as_they_are_in_the_table(tmp_path: Path) -> None:
    p, right = drawn(3, 200, sharp=4)
    answers = {"no_persona": cell(p, right), "nurse": cell(np.full((200, 4), 0.25), right)}
    table = table_of(answers).with_columns(model=pl.lit("m"), task=pl.lit("t"))
    shown = SHOWN | {"conformal": ["t"]}
    rows = conformal_sets.rows({"conformal": table}, shown)
    sizes = rows.filter(pl.col("panel").str.contains("labels in a set"))
    whole = table.filter(level="all")
    assert sizes["value"].to_list() == whole["size"].to_list()
    coverage = rows.filter(pl.col("panel").str.contains("coverage"))
    assert coverage["line"].unique().to_list() == [90]
    assert coverage["value"].to_list() == pytest.approx([100 * one for one in table["coverage"]])
    assert coverage.filter("hollow")["low"].null_count() == 2 * len(LEVELS)
    spec = vega.report_figure(conformal_sets, {"conformal": table}, shown)
    vega.save(spec, tmp_path / "conformal_sets.png", "png")
    assert (tmp_path / "conformal_sets.png").stat().st_size > 10_000
    (_, section) = words.SECTIONS
    text = "\n".join(section[2]({"conformal": table}, shown, {}))
    first = whole.row(0, named=True)
    assert f"{first['size']:.2f} [" in text
    assert "(declared: 90%; n = 200; 0 sets empty" in text
    assert "Of 1 personas 1 are shown to change the size: Nurse +" in text
    least = min(
        row["coverage"]
        for row in table.filter(pl.col("level") != "all", persona="no_persona").to_dicts()
    )
    assert f"{100 * least:.1f}%" in text


def asked(**change: Any) -> Study:
    """The default study with some keys changed, without what is trained."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"models": ["smollm2_135m_instruct"]} | change
    return load_study(settings, ROOT / "config", check_schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": ["safety_teaching_short"], "conformal": {}}, "no task of it has labels"),
        (
            {"tasks": ["teaching_questions"], "limits": {}, "conformal": {"scores": ["ordinal"]}},
            "config/tasks/teaching_questions.yaml: the labels of the task have no order",
        ),
        ({"conformal": {"coverage": 1}}, "conformal.coverage"),
        ({"conformal": {"scores": ["lca"]}}, "conformal.scores"),
    ],
)
def test_what_has_no_sets_is_refused(change: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        asked(**change)


def test_a_study_has_sets_and_ambiguous_cases_where_it_asks_for_them() -> None:
    default = asked()
    assert not {"ambiguity", "conformal"} & {*default.possible_tables}
    study = asked(tasks=["triage_ktas", "triage_ktas@older"], limits={}, judges=[], conformal={})
    assert {"ambiguity", "conformal"} <= {*study.tables}
    assert {"ambiguity", "conformal_sets"} <= {*study.possible_figures}
    found = dict(views(study))
    # What an arm changes, nobody rated.
    assert [*found["ambiguity"]["tasks"]] == [*found["conformal"]["tasks"]] == ["triage_ktas"]
    assert found["conformal"]["asked"] == {
        "coverage": 0.9,
        "scores": ["lac", "ordinal"],
        "folds": 5,
    }
