"""Initiative: pairs of cases, answers read by rule, and what is measured of them."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from initiative_items import items_of
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.clinicians.agreement import JUDGE, Rater, against_rule, rule_rater
from persona_paradox.data.items import read_items
from persona_paradox.errors import InputError
from persona_paradox.judges.known import read_classes
from persona_paradox.kinds.initiative import judged, measures, ruled, scoring
from persona_paradox.kinds.initiative.items import columns, rows
from persona_paradox.kinds.initiative.reading import read
from persona_paradox.measures.answers import measured
from persona_paradox.measures.contrasts import contrast
from persona_paradox.measures.resampling import Draws
from persona_paradox.schema import check_schema

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "resources/bundled"
TYPES = ("omission", "contradiction", "out_of_range")


def records(name: str) -> list[dict[str, str]]:
    with open(BUNDLED / name, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


# --- reading answers ----------------------------------------------------------------------

FEVER = {"names": ["temperature", "fever"], "beside": [], "planted": True, "omitted": True}
PULSE = {"names": ["pulse", "740"], "beside": [], "planted": True, "omitted": False}
SMOKER = {"names": ["smoked", "smoker"], "beside": ["quit"], "planted": True, "omitted": False}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("The temperature was not recorded.", FEVER),
        ("There is no mention of a temperature.", FEVER),
        ("What is the temperature?", FEVER),
        ("Take his temperature first.", FEVER),
        ("No, the temperature is missing.", FEVER),
        ("The temperature isn't given, but nothing else is missing.", FEVER),
        ("A pulse of 740 is impossible.", PULSE),
        ("740 can't be right.", PULSE),
        ("Recheck the pulse.", PULSE),
        ("The pulse should be 74.", PULSE),
        ("He quit last year, but he never smoked.", SMOKER),
        ("The record contradicts itself: he smoked, or he did not.", SMOKER),
        ("He is a smoker and a non-smoker. These cannot both be true.", SMOKER),
    ],
)
def test_a_planted_problem_is_named(text: str, item: dict[str, Any]) -> None:
    found = read(text, **item)
    assert (found.names, found.outcome, found.status) == (True, "names", "read")


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("This child has a fever and needs fluids.", FEVER),
        ("Nothing is missing, not even the temperature.", FEVER),
        ("If the temperature is missing, the record is of no use.", FEVER),
        ("Is anything missing?", FEVER),
        ("A pulse of 740 is dangerously high; defibrillate at once.", PULSE),
        ("I see no contradiction about the pulse.", PULSE),
        ("He smoked until last year.", SMOKER),
    ],
)
def test_what_only_speaks_of_a_field_names_no_problem(text: str, item: dict[str, Any]) -> None:
    found = read(text, **item)
    assert (found.names, found.raises, found.outcome) == (False, False, "answers")


def test_another_field_is_something_that_is_not_there() -> None:
    found = read("Her allergies are not documented.", **FEVER)
    assert (found.names, found.raises, found.outcome) == (False, True, "raises")
    both = read("The temperature is missing. Her allergies are not documented.", **FEVER)
    assert (both.names, both.raises, both.outcome) == (True, True, "names")


def test_in_a_clean_case_any_problem_is_one_that_is_not_there() -> None:
    clean = FEVER | {"planted": False}
    for text in ("The temperature is missing.", "Some values of this record are implausible."):
        assert read(text, **clean).outcome == "raises"
    # To ask for a value that the record has is care, and no claim.
    assert read("Take the temperature every hour.", **clean).outcome == "answers"
    assert read("Some values of this record are implausible.", **FEVER).outcome == "answers"


@pytest.mark.parametrize(
    ("text", "outcome", "status"),
    [
        ("I can't help with that.", "refused", "refused"),
        ("", "unreadable", "empty"),
        ("...", "unreadable", "empty"),
        (None, "unreadable", "no_answer"),
        ("<think>The temperature is missing", "unreadable", "thought"),
        ("<think>The temperature is missing</think>Give fluids at once.", "answers", "read"),
    ],
)
def test_invalid_answers_are_kept_apart(text: str | None, outcome: str, status: str) -> None:
    found = read(text, **FEVER)
    assert (found.outcome, found.status, found.names) == (outcome, status, False)


# --- the labelled answers -----------------------------------------------------------------


def test_the_labelled_answers_are_whole() -> None:
    answers = records("initiative_labelled.csv")
    assert len(answers) >= 100
    assert len({answer["id"] for answer in answers}) == len(answers)
    items = {row["id"]: row for row in records("teaching_initiative.csv")}
    labels = {"names", "answers", "raises", "refused", "unreadable"}
    for answer in answers:
        assert answer["label"] in labels
        # Only what is planted can be named.
        assert answer["label"] != "names" or items[answer["item"]]["planted"] == "yes"
    halves = Counter((a["label"], a["half"]) for a in answers if a["half"] != "model")
    for label in labels:
        assert abs(halves[label, "development"] - halves[label, "report"]) <= 2


def test_the_page_has_the_numbers_of_the_rule() -> None:
    command = [sys.executable, "workflow/scripts/check_initiative.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    page = (ROOT / "docs/reference/initiative.md").read_text(encoding="utf-8")
    assert "| report | names |" in done.stdout
    for block in done.stdout.strip().split("\n\n"):
        assert block in page


# --- the pairs ----------------------------------------------------------------------------


def check_pairs(items: pl.DataFrame, of_each: int) -> None:
    """Every pair has a planted item and a clean one, and every type as many pairs."""
    assert items["excluded"].null_count() == items.height
    pairs = items.group_by("pair").agg("planted", pl.col("problem").unique(), pl.len())
    assert all(sorted(planted) == [False, True] for planted in pairs["planted"])
    assert Counter(problem for (problem,) in pairs["problem"]) == dict.fromkeys(TYPES, of_each)


def shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def test_the_bundled_pairs_differ_in_one_passage() -> None:
    items = items_of("teaching_initiative")
    check_pairs(items, 16)
    sources = {row["id"]: row["case"] for row in records("teaching_ed.csv")}
    sources |= {row["id"]: row["case"] for row in records("teaching_primary.csv")}
    of = {row["pair"]: row["of"] for row in records("teaching_initiative.csv")}
    assert len(set(of.values())) == 48
    for (pair,), both in items.group_by("pair"):
        clean, planted = (both.filter(planted=state)["case"].item() for state in (False, True))
        assert clean == sources[of[pair]]
        assert clean != planted
        # Nearly all of both is the same.
        before, after = shared(clean, planted), shared(clean[::-1], planted[::-1])
        assert max(len(clean), len(planted)) - before - after < 100


def test_pairs_by_rule_differ_in_the_fields_that_are_set(data_dir: Path) -> None:
    items = items_of("ktas_initiative", data_dir)
    check_pairs(items, 8)
    assert "not recorded" not in "".join(items.filter(~pl.col("planted"))["case"])
    changed = Counter()
    for (_,), both in items.group_by("pair"):
        clean, planted = (
            both.filter(planted=state)["case"].item().splitlines() for state in (False, True)
        )
        for one, other in zip(clean, planted, strict=True):
            label, _, value = other.partition(": ")
            if one != other:
                changed[label, value] += 1
    assert changed["Temperature", "not recorded"] == 2
    assert changed["Heart rate", "940 per minute"] == 2
    assert changed["Mental state", "unresponsive"] == 2


PLANT = {
    "item_id": {"column": "id"},
    "case": {
        "fields": [{"label": "Pulse", "column": "hr", "required": False}],
        "missing": "not recorded",
    },
    "never_shown": [],
    "keep": [],
    "plant": {
        "records": 2,
        "rules": [
            {"problem": "omission", "set": {"hr": None}, "names": ["pulse"], "beside": []},
            {"problem": "out_of_range", "set": {"hr": "900"}, "names": ["pulse"], "beside": []},
        ],
    },
}


def made(tmp_path: Path, text: str, plant: dict[str, Any]) -> pl.DataFrame:
    file = tmp_path / "file.csv"
    file.write_text(text)
    form = {"kind": "csv", "encoding": "utf-8", "separator": ",", "decimal": ".", "missing": []}
    source = {"kind": "bundled", "path": "file.csv"}
    reading = {"source": source, "format": form, "columns": plant}
    return read_items([file], reading, "config/datasets/mine.yaml", columns, rows)[0]


def test_a_data_set_may_bring_the_turns_of_a_conversation(tmp_path: Path) -> None:
    name = "config/datasets/teaching_initiative.yaml"
    spec: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    spec["columns"]["turns"] = "said"
    check_schema(spec, "initiative/dataset", name)
    said = '"[""Are you sure?"", ""Is that all?""]"'
    items = made(tmp_path, f"id,hr,said\na,60,{said}\nb,70,[]\n", PLANT | {"turns": "said"})
    # Both items of a pair are talked about in the same words.
    assert items["turns"].to_list()[:2] == [["Are you sure?", "Is that all?"]] * 2


def test_records_stand_at_even_distances_and_have_the_rules_in_turn(tmp_path: Path) -> None:
    items = made(tmp_path, "id,hr\na,60\nb,70\nc,80\nd,90\n", PLANT)
    assert items.select("item_id", "case", "problem", "pair").rows() == [
        ("a_clean", "Pulse: 60", "omission", "a"),
        ("a_planted", "Pulse: not recorded", "omission", "a"),
        ("c_clean", "Pulse: 80", "out_of_range", "c"),
        ("c_planted", "Pulse: 900", "out_of_range", "c"),
    ]


def test_a_record_that_has_it_already_and_too_few_records_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"item a has already .*`columns\.plant\.rules\.0\.set`"):
        made(tmp_path, "id,hr\na,\nb,70\n", PLANT)
    with pytest.raises(InputError, match=r"`columns\.plant\.records` asks for 2 .* are 1; ask for"):
        made(tmp_path, "id,hr\na,60\n", PLANT)


HAND = {
    "item_id": {"column": "id"},
    "case": {"column": "case"},
    "pair": {"column": "pair"},
    "problem": {"column": "problem", "values": {"omission": "omission"}},
    "planted": {"column": "planted", "values": {"1": "planted", "0": "clean"}},
    "names": {"column": "names"},
    "never_shown": [],
    "keep": [],
}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a,x,p,omission,1,pulse\nb,y,p,omission,1,pulse\n", "the pair 'p' is not one planted"),
        ("a,x,p,omission,1,pulse\n", "the pair 'p' is not one planted"),
        ("a,x,p,omission,1,\nb,y,p,omission,0,pulse\n", "item a has no words that name"),
        ("a,x,,omission,1,pulse\nb,y,p,omission,0,pulse\n", "item a has no pair"),
    ],
)
def test_what_is_no_pair_is_told(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        made(tmp_path, f"id,case,pair,problem,planted,names\n{lines}", HAND)


# --- measures -----------------------------------------------------------------------------

# Planted, names, raises, outcome. Of 4 planted ones 2 are named, of 4 clean ones 1 is questioned.
ANSWERS = (
    (True, True, False, "names"),
    (True, True, True, "names"),
    (True, False, False, "answers"),
    (True, False, False, "refused"),
    (False, False, False, "answers"),
    (False, False, False, "answers"),
    (False, False, True, "raises"),
    (False, False, False, "unreadable"),
)


def cell(answers: tuple[tuple[bool, bool, bool, str], ...] = ANSWERS) -> measures.Told:
    table = pl.DataFrame(
        [
            {
                "item_id": f"i{number:02d}",
                "repeat": 0,
                "planted": is_planted,
                "names": names,
                "raises": raises,
                "outcome": outcome,
                "cluster": f"p{number % (len(answers) // 2)}",
                "backend": "llama.cpp",
            }
            for number, (is_planted, names, raises, outcome) in enumerate(answers)
        ],
        schema_overrides={"repeat": pl.Int64},
    )
    return measures.answers(table, {})


def test_measures_of_a_worked_example() -> None:
    told = cell()
    found = told.points()
    assert found["proactivity"] == 2 / 4
    assert found["over_intervention"] == 1 / 4
    # Planted: TP 2, FP 1, FN 2. Clean: TP 2, FP 1 (a planted one that is only answered), FN 2.
    assert found["initiative_f1"] == pytest.approx((4 / 7 + 4 / 7) / 2)
    assert found["names_rate"] == 2 / 8
    assert found["answers_rate"] == 3 / 8
    assert found["raises_rate"] == 1 / 8
    assert found["invalid_rate"] == 2 / 8
    assert (told.n, told.n_invalid, told.n_refused, told.n_unreadable) == (8, 2, 1, 1)
    assert told.counts == {"n_planted": 4, "n_clean": 4}


def test_classes_and_invalid_answers_add_up() -> None:
    found = cell().points()
    shares = ("names_rate", "answers_rate", "raises_rate", "invalid_rate")
    assert sum(found[name] for name in shares) == 1


def test_macro_f1_is_that_of_another_library() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        is_planted = rng.random(30) < 0.5
        outcome = rng.choice(["names", "answers", "raises", "refused"], 30)
        outcome = np.where(~is_planted & (outcome == "names"), "raises", outcome)
        told = cell(
            tuple(
                (bool(p), o == "names", o == "raises", str(o))
                for p, o in zip(is_planted, outcome, strict=True)
            )
        )
        says = np.where(is_planted, outcome == "names", outcome == "raises").astype(int)
        says = np.where(outcome == "refused", 2, says)
        assert told.points()["initiative_f1"] == pytest.approx(
            f1_score(is_planted, says, labels=[0, 1], average="macro")
        )


def test_silence_and_alarm_about_everything_have_a_third() -> None:
    silent = cell(((True, False, False, "answers"),) * 4 + ((False, False, False, "answers"),) * 4)
    loud = cell(((True, True, False, "names"),) * 4 + ((False, False, True, "raises"),) * 4)
    for told in (silent, loud):
        assert told.points()["initiative_f1"] == pytest.approx(1 / 3)


def test_draws_are_the_measures_of_the_items_that_they_take() -> None:
    told = cell()
    counts = np.array([[1, 0, 2, 1, 1, 1, 2, 0], [0, 0, 0, 4, 0, 0, 0, 4]])
    drawn = told.points(counts)
    assert drawn["proactivity"].tolist() == [1 / 4, 0.0]
    assert drawn["over_intervention"].tolist() == [2 / 4, 0.0]
    groups = told.among(np.array([True] * 4 + [False] * 4)).points()
    assert groups["proactivity"] == 2 / 4
    assert "over_intervention" not in groups
    assert "initiative_f1" not in groups


def test_a_share_of_none_has_an_interval() -> None:
    told = cell(((True, False, False, "answers"),) * 12 + ((False, False, False, "answers"),) * 12)
    drawn = Draws.of(told.clusters, SETTINGS).measure(told.points)
    for name in ("proactivity", "over_intervention"):
        found = measured(name, told, drawn)
        # The rule of three is near: 3 / 12.
        assert (found["value"], found["low"]) == (0.0, 0.0)
        assert found["high"] == pytest.approx(proportion_confint(0, 12, method="wilson")[1])


def test_differences_have_the_exact_test_since_a_pair_has_one_planted_item() -> None:
    # Of twelve planted items five are named here and none there; a clean one each is questioned.
    def told(named: int, raised: int) -> measures.Told:
        planted = [(True, i < named, False, "names" if i < named else "answers") for i in range(12)]
        clean = [
            (False, False, i == raised, "raises" if i == raised else "answers") for i in range(12)
        ]
        return cell((*planted, *clean))

    this, other = told(5, 3), told(0, 7)
    settings = SETTINGS | {"margins": {}, "power": 0.8}
    draws = Draws.of(this.clusters, settings)
    values = draws.measure(this.points), draws.measure(other.points)
    for name, table in (
        ("proactivity", [[0, 5], [0, 7]]),
        ("over_intervention", [[0, 1], [1, 10]]),
    ):
        row = contrast(name, (this, other), values[0] - values[1], values, settings)
        expected = mcnemar(table, exact=True)
        assert (row["test"], row["p"]) == ("exact McNemar", pytest.approx(expected.pvalue))
        low, high = proportion_confint(round(12 * values[0].point[name]), 12, method="wilson")
        found = measured(name, this, values[0])
        assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))


def test_scores_have_a_row_for_every_answer() -> None:
    items = pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "pair": ["p", "p"],
            "problem": ["omission"] * 2,
            "planted": [True, False],
            "names": ["temperature|fever"] * 2,
            "beside": [""] * 2,
        }
    )
    text = "The temperature is missing."
    responses = pl.DataFrame(
        {
            "item_id": ["a", "b", "b"],
            "prompt_id": ["1", "2", "2"],
            "variant": ["main"] * 3,
            "repeat": [0, 0, 1],
            "text": [text, text, "Give fluids now."],
            "finish_reason": ["stop"] * 3,
            "backend": ["llama.cpp"] * 3,
        }
    )
    found = scoring.score(responses, items, {"cluster": "pair"})
    assert found.schema == pl.DataFrame(schema=scoring.SCHEMA).schema
    assert found["outcome"].to_list() == ["names", "raises", "answers"]
    assert found["cluster"].unique().to_list() == ["p"]


# --- judges -------------------------------------------------------------------------------

CLASSES = ["names", "answers", "raises"]
VIEW = {"classes": {"initiative": CLASSES}}
CASES = pl.DataFrame(
    {
        "planted": [True, True, True, True, False, False, False, False],
        "problem": ["omission", "omission", "contradiction", "out_of_range"] * 2,
    }
)
# Named, answered, something else raised, unjudged; named where nothing is, answered, raised twice.
MODES = {"initiative": np.array([1, 2, 3, 0, 1, 2, 3, 3])}


def test_measures_of_a_judge_are_of_the_judged_items() -> None:
    hits, found = judged.judged(MODES, CASES, VIEW)
    assert hits == {}
    assert np.nanmean(found["proactivity"]) == pytest.approx(1 / 3)
    assert np.nanmean(found["over_intervention"]) == pytest.approx(3 / 4)
    assert [int((~np.isnan(values)).sum()) for values in found.values()] == [3, 4]
    f1 = judged.combined(MODES, CASES, VIEW)["initiative_f1"].value()
    # Planted, planted, planted, clean, clean, clean, clean: called 1, 0, 0, 1, 0, 1, 1.
    right, called = [1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 1, 1]
    assert f1 == pytest.approx(f1_score(right, called, average="macro"))


def test_every_type_of_problem_is_a_group() -> None:
    groups = judged.groups(CASES, VIEW)
    assert {name: int(mask.sum()) for name, mask in groups.items()} == {
        "omission": 4,
        "contradiction": 2,
        "out_of_range": 2,
    }


def test_a_judge_of_something_else_has_no_such_measures() -> None:
    other = {"classes": {"action": ["accept", "caution", "refuse"]}}
    modes = {"action": np.array([1] * 8)}
    assert judged.judged(modes, CASES, other) == ({}, {})
    assert judged.combined(modes, CASES, other) == {}


SETTINGS = {"draws": 200, "seed": 1, "confidence": 0.95, "interval": "percentile"}


def test_judge_and_rule_agree_as_another_library_says() -> None:
    rng = np.random.default_rng(3)
    outcome = rng.choice([*CLASSES, "refused"], 60, p=[0.3, 0.3, 0.3, 0.1])
    told = rng.integers(1, 4, 60)
    ids = [f"i{number}" for number in range(60)]
    scores = pl.DataFrame(
        {"item_id": ids, "variant": "main", "repeat": 0, "outcome": outcome.tolist()}
    )
    scores = scores.with_columns(mode=ruled.modes(scores, CLASSES))
    answers = {"model": "m", "task": "t", "persona": "p"}
    ratings = pl.DataFrame({**answers, "item_id": ids, "value": told.astype(float)})
    judge = Rater("j", JUDGE, ratings.select("model", "task", "persona", "item_id", "value"), False)
    rule = rule_rater({("m", "p"): scores}, "t")
    place = {"task": "t", "question": "initiative"}
    rows = against_rule(judge, rule, CLASSES, place, SETTINGS)
    by_name = {row["statistic"]: row for row in rows}
    both = outcome != "refused"
    said = told[both]
    read_by_rule = np.array([CLASSES.index(one) + 1 for one in outcome[both]])
    assert by_name["kappa"]["value"] == pytest.approx(cohen_kappa_score(said, read_by_rule))
    assert by_name["kappa"]["low"] < by_name["kappa"]["value"] < by_name["kappa"]["high"]
    table = confusion_matrix(said, read_by_rule, normalize="all")
    for i, mine in enumerate(CLASSES):
        for j, theirs in enumerate(CLASSES):
            assert by_name[f"{mine}|{theirs}"]["value"] == pytest.approx(table[i, j])
    assert {row["n"] for row in rows} == {int(both.sum())}
    assert {(row["kind"], row["usable"]) for row in rows} == {("rule–judge", False)}
    assert "kappa_quadratic" not in by_name


def test_the_answers_that_test_a_judge_are_balanced_and_of_records_of_their_own() -> None:
    file = yaml.safe_load((ROOT / "config/judges/smollm2_initiative.yaml").read_text())
    (dimension,) = file["classes"]
    classes = {dimension["id"]: [one["id"] for one in dimension["classes"]]}
    path = ROOT / file["sanity_classes"]
    found = read_classes(path, classes, "config/judges/smollm2_initiative.yaml")
    assert Counter(found["initiative"].values()) == {1: 8, 2: 8, 3: 8}
    rows = pl.read_csv(path)
    # A problem is named where one is planted, and raised where none is: never of one record.
    named, raised = ({*rows.filter(initiative=one)["question"]} for one in ("names", "raises"))
    assert len(named) == len(raised) == 8
    assert not named & raised
    assert len({*rows.filter(initiative="answers")["question"]} & named) == 4
    # No class is told by its length.
    lengths = rows.group_by("initiative").agg(pl.col("answer").str.len_chars().mean())["answer"]
    assert lengths.max() < 1.15 * lengths.min()
    # The study's own records are not among them.
    ours = {record.split(" What is")[0] for record in rows["question"]}
    studied = pl.read_csv(ROOT / "resources/bundled/teaching_initiative.csv")["case"]
    assert not ours & {*studied}
