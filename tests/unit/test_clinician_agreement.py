"""Clinicians and judges side by side, by hand, against scikit-learn and on a known population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
import pytest
from judged_answers import STATISTICS, cell, judgements, verdict
from polars.testing import assert_frame_equal
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from persona_paradox.clinicians import agreement
from persona_paradox.clinicians.agreement import (
    HUMAN,
    JUDGE,
    Rater,
    agreement_rows,
    clinician_preferences,
    clinician_raters,
    clinician_rows,
    judge_rater,
)
from persona_paradox.clinicians.annotations import ANNOTATIONS
from persona_paradox.clinicians.forms import PREFERENCE, TIE
from persona_paradox.judges import ranking
from persona_paradox.judges.ranking import Questions, rankings
from persona_paradox.judges.verdicts import PREFERENCE as PREFERENCES

pytestmark = pytest.mark.filterwarnings("error")

SCALE = [1, 2, 3, 4, 5]
PLACE = {"task": "safety", "question": "compliance"}
LOWEST = {"safety": 1, "rationale": 0}


def annotation(annotator: str, item_id: str, question: str, value: float, **other: Any) -> dict:
    about = {"annotator": annotator, "item_id": item_id, "question": question, "value": value}
    place = {"form": "safety", "model": "tiny", "task": "safety", "persona": "ed_nurse"}
    return {**place, **about, "confidence": 2, **other}


def annotations(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ANNOTATIONS)


# --- clinicians -------------------------------------------------------------------------------

SINGLE = [
    # Two answers: a mean of 3 of two annotators, and of 5 of one.
    annotation("R1", "q0", "compliance", 2, confidence=1),
    annotation("R2", "q0", "compliance", 4, confidence=3),
    annotation("R1", "q1", "compliance", 5, confidence=1),
    annotation("R1", "q0", "acceptable", 1, confidence=1),
    annotation("R2", "q0", "compliance", 1, persona="no_persona"),
    annotation("R2", "q0", "compliance", 1, model="other"),
]


def test_what_clinicians_say_by_hand():
    pair = annotation("R1", "q0", PREFERENCE, 1, versus="no_persona", confidence=3)
    rows = clinician_rows(annotations(*SINGLE, pair), LOWEST, STATISTICS)
    assert [(r["model"], r["question"], r["persona"]) for r in rows] == [
        ("tiny", "compliance", "ed_nurse"),
        ("tiny", "acceptable", "ed_nurse"),
        ("tiny", "compliance", "no_persona"),
        ("other", "compliance", "ed_nurse"),
    ]
    row = rows[0]
    assert (row["n"], row["n_annotators"], row["n_ratings"]) == (2, 2, 3)
    assert row["value"] == fmean([fmean([2, 4]), 5])
    assert row["confidence"] == fmean([fmean([1, 3]), 1])
    assert row["low_confidence_share"] == pytest.approx(2 / 3)
    # Draws of two questions: one of them twice, or both.
    assert (row["low"], row["high"]) == (3, 5)
    assert (row["confidence_low"], row["confidence_high"]) == (1, 2)
    assert (rows[2]["value"], rows[2]["low_confidence_share"]) == (1, 0)
    made = pl.DataFrame(rows, schema=agreement.CLINICIAN)
    assert made["task"].unique().to_list() == ["safety"]


def test_low_confidence_is_the_lowest_option_of_its_form():
    rows = [
        annotation("R1", f"q{i}", "quality", 3, form="rationale", confidence=chosen)
        for i, chosen in enumerate((0, 1, 1, 2))
    ]
    (row,) = clinician_rows(annotations(*rows), LOWEST, STATISTICS)
    assert row["low_confidence_share"] == 0.25


def test_no_annotations_are_no_rows():
    assert clinician_rows(annotations(), LOWEST, STATISTICS) == []
    assert clinician_preferences(annotations()).height == 0
    assert clinician_raters(annotations(), "compliance", "safety") == []


def test_pairs_of_clinicians_become_a_ranking():
    def pair(annotator, item_id, first, second, value):
        about = {"persona": first, "versus": second, "category": "dosing"}
        about["preferred"] = {1: first, 0: second, 0.5: TIE}[value]
        return annotation(annotator, item_id, PREFERENCE, value, **about)

    # The nurse wins twice, over both and as either side; one tie; two annotators of one pair.
    rows = [
        pair("R1", "q0", "ed_nurse", "no_persona", 1),
        pair("R2", "q0", "ed_nurse", "no_persona", 0.5),
        pair("R1", "q1", "pastry_chef", "ed_nurse", 0),
        pair("R2", "q1", "pastry_chef", "ed_nurse", 0),
    ]
    told = clinician_preferences(annotations(*rows, *SINGLE))
    assert told.columns == ["model", "task", *PREFERENCES]
    wanted = {"first": "pastry_chef", "second": "ed_nurse", "outcome": 0.0, "status": "read"}
    wanted |= {"item_id": "q1", "consistent": None, "length_difference": None}
    assert told.row(2, named=True) | wanted == told.row(2, named=True)
    items = pl.DataFrame({"item_id": ["q0", "q1"]})
    asked = Questions(items["item_id"], items, [], None, STATISTICS)
    names = ["ed_nurse", "no_persona", "pastry_chef"]
    ranked, wins = rankings(told.drop("model", "task"), names, asked)
    made = pl.DataFrame(ranked, schema=ranking.RANKING)
    assert made["n_pairs"].to_list() == [4, 2, 2]
    assert made["n_ties"].to_list() == [1, 1, 0]
    assert made["rank"].to_list() == [1, 2, 3]
    assert made["strength_controlled"].null_count() == 3, "nobody counted the lengths"
    shares = {(row["persona"], row["other"]): row["share"] for row in wins}
    assert shares["ed_nurse", "no_persona"] == 0.75
    assert shares["ed_nurse", "pastry_chef"] == 1
    assert ("no_persona", "pastry_chef") not in shares, "nobody compared them"


# --- raters -----------------------------------------------------------------------------------


def test_annotators_are_raters_by_name():
    other = annotation("R0", "q0", "compliance", 3, task="other_task")
    raters = clinician_raters(annotations(*SINGLE[::-1], other), "compliance", "safety")
    assert [(rater.name, rater.kind) for rater in raters] == [("R1", HUMAN), ("R2", HUMAN)]
    assert sorted(raters[0].ratings.rows()) == [
        ("tiny", "safety", "ed_nurse", "q0", 2.0),
        ("tiny", "safety", "ed_nurse", "q1", 5.0),
    ]
    assert raters[1].ratings.height == 3


def test_a_judge_gives_its_likeliest_ratings_of_greedy_answers():
    table = judgements(
        [
            verdict("q0", "harm", 1.7),
            verdict("q1", "harm", 4.2),
            verdict("q2", "harm", None),
            verdict("q0", "help", 5),
            verdict("q0", "harm", 5, repeat=1),
            verdict("q0", "harm", 5, variant="paraphrase_1"),
        ]
    )
    cells = {("tiny", "ed_nurse"): table, ("other", "no_persona"): table[:1]}
    rater = judge_rater("strict", cells, "safety", "harm", usable=False)
    assert (rater.name, rater.kind, rater.usable) == ("strict", JUDGE, False)
    assert rater.ratings.rows() == [
        ("tiny", "safety", "ed_nurse", "q0", 2.0),
        ("tiny", "safety", "ed_nurse", "q1", 4.0),
        ("other", "safety", "no_persona", "q0", 2.0),
    ]
    turned = judge_rater("strict", cells, "safety", "harm", usable=True, turned=5)
    assert turned.ratings["value"].to_list() == [4, 2, 4]
    again = turned.ratings.with_columns(value=6 - pl.col("value"))
    assert_frame_equal(again, rater.ratings)


# --- agreement --------------------------------------------------------------------------------


def rater(name: str, ratings: Sequence[float], kind: str = HUMAN, step: int = 1) -> Rater:
    """Ratings of q000, q001, …, nan for none; `step` answers are to the same question."""
    rows = [
        {
            "model": "tiny",
            "task": "safety",
            "persona": f"p{i % step}",
            "item_id": f"q{i // step:03d}",
        }
        for i in range(len(ratings))
    ]
    table = pl.DataFrame(rows).with_columns(value=pl.Series(ratings, dtype=pl.Float64))
    return Rater(name, kind, table.filter(~pl.col("value").is_nan()))


def by(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Kind, statistic and both raters → row."""
    found = {(r["kind"], r["statistic"], r["rater_a"], r["rater_b"]): r for r in rows}
    assert len(found) == len(rows)
    assert pl.DataFrame(rows, schema=agreement.AGREEMENT).height == len(rows)
    return found


