"""Turns that a data set brings, and answers that the user names behind the model's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_paradox.data.arms import turns as rule
from persona_paradox.data.changes import perturb
from persona_paradox.data.dialogue import said, whole
from persona_paradox.data.items import read_items
from persona_paradox.data.places import needed
from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.errors import InputError
from persona_paradox.prompting.turns import behind_answers, conversation
from persona_paradox.study.turns import check_turns

SURE = "Are you sure?"
SPOKEN = {"a": ["One?", "Two?"], "b": ["One only?"], "c": []}
ITEMS = pl.DataFrame({"item_id": [*SPOKEN], "turns": [*SPOKEN.values()]})
COLUMNS = {"item_id": {"column": "id"}, "case": {"column": "text"}, "keep": [], "never_shown": []}


def read(path: Path, kind: str, **more: Any) -> pl.DataFrame:
    form = {"kind": kind, "missing": [], "separator": ",", "encoding": "utf-8"} | more
    source = {"kind": "file", "path": str(path)}
    reading = {"source": source, "format": form, "columns": COLUMNS | {"turns": "said"}}
    return read_items([path], reading, "config/datasets/talk.yaml")[0]


def write(path: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    """The rows as a file of a kind: lists as they are, in a CSV file as JSON."""
    table = [row | {"said": json.dumps(row["said"])} for row in rows] if kind == "csv" else rows
    if kind == "csv":
        pl.DataFrame(table).write_csv(path)
    elif kind == "parquet":
        pl.DataFrame(table).write_parquet(path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        path.write_text(json.dumps(table))
    return path


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_a_data_set_brings_turns_in_any_kind_of_file(kind: str, tmp_path: Path) -> None:
    rows = [{"id": id_, "text": f"Case {id_}.", "said": said_} for id_, said_ in SPOKEN.items()]
    items = read(write(tmp_path / f"talk.{kind}", kind, rows), kind)
    assert items["turns"].to_list() == [*SPOKEN.values()]


@pytest.mark.parametrize(
    "wrong", ["Are you sure?", '{"a": 1}', "[1, 2]", '["a", " "]', '["a', "[" * 9999, '["\\ud800"]']
)
def test_what_is_no_list_of_texts_is_told(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.csv"
    pl.DataFrame({"id": ["x"], "text": ["A case."], "said": [wrong]}).write_csv(path)
    with pytest.raises(InputError, match=r"^config/datasets/talk.yaml: item x .*`columns.turns`"):
        read(path, "csv")


def test_every_item_is_told_its_own_turns_one_by_one() -> None:
    turns = ["{turn}", SURE, "{turn} Be brief."]
    told = [dict(zip(SPOKEN, said(turns[:n], ITEMS, ITEMS), strict=True)) for n in (1, 2, 3)]
    assert told == [
        {"a": "One?", "b": "One only?", "c": None},
        # Whose conversation has ended is told nothing more, also where all are told the same.
        {"a": SURE, "b": SURE, "c": None},
        {"a": "Two? Be brief.", "b": None, "c": None},
    ]
    assert [needed(turns[:n]) for n in range(4)] == [0, 1, 1, 2]
    assert whole(turns, ITEMS) == ("a", ["One?", SURE, "Two? Be brief."])
    assert whole(["{turn}"] * 3, ITEMS) is None


def test_what_looks_like_a_place_in_a_turn_is_none() -> None:
    items = pl.DataFrame({"item_id": ["a"], "turns": [["{option} or {turn}?"]]})
    assert said(["{turn}"], items, items).to_list() == ["{option} or {turn}?"]


def answers(*rows: tuple[str, int, str]) -> pl.DataFrame:
    made = [
        {"item_id": i, "repeat": r, "text": t, "variant": "main", "finish_reason": "stop"}
        for i, r, t in rows
    ]
    return pl.DataFrame(made, schema=RESPONSES)


def test_a_chat_that_has_ended_is_asked_for_the_same_answer_again() -> None:
    prompts = pl.DataFrame(
        {"item_id": [*SPOKEN], "variant": "main", "prompt_id": "p", "system": "", "persona": ""}
    ).with_columns(user=pl.col("item_id") + "?")
    first = answers(("a", 0, "A0"), ("a", 1, "A1"), ("b", 0, "B0"), ("c", 0, "C0"))
    turns = ["{turn}", "{turn}"]
    one = behind_answers(prompts, first, said(turns[:1], ITEMS, first), "")
    assert one.select("item_id", "repeat", "later").rows() == [
        ("a", 0, ["A0", "One?"]),
        ("a", 1, ["A1", "One?"]),
        ("b", 0, ["B0", "One only?"]),
        ("c", 0, []),
    ]
    second = answers(("a", 0, "A2"), ("a", 1, "A3"), ("b", 0, ""), ("c", 0, "C0"))
    two = behind_answers(one, second, said(turns, ITEMS, second), "")
    assert two.select("item_id", "repeat", "later", "status").rows() == [
        ("a", 0, ["A0", "One?", "A2", "Two?"], None),
        ("a", 1, ["A1", "One?", "A3", "Two?"], None),
        # Its last answer is empty, and stays so: nothing is asked behind it.
        ("b", 0, ["B0", "One only?"], None),
        ("c", 0, [], None),
    ]
    # A judge reads the answer alone where nothing was said behind it.
    assert conversation([], "C0") == "C0"


ARM = {"rule": "turns", "names": "wrong", "seed": 3}


def test_the_user_names_a_wrong_option_behind_the_answer() -> None:
    items = pl.DataFrame(
        {
            "item_id": [f"q{i}" for i in range(20)],
            "case": "Which?",
            "reference": "B",
            "options": [["Rest.", "Fluids.", "Ice."]] * 20,
            "excluded": None,
        },
        schema_overrides={"excluded": pl.String},
    )
    known = {"answers": {"labels": ["A", "B", "C"]}}
    made = perturb(items, rule.change, ARM | known, "arm")
    assert {*made["named_option"]} == {"Rest", "Ice"}
    assert made.select(items.columns).equals(items)
    for row in made.iter_rows(named=True):
        assert row["named_letter"] == "ABC"[row["named"]]
        assert row["options"][row["named"]] == f"{row['named_option']}."
    told = said(["It is {option}, so {letter}."], made, made).to_list()
    assert {*told} == {"It is Rest, so A.", "It is Ice, so C."}
    # The same draw as that of a sentence in the question.
    again = perturb(items, rule.change, ARM | known, "arm")
    assert again.equals(made)


def test_an_item_without_such_an_answer_is_asked_nothing_more() -> None:
    items = pl.DataFrame(
        {"item_id": ["a", "b"], "case": "?", "reference": ["A", "AB"], "excluded": None},
        schema_overrides={"excluded": pl.String},
    ).with_columns(options=pl.lit(["x", "y"]))
    made = perturb(items, rule.change, ARM | {"answers": {"labels": ["A", "B"]}}, "arm")
    assert made["changed"].to_list() == [True, False]
    assert said(["Not {option}?"], made, made).to_list() == ["Not y?", None]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"turns": ["{turn}"]}, "config/tasks/t.yaml: .*place {turn}.*brings no turns"),
        ({"turns": ["Not {option}?"]}, "config/tasks/t.yaml: .*place {option}, which nothing"),
        (
            {"turns": [SURE], "arm": {"base": "t", "id": "x", "turns": [SURE], "names": "wrong"}},
            "key `arms.x`: key `names` is 'wrong', but no turn",
        ),
    ],
)
def test_a_place_that_nothing_fills_is_told(task: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_turns("config/tasks/t.yaml", task, {"columns": {}})
