"""Answers in steps: what the next one goes on behind, and all of them as one answer."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_paradox.engine.responses import SCHEMA, human_responses
from persona_paradox.kinds.labelled.scoring import score
from persona_paradox.prompting.prompts import SCHEMA as PROMPTS
from persona_paradox.prompting.steps import (
    behind_thoughts,
    concluded,
    conclusions,
    counted,
    with_thoughts,
)

HEADER = "## Final Response"


def responses(*rows: tuple, **columns: object) -> pl.DataFrame:
    """Rows of (item, variant, repeat, text, finish reason), and columns equal for all."""
    keys = ("item_id", "variant", "repeat", "text", "finish_reason")
    start = {"backend": "llama.cpp", "n_prompt_tokens": 40, "n_tokens": 5, **columns}
    filled = [
        start | {"response_key": f"first_{number}"} | dict(zip(keys, row, strict=True))
        for number, row in enumerate(rows, start=1)
    ]
    return pl.DataFrame(filled, schema=SCHEMA)


def prompts_of(reasonings: pl.DataFrame) -> pl.DataFrame:
    return reasonings.unique(["item_id", "variant"], maintain_order=True).select(
        "item_id",
        "variant",
        prompt_id=pl.format("{}/{}", "item_id", "variant"),
        system=pl.lit("Reason first."),
        persona=pl.lit(""),
        user=pl.format("case {}", "item_id"),
    ).select(*PROMPTS)  # fmt: skip


def answers_to(chats: pl.DataFrame, *rows: tuple) -> pl.DataFrame:
    """Rows of (text, finish reason, label log-probabilities) behind the reasonings."""
    found = [
        {
            "item_id": chat["item_id"],
            "prompt_id": chat["prompt_id"],
            "variant": chat["variant"],
            "repeat": 0,
            "text": text,
            "finish_reason": finish_reason,
            "label_logprob": logprob,
            "label_mass": None if logprob is None else math.fsum(map(math.exp, logprob)),
            "n_prompt_tokens": 90,
            "n_tokens": 0 if text is None else 1,
            "prompt_sha256": f"sha_{number}",
            "response_key": f"second_{number}",
            "backend": "llama.cpp",
        }
        for number, (chat, (text, finish_reason, logprob)) in enumerate(
            zip(chats.iter_rows(named=True), rows, strict=True), start=1
        )
    ]
    return pl.DataFrame(found, schema=SCHEMA)


def log(*shares: float) -> list[float]:
    return [math.log(share) for share in shares]


REASONED = responses(
    ("x", "main", 0, "It hurts.\n\n", "stop"),
    ("x", "main", 1, " It may pass", "length"),
    ("y", "main", 0, None, "prompt_too_long"),
    ("null:1", "main", 0, "", "stop"),
    ("z", "main", 0, None, "control_tokens"),
    ("y", "paraphrase_1", 0, "A. Or B? B!", "stop"),
)
CHATS = conclusions(prompts_of(REASONED), REASONED, HEADER, "")
BEHIND = (
    (" C", "stop", log(0.1, 0.2, 0.6)),
    ("A", "length", log(0.7, 0.1, 0.1)),
    ("B", "stop", log(0.2, 0.2, 0.4)),
    (None, "prompt_too_long", None),
)


def test_the_header_stands_behind_every_reasoning() -> None:
    assert CHATS.columns == [*PROMPTS, "repeat", "answer_prefix"]
    assert CHATS.select("item_id", "variant", "repeat", "user", "answer_prefix").rows() == [
        ("x", "main", 0, "case x", f"It hurts.\n\n{HEADER}\n"),
        ("x", "main", 1, "case x", f" It may pass\n\n{HEADER}\n"),
        ("null:1", "main", 0, "case null:1", f"{HEADER}\n"),
        ("y", "paraphrase_1", 0, "case y", f"A. Or B? B!\n\n{HEADER}\n"),
    ]


def test_what_the_task_forces_follows_the_header() -> None:
    chats = conclusions(prompts_of(REASONED), REASONED.head(1), HEADER, "Level:")
    assert chats["answer_prefix"].to_list() == [f"It hurts.\n\n{HEADER}\nLevel:"]


def test_both_steps_are_one_answer() -> None:
    found = concluded(REASONED, CHATS, answers_to(CHATS, *BEHIND))
    assert found.schema == SCHEMA
    keys = ("item_id", "variant", "repeat")
    assert found.select(keys).equals(REASONED.select(keys)), "rows and their order"
    assert found["text"].to_list() == [
        f"It hurts.\n\n{HEADER}\n C",
        f" It may pass\n\n{HEADER}\nA",
        None,
        f"{HEADER}\nB",
        None,
        None,
    ]
    # A prompt that was not run keeps why; where the reasoning grew too long, the second step says.
    assert found["finish_reason"].to_list() == [
        *("stop", "length", "prompt_too_long", "stop", "control_tokens", "prompt_too_long")
    ]
    expected = [BEHIND[0][2], BEHIND[1][2], None, BEHIND[2][2], None, None]
    assert found["label_logprob"].to_list() == expected
    assert [mass is None for mass in found["label_mass"]] == [row is None for row in expected]
    assert found["response_key"].to_list() == [
        *("second_1", "second_2", "first_3", "second_3", "first_5", "second_4")
    ]
    assert found["prompt_sha256"].to_list() == ["sha_1", "sha_2", None, "sha_3", None, "sha_4"]
    assert found["n_tokens"].to_list() == [6, 6, 5, 6, 5, 5], "of both steps"
    assert found["n_prompt_tokens"].to_list() == [40] * 6, "of the prompt, not of the reasoning"


def test_token_probabilities_of_both_steps() -> None:
    first = REASONED.head(1).with_columns(token_logprob=pl.Series([[-1.0, -2.0]]))
    chats = conclusions(prompts_of(first), first, HEADER, "")
    second = answers_to(chats, BEHIND[0]).with_columns(token_logprob=pl.Series([[-3.0]]))
    assert concluded(first, chats, second)["token_logprob"].to_list() == [[-1.0, -2.0, -3.0]]


def test_no_reasoning_was_run() -> None:
    none = REASONED.filter(pl.col("text").is_null())
    chats = conclusions(prompts_of(none), none, HEADER, "")
    assert chats.is_empty()
    found = concluded(none, chats, answers_to(chats))
    assert found.schema == SCHEMA
    assert found["finish_reason"].to_list() == ["prompt_too_long", "control_tokens"]
    assert found["text"].null_count() == 2


# --- thoughts -----------------------------------------------------------------------------

THOUGHTS = responses(
    ("x", "main", 0, "Hm.\n", "stop"),
    ("x", "main", 1, "", "length"),
    ("y", "main", 0, None, "control_tokens"),
    ("null:1", "main", 0, "Nothing", "stop"),
    ("y", "paraphrase_1", 0, "Well", "length"),
)


def behind(*rows: tuple) -> pl.DataFrame:
    """Answers behind the thoughts that were run, as (text, finish reason)."""
    chats = behind_thoughts(prompts_of(THOUGHTS), THOUGHTS, "")
    keys = chats.select("item_id", "variant", "repeat").rows()
    told = [(*key, *row) for key, row in zip(keys, rows, strict=True)]
    changed = responses(*told, n_tokens=2, n_prompt_tokens=90)
    return changed.with_columns(response_key=pl.format("second_{}", pl.int_range(1, pl.len() + 1)))


def test_a_chat_goes_on_behind_every_thought() -> None:
    chats = behind_thoughts(prompts_of(THOUGHTS), THOUGHTS, "Level:")
    assert chats.columns == [*PROMPTS, "repeat", "thought", "answer_prefix"]
    assert chats.select("item_id", "repeat", "user", "thought").rows() == [
        ("x", 0, "case x", "Hm.\n"),
        ("x", 1, "case x", ""),
        ("null:1", 0, "case null:1", "Nothing"),
        ("y", 0, "case y", "Well"),
    ]
    assert set(chats["answer_prefix"]) == {"Level:"}


def test_a_reasoning_behind_a_thought_keeps_it_and_its_repeat() -> None:
    chats = behind_thoughts(prompts_of(THOUGHTS), THOUGHTS, "")
    reasonings = behind(
        ("One", "stop"), ("Two", "stop"), ("Three", "stop"), (None, "control_tokens")
    )
    found = conclusions(chats, reasonings, HEADER, "Level:")
    assert found.select("item_id", "repeat", "thought", "answer_prefix").rows() == [
        ("x", 0, "Hm.\n", f"One\n\n{HEADER}\nLevel:"),
        ("x", 1, "", f"Two\n\n{HEADER}\nLevel:"),
        ("null:1", 0, "Nothing", f"Three\n\n{HEADER}\nLevel:"),
    ]


def test_thoughts_stand_beside_the_answers() -> None:
    answers = behind(("C", "stop"), ("A", "length"), ("B", "stop"), (None, "prompt_too_long"))
    found = with_thoughts(THOUGHTS, answers)
    assert found.schema == SCHEMA
    keys = ("item_id", "variant", "repeat")
    assert found.select(keys).equals(THOUGHTS.select(keys))
    assert found["text"].to_list() == ["C", "A", None, "B", None]
    # A prompt that was not run keeps why, and so does an answer for which there was no room.
    assert found["finish_reason"].to_list() == [
        *("stop", "length", "control_tokens", "stop", "prompt_too_long")
    ]
    assert found["thought"].to_list() == ["Hm.\n", "", None, "Nothing", "Well"]
    assert found["n_thought_tokens"].to_list() == [5, 5, None, 5, 5]
    assert found["thought_cut"].to_list() == [False, True, None, False, True]
    assert found["n_tokens"].to_list() == [2, 2, 0, 2, 2]
    assert found["n_prompt_tokens"].to_list() == [40] * 5
    assert found["response_key"].to_list() == [
        *("second_1", "second_2", "first_3", "second_3", "second_4")
    ]


def test_thoughts_are_counted_without_those_about_null_cases() -> None:
    answers = behind(("C", "stop"), ("A", "length"), ("B", "stop"), (None, "prompt_too_long"))
    table = counted(with_thoughts(THOUGHTS, answers))
    columns = ("variant", "n_answers", "n_thoughts", "n_cut", "median_tokens", "max_tokens")
    assert table.select(columns).rows() == [
        ("main", 3, 2, 1, 5.0, 5),
        ("paraphrase_1", 1, 1, 1, 5.0, 5),
    ]


# --- the label ----------------------------------------------------------------------------

SCORING = {
    "labels": [{"label": label, "level": label.lower()} for label in "ABC"],
    "levels": ["c", "b", "a"],
    "high_acuity": ["c"],
    "header": HEADER,
}
ITEMS = pl.DataFrame({"item_id": ["x", "y", "z"], "reference": ["c", "b", "a"]})


def labelled(reasoning: str, said: str) -> str | None:
    """The label of an answer that reasons so and then says so."""
    first = responses(("x", "main", 0, reasoning, "stop"))
    chats = conclusions(prompts_of(first), first, HEADER, "")
    table = concluded(first, chats, answers_to(chats, (said, "stop", log(0.1, 0.1, 0.5))))
    label: str | None = score(table, ITEMS, SCORING).item(0, "label")
    return label


@pytest.mark.parametrize(
    "reasoning",
    ["", "A", "The answer is A.", "Category: A\n", "Final answer: A. No, B.", "A\n\nB\n\n## Final"],
)
def test_labels_of_the_reasoning_are_not_read(reasoning: str) -> None:
    assert labelled(reasoning, "C") == "C"
    assert labelled(reasoning, " B.") == "B"
    assert labelled(reasoning, "I do not know.") is None
    assert labelled(reasoning, "") is None


@pytest.mark.parametrize(
    ("reasoning", "prefix"),
    [
        ("<think>\nA or B", f"<think>\nA or B\n</think>\n\n{HEADER}\n"),
        ("Hm. [:think_start]A\n", f"Hm. [:think_start]A[think_end:]\n\n{HEADER}\n"),
        ("<|begin_thought|>A", f"<|begin_thought|>A<|end_thought|>\n\n{HEADER}\n"),
        ("<mm:think>A", f"<mm:think>A</mm:think>\n\n{HEADER}\n"),
        ("analysisA or B", f"analysisA or Bassistantfinal\n\n{HEADER}\n"),
        # The header closes this one itself.
        ("## Thinking\nA", f"## Thinking\nA\n\n{HEADER}\n"),
        ("<think>A?</think>B?", f"<think>A?</think>B?\n\n{HEADER}\n"),
    ],
)
def test_a_thought_in_the_reasoning_is_closed_before_the_label(reasoning: str, prefix: str) -> None:
    first = responses(("x", "main", 0, reasoning, "length"))
    chats = conclusions(prompts_of(first), first, HEADER, "")
    assert chats["answer_prefix"].to_list() == [prefix]
    assert labelled(reasoning, "C") == "C"


def test_a_label_inside_a_thought_that_nothing_closes_is_none() -> None:
    texts = ["thought\nA or B?\n\n## Final Response\nA", f"<think>B\n\n{HEADER}\nA"]
    said = responses(
        *((item, "main", 0, text, "stop") for item, text in zip("xy", texts, strict=True))
    )
    found = score(said, ITEMS, SCORING)
    assert found.select("label", "parse_status").rows() == [(None, "thought")] * 2


def test_a_header_that_is_said_again_is_part_of_the_answer() -> None:
    assert labelled("The answer is A.", f"C\n\n{HEADER}\nnot sure") == "C"


@given(
    st.text(alphabet="ABC .\n#answeri:", max_size=40).filter(lambda text: HEADER not in text),
    st.sampled_from("ABC"),
)
def test_any_reasoning(reasoning: str, label: str) -> None:
    assert labelled(reasoning, label) == label


def test_scores_of_both_steps() -> None:
    found = score(concluded(REASONED, CHATS, answers_to(CHATS, *BEHIND)), ITEMS, SCORING)
    assert found.select("item_id", "variant", "repeat", "label", "label_logprob_argmax").rows() == [
        ("x", "main", 0, "C", "C"),
        ("x", "main", 1, "A", "A"),
        ("y", "main", 0, None, None),
        ("z", "main", 0, None, None),
        ("y", "paraphrase_1", 0, None, None),
    ]
    assert found["finish_reason"].to_list()[2:] == [
        *("prompt_too_long", "control_tokens", "prompt_too_long")
    ]
    assert found["parse_status"].to_list()[2:] == ["no_answer"] * 3
    assert found["confidence"][0] == pytest.approx(0.6 / 0.9)
    # The null case reasons too, and its label probabilities are the prior.
    shares = [0.1 / 0.2, 0.2 / 0.2, 0.6 / 0.4]
    assert found["confidence_contextual"][0] == pytest.approx(1.5 / sum(shares))


def test_a_human_rater_writes_no_header() -> None:
    items = ITEMS.with_columns(human_nurse=pl.Series(["c", "c", "a"]))
    labels = {entry["level"]: entry["label"] for entry in SCORING["labels"]}
    found = score(human_responses(items, "nurse", labels), items, SCORING)
    assert found["label"].to_list() == ["C", "C", "A"]
    assert found["correct"].to_list() == [True, False, True]