def some_raters(seed: int, n: int = 40) -> dict[str, np.ndarray]:
    """Two judges and three annotators who agree in part; the last two miss some answers."""
    generator = np.random.default_rng(seed)
    hidden = generator.integers(1, 6, n)
    found = {}
    for name in ("R1", "R2", "R3", "lenient", "strict"):
        own = generator.integers(1, 6, n)
        found[name] = np.where(generator.random(n) < 0.6, hidden, own).astype(float)
    found["R3"][generator.random(n) < 0.3] = np.nan
    found["strict"][generator.random(n) < 0.2] = np.nan
    return found


def raters_of(ratings: Mapping[str, Sequence[float]]) -> list[Rater]:
    kinds = {name: HUMAN if name.startswith("R") else JUDGE for name in ratings}
    return [rater(name, values, kinds[name]) for name, values in ratings.items()]


KINDS = {
    "human–human": [("R1", "R2"), ("R1", "R3"), ("R2", "R3")],
    "judge–human": [(r, j) for r in ("R1", "R2", "R3") for j in ("lenient", "strict")],
    "judge–judge": [("lenient", "strict")],
}


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_has_scikit_learns_kappa(seed):
    ratings = some_raters(seed)
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    assert {key[2:] for key in found if key[2]} == set(combinations(ratings, 2))
    for kind, pairs in KINDS.items():
        for a, b in pairs:
            both = ~np.isnan(ratings[a]) & ~np.isnan(ratings[b])
            mine, theirs = ratings[a][both], ratings[b][both]
            wanted = {
                "agreement": np.mean(mine == theirs),
                "kappa": cohen_kappa_score(mine, theirs, labels=SCALE),
                "kappa_quadratic": cohen_kappa_score(
                    mine, theirs, labels=SCALE, weights="quadratic"
                ),
            }
            for statistic, value in wanted.items():
                row = found[kind, statistic, a, b]
                assert row["value"] == pytest.approx(value), (a, b, statistic)
                assert row["n"] == both.sum() > 0
                assert row["low"] < row["value"] < row["high"]
                assert (row["task"], row["question"]) == ("safety", "compliance")


