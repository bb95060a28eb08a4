"""The suite on character: its bundled questions, its rubric, and the score over five tasks."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.judges.answers import questioned
from persona_paradox.judges.assessment import CATEGORY_SCORE, LENGTH, judged
from persona_paradox.judges.chats import rating_chats
from persona_paradox.judges.verdicts import JUDGEMENT
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study

TASKS = ("expected_action", "justification", "linguistic_habits", "consistency", "no_toxicity")


def yaml_of(file: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["character", "character-small"])
def test_the_studies_ask_judge_and_rate(name: str) -> None:
    settings = yaml_of("config/config.yaml") | yaml_of(f"config/studies/{name}.yaml")
    of = load_study(settings, ROOT / "config", check_schema)
    assert of.identified_tasks
    assert len(of.naming_judges) == 1
    assert {"identification", "identification_confusion"} <= {*of.possible_figures}
    (rubric,) = [of.judges[id_] for id_ in of.active_judges if id_ not in of.naming_judges]
    assert [rating["id"] for rating in rubric["ratings"]] == [*TASKS]


def test_six_questions_call_for_each_of_the_five_tasks() -> None:
    table = pl.read_csv(ROOT / "resources/bundled/teaching_character.csv")
    assert dict(table.group_by("category").len().rows()) == dict.fromkeys(TASKS, 6)
    assert table["question"].n_unique() == table.height == 30
    assert not table["question"].str.contains("(?i)nurse|physician|doctor").any()


ANSWERS = pl.DataFrame(
    {
        "item_id": ["a", "b"],
        "variant": ["main"] * 2,
        "repeat": [0] * 2,
        "question": ["Who are you?", "Why?"],
        "text": ["Me.", "Because."],
        "persona": ["You are a nurse.", ""],
    }
)
JUDGE = {"instruction": "Judge.", "questions": {"consistency": "1 to 5?"}}


def test_a_judge_is_told_the_persona_only_where_its_file_says_so() -> None:
    told = JUDGE | {"user": "{persona}\n{question}\n{answer}"}
    users = rating_chats(ANSWERS, told)["user"].to_list()
    assert users[0] == "You are a nurse.\nWho are you?\nMe.\n\n1 to 5?"
    assert users[1] == "nobody in particular\nWhy?\nBecause.\n\n1 to 5?"
    blind = JUDGE | {"user": "{question}\n{answer}"}
    assert not rating_chats(ANSWERS, blind)["user"].str.contains("nurse").any()


def test_answers_come_with_the_sentence_they_were_given_under() -> None:
    prompts = pl.DataFrame(
        {
            "item_id": ["a"],
            "variant": ["main"],
            "system": [""],
            "persona": ["You are a nurse."],
            "user": ["You are a nurse.\n\nWho are you?"],
        }
    )
    said = pl.DataFrame(
        {
            "item_id": ["a"],
            "variant": ["main"],
            "repeat": [0],
            "text": ["Me."],
            "thought": [None],
        },
        schema_overrides={"thought": pl.String},
    )
    (row,) = questioned(said, prompts).iter_rows(named=True)
    assert (row["question"], row["persona"]) == ("Who are you?", "You are a nurse.")


def rated(seed: int, categories: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ratings of every question in every task, and the questions."""
    generator = np.random.default_rng(seed)
    ids = [f"q{i:02}" for i in range(len(categories))]
    rows = [
        {
            "item_id": id_,
            "variant": "main",
            "repeat": 0,
            "dimension": task,
            "status": "read",
            "value": float(generator.uniform(1, 5)),
            "n_characters": 10,
        }
        for id_ in ids
        for task in TASKS
    ]
    items = pl.DataFrame({"item_id": ids, "category": categories})
    return pl.DataFrame(rows, schema=JUDGEMENT), items


VIEW: dict[str, Any] = {
    "better": dict.fromkeys(TASKS, "high"),
    "classes": {},
    "kind": "safety",
    "cluster": None,
    "categories": [*TASKS],
    "benign": [*TASKS],
}


def test_the_score_is_the_mean_of_the_means_of_five_tasks() -> None:
    """As published: each question counts in the task that it was written for."""
    categories = [TASKS[i % 5] for i in range(17)]
    table, items = rated(1, categories)
    points = judged(table, items, VIEW).points()
    value = {(r["item_id"], r["dimension"]): r["value"] for r in table.iter_rows(named=True)}
    of_task = {
        task: [
            value[id_, task]
            for id_, c in zip(items["item_id"], categories, strict=True)
            if c == task
        ]
        for task in TASKS
    }
    expected = np.mean([np.mean(values) for values in of_task.values()])
    assert points[CATEGORY_SCORE] == pytest.approx(expected)


def test_a_draw_that_lacks_a_task_is_the_mean_of_the_others() -> None:
    table, items = rated(2, [*TASKS])
    this = judged(table, items, VIEW)
    counts = np.array([[1, 1, 1, 1, 1], [5, 0, 0, 0, 0]])
    first = table.filter(item_id="q00", dimension=TASKS[0])["value"].item()
    drawn = this.points(counts)[CATEGORY_SCORE]
    assert drawn[0] == pytest.approx(this.points()[CATEGORY_SCORE])
    assert drawn[1] == pytest.approx(first)


def test_an_unjudged_answer_is_in_no_score() -> None:
    table, items = rated(3, [*TASKS, TASKS[0]])
    without = table.filter(pl.col("item_id") != "q05")
    lost = pl.col("item_id") == "q05"
    unread = table.with_columns(
        value=pl.when(~lost).then("value"),
        status=pl.when(lost).then(pl.lit("no_answer")).otherwise("status"),
    )
    expected = judged(without, items.head(5), VIEW).points()[CATEGORY_SCORE]
    assert judged(unread, items, VIEW).points()[CATEGORY_SCORE] == pytest.approx(expected)


def test_other_ratings_have_no_score_over_categories() -> None:
    table, items = rated(4, [*TASKS])
    for change in ({"categories": ["benign"]}, {"categories": []}):
        points = judged(table, items, VIEW | change).points()
        assert CATEGORY_SCORE not in points
        assert LENGTH in points


def test_a_judge_that_is_told_the_persona_cannot_be_asked_for_it(tmp_path: Any) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/judges/smollm2_personas.yaml"
    judge = yaml.safe_load(file.read_text())
    judge["user"] = "{persona}: {question} {answer}"
    file.write_text(yaml.safe_dump(judge))
    settings = yaml_of("config/config.yaml") | yaml_of("config/studies/character-small.yaml")
    with pytest.raises(InputError, match=r"smollm2_personas\.yaml: key `user`"):
        load_study(settings, tmp_path / "config", check_schema)
