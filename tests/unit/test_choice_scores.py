"""What answers to questions with options say, and what is measured of them, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.kinds.choice import cells, pairs, sets
from persona_paradox.kinds.choice.formulas import macro_f1
from persona_paradox.kinds.choice.letters import LETTERS
from persona_paradox.kinds.choice.measures import answers
from persona_paradox.kinds.choice.prompting import fields
from persona_paradox.kinds.choice.scoring import SCHEMA, score
from persona_paradox.measures import confidences

LABELS = list("ABCDE")
SCORING: dict[str, Any] = {"labels": LABELS, "select": "one"}
VIEW: dict[str, Any] = {"select": "one", "label_mass_warning_below": 0.5}


def log(*shares: float) -> list[float]:
    return [math.log(share) if share else -math.inf for share in shares]


def items(*rows: tuple[str, int, str, list[int] | None]) -> pl.DataFrame:
    """Rows of (item, number of options, key, order)."""
    return pl.DataFrame(
        {
            "item_id": [id_ for id_, *_ in rows],
            "options": [[f"option {letter}" for letter in LETTERS[:k]] for _, k, *_ in rows],
            "reference": [key for *_, key, _ in rows],
            "order": [order for *_, order in rows],
        },
        schema_overrides={"order": pl.List(pl.Int64)},
    )


def responses(*rows: tuple) -> pl.DataFrame:
    """Rows of (item, text, label_logprob), and perhaps wording and repeat."""
    keys = ("item_id", "text", "label_logprob", "variant", "repeat")
    named = [dict(zip(keys, (*row, *("main", 0)[len(row) - 3 :]), strict=True)) for row in rows]
    return pl.DataFrame([one | {"backend": "llama.cpp"} for one in named], schema=RESPONSES)


P = log(0.5, 0.2, 0.1, 0.1, 0.1)
NULL = ("null:1", "A", log(0.4, 0.2, 0.2, 0.1, 0.1))


def test_an_answer_is_an_option_in_whatever_order_it_stood() -> None:
    asked = items(("x", 3, "B", [1, 2, 0]), ("y", 5, "B", None))
    scores = score(responses(("x", "A", P), ("y", "A", P), NULL), asked, SCORING)
    assert scores.schema == SCHEMA
    x, y = scores.iter_rows(named=True)
    # Shown first is the second of the file.
    assert (x["label"], x["label_shown"], x["shown_first"], x["reference_shown"]) == (
        *("B", "A", "B", "A"),
    )
    assert (y["label"], y["label_shown"], y["shown_first"], y["reference_shown"]) == (
        *("A", "A", "A", "B"),
    )
    assert (x["correct"], x["outcome"], y["correct"], y["outcome"]) == (
        *(True, "right", False, "wrong"),
    )
    # 0.5, 0.2 and 0.1 of 0.8, the third first.
    assert x["label_probabilities"] == pytest.approx([0.125, 0.625, 0.25])
    assert x["label_mass"] == pytest.approx(0.8)
    assert y["label_mass"] == pytest.approx(1.0)
    assert (x["label_logprob_argmax"], x["correct_logprob"]) == ("B", True)
    assert x["confidence"] == x["confidence_generated"] == pytest.approx(0.625)
    assert x["margin"] == pytest.approx(0.375)
    # The prior of three is 0.4, 0.2, 0.2 of 0.8: 0.625 / 0.5 : 0.25 / 0.25 : 0.125 / 0.25.
    assert (x["label_contextual"], x["correct_contextual"]) == ("B", True)
    assert x["confidence_contextual"] == pytest.approx(1.25 / 2.75)
    # 0.5 / 0.4 : 0.2 / 0.2 : 0.1 / 0.2 : 0.1 / 0.1 : 0.1 / 0.1.
    assert y["confidence_contextual"] == pytest.approx(1.25 / 4.75)
    assert (x["n_options"], y["n_options"]) == (3, 5)


def test_a_drawn_order_is_that_of_the_prompt() -> None:
    asked = items(*[(f"q_{n}", 2 + n % 4, "A", None) for n in range(20)])
    view = SCORING | {"order_seed": 3}
    lines = [text.split("\n") for text in fields(asked, view)["options"]]
    for position in range(2):
        said = [(id_, LABELS[position], None) for id_ in asked["item_id"]]
        found = score(responses(*said), asked, view)["label"]
        wanted = [listed[position].rpartition(" ")[2] for listed in lines]
        assert found.to_list() == wanted
    assert len(set(found)) > 2


@pytest.mark.parametrize(
    ("text", "label", "status", "outcome"),
    [
        ("B", "B", "label", "wrong"),
        ("The answer is C.", "C", "stated", "right"),
        ("D", None, "no_option", "unreadable"),
        ("The answer is E", None, "no_option", "unreadable"),
        ("A or C", None, "ambiguous", "unreadable"),
        ("home", None, "missing", "unreadable"),
        ("I cannot answer medical questions.", None, "missing", "refused"),
        (None, None, "no_answer", "unreadable"),
    ],
)
def test_a_letter_that_the_item_does_not_have_is_no_answer(
    text: str | None, label: str | None, status: str, outcome: str
) -> None:
    (row,) = score(responses(("x", text, P)), items(("x", 3, "C", None)), SCORING).iter_rows(
        named=True
    )
    assert (row["label"], row["parse_status"], row["outcome"]) == (label, status, outcome)
    assert row["correct"] == (label == "C")


def test_one_of_several_right_options_is_right() -> None:
    asked = items(*[(id_, 3, "AC", None) for id_ in "uvw"])
    said = [("u", "A", P), ("v", "B", log(0, 1, 0, 0, 0)), ("w", "C", log(0.2, 0.3, 0.5, 0, 0))]
    scores = score(responses(*said), asked, SCORING)
    assert scores["correct"].to_list() == [True, False, True]
    assert scores["correct_logprob"].to_list() == [True, False, True]
    assert scores["reference"].to_list() == ["AC"] * 3
    found = answers(scores, VIEW)
    assert found.points()["accuracy"] == found.points()["accuracy_logprob"] == 2 / 3
    assert found.points()["chance"] == pytest.approx(2 / 3)
    # A: right in u, of which it was the answer, and in v, the first; C in w.
    assert found.points()["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    top = {name: correct for name, _, _, correct in confidences.known(scores)}
    assert top["top_label"].tolist() == [True, False, True]


def test_what_has_no_probability() -> None:
    nothing = log(0, 0, 0, 0.5, 0.5)
    asked = items(("x", 3, "A", None))
    for null in (("null:1", "", nothing), ("null:1", "", log(0.5, 0.5, 0, 0, 0))):
        scores = score(responses(("x", "A", P), null), asked, SCORING)
        assert scores["label_contextual"].to_list() == [None]
    for logprob in (nothing, None):
        scores = score(responses(("x", "A", logprob), NULL), asked, SCORING)
        assert scores["confidence"].to_list() == [None]
        assert scores["correct_logprob"].to_list() == [None]
    assert score(responses(("x", "A", nothing)), asked, SCORING)["label_mass"].to_list() == [0.0]


# --- measures -----------------------------------------------------------------------------


def test_sampled_answers_by_hand() -> None:
    asked = items(("u", 2, "A", None), ("v", 4, "B", [1, 0, 2, 3]), ("w", 3, "C", None))
    rows = [("u", "A", None), ("v", "A", None), ("w", "A", None)]
    for id_, texts in (("u", "AAAA"), ("v", "AABA"), ("w", "CCB?")):
        rows += [(id_, text, None, "main", n) for n, text in enumerate(texts, 1)]
    scores = score(responses(*rows), asked, SCORING)
    greedy = scores.filter(repeat=0)
    # Of u all four, of v three; w's greedy answer was never drawn.
    assert greedy["confidence_repeat"].to_list() == [1.0, 0.75, 0.0]
    found = answers(scores, VIEW).points()
    assert found["all_of_k"] == pytest.approx(1 / 3)
    assert found["majority_of_k"] == pytest.approx(2 / 3)  # two of four are no majority
    assert found["accuracy_sampled"] == pytest.approx((1 + 0.75 + 0.5) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 4 + 1 / 3) / 3)
    # u, v and w answer what stands first; that is right in u and v.
    assert found["position_bias"] == pytest.approx(1 / 3)


def test_an_invalid_answer_stands_at_no_place() -> None:
    asked = items(*[(id_, 3, "A", None) for id_ in "tuvw"])
    said = [("t", "A", None), ("u", "B", None), ("v", "?", None), ("w", "D", None)]
    found = answers(score(responses(*said), asked, SCORING), VIEW)
    assert found.points()["position_bias"] == pytest.approx((0 - 1) / 2)
    assert (found.n_invalid, found.n_unreadable) == (2, 2)


def test_macro_f1_by_hand() -> None:
    # A: TP 2, FP 1, FN 1; B: TP 1, FP 1, FN 1; C: TP 0, FP 0, FN 1 (unreadable).
    right = [0, 0, 0, 1, 1, 2]
    answer = [0, 0, 1, 1, 0, -1]
    assert macro_f1(right, answer) == pytest.approx((4 / 6 + 2 / 4 + 0) / 3)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 5)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_macro_f1_is_that_of_scikit_learn(pairs_: list[tuple[int, int]], random: Any) -> None:
    right, answer = np.array(pairs_).T
    labels = sorted(set(right.tolist()))
    wanted = f1_score(right, answer, labels=labels, average="macro", zero_division=0)
    assert macro_f1(right, answer) == pytest.approx(wanted)
    counts = np.array([[random.randint(0, 2) for _ in right] for _ in range(3)])
    drawn = macro_f1(right, answer, counts)
    for one, found in zip(counts, drawn, strict=True):
        again = np.repeat(right, one), np.repeat(answer, one)
        # A label that a draw has on neither side has no F1.
        seen = [label for label in labels if label in again[0] or label in again[1]]
        if seen:
            value = f1_score(*again, labels=seen, average="macro", zero_division=0)
            assert found == pytest.approx(value)
        else:
            assert np.isnan(found)


def test_macro_f1_is_by_labels_as_they_are_shown() -> None:
    # The first option of the file is right in both, and shown as B in the second.
    asked = items(("u", 2, "A", None), ("v", 2, "A", [1, 0]))
    scores = score(responses(("u", "A", None), ("v", "A", None)), asked, SCORING)
    found = answers(scores, VIEW).points()
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    digits = {"labels": ["1", "2"], "select": "one"}
    again = score(responses(("u", "1", None), ("v", "1", None)), asked, digits)
    assert answers(again, VIEW).points()["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_some_of_the_items_have_their_own_measures() -> None:
    asked = items(*[(f"q_{n}", 2, "AB"[n % 2], None) for n in range(6)])
    said = [(f"q_{n}", "A", None) for n in range(6)]
    found = answers(score(responses(*said), asked, SCORING), VIEW)
    even = found.among(np.array([True, False] * 3)).points()
    assert (even["accuracy"], even["macro_f1"]) == (1.0, 1.0)
    counts = np.array([[1, 0, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1]])
    assert found.points(counts)["macro_f1"] == pytest.approx([1.0, 1 / 3])


# --- sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found", "status"),
    [
        ("A", "A", "label"),
        ("A, C", "AC", "label"),
        ("C and A", "AC", "label"),
        ("A, B, and D.", "ABD", "label"),
        ("ACD", "ACD", "label"),
        ("(A), (C)", "AC", "label"),
        ("**A** and **C**", "AC", "label"),
        ("A/D", "AD", "label"),
        ("A. rest\nC. water", "AC", "label"),
        ("A. rest\nC. water\nBoth are safe, unlike D.", "AC", "label"),
        ("The right options are B and D.", "BD", "stated"),
        ("Answer: A, C", "AC", "stated"),
        ("I first thought A, B. Final answer: B", "B", "stated"),
        ("The correct answers are: A, C, and D, because B is unsafe.", "ACD", "stated"),
        ("A, F", None, "no_option"),
        ("A or C", None, "ambiguous"),
        ("A patient needs rest.", None, "unclear"),
        ("All of them.", None, "missing"),
        ("None", None, "missing"),
        ("", None, "empty"),
        (None, None, "no_answer"),
        ("<think>A, B", None, "thought"),
        ("<think>A, B</think>C", "C", "label"),
    ],
)
def test_a_set_of_options_is_read(text: str | None, found: str | None, status: str) -> None:
    letters, told = sets.parse_set(text, list("ABCD"))
    assert (letters if letters is None else "".join(letters), told) == (found, status)


@pytest.mark.parametrize(
    ("text", "found"),
    [("A, B", None), ("A,", None), ("A and", None), ("The answers are A", None), ("A, B.", "AB")],
)
def test_a_list_that_was_cut_may_have_gone_on(text: str, found: str | None) -> None:
    letters, status = sets.parse_set(text, list("ABCD"), cut=True)
    assert (letters if letters is None else "".join(letters)) == found
    assert (status == "unclear") == (found is None)
    assert sets.parse_set(text, list("ABCD"))[0] is not None or "and" in text


def test_a_set_is_right_where_it_is_the_key() -> None:
    asked = items(*[(id_, 4, "AC", [2, 0, 1, 3]) for id_ in "uvwx"])
    # Shown first is C, then A.
    said = [("u", "A, B", None), ("v", "A", None), ("w", "A, B, C", None), ("x", "?", None)]
    scoring = SCORING | {"select": "all"}
    scores = score(responses(*said), asked, scoring)
    assert scores["label"].to_list() == ["AC", "C", "ABC", None]
    assert scores["label_shown"].to_list() == ["AB", "A", "ABC", None]
    assert scores["outcome"].to_list() == ["right", "wrong", "wrong", "unreadable"]
    view = VIEW | {"select": "all"}
    found = answers(scores, view)
    assert found.points()["accuracy"] == 0.25
    assert found.points()["chance"] == pytest.approx(1 / 15)
    assert not {"macro_f1", "position_bias", "label_mass"} & set(found.points())
    # 2 to the power of each place: A and C are 1 + 4.
    assert found.answer.tolist() == [5, 4, 7, -1]
    assert answers(scores, view, found).points()["consistency_persona"] == 1
    assert confidences_of(scores) == {"top_label": 0, "generated_label": 0}


def confidences_of(scores: pl.DataFrame) -> dict[str, int]:
    return {name: int(has.sum()) for name, has, _, _ in confidences.known(scores)}


# --- arms ---------------------------------------------------------------------------------


def test_pairs_of_an_arm_by_hand() -> None:
    asked = items(("u", 3, "AC", None), ("v", 3, "B", None))
    before = score(
        responses(("u", "A", log(0.5, 0.3, 0.2, 0, 0)), ("v", "B", log(0.2, 0.6, 0.2, 0, 0))),
        asked,
        SCORING,
    )
    moved = asked.with_columns(order=pl.Series([[1, 2, 0]] * 2, dtype=pl.List(pl.Int64)))
    after = score(
        responses(("u", "B", log(0.1, 0.6, 0.3, 0, 0)), ("v", "A", log(0.4, 0.3, 0.3, 0, 0))),
        moved,
        SCORING,
    )
    # u: shown B is C, another right one; v: shown A is B, as before.
    assert after["label"].to_list() == ["C", "B"]
    changed = pl.DataFrame({"changed": [True, True], "named": [2, 0]})
    found = pairs.pairs(answers(after, VIEW), answers(before, VIEW), changed, VIEW)
    assert found["flip_rate"].tolist() == [1, 0]
    assert found["lost"].tolist() == [0, 0]
    # Right before: 0.5 + 0.2, 0.6; after: A 0.3 + C 0.6, B 0.4.
    assert found["p_right_change"] == pytest.approx([0.2, -0.2])
    assert found["named_rate"].tolist() == [1, 0]
    assert found["adopted"].tolist() == [1, 0]


def test_a_set_adopts_an_option_that_it_holds() -> None:
    asked = items(*[(id_, 3, "A", None) for id_ in "uvw"])
    scoring, view = SCORING | {"select": "all"}, VIEW | {"select": "all"}
    said = [("u", "A", None), ("v", "A, C", None), ("w", "A", None)]
    before = answers(score(responses(*said), asked, scoring), view)
    said = [("u", "A, C", None), ("v", "A, C", None), ("w", "?", None)]
    after = answers(score(responses(*said), asked, scoring), view)
    changed = pl.DataFrame({"changed": [True] * 3, "named": [2] * 3})
    found = pairs.pairs(after, before, changed, view)
    assert np.array_equal(found["adopted"], [1, np.nan, 0], equal_nan=True)
    assert np.array_equal(found["adopted_of_right"], [1, np.nan, 0], equal_nan=True)
    assert found["named_rate"].tolist() == [1, 1, 0]


def test_the_page_tells_sets_apart_and_labels_by_the_file() -> None:
    dataset = {"columns": {"options": {"columns": list("ABC")}}}
    one = cells.describe({"select": "one"}, dataset)
    assert [label.mark for label in one.labels] == list("ABC")
    # An arm may add options.
    assert len(cells.describe({"select": "one", "arm": {}}, dataset).labels) == 10
    every = cells.describe({"select": "all"}, dataset)
    assert not every.labels
    scores = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "label": ["AC", "B", None],
            "parse_status": ["label", "label", "unclear"],
            "outcome": ["wrong", "right", "unreadable"],
        }
    )
    ids = pl.DataFrame({"item_id": list("abcd")})
    found = cells.columns(scores, ids, every)
    assert found["said"] == [5, 2, -1, None]
    assert [every.outcomes[n].id for n in found["outcome"][:3]] == ["wrong", "right", "unreadable"]