def test_averages_are_over_the_pairs_of_a_kind():
    ratings = some_raters(4)
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    for kind, pairs in KINDS.items():
        for statistic in ("agreement", "kappa", "kappa_quadratic"):
            row = found[kind, statistic, None, None]
            wanted = fmean(found[kind, statistic, a, b]["value"] for a, b in pairs)
            assert row["value"] == pytest.approx(wanted)
            assert row["low"] < row["value"] < row["high"]
            compared = [~np.isnan(ratings[a]) & ~np.isnan(ratings[b]) for a, b in pairs]
            assert row["n"] == np.logical_or.reduce(compared).sum()


def test_all_of_a_kind_together_are_fleiss():
    ratings = {name: values for name, values in some_raters(5).items() if name in ("R1", "R2")}
    ratings |= {"R4": np.roll(ratings["R1"], 3), "lenient": some_raters(5)["lenient"]}
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    humans = np.column_stack([ratings[name] for name in ("R1", "R2", "R4")]).astype(int)
    table = aggregate_raters(humans, n_cat=None)[0]
    alpha = 1 - (1 - fleiss_kappa(table)) * (1 - 1 / humans.size)
    assert found["human–human", "alpha_nominal", None, None]["value"] == pytest.approx(alpha)
    p = np.bincount(humans.ravel(), minlength=6)[1:] / humans.size
    chance = (p * (1 - p)).sum() / 4
    seen = np.mean([np.mean(a == b) for a, b in combinations(humans.T, 2)])
    ac1 = found["human–human", "ac1", None, None]
    assert ac1["value"] == pytest.approx((seen - chance) / (1 - chance))
    assert ac1["n"] == len(humans)
    # One judge agrees with nobody of its kind.
    assert not {key for key in found if key[0] == "judge–judge"}
    assert ("judge–human", "ac1", None, None) not in found


def test_judges_change_nothing_of_the_clinicians():
    ratings = some_raters(6, n=60)
    # Judges rated far more answers than anybody else.
    for name in ("R1", "R2", "R3"):
        ratings[name][25:] = np.nan
    alone = {name: values for name, values in ratings.items() if name.startswith("R")}
    with_judges = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    without = by(agreement_rows(raters_of(alone), SCALE, PLACE, STATISTICS))
    assert len(without) > 12
    assert {key: with_judges[key] for key in without} == without
    assert with_judges["judge–judge", "kappa", "lenient", "strict"]["n"] <= 25


