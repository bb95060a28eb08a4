"""The score columns that need more than one answer, by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.kinds.labelled.verbalized import SCHEMA as VERBALIZED
from persona_paradox.kinds.triage.scoring import SCHEMA, score

SCORING = {
    "labels": [{"label": label, "level": label.lower()} for label in "ABC"],
    "levels": ["c", "b", "a"],
    "high_acuity": ["c"],
}
ITEMS = pl.DataFrame(
    {"item_id": ["x", "y"], "reference": ["a", "c"], "hospital": [7, None], "ward": ["n", "s"]}
)


def log(*shares: float) -> list[float]:
    return [math.log(share) if share else -math.inf for share in shares]


def responses(*rows: tuple) -> pl.DataFrame:
    """Rows of (item, variant, repeat, text, label_logprob)."""
    keys = ("item_id", "variant", "repeat", "text", "label_logprob")
    return pl.DataFrame([dict(zip(keys, row, strict=True)) for row in rows], schema=RESPONSES)


def column(scores: pl.DataFrame, *names: str) -> list:
    rows = scores.select(names).rows()
    return [row[0] for row in rows] if len(names) == 1 else rows


P = log(0.6, 0.3, 0.1)


def test_contextual_calibration_per_wording() -> None:
    table = responses(
        ("x", "main", 0, "A", P),
        ("x", "main", 1, "B", P),
        ("null:1", "main", 0, "A", log(0.2, 0.1, 0.7)),
        ("null:2", "main", 0, "A", log(0.2, 0.3, 0.5)),
        ("x", "paraphrase_1", 0, "A", P),
        ("null:1", "paraphrase_1", 0, "A", log(0.8, 0.1, 0.1)),
        ("x", "paraphrase_2", 0, "A", P),
    )
    scores = score(table, ITEMS, SCORING)
    assert scores.schema == SCHEMA
    assert column(scores, "variant") == ["main", "main", "paraphrase_1", "paraphrase_2"]
    # 0.6/0.2 : 0.3/0.2 : 0.1/0.6 = 18 : 9 : 1, and 0.6/0.8 : 0.3/0.1 : 0.1/0.1 = 3 : 12 : 4.
    assert column(scores, "label_contextual") == ["A", "A", "B", None]
    assert scores["confidence_contextual"].to_list()[:3] == [
        pytest.approx(value) for value in (18 / 28, 18 / 28, 12 / 19)
    ]
    assert scores["confidence_contextual"][3] is None
    # Label masses do not matter, neither of the item nor of the null case.
    thinned = table.with_columns(pl.col("label_logprob").list.eval(pl.element() - 3.0))
    other = score(thinned, ITEMS, SCORING)["confidence_contextual"]
    assert other.to_list()[:3] == [pytest.approx(v) for v in scores["confidence_contextual"][:3]]


NONE = [-math.inf] * 3


@pytest.mark.parametrize(
    ("nulls", "expected"),
    [
        ([None, log(0.2, 0.2, 0.6)], ("A", 18 / 28)),  # one that was not run
        ([NONE, log(0.2, 0.2, 0.6)], ("A", 18 / 28)),  # one without a listed label
        ([log(0.5, 0.5, 0), log(0.2, 0.2, 0.6)], ("A", None)),
        ([log(0.5, 0.5, 0), log(0.4, 0.6, 0)], (None, None)),  # a label without probability
        ([None, NONE], (None, None)),
    ],
)
def test_null_cases_that_say_little(
    nulls: list[list[float] | None], expected: tuple[str | None, float | None]
) -> None:
    rows = [(f"null:{i}", "main", 0, None, values) for i, values in enumerate(nulls, start=1)]
    scores = score(responses(("x", "main", 0, "A", P), *rows), ITEMS, SCORING)
    label, confidence = column(scores, "label_contextual", "confidence_contextual")[0]
    assert label == expected[0]
    if label is None:
        assert confidence is None
    elif expected[1] is not None:
        assert confidence == pytest.approx(expected[1])


def test_items_that_say_nothing_have_no_contextual_label() -> None:
    null = ("null:1", "main", 0, "A", log(0.2, 0.2, 0.6))
    table = responses(
        ("x", "main", 0, None, None), ("y", "main", 0, "A", NONE), null, ("x", "b", 0, "A", P)
    )
    scores = score(table, ITEMS, SCORING)
    assert column(scores, "label_contextual", "confidence_contextual") == [(None, None)] * 3
    some = score(responses(("x", "main", 0, "A", log(0.5, 0.5, 0)), null), ITEMS, SCORING)
    assert column(some, "label_contextual", "confidence_contextual") == [("A", 0.5)]


def test_repeat_agreement_by_hand() -> None:
    def answers(item: str, variant: str, *texts: str | None) -> list[tuple]:
        return [(item, variant, repeat, text, None) for repeat, text in enumerate(texts)]

    table = responses(
        *answers("x", "main", "A", "A", "B", "no idea", "A"),
        *answers("y", "main", "no idea", "no idea", "A"),
        *answers("x", "paraphrase_1", "B", "A", "C"),
        *answers("y", "paraphrase_1", "C"),
    )
    scores = score(table, ITEMS, SCORING)
    greedy = scores.filter(pl.col("repeat") == 0)
    assert column(greedy, "item_id", "variant", "confidence_repeat") == [
        ("x", "main", 0.5),  # two of four; what cannot be read agrees with nothing
        ("y", "main", None),  # no greedy label to agree with
        ("x", "paraphrase_1", 0.0),
        ("y", "paraphrase_1", None),  # nothing sampled
    ]
    assert scores.filter(pl.col("repeat") > 0)["confidence_repeat"].null_count() == 8 + 0


def test_an_answer_that_was_cut_may_begin_a_list() -> None:
    texts = ["1. Chest pain", "1. Chest pain", "1"]
    table = responses(*(("x", f"main_{i}", 0, text, P) for i, text in enumerate(texts)))
    table = table.with_columns(finish_reason=pl.Series(["stop", "length", "length"]))
    labels = [{"label": f"{i + 1}", "level": level} for i, level in enumerate("abc")]
    scores = score(table, ITEMS, SCORING | {"labels": labels})
    found = column(scores, "label", "parse_status")
    assert found == [("1", "label"), (None, "unclear"), ("1", "label")]


def test_stated_confidence_belongs_to_the_greedy_answer() -> None:
    table = responses(
        ("x", "main", 0, "A", P),
        ("x", "main", 1, "A", P),
        ("y", "main", 0, "hm", P),
        ("x", "paraphrase_1", 0, "A", P),
    )
    stated = pl.DataFrame(
        [
            {"item_id": "x", "variant": "main", "confidence": 0.8, "status": "read"},
            {"item_id": "y", "variant": "main", "confidence": 0.3, "status": "read"},
            {"item_id": "x", "variant": "paraphrase_1", "status": "not_a_number"},
        ],
        schema=VERBALIZED,
    )
    scores = score(table, ITEMS, SCORING, stated)
    assert scores.schema == SCHEMA
    assert column(scores, "confidence_verbalized") == [0.8, None, 0.3, None]
    assert scores["item_id"].to_list() == ["x", "x", "y", "x"]
    without = score(table, ITEMS, SCORING)
    assert without["confidence_verbalized"].null_count() == 4
    assert without.drop("confidence_verbalized").equals(scores.drop("confidence_verbalized"))


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [(None, [None, None]), ("hospital", ["7", None]), ("ward", ["n", "s"])],
)
def test_clusters(cluster: str | None, expected: list[str | None]) -> None:
    table = responses(("x", "main", 0, "A", P), ("y", "main", 0, "A", P))
    scores = score(table, ITEMS, {**SCORING, "cluster": cluster})
    assert column(scores, "cluster") == expected
    assert score(table, ITEMS, SCORING)["cluster"].null_count() == 2
