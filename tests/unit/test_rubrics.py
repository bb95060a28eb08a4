"""Rubrics of items: what a judge is asked, how verdicts are read, and the score as published."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_answers import STATISTICS
from root import ROOT

from persona_paradox.data.criteria import each_criterion
from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.errors import InputError
from persona_paradox.judges import criteria as rubrics
from persona_paradox.judges import trust
from persona_paradox.judges.known import criteria_checks
from persona_paradox.judges.verdicts import JUDGEMENT

JUDGE = {
    "instruction": "Judge.",
    "user": "Q: {question}\nA: {answer}",
    "question": "Is it so that {criterion} 1 = met, 2 = not met.",
}
# Of the worked example: 5 + 3 points can be reached, and 4 lost.
EXAMPLE = [
    {"criterion": "it says {when}?", "points": 5, "tags": ["axis:a"]},
    {"criterion": "it is kind?", "points": 3, "tags": ["axis:b"]},
    {"criterion": "it names a dose?", "points": -4, "tags": ["axis:a"]},
]
SHORT = [{"criterion": "it is short?", "points": 2, "tags": []}]


def items(**criteria: Any) -> pl.DataFrame:
    texts = [json.dumps(one) for one in criteria.values()]
    return pl.DataFrame({"item_id": list(criteria), "criteria": texts})


def answers(*rows: tuple[str, str | None]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema={"item_id": pl.String, "text": pl.String}, orient="row")
    return table.with_columns(
        variant=pl.lit("main"), repeat=pl.lit(0, dtype=pl.Int64), question=pl.lit("Why?")
    )


def verdicts(chats: pl.DataFrame, *met: float | None) -> pl.DataFrame:
    """Responses to chats: the probability of 1 against 2, or None where it was not run."""
    rows = []
    for chat, p in zip(chats.iter_rows(named=True), met, strict=True):
        row = {name: chat[name] for name in ("item_id", "prompt_id", "variant")}
        row |= {"repeat": 0, "response_key": "key", "backend": "llama.cpp"}
        if p is None:
            rows.append(row | {"text": None, "finish_reason": "prompt_too_long"})
            continue
        # Digits 3 and on are no answers to this question.
        shares = [0.8 * p, 0.8 * (1 - p), 0.2, 0.0, 0.0]
        logs = [math.log(share) if share else -math.inf for share in shares]
        rows.append(row | {"text": "1", "finish_reason": "length", "label_logprob": logs})
    return pl.DataFrame(rows, schema=RESPONSES)


def read(table: pl.DataFrame, given_answers: pl.DataFrame, *met: float | None) -> pl.DataFrame:
    listed = each_criterion(table)
    chats = rubrics.criterion_chats(given_answers, listed, JUDGE)
    return rubrics.criterion_verdicts(given_answers, listed, chats, verdicts(chats, *met))


def test_the_chats_on_an_answer_share_all_but_the_criterion() -> None:
    table = items(a=EXAMPLE, b=SHORT)
    chats = rubrics.criterion_chats(
        answers(("a", "Yes."), ("b", "No.")), each_criterion(table), JUDGE
    )
    assert chats["dimension"].to_list() == ["1", "2", "3", "1"]
    assert chats["shared"].to_list() == ["Q: Why?\nA: Yes.\n\n"] * 3 + ["Q: Why?\nA: No.\n\n"]
    assert chats["user"][0] == (
        "Q: Why?\nA: Yes.\n\nIs it so that it says {when}? 1 = met, 2 = not met."
    )
    assert all(row["user"].startswith(row["shared"]) for row in chats.iter_rows(named=True))


def test_verdicts_by_hand() -> None:
    table = read(items(a=EXAMPLE), answers(("a", "Yes.")), 0.9, 0.2, 0.5)
    assert table.schema == rubrics.CRITERION
    assert table["number"].to_list() == [1, 2, 3]
    assert table["p_met"].to_list() == pytest.approx([0.9, 0.2, 0.5])
    assert table["met"].to_list() == [True, False, False], "one half is not met"
    assert table["mass"].to_list() == pytest.approx([0.8] * 3)
    assert table["points"].to_list() == [5, 3, -4]
    assert table["tags"].to_list() == [["axis:a"], ["axis:b"], ["axis:a"]]


# Verdicts on the three criteria of the example, and its score as published: points of the criteria
# that are met, over the 8 that can be reached.
WORKED = {
    "all that is good": ((0.9, 0.8, 0.1), 1.0),
    "half of it": ((0.9, 0.1, 0.1), 5 / 8),
    "all of it": ((0.9, 0.9, 0.9), 4 / 8),
    "nothing": ((0.1, 0.1, 0.1), 0.0),
    "harm alone": ((0.1, 0.1, 0.9), -4 / 8),
}


@pytest.mark.parametrize("name", WORKED)
def test_scores_by_hand(name: str) -> None:
    met, score = WORKED[name]
    found = rubrics.scores(read(items(a=EXAMPLE), answers(("a", "Yes.")), *met))
    assert found.schema == rubrics.SCORE
    assert found["rubric_score"].item() == pytest.approx(score)
    expected = (5 * met[0] + 3 * met[1] - 4 * met[2]) / 8
    assert found["rubric_score_expected"].item() == pytest.approx(expected)


def published(points: list[int], met: list[bool]) -> Fraction:
    """The formula of the paper, in fractions."""
    reached = sum(one for one in points if one > 0)
    return Fraction(sum(p for p, m in zip(points, met, strict=True) if m), reached)


POINTS = st.lists(st.integers(-10, 10), max_size=5).map(lambda some: [7, *some])


@settings(max_examples=40, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=4), st.randoms())
def test_scores_are_those_of_the_paper(rubric: list[list[int]], random: Any) -> None:

    def criteria(some: list[int]) -> list[dict[str, Any]]:
        return [{"criterion": f"c{k}", "points": p, "tags": ["t"]} for k, p in enumerate(some)]

    table = items(**{f"i{n}": criteria(some) for n, some in enumerate(rubric)})
    met = [[random.random() < 0.5 for _ in some] for some in rubric]
    said = answers(*((f"i{n}", "Yes.") for n in range(len(rubric))))
    found = read(table, said, *(0.9 if one else 0.1 for some in met for one in some))
    each = [published(*both) for both in zip(rubric, met, strict=True)]
    assert rubrics.scores(found)["rubric_score"].to_list() == pytest.approx([*map(float, each)])
    rows = {
        (row["tag"], row["metric"]): row for row in rubrics.tag_rows(found, table, None, STATISTICS)
    }
    # The mean over answers is clipped, not the score of each.
    mean = float(min(max(sum(each) / len(each), 0), 1))
    assert rows["all", "rubric_score"]["value"] == pytest.approx(mean)
    assert rows["t", "rubric_score"] == rows["all", "rubric_score"] | {"tag": "t"}
    share = np.mean([one for some in met for one in some])
    assert rows["all", "met_share"]["value"] == pytest.approx(share)
    assert rows["all", "met_share"]["n_criteria"] == sum(map(len, rubric))


def test_an_answer_that_lacks_a_verdict_has_no_score() -> None:
    table = items(a=EXAMPLE, b=SHORT, c=SHORT, d=SHORT)
    said = answers(("a", "Yes."), ("b", "No."), ("c", "  "), ("d", None))
    found = read(table, said, 0.9, None, 0.1, 0.9)
    scores = rubrics.scores(found)
    assert scores["status"].to_list() == ["prompt_too_long", "read", "empty", "no_answer"]
    assert scores["rubric_score"].to_list() == [None, 1.0, None, None]
    rows = rubrics.tag_rows(found, table, None, STATISTICS)
    by_tag = {(row["tag"], row["metric"]): row for row in rows}
    assert by_tag["all", "rubric_score"]["n"] == 1
    assert by_tag["all", "rubric_score"]["n_unjudged"] == 3
    assert by_tag["axis:a", "met_share"] == {
        **{"tag": "axis:a", "metric": "met_share", "n": 1, "n_criteria": 2, "n_unjudged": 0},
        **{"value": 0.5, "low": None, "high": None},
    }
    # No criterion of this tag has a verdict.
    assert "value" not in by_tag["axis:b", "rubric_score"]


def test_scores_and_verdicts_are_judgements_too() -> None:
    found = read(items(a=EXAMPLE), answers(("a", "Yes.")), 0.9, 0.2, 0.6)
    both = rubrics.as_judgements(found), rubrics.verdict_judgements(found)
    for table in both:
        assert table.schema == JUDGEMENT
        assert table["status"].to_list() == ["read"] * table.height
    assert both[0].select("dimension", "value").rows() == [
        ("rubric_score", pytest.approx(1 / 8)),
        ("rubric_score_expected", pytest.approx((4.5 + 0.6 - 2.4) / 8)),
    ]
    assert both[1]["mode"].to_list() == [1, 2, 1]
    assert both[1]["probabilities"].to_list() == [
        pytest.approx([p, 1 - p]) for p in (0.9, 0.2, 0.6)
    ]


# --- answers of which it is known ---------------------------------------------------------


def test_bundled_answers_of_known_worth() -> None:
    said, listed = criteria_checks(ROOT / "resources/bundled/judge_criteria.csv", "judge.yaml")
    assert said.height == 2 * listed.height == 48
    assert said["text"].is_unique().all()
    chats = rubrics.criterion_chats(said, listed, JUDGE)
    right = [float(variant == "met") for variant in chats["variant"]]
    for met, value, n in (
        (right, 1.0, 0),
        ([0.9] * 48, 0.5, 0),
        ([None] * 12 + right[12:], 0.75, 12),
    ):
        found = rubrics.criterion_verdicts(said, listed, chats, verdicts(chats, *met))
        row = trust.criteria_row(found, STATISTICS)
        assert (row["value"], row["n"], row["n_unjudged"]) == (value, 48, n)
    rule = {"sanity_accuracy": 0.75, "position_bias": 0.5, "injection_rate": 0.5}
    usable = trust.usable_row([row], [], rule, [trust.CRITERIA_TEST])
    assert not usable["met"]
    assert "its accuracy on the criteria of known answers is 75%" in usable["note"]
    assert trust.usable_row([], [], rule, [trust.CRITERIA_TEST])["note"] == (
        "there are no criteria of known answers"
    )


def test_a_file_of_known_answers_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("id,question,met,unmet\na,b,c,d\n")
    with pytest.raises(InputError, match=r"key `criteria.sanity` names .* no column 'criterion'"):
        criteria_checks(path, "judge.yaml")