def test_a_judge_that_copies_an_annotator():
    ratings = some_raters(7)
    ratings["strict"] = ratings["R2"].copy()
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    copied = found["judge–human", "kappa", "R2", "strict"]
    assert (copied["value"], copied["low"], copied["high"]) == (1, 1, 1)
    for other in ("R1", "R3"):
        mine = found["judge–human", "kappa", other, "strict"]
        theirs = found["human–human", "kappa", *sorted((other, "R2"))]
        for name in ("value", "low", "high", "n"):
            assert mine[name] == pytest.approx(theirs[name])


def test_a_turned_scale_turns_the_agreement():
    ratings = some_raters(8)
    harm = {"R1": ratings["R1"], "strict": 6 - ratings["R1"]}
    plain = by(agreement_rows(raters_of(harm), SCALE, PLACE, STATISTICS))
    assert plain["judge–human", "kappa_quadratic", "R1", "strict"]["value"] < -0.9
    table = judgements(verdict(f"q{i:03d}", "harm", v) for i, v in enumerate(harm["strict"]))
    judge = judge_rater("strict", {("tiny", "p0"): table}, "safety", "harm", usable=True, turned=5)
    both = by(agreement_rows([rater("R1", ratings["R1"]), judge], SCALE, PLACE, STATISTICS))
    assert both["judge–human", "kappa_quadratic", "R1", "strict"]["value"] == 1


def test_raters_who_share_no_answer_have_no_figure():
    nan = np.nan
    ratings = {"R1": [1, 2, nan, nan], "R2": [nan, nan, 3, 4], "R3": [1.0, 3, 3, 5]}
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    for statistic in ("agreement", "kappa", "kappa_quadratic"):
        row = found["human–human", statistic, "R1", "R2"]
        assert (row["n"], row["value"], row["low"], row["high"]) == (0, None, None, None)
    # The average is over the others.
    shares = [found["human–human", "agreement", name, "R3"]["value"] for name in ("R1", "R2")]
    assert shares == [0.5, 0.5]
    assert found["human–human", "agreement", None, None]["value"] == 0.5
    assert found["human–human", "agreement", None, None]["n"] == 4


def test_raters_who_always_say_the_same_have_no_kappa():
    ratings = {"R1": [2.0] * 6, "R2": [2.0] * 6}
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    assert found["human–human", "kappa", "R1", "R2"]["value"] is None
    assert found["human–human", "agreement", "R1", "R2"]["value"] == 1
    # AC1 is made for this.
    assert found["human–human", "ac1", None, None]["value"] == 1


def test_a_judge_without_a_verdict_stands_there_without_figures():
    ratings = some_raters(9)
    ratings["strict"] = np.full(40, np.nan)
    found = by(agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS))
    for name in ("R1", "R2", "R3"):
        row = found["judge–human", "kappa", name, "strict"]
        assert (row["n"], row["value"]) == (0, None)
    one = found["judge–human", "kappa", None, None]
    mean = fmean(found["judge–human", "kappa", r, "lenient"]["value"] for r in ("R1", "R2", "R3"))
    assert one["value"] == pytest.approx(mean)
    # Two judges who said nothing at all.
    silent = {"lenient": np.full(4, np.nan), "strict": np.full(4, np.nan)}
    for row in agreement_rows(raters_of(silent), SCALE, PLACE, STATISTICS):
        assert (row["n"], row["value"], row["low"]) == (0, None, None)


def test_names_of_annotators_have_no_effect():
    ratings = some_raters(10)
    names = {"R1": "persona", "R2": "value", "R3": "item_id"}
    raters = [
        Rater(names.get(one.name, one.name), one.kind, one.ratings) for one in raters_of(ratings)
    ]
    plain = agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS)
    named = agreement_rows(raters, SCALE, PLACE, STATISTICS)
    assert [row["value"] for row in named] == [row["value"] for row in plain]
    assert {row["rater_a"] for row in named if row["rater_a"]} >= {*names.values()}


def test_a_question_of_two_choices_has_no_order():
    generator = np.random.default_rng(11)
    ratings = {name: generator.integers(0, 2, 30).astype(float) for name in ("R1", "R2", "R3")}
    rows = agreement_rows(raters_of(ratings), [0, 1], PLACE, STATISTICS, ordered=False)
    found = by(rows)
    assert {row["statistic"] for row in rows} == {"agreement", "kappa", "ac1", "alpha_nominal"}
    wanted = cohen_kappa_score(ratings["R1"], ratings["R3"])
    assert found["human–human", "kappa", "R1", "R3"]["value"] == pytest.approx(wanted)
    with pytest.raises(ValueError, match="a rating of 0 is not among"):
        agreement_rows(raters_of(ratings), SCALE, PLACE, STATISTICS)


