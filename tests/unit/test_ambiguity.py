"""Cases on which raters differ: by closed forms, by other libraries, and through the program."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rated_cases import LEVELS, SHOWN, VIEW, cell, drawn, scores
from root import ROOT
from routed_cases import SETTINGS
from scipy.special import softmax
from scipy.stats import entropy as kullback_leibler
from sklearn.metrics import brier_score_loss, log_loss

from persona_paradox.ambiguity import words
from persona_paradox.ambiguity.distributions import (
    METRICS,
    SCHEMA,
    Raters,
    ambiguity_rows,
    values_of,
    with_holm,
)
from persona_paradox.ambiguity.figures import ambiguity as figure
from persona_paradox.data.items import read_items
from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.kinds.labelled.items import columns
from persona_paradox.kinds.triage import spec
from persona_paradox.measures.resampling import Draws, means

NAME = "config/datasets/x.yaml"
KEYS: dict[str, Any] = {
    "item_id": {"column": "id"},
    "reference": {"column": "a", "values": dict(zip("1234", LEVELS, strict=True))},
    "case": {"column": "text"},
    "never_shown": [],
    "keep": [],
    "human": [],
}
SHARES = {level: f"p_{level}" for level in LEVELS}


def read(tmp_path: Path, distribution: Any, text: str) -> pl.DataFrame:
    path = tmp_path / "raw.csv"
    path.write_text(text)
    form = {"kind": "csv", "separator": ",", "encoding": "utf-8", "missing": ["^NA$"]}
    reading = {"source": {"kind": "path", "path": "raw.csv"}, "format": form}
    reading["columns"] = KEYS | {"distribution": distribution}
    return read_items([path], reading, NAME, columns)[0]


def test_what_raters_say_is_read(tmp_path: Path) -> None:
    text = "id,text,a,b,c\ni,x,1,1,2\nj,y,2,2,2\nk,z,3,NA,NA\nl,z,4,3,\n"
    items = read(tmp_path, {"raters": ["a", "b", "c"]}, text)
    assert items["n_raters"].to_list() == [3, 3, 1, 2]
    shares = items.select(f"share_{level}" for level in LEVELS).rows()
    assert shares[0] == pytest.approx((2 / 3, 1 / 3, 0, 0))
    assert shares[1:] == [(0, 1, 0, 0), (None,) * 4, (0, 0, 0.5, 0.5)]


def test_shares_are_read(tmp_path: Path) -> None:
    head = f"id,text,a,{','.join(SHARES.values())}\n"
    items = read(tmp_path, {"shares": SHARES}, head + "i,x,1,.33,.33,.33,0\nj,y,2,NA,NA,NA,NA\n")
    assert items["n_raters"].to_list() == [None, None]
    assert items.select(f"share_{level}" for level in LEVELS).rows() == [
        pytest.approx((1 / 3, 1 / 3, 1 / 3, 0)),
        (None,) * 4,
    ]


@pytest.mark.parametrize(
    ("distribution", "rows", "said"),
    [
        ({"raters": ["a", "b"]}, "i,x,1,9", "item i has '9' in column 'b', which key `columns."),
        ({"raters": ["a", "d"]}, "i,x,1,1", "`columns.distribution.raters`"),
        ({"shares": SHARES}, "i,x,1,.5,.5,.5,0", "shares of item i add up to 1.5"),
        ({"shares": SHARES}, "i,x,1,.5,.5,NA,0", "item i has nothing in column 'p_yellow'"),
        ({"shares": SHARES}, "i,x,1,1.5,-.5,0,0", "item i has '1.5' in column 'p_red'"),
        ({"shares": SHARES}, "i,x,1,high,0,0,0", "'high' in column 'p_red', which is no share"),
    ],
)
def test_what_is_no_distribution_is_refused(
    tmp_path: Path, distribution: Any, rows: str, said: str
) -> None:
    of = ["b"] if "raters" in distribution else SHARES.values()
    with pytest.raises(InputError, match=said.replace("`", ".")) as error:
        read(tmp_path, distribution, f"id,text,a,{','.join(of)}\n{rows}\n")
    assert str(error.value).startswith(NAME)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shares": SHARES | {"blue": "p_blue"}}, "`columns.distribution.shares` names 'blue'"),
        ({"shares": {"red": "p_red", "green": "p"}}, "has no column for level 'orange'"),
        ({"shares": SHARES | {"red": "p_green"}}, "has 'p_green' twice"),
        ({"raters": ["b", "text"]}, "shows 'text', which gives the answer away"),
    ],
)
def test_a_data_set_that_cannot_be_read_is_refused_before(change: Any, said: str) -> None:
    dataset: Any = {
        "columns": KEYS | {"cluster": None, "distribution": change},
        "levels": [{"id": level, "title": level} for level in LEVELS],
        "high_acuity": ["red"],
    }
    with pytest.raises(InputError, match=said.replace("`", ".")):
        spec.check_dataset(NAME, dataset)


numbers = st.lists(st.floats(-5, 5), min_size=4, max_size=4)


@given(numbers, numbers)
def test_cross_entropy_is_the_raters_entropy_and_the_divergence(a: Any, b: Any) -> None:
    p, q = softmax(a)[None], softmax(b)[None]
    found = values_of(p, np.array([0]), Raters(q, np.array([np.nan])))
    divergence = found["cross_entropy"] - found["entropy_raters"]
    assert divergence == pytest.approx(kullback_leibler(q[0], p[0]), abs=1e-9)
    assert found["entropy_model"] == pytest.approx(kullback_leibler(p[0]), abs=1e-9)
    assert np.isnan(found["disagreement_raters"])
    alike = values_of(q, np.array([0]), Raters(q, np.array([np.nan])))
    assert alike["cross_entropy"] == pytest.approx(alike["entropy_raters"])
    assert alike["brier"] == pytest.approx(0)
    assert alike["entropy_gap"] == pytest.approx(0)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_where_raters_agree_all_is_as_with_one_right_level(seed: int) -> None:
    p, right = drawn(seed, 30)
    found = values_of(p, right, Raters(np.eye(4)[right], np.full(30, 3.0)))
    labels = list(range(4))
    assert found["cross_entropy"].mean() == pytest.approx(log_loss(right, p, labels=labels))
    squared = brier_score_loss(right, p, labels=labels, scale_by_half=False)
    assert found["brier"].mean() == pytest.approx(squared)
    assert (found["disagreement_raters"] == 0).all()
    assert found["entropy_raters"] == pytest.approx(0)
    assert (found["rater_agreement"] == 1).all()


def test_pairs_of_raters_who_differ_are_counted() -> None:
    said = [0, 0, 1, 3, 3, 3]
    q = np.bincount(said, minlength=4)[None] / 6
    differ = np.mean([one != other for one, other in combinations(said, 2)])
    found = values_of(np.full((1, 4), 0.25), np.array([3]), Raters(q, np.array([6.0])))
    assert found["disagreement_raters"] == pytest.approx(differ)
    assert found["disagreement_model"] == pytest.approx(0.75)
    assert found["rater_agreement"] == pytest.approx(0.5)


def test_two_raters_do_not_bias_cross_entropy_and_disagreement_but_entropy() -> None:
    """Every outcome of two raters, weighted by its probability: an exact expectation."""
    truth, p = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    expected = dict.fromkeys(("cross_entropy", "disagreement_raters", "entropy_raters"), 0.0)
    for one, other in product(range(4), repeat=2):
        q = np.bincount([one, other], minlength=4)[None] / 2
        found = values_of(p[None], np.array([0]), Raters(q, np.array([2.0])))
        for name in expected:
            expected[name] += truth[one] * truth[other] * found[name][0]
    assert expected["cross_entropy"] == pytest.approx(-(truth * np.log(p)).sum())
    assert expected["disagreement_raters"] == pytest.approx(1 - (truth**2).sum())
    assert expected["entropy_raters"] < 0.6 * kullback_leibler(truth)


def test_a_model_as_concentrated_as_its_raters_is_not_called_otherwise() -> None:
    """Two raters drawn from the model itself, in 100 studies of 120 items."""
    held = dict.fromkeys(("disagreement_gap", "entropy_gap"), 0)
    for seed in range(100):
        p, right = drawn(seed, 120)
        generator = np.random.default_rng(1000 + seed)
        q = np.array([generator.multinomial(2, one) / 2 for one in p])
        values = values_of(p, right, Raters(q, np.full(120, 2.0)))
        draws = Draws.of(np.arange(120), SETTINGS)
        for name in held:
            low, high = draws.measure(partial(means, {"": values[name]})).interval("")
            held[name] += low <= 0 <= high
    # 95 are expected; three standard errors of that are 6.5.
    assert held["disagreement_gap"] >= 88
    assert held["entropy_gap"] < 20


def rated() -> tuple[dict[str, Any], Raters]:
    """Six items: two with consensus, three ambiguous, one that nobody rated."""
    q = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0, 0.5]])
    raters = Raters(np.vstack([q, np.full(4, np.nan)]), np.array([2.0] * 5 + [1]))
    p = np.full((6, 4), 0.1) + 0.6 * np.eye(4)[[0, 1, 0, 3, 2, 2]]
    other = p.copy()
    other[3] = np.nan
    reference = [0, 1, 1, 3, 0, 2]
    return {
        "no_persona": cell(p, reference),
        "nurse": cell(other, reference, [0, -1, 0, 3, 0, 2]),
    }, raters


def test_groups_of_items_are_told_apart() -> None:
    answers, raters = rated()
    rows = [{"model": "m", "task": "t"} | row for row in ambiguity_rows(answers, raters, SETTINGS)]
    table = with_holm(pl.DataFrame(rows, schema=SCHEMA))
    assert {*table["metric"]} == {*METRICS}

    def value(persona: str, items: str, metric: str) -> Any:
        (row,) = table.filter(persona=persona, items=items, metric=metric).to_dicts()
        return row

    found = {g: value("no_persona", g, "accuracy") for g in ("all", "consensus", "ambiguous")}
    assert {g: row["n"] for g, row in found.items()} == {"all": 5, "consensus": 2, "ambiguous": 3}
    assert {g: row["value"] for g, row in found.items()} == {
        "all": 0.6,
        "consensus": 1.0,
        "ambiguous": pytest.approx(1 / 3),
    }
    nurse = value("nurse", "all", "accuracy")
    # Item 1 is invalid, and item 4 right: one lost and one gained.
    assert (nurse["n_invalid"], nurse["value"], nurse["difference"]) == (1, 0.6, 0)
    assert nurse["p"] == 1
    lacking = value("nurse", "ambiguous", "cross_entropy")
    assert (lacking["n"], lacking["n_rated"], lacking["n_paired"]) == (2, 3, 2)
    assert lacking["difference"] == pytest.approx(0)
    assert value("nurse", "all", "rater_agreement")["value"] == pytest.approx((1 + 0.5 * 3) / 5)
    ours = value("no_persona", "consensus", "cross_entropy")
    assert ours["value"] == pytest.approx(-np.log(0.7))
    assert value("no_persona", "consensus", "entropy_gap")["value"] > 0
    of_raters = value("nurse", "all", "entropy_raters")
    assert of_raters["value"] == pytest.approx(0.6 * np.log(2))
    assert of_raters["difference"] is None


def test_the_program_writes_the_table(tmp_path: Path) -> None:
    answers, raters = rated()
    place = tmp_path / "scores/tiny/triage"
    for persona, one in answers.items():
        place.mkdir(parents=True, exist_ok=True)
        one.scores.write_parquet(place / f"{persona}.parquet")
    items = {"item_id": answers["nurse"].item_ids, "n_raters": [2, 2, 2, 2, 2, 1]}
    for level, shares in zip(LEVELS, raters.shares.T, strict=True):
        items[f"share_{level}"] = pl.Series([None if np.isnan(s) else s for s in shares])
    # The order of the data set is not that of the scores.
    pl.DataFrame(items).reverse().write_parquet(tmp_path / "cases.parquet")
    task = VIEW | {"kind": "triage", "dataset": "cases", "context": "emergency"}
    view = {"personas": [*answers], "models": ["tiny"], "tasks": {"triage": task}}
    view |= {"label_mass_warning_below": 0.5}
    for name, content in {"view": view, "statistics": SETTINGS}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "tables").mkdir()
    files = {name: f"{name}.json" for name in ("view", "statistics")}
    options = files | {"scores": "scores", "items": ".", "tables": "tables", "log": "log"}
    command = [sys.executable, ROOT / "workflow/scripts/compare_raters.py"]
    for name, path in options.items():
        command += [f"--{name}", tmp_path / path]
    subprocess.run(command, check=True, capture_output=True)
    table = pl.read_parquet(tmp_path / "tables/ambiguity.parquet")
    (row,) = table.filter(persona="no_persona", items="all", metric="entropy_raters").to_dicts()
    assert (row["model"], row["task"], row["n"]) == ("tiny", "triage", 5)
    assert row["value"] == pytest.approx(0.6 * np.log(2))
    assert scores(np.full((1, 4), 0.25), [0]).columns == answers["nurse"].scores.columns


def test_it_is_drawn_and_told_as_it_is_in_the_table(tmp_path: Path) -> None:
    answers, raters = rated()
    rows = [{"model": "m", "task": "t"} | row for row in ambiguity_rows(answers, raters, SETTINGS)]
    table = with_holm(pl.DataFrame(rows, schema=SCHEMA))
    drawn = figure.rows({"ambiguity": table}, SHOWN)
    accuracy = drawn.filter(pl.col("panel").str.contains("accuracy"))
    # Of two items of consensus nothing is drawn.
    assert accuracy["value"].to_list() == pytest.approx([None, 100 / 3, None, 200 / 3])
    assert accuracy["hollow"].to_list() == [False, True] * 2
    assert accuracy["said"][0] == "too few; n = 2"
    cross = drawn.filter(pl.col("panel").str.contains("cross"))
    assert cross["line"].to_list() == pytest.approx([0.6 * np.log(2)] * 2)
    assert (cross["value"] > cross["line"]).all()
    spec_ = vega.report_figure(figure, {"ambiguity": table}, SHOWN)
    vega.save(spec_, tmp_path / "ambiguity.png", "png")
    assert (tmp_path / "ambiguity.png").stat().st_size > 10_000
    (section, _) = words.SECTIONS
    text = "\n".join(section[2]({"ambiguity": table}, SHOWN, {}))
    assert "(n = 5 rated items; all raters say the same of 2)" in text
    assert "right in 100.0% [34.2, 100.0] there, 0 invalid; 33.3%" in text
    assert "least possible 0.42" in text
    assert "Of 1 personas 0 are shown to change it." in text


def test_where_the_number_of_raters_is_not_known_entropies_are_compared() -> None:
    answers, raters = rated()
    unknown = Raters(raters.shares, np.full(6, np.nan))
    rows = [{"model": "m", "task": "t"} | row for row in ambiguity_rows(answers, unknown, SETTINGS)]
    table = with_holm(pl.DataFrame(rows, schema=SCHEMA))
    assert not table["metric"].str.contains("disagreement_(gap|raters)").any()
    drawn = figure.rows({"ambiguity": table}, SHOWN)
    gap = drawn.filter(pl.col("panel").str.contains("entropy of the model"))
    found = table.filter(items="all", metric="entropy_gap")
    assert gap["value"].to_list() == found["value"].to_list()
    text = "\n".join(words.SECTIONS[0][2]({"ambiguity": table}, SHOWN, {}))
    # Few raters make theirs too small: nothing is said of which is the larger.
    assert "Its entropy minus theirs is +0." in text
    assert "concentrated" not in text
