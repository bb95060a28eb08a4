"""Further turns: in which rounds a task is answered, and which chats go on behind which answers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from persona_paradox.archive.project_copy import is_of
from persona_paradox.archive.withholding import Texts, withhold
from persona_paradox.data.arms import turns as rule
from persona_paradox.data.changes import perturb
from persona_paradox.engine.decoding import Answer
from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.engine.responses import Request, respond
from persona_paradox.errors import InputError
from persona_paradox.judges.answers import questioned
from persona_paradox.prompting.delivery import SCHEMA as DELIVERED
from persona_paradox.prompting.steps import behind_thoughts
from persona_paradox.prompting.turns import SCHEMA, behind_answers, conversation, example
from persona_paradox.study.arm_rules import check_rule
from persona_paradox.study.arms import datasets_of, rule_of, tasks_of
from persona_paradox.study.conditions import base_of
from persona_paradox.study.inventory import Answered
from persona_paradox.study.turns import chains, rounds

SURE, AGAIN = "Are you sure?", "Think again."


# --- rounds -------------------------------------------------------------------------------

ARMS = {
    "sure": {"title": "sure", "rule": "turns", "turns": [SURE]},
    "twice": {"title": "twice", "rule": "turns", "turns": [SURE, AGAIN]},
    "late": {"title": "late", "rule": "append", "text": "It is late."},
}
TASKS: dict[str, dict[str, Any]] = {
    "one": {"title": "One", "dataset": "cases", "arms": ARMS, "null_cases": ["N/A"]},
    "two": {"title": "Two", "dataset": "cases", "arms": ARMS, "turns": ["Why?"], "verbalized": {}},
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["one", "one@late"], {}),
        # The base's own answers are the first ones.
        (
            ["one@all"],
            {"one@sure": ["one", "one@sure"], "one@twice": ["one", "one@twice+1", "one@twice"]},
        ),
        # Without the base, or where it goes on itself, they are asked for.
        (["one@sure"], {"one@sure": ["one@sure+0", "one@sure"]}),
        (
            ["two", "two@sure", "two@late"],
            {
                "two": ["two@+0", "two"],
                "two@sure": ["two@sure+0", "two@sure"],
                "two@late": ["two@late+0", "two@late"],
            },
        ),
    ],
)
def test_the_rounds_of_a_task(wanted: list[str], expected: dict[str, list[str]]) -> None:
    tasks = tasks_of(wanted, TASKS, {})
    assert chains(tasks) == expected
    made = {one for chain in expected.values() for one in chain} - {*tasks}
    assert {*rounds(tasks)} == made
    for id_, chain in expected.items():
        for n, one in enumerate(chain):
            assert base_of(one) == base_of(id_)
            if one in made:
                assert rounds(tasks)[one]["turns"] == tasks[id_]["turns"][:n]


def test_a_round_is_asked_nothing_but_the_question() -> None:
    found = rounds(tasks_of(["two"], TASKS, {}))["two@+0"]
    assert found == TASKS["two"] | {"turns": [], "verbalized": None}
    assert rounds(tasks_of(["one@sure"], TASKS, {}))["one@sure+0"]["null_cases"] == []


def test_what_is_said_has_no_places_that_nothing_would_fill() -> None:
    arm = {"title": "x", "rule": "turns", "turns": [SURE, "Is {column} not better?"]}
    with pytest.raises(InputError, match=r"^x: key `turns\.1` is .* without places but {turn}"):
        check_rule(arm, "x")
    arm["turns"] = [SURE, 'Reply as {"answer": "A"}.']
    check_rule(arm, "x")


def test_what_is_said_changes_no_items() -> None:
    tasks = tasks_of(["one@sure"], TASKS, {})
    assert rule_of(tasks["one@sure"]["arm"]) == {"rule": "turns"}
    datasets = datasets_of(tasks, {"cases": {"title": "Cases", "columns": {}}})
    assert "turns" not in datasets["cases@sure"]["arm"]


def test_all_items_of_such_an_arm_are_changed_and_none_is_another() -> None:
    items = pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "case": ["A cough.", None],
            "reference": ["high", "low"],
            "excluded": [None, "empty"],
        },
        schema_overrides={"excluded": pl.String},
    )
    made = perturb(items, rule.change, {"rule": "turns"}, "arm")
    assert made.select(items.columns).equals(items)
    assert made["changed"].to_list() == [True, True]
    assert made["unchanged"].to_list() == [None, None]


# --- chats --------------------------------------------------------------------------------


def responses(*rows: dict[str, Any]) -> pl.DataFrame:
    start = {"variant": "main", "repeat": 0, "finish_reason": "stop", "backend": "llama.cpp"}
    return pl.DataFrame([start | row for row in rows], schema=RESPONSES)


FIRST = responses(
    {"item_id": "b", "text": " B"},
    {"item_id": "a", "text": " A"},
    {"item_id": "a", "text": " C", "repeat": 1},
    {"item_id": "c", "text": None, "finish_reason": "prompt_too_long"},
    {"item_id": "d", "text": " \n"},
    {"item_id": "e", "text": "<think>It is A"},
    {"item_id": "f", "text": "<think>It is A</think>\n\nB"},
    {"item_id": "null:1", "text": " A"},
    {"item_id": "a", "text": " B", "variant": "paraphrase_1"},
)
PROMPTS = (
    FIRST.filter(pl.col("repeat") == 0)
    .select("item_id", "variant")
    .with_columns(
        prompt_id=pl.lit("p"),
        system=pl.lit("You are a nurse.\nAssign."),
        persona=pl.lit("You are a nurse."),
        user=pl.col("item_id") + ": which?",
    )
)


def test_every_answer_to_an_item_goes_on() -> None:
    chats = behind_answers(PROMPTS, FIRST, SURE, "Level:")
    assert dict(chats.schema) == {name: SCHEMA[name] for name in chats.columns}
    assert {*chats.columns} == {*SCHEMA}
    found = chats.select("item_id", "variant", "repeat", "later", "status").rows()
    assert found == [
        ("b", "main", 0, ["Level: B", SURE], None),
        ("a", "main", 0, ["Level: A", SURE], None),
        ("a", "main", 1, ["Level: C", SURE], None),
        ("c", "main", 0, ["Level:", SURE], "no_answer"),
        ("d", "main", 0, ["Level: \n", SURE], "no_answer"),
        ("e", "main", 0, ["Level:", SURE], "no_answer"),
        ("f", "main", 0, ["Level:B", SURE], None),
        ("a", "paraphrase_1", 0, ["Level: B", SURE], None),
    ]
    assert chats["user"].to_list()[:3] == ["b: which?", "a: which?", "a: which?"]


def test_a_second_further_turn_goes_on_behind_the_first() -> None:
    chats = behind_answers(PROMPTS, FIRST, SURE, "Level:")
    second = responses(
        {"item_id": "b", "text": " A"},
        {"item_id": "a", "text": " B"},
        {"item_id": "a", "text": " D", "repeat": 1},
        {"item_id": "c", "text": None, "finish_reason": "no_answer"},
    )
    found = behind_answers(chats, second, AGAIN, "Level:")
    assert found.select("item_id", "repeat", "later", "status").rows() == [
        ("b", 0, ["Level: B", SURE, "Level: A", AGAIN], None),
        ("a", 0, ["Level: A", SURE, "Level: B", AGAIN], None),
        ("a", 1, ["Level: C", SURE, "Level: D", AGAIN], None),
        ("c", 0, ["Level:", SURE, "Level:", AGAIN], "no_answer"),
    ]
    assert found.schema == chats.schema


def test_a_thought_of_a_further_turn_is_that_of_its_own_chat() -> None:
    chats = behind_answers(PROMPTS, FIRST, SURE, "")
    thoughts = responses(
        {"item_id": "a", "repeat": 1, "text": "C it is."}, {"item_id": "a", "text": "A it is."}
    )
    found = behind_thoughts(chats, thoughts, "Level:")
    assert found.select("item_id", "repeat", "later", "thought").rows() == [
        ("a", 1, [" C", SURE], "C it is."),
        ("a", 0, [" A", SURE], "A it is."),
    ]


def test_an_example_has_all_turns() -> None:
    assert example(PROMPTS, [SURE, AGAIN], "Level:A")["later"].to_list() == [
        ["Level:A", SURE, "Level:A", AGAIN]
    ]


def test_a_chat_behind_no_answer_is_not_run_and_says_why() -> None:
    row = dict.fromkeys(DELIVERED) | {
        "item_id": "a",
        "variant": "main",
        "text": "…",
        "repeat": 0,
        "persona_delivered": True,
    }
    delivered = pl.DataFrame(
        [row | {"status": "no_answer"}, row | {"item_id": "b", "status": "ok"}], schema=DELIVERED
    )
    decoding = {"grammar": None, "json_schema": None, "max_tokens": 2, "stop": []}
    decoding |= {"token_logprobs": False, "labels": [], "seed": None}
    drawn = {"answers": 0, "wordings": "main", "temperature": 1.0, "top_p": 1.0, "min_p": 0.0}
    request = Request.of(decoding | {"sampled": drawn}, "here")

    class Empty:
        def find(self, keys: set[str]) -> dict[str, Any]:
            assert len(keys) == 1, "what is not run is not looked for"
            return {}

        def put(self, key: str, value: Any) -> None:
            pass

    def ask(wanted: Any) -> Any:
        yield 0, Answer("A", "stop", 1)

    made = respond(delivered, request, "llama.cpp", ask=ask, store=Empty(), name="x")
    assert made.select("item_id", "text", "finish_reason").rows() == [
        ("a", None, "no_answer"),
        # Prompts of one text have one key, whatever their status.
        ("b", "A", "stop"),
    ]


# --- who reads them -----------------------------------------------------------------------


def test_judges_read_all_that_was_said_behind_the_question() -> None:
    chats = behind_answers(PROMPTS, FIRST, SURE, "")
    last = responses(
        {"item_id": "a", "text": "It is B.", "thought": "Hm."},
        {"item_id": "a", "text": "It is D.", "repeat": 1},
        {"item_id": "c", "text": None, "finish_reason": "no_answer"},
    )
    found = questioned(last, chats)
    assert found["question"].to_list() == ["a: which?", "a: which?", "c: which?"]
    assert found["text"].to_list() == [
        f"A\n\n[The user:] {SURE}\n\n[The answer:] It is B.",
        f"C\n\n[The user:] {SURE}\n\n[The answer:] It is D.",
        None,
    ]
    assert "nurse" not in "".join(found["text"].drop_nulls())


def test_a_conversation_of_no_turn_is_its_answer() -> None:
    assert conversation(["A", SURE, "B", AGAIN], "C") == (
        f"A\n\n[The user:] {SURE}\n\nB\n\n[The user:] {AGAIN}\n\n[The answer:] C"
    )
    assert conversation(["A", SURE], None) is None


def test_earlier_answers_that_repeat_what_may_not_be_passed_on_are_withheld() -> None:
    case = "A man has had chest pain for two hours."
    table = pl.DataFrame({"item_id": ["a", "b"], "later": [[f"{case} B", SURE], ["A", SURE]]})
    found = withhold(table, Texts([case]))
    assert found.schema == table.schema
    hidden, said = found["later"][0]
    assert hidden.startswith("[withheld, SHA-256 ")
    assert said == SURE
    assert found["later"][1].to_list() == ["A", SURE]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # A chat has the words of the rounds before it, and not those it leads to.
        ("results/turns/m/one@sure/nurse.parquet", ["one", "one@sure+1"]),
        ("results/turns/m/one@sure+1/nurse.parquet", ["one"]),
        # Judges read them all.
        ("results/judgements/j/m/one@sure/nurse.parquet", ["one", "one@sure+1", "one@sure"]),
        ("results/rankings/j/m/one@sure.parquet", ["one", "one@sure+1", "one@sure"]),
        ("results/rankings/j/m/one@sure.lists.parquet", ["one", "one@sure+1", "one@sure"]),
        # Scores are of the last answer alone.
        ("results/scores/m/one@sure/nurse.parquet", ["one@sure"]),
        ("results/scores/m/one/nurse.parquet", ["one"]),
        ("results/scores/m/one@sure/physician.parquet", []),
        ("results/turns/other/one@sure/nurse.parquet", []),
    ],
)
def test_whose_words_a_file_of_an_archive_rests_on(name: str, expected: list[str]) -> None:
    before = {"one@sure": "one@sure+1", "one@sure+1": "one"}

    def answers(stage: str, task: str) -> Answered:
        return Answered(f"results/{stage}/m/{task}/nurse.parquet", "", "", "m", task, True)

    rounds_ = ["one", "one@sure+1", "one@sure"]
    assert [one for one in rounds_ if is_of(name, answers("responses", one), before)] == expected
    assert not [one for one in rounds_ if is_of(name, answers("thoughts", one), before)]
