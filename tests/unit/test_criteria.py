"""Criteria of items: read in the form of HealthBench, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.data import items as data_items
from persona_paradox.data.criteria import Criterion, criteria_of
from persona_paradox.errors import InputError
from persona_paradox.kinds.safety import spec
from persona_paradox.kinds.safety.items import columns
from persona_paradox.schema import check_schema

NAME = "config/datasets/mine.yaml"
read_items = partial(data_items.read_items, own=columns)
GOOD = [
    {"criterion": "Says when to get help.", "points": 5.0, "tags": ["axis:completeness"]},
    {"criterion": "Names a dose.", "points": -2.5},
]


def data_set(**changes: Any) -> dict[str, Any]:
    """The bundled data set with rubrics, with other keys, as a checked file."""
    content = yaml.safe_load((ROOT / "config/datasets/teaching_rubrics.yaml").read_text())
    content |= {k: v for k, v in changes.items() if k != "columns"}
    content["columns"] |= changes.get("columns", {})
    check_schema(content, "safety/dataset", NAME)
    spec.check_dataset(NAME, content)
    return content


def lines(*rubrics: Any) -> str:
    """Records in the published form, one for each list of criteria."""
    rows = [
        {
            "prompt_id": f"p{number}",
            "prompt": [{"role": "user", "content": f"Question {number}?"}],
            "rubrics": rubric,
            "example_tags": ["theme:benign", "physician_agreed_category:enough-context"],
            "ideal_completions_data": None,
        }
        for number, rubric in enumerate(rubrics, 1)
    ]
    return "\n".join(map(json.dumps, rows))


def read(tmp_path: Path, text: str, kind: str = "jsonl", **changes: Any) -> pl.DataFrame:
    path = tmp_path / f"mine.{kind}"
    path.write_text(text)
    return read_items([path], data_set(format={"kind": kind}, **changes), NAME)[0]


def test_the_published_form_is_read_by_yaml_alone(tmp_path: Path) -> None:
    items = read(tmp_path, lines(GOOD, [{"criterion": " One. ", "points": 1, "tags": None}]))
    assert items["case"].to_list() == ["Question 1?", "Question 2?"]
    assert [criteria_of(text) for text in items["criteria"]] == [
        [
            Criterion("Says when to get help.", 5, ("axis:completeness",)),
            Criterion("Names a dose.", -2.5),
        ],
        [Criterion("One.", 1)],
    ]


def test_conversations_of_one_message_are_told_by_a_path(tmp_path: Path) -> None:
    longer = json.loads(lines(GOOD))
    later = [{"role": "assistant", "content": "Ah?"}, {"role": "user", "content": "Oh."}]
    longer |= {"prompt_id": "p9", "prompt": [*longer["prompt"], *later]}
    text = f"{lines(GOOD)}\n{json.dumps(longer)}"
    items = read(tmp_path, text, where={"prompt[1].content": {"empty": True}})
    assert items["item_id"].to_list() == ["p1"]


def test_parquet_and_csv_hold_the_same(tmp_path: Path) -> None:
    expected = read(tmp_path, lines(GOOD))
    parquet = tmp_path / "mine.parquet"
    table = {"prompt_id": ["p1"], "question": ["Question 1?"], "theme": ["theme:benign"]}
    pl.DataFrame(table | {"rubrics": [GOOD]}).write_parquet(parquet)
    csv = tmp_path / "mine.csv"
    pl.DataFrame(table | {"rubrics": [json.dumps(GOOD)]}).write_csv(csv)
    own = {"item_id": {"column": "prompt_id"}, "case": {"column": "question"}}
    values = {"theme:benign": "benign"}
    own |= {"category": {"column": "theme", "values": values}}
    for path in (parquet, csv):
        view = data_set(format={"kind": path.suffix[1:]}, columns=own)
        items = read_items([path], view, NAME)[0]
        assert items.drop("criteria").equals(expected.drop("criteria"))
        assert criteria_of(items["criteria"][0]) == criteria_of(expected["criteria"][0])


BAD: dict[str, tuple[Any, str]] = {
    "none": ([], "holds no criteria; write some"),
    "nothing": (None, "holds no criteria; write some"),
    "a text": ("Says when to get help.", "holds no list of criteria; write a list such as"),
    "an object": ({"criterion": "x", "points": 1}, "holds no list of criteria"),
    "no text": ([{"criterion": " ", "points": 1}], "has a criterion without a text"),
    "no object": (["Says when."], "has a criterion without a text"),
    "no points": ([{"criterion": "Names it."}], "'Names it.' has the points None, which is no"),
    "points as text": ([{"criterion": "N.", "points": "5"}], "has the points '5', which is no num"),
    "points yes": ([{"criterion": "N.", "points": True}], "has the points True, which is no num"),
    "points of 400 digits": ([{"criterion": "N.", "points": 10**400}], "no number up to a million"),
    "a blank tag": ([{"criterion": "N.", "points": 5, "tags": [""]}], "no list of texts"),
    "a tag that means all": ([{"criterion": "N.", "points": 5, "tags": ["all"]}], "tag 'all'"),
    "only below 0": ([{"criterion": "N.", "points": -5}], "no criterion has points above 0"),
    "tags": ([{"criterion": "N.", "points": 5, "tags": "a"}], "`tags` that are no list of texts"),
}


@pytest.mark.parametrize("name", BAD)
def test_criteria_that_are_refused(tmp_path: Path, name: str) -> None:
    given, words = BAD[name]
    with pytest.raises(InputError) as caught:
        read(tmp_path, lines(GOOD, given))
    where = "item p2, column 'rubrics' of key `columns.criteria`"
    assert str(caught.value).startswith(f"{NAME}: {where}")
    assert words in str(caught.value)


def test_a_case_may_not_show_its_criteria() -> None:
    with pytest.raises(InputError, match=r"`columns.case` shows 'rubrics\[0\].criterion'"):
        data_set(columns={"case": {"column": "rubrics[0].criterion"}})


def test_bundled_rubrics_are_those_of_the_teaching_questions() -> None:
    view = data_set()
    items, _ = read_items([ROOT / view["source"]["path"]], view, NAME)
    questions = pl.read_csv(ROOT / "resources/bundled/teaching_safety.csv", infer_schema=False)
    known = dict(questions.select("question", "category").iter_rows())
    assert items.height == 20
    for row in items.iter_rows(named=True):
        assert known[row["case"]] == row["category"]
        criteria = criteria_of(row["criteria"])
        assert 3 <= len(criteria) <= 5
        assert len({one.text for one in criteria}) == len(criteria)
        assert all(-10 <= one.points <= 10 and one.points for one in criteria)
        assert all(one.text.endswith(".") and len(one.tags) == 1 for one in criteria)
    assert set(items["category"]) == set(questions["category"])