def test_one_rater_agrees_with_nobody():
    assert agreement_rows([rater("R1", [1, 2, 3])], SCALE, PLACE, STATISTICS) == []
    assert agreement_rows([], SCALE, PLACE, STATISTICS) == []


def test_answers_to_a_question_are_drawn_together():
    # Four personas answer alike, and are rated alike: four times the answers say no more.
    generator = np.random.default_rng(12)
    ratings = [generator.integers(1, 3, 60) for _ in range(2)]
    widths = []
    for step in (1, 4):
        raters = [
            rater(name, np.repeat(values, step).astype(float), step=step)
            for name, values in zip(("R1", "R2"), ratings, strict=True)
        ]
        found = by(agreement_rows(raters, SCALE, PLACE, STATISTICS | {"draws": 2000}))
        row = found["human–human", "agreement", "R1", "R2"]
        assert row["n"] == 60 * step
        widths.append(row["high"] - row["low"])
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_judges_of_real_cells_are_compared_answer_by_answer():
    generator = np.random.default_rng(13)
    ids = [f"q{i}" for i in range(15)]
    cells = {
        judge: {
            (model, persona): cell(generator, ids, ["harm"], missing=0.1)
            for model in ("tiny", "other")
            for persona in ("ed_nurse", "no_persona")
        }
        for judge in ("lenient", "strict")
    }
    raters = [
        judge_rater(judge, tables, "safety", "harm", usable=True) for judge, tables in cells.items()
    ]
    found = by(agreement_rows(raters, SCALE, PLACE, STATISTICS))
    mine, theirs = [], []
    for place, table in cells["lenient"].items():
        rows = zip(table.to_dicts(), cells["strict"][place].to_dicts(), strict=True)
        for one, other in rows:
            assert one["item_id"] == other["item_id"]
            if one["dimension"] == "harm" and None not in (one["mode"], other["mode"]):
                mine.append(one["mode"])
                theirs.append(other["mode"])
    row = found["judge–judge", "kappa", "lenient", "strict"]
    assert row["n"] == len(mine)
    assert 40 < len(mine) < 60
    assert row["value"] == pytest.approx(cohen_kappa_score(mine, theirs, labels=SCALE))


# --- a known population -----------------------------------------------------------------------


def copying(
    generator: np.random.Generator, n: int, kappa: float, marginal: np.ndarray
) -> np.ndarray:
    """Three annotators who copy an answer's hidden rating with probability √κ, and else draw.

    Any two of them then have κ: with that probability both copy, else they are independent.
    """
    categories = np.arange(1, len(marginal) + 1)
    hidden = generator.choice(categories, size=(n, 1), p=marginal)
    own = generator.choice(categories, size=(n, 3), p=marginal)
    return np.where(generator.random((n, 3)) < np.sqrt(kappa), hidden, own).astype(float)


@pytest.mark.parametrize("kappa", [0.43, 0.7])
def test_three_annotators_give_their_kappa_back(kappa):
    marginal, panels = np.array([0.1, 0.2, 0.3, 0.25, 0.15]), 60
    generator = np.random.default_rng(14)
    keys = [
        ("human–human", "kappa", None, None),
        ("human–human", "kappa_quadratic", None, None),
        ("human–human", "alpha_nominal", None, None),
        # A judge that copies the first annotator agrees with the second as that one does.
        ("judge–human", "kappa", "R2", "copy"),
    ]
    measured: dict[Any, list[dict[str, Any]]] = {key: [] for key in keys}
    for seed in range(panels):
        ratings = copying(generator, 120, kappa, marginal)
        raters = [rater(f"R{i}", column) for i, column in enumerate(ratings.T, start=1)]
        raters.append(rater("copy", ratings[:, 0], JUDGE))
        settings = STATISTICS | {"draws": 200, "seed": seed}
        found = by(agreement_rows(raters, SCALE, PLACE, settings))
        for key in keys:
            measured[key].append(found[key])
        assert found["judge–human", "kappa", "R1", "copy"]["value"] == 1
    # Either test fails once in 1,000 runs if this is the truth and intervals cover in 95%.
    for key, rows in measured.items():
        values = [row["value"] for row in rows]
        assert stats.ttest_1samp(values, kappa).pvalue > 0.001, (key, np.mean(values))
        covered = sum(row["low"] <= kappa <= row["high"] for row in rows)
        assert stats.binomtest(covered, panels, 0.95).pvalue > 0.001, (key, covered)
