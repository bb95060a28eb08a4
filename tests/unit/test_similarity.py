"""Similarity of two texts, against scikit-learn."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from persona_paradox.scorers.similarity import TfIdf

WORDS = (
    "fever",
    "Fever",
    "tablet",
    "a",
    "don't",
    "heart-beat",
    "Übelkeit",
    "37.5",
    "x2",
    "\n",
    ",",
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS, TEXTS)
def test_it_is_the_cosine_of_scikit_learn(documents: list[str], one: str, two: str) -> None:
    analyze = TfidfVectorizer().build_analyzer()
    # Words that no document has are in the vocabulary too.
    vocabulary = sorted({word for text in (*documents, one, two) for word in analyze(text)})
    if not vocabulary:
        return
    fitted = TfidfVectorizer(vocabulary=vocabulary).fit(documents)
    rows = fitted.transform([one, two])
    expected = float(rows[0].multiply(rows[1]).sum())
    assert TfIdf(documents).cosine(one, two) == pytest.approx(expected, abs=1e-12)


def test_a_worked_example() -> None:
    # Of two documents both have "fever" and one "cough": weights 1 and ln(3 / 2) + 1.
    weights = TfIdf(["fever cough", "fever"])
    w = math.log(3 / 2) + 1
    assert weights.cosine("fever cough", "cough") == pytest.approx(w / math.sqrt(1 + w * w))


@given(TEXTS, TEXTS)
def test_bounds_and_order(one: str, two: str) -> None:
    weights = TfIdf([one])
    found = weights.cosine(one, two)
    assert 0 <= found <= 1
    assert found == weights.cosine(two, one)


def test_the_same_is_one_and_nothing_in_common_is_nought() -> None:
    weights = TfIdf(["fever and cough"])
    assert weights.cosine("fever cough", "cough, FEVER") == pytest.approx(1)
    assert weights.cosine("fever", "rash") == 0
    assert weights.cosine("", "rash") == weights.cosine("", "") == 0
