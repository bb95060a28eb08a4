"""Stated confidences: which texts state one, and which answers are asked about."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.kinds.labelled.verbalized import (
    SCHEMA,
    second_turns,
    stated_confidence,
    verbalized,
)

READABLE = {
    "85": 0.85,
    " 85\n": 0.85,
    "85.": 0.85,
    "**85**": 0.85,
    "85.5": 0.855,
    "85%": 0.85,
    "85 %": 0.85,
    "85 percent": 0.85,
    "85/100": 0.85,
    "85 / 100": 0.85,
    "85 out of 100.": 0.85,
    "I am about 85% sure of it.": 0.85,
    "Confidence: 85 (of 100)": None,  # two numbers
    "85. I am 85% sure": 0.85,
    "12.3% (0.123)": 0.123,
    "~85": 0.85,
    "- 85": 0.85,
    "0": 0.0,
    "100": 1.0,
    "100%": 1.0,
    "100/100": 1.0,
    # With a decimal point and at most 1: a share.
    "0.85": 0.85,
    ".85": 0.85,
    "1.0": 1.0,
    "0.0": 0.0,
    # Without, or with a sign of hundredths: not.
    "1": 0.01,
    "1.0%": 0.01,
    "0.5%": 0.005,
    "0.85/100": 0.0085,
    "1.5": 0.015,
    "80 or 90? </think> 85": 0.85,
    # Other languages: a decimal comma in a share or before a sign, and no blanks.
    "0,85": 0.85,
    "1,0": 1.0,
    "85,5%": 0.855,
    "85,5 %": 0.855,
    "0,5%": 0.005,
    "0.5％": 0.005,
    "85 von 100": 0.85,
    "85 sur 100": 0.85,
    "85 de 100": 0.85,
    "85分": 0.85,
    "85点": 0.85,
    "85です": 0.85,
    "85입니다": 0.85,
    "百分之85": 0.85,
    "我有85%的把握": 0.85,
    "置信度0.85": 0.85,
    # Marks are no bounds.
    "<b>85</b>": 0.85,
    "<|im_start|>85<|im_end|>": 0.85,
    "-> 85": 0.85,
    "I am not sure: 85": 0.85,
}


@pytest.mark.parametrize("text", [text for text, value in READABLE.items() if value is not None])
def test_numbers_that_are_read(text: str) -> None:
    assert stated_confidence(text, "stop") == (READABLE[text], "read")


UNREADABLE = {
    "": "not_a_number",
    "Very sure.": "not_a_number",
    "ninety": "not_a_number",
    "A2": "not_a_number",
    "B12 and C": "not_a_number",
    "1.2.3": "not_a_number",
    "85,5": "not_a_number",
    "1,000": "not_a_number",
    "0,855": "not_a_number",
    "5e1": "not_a_number",
    "1e-1": "not_a_number",
    "3天": "not_a_number",
    "85分钟": "not_a_number",
    "80-90": "ambiguous",
    "80–90%": "ambiguous",
    "80 to 90": "ambiguous",
    "8/10": "ambiguous",
    "1/1": "ambiguous",
    "10 out of 10": "ambiguous",
    "<50": "ambiguous",
    "≥ 85": "ambiguous",
    ">85": "ambiguous",
    "less than 50": "ambiguous",
    "at least 85%": "ambiguous",
    "not 85": "ambiguous",
    "不到85%": "ambiguous",
    "85/1000": "ambiguous",
    "from 0 to 100: 85": "ambiguous",
    "Confidence: 85 (of 100)": "ambiguous",
    "85% that it is level 2": "ambiguous",
    "101": "out_of_range",
    "150%": "out_of_range",
    "-5": "out_of_range",
    "−5": "out_of_range",
    "-0.5": "out_of_range",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_not_read(text: str) -> None:
    assert stated_confidence(text, "stop") == (None, UNREADABLE[text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am about 8", (None, "cut_off")),
        ("0.", (None, "cut_off")),
        ("85 out of 10", (None, "cut_off")),
        ("85,", (None, "cut_off")),
        ("85/", (None, "cut_off")),
        ("85% sure that", (0.85, "read")),
        ("I am quite", (None, "not_a_number")),
        ("<think>It may be 50, but", (None, "thought")),
        ("[THINK]50?[/THINK]85% sure that", (0.85, "read")),
    ],
)
def test_a_text_that_was_cut(text: str, expected: tuple[float | None, str]) -> None:
    assert stated_confidence(text, "length") == expected


@given(st.integers(0, 100), st.sampled_from(["{}", "{}%", "{}/100", "I say {} percent", "**{}**"]))
def test_every_whole_number_is_hundredths(number: int, form: str) -> None:
    assert stated_confidence(form.format(number), "stop") == (number / 100, "read")


@given(st.decimals(0, 1, places=3))
def test_every_share_is_itself(number: object) -> None:
    assert stated_confidence(f"{number}", "stop") == (float(str(number)), "read")


@given(st.text(alphabet="0123456789.,-%/ ofut", max_size=20), st.sampled_from(["stop", "length"]))
def test_any_text(text: str, finish_reason: str) -> None:
    value, status = stated_confidence(text, finish_reason)
    assert (value is not None) == (status == "read")
    assert value is None or 0 <= value <= 1


def responses(*rows: dict) -> pl.DataFrame:
    start = {"variant": "main", "repeat": 0, "finish_reason": "stop", "backend": "llama.cpp"}
    filled = [start | {"prompt_id": f"p_{row['item_id']}"} | row for row in rows]
    return pl.DataFrame(filled, schema=RESPONSES)


FIRST = responses(
    {"item_id": "a", "text": " B"},
    {"item_id": "a", "text": "C", "repeat": 1},
    {"item_id": "b", "text": None, "finish_reason": "prompt_too_long"},
    {"item_id": "c", "text": " \n"},
    {"item_id": "d", "text": "what?"},
    {"item_id": "e", "text": "A"},
    {"item_id": "f", "text": "A"},
    {"item_id": "null:1", "text": "C"},
    {"item_id": "a", "text": "A", "variant": "paraphrase_1"},
)
PROMPTS = FIRST.filter(pl.col("repeat") == 0).select(
    "item_id", "prompt_id", "variant", user=pl.lit("case")
)


def test_greedy_answers_to_items_are_asked_about() -> None:
    turns = second_turns(PROMPTS, FIRST, "How sure?", "Answer:")
    assert turns.columns == [*PROMPTS.columns, "later"]
    assert turns.select("item_id", "variant", "later").rows() == [
        ("a", "main", ["Answer: B", "How sure?"]),
        ("d", "main", ["Answer:what?", "How sure?"]),
        ("e", "main", ["Answer:A", "How sure?"]),
        ("f", "main", ["Answer:A", "How sure?"]),
        ("a", "paraphrase_1", ["Answer:A", "How sure?"]),
    ]


def test_thoughts_are_not_asked_about() -> None:
    first = responses(
        {"item_id": "a", "text": "<think>It is A</think>\n\nC"},
        {"item_id": "d", "text": "<think>A"},
        {"item_id": "e", "text": "<think>A</think>\n"},
    )
    turns = second_turns(PROMPTS, first, "How sure?", "Answer:")
    assert turns.select("item_id", "later").rows() == [("a", ["Answer:C", "How sure?"])]
    assert verbalized(first, responses())["status"].to_list() == ["no_answer"] * 3


def test_a_row_for_every_greedy_answer() -> None:
    said = responses(
        {"item_id": "a", "text": "70", "response_key": "k1"},
        {"item_id": "d", "text": "sure", "response_key": "k2"},
        {"item_id": "e", "text": None, "finish_reason": "prompt_too_long", "response_key": "k3"},
        {"item_id": "f", "text": None, "finish_reason": "control_tokens", "response_key": "k4"},
        {"item_id": "a", "text": "9", "variant": "paraphrase_1", "finish_reason": "length"},
    )
    table = verbalized(FIRST, said)
    assert table.schema == SCHEMA
    assert table.select("item_id", "variant", "text", "confidence", "status").rows() == [
        ("a", "main", "70", 0.7, "read"),
        ("b", "main", None, None, "no_answer"),
        ("c", "main", None, None, "no_answer"),
        ("d", "main", "sure", None, "not_a_number"),
        ("e", "main", None, None, "prompt_too_long"),
        ("f", "main", None, None, "control_tokens"),
        ("a", "paraphrase_1", "9", None, "cut_off"),
    ]
    assert verbalized(FIRST, said.clear())["status"].unique().to_list() == ["no_answer"]
