"""The suite on character: its bundled questions, its rubric, and the score over five tasks."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from root import ROOT
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from persona_paradox.errors import InputError
from persona_paradox.judges.answers import questioned
from persona_paradox.judges.assessment import CATEGORY_SCORE, LENGTH, Assessment, judged
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
    assert {"judgement_variance", "identification_variance"} <= {*of.possible_tables}
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


def in_wordings(seed: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Ratings of three personas in two wordings each, of a baseline in one, and the questions."""
    generator = np.random.default_rng(seed)
    found = {}
    for persona in ("baseline", "nurse", "doctor", "layperson"):
        of_persona = generator.normal(scale=0.6)
        wordings = []
        for variant in ("main",) if persona == "baseline" else ("main", "paraphrase_1"):
            table, items = rated(seed, [TASKS[i % 5] for i in range(15)])
            shift = of_persona + generator.normal(scale=0.3)
            noise = pl.Series(generator.normal(size=table.height))
            wordings.append(
                table.with_columns(variant=pl.lit(variant), value=pl.col("value") + shift + noise)
            )
        found[persona] = pl.concat(wordings)
    return found, items


@pytest.mark.parametrize("metric", ["consistency", CATEGORY_SCORE])
def test_variance_between_personas_and_wordings_is_that_of_nested_anova(metric: str) -> None:
    judgements, items = in_wordings(5)
    place = {"judge": "j", "model": "m", "task": "t"}
    view = VIEW | {"context": "", "dataset": ""}
    settings = {"seed": 7, "confidence": 0.95}
    assessment = Assessment(place, view, settings, items=items, baseline="baseline")
    rows = {r["source"]: r for r in assessment.variance(judgements) if r["metric"] == metric}
    category = dict(items.select("item_id", "category").rows())
    asked = [
        (row["item_id"], persona, row["variant"], row["value"])
        for persona, table in judgements.items()
        if persona != "baseline"
        for row in table.iter_rows(named=True)
        if row["dimension"] == (category[row["item_id"]] if metric == CATEGORY_SCORE else metric)
    ]
    data = pd.DataFrame(asked, columns=["i", "p", "w", "y"])
    terms = {"i": "C(i)", "p": "C(p)", "w": "C(p):C(w)", "ip": "C(i):C(p)"}
    anova = anova_lm(ols("y ~ " + " + ".join(terms.values()), data).fit(), typ=1)
    mean_squares = anova["sum_sq"] / anova["df"]
    square = {name: mean_squares[term] for name, term in terms.items()}
    square["e"] = mean_squares["Residual"]
    # Expected mean squares of 15 items, 3 personas, 2 wordings in each (Brennan 2001, i × (w:p)).
    by_hand = {
        "residual": square["e"],
        "paraphrase": (square["w"] - square["e"]) / 15,
        "item x persona": (square["ip"] - square["e"]) / 2,
        "persona": (square["p"] - square["w"] - square["ip"] + square["e"]) / (15 * 2),
        "item": (square["i"] - square["ip"]) / (3 * 2),
    }
    assert {name: row["estimate"] for name, row in rows.items()} == pytest.approx(by_hand)
    total = sum(max(value, 0) for value in by_hand.values())
    for name, value in by_hand.items():
        assert rows[name]["share"] == pytest.approx(max(value, 0) / total)
        assert rows[name]["low"] <= rows[name]["share"] <= rows[name]["high"]
        assert (rows[name]["n_items"], rows[name]["n_answers"]) == (15, 90)


def test_an_item_without_a_verdict_in_one_wording_is_left_out_of_the_variance() -> None:
    judgements, items = in_wordings(6)
    lost = (pl.col("item_id") == "q03") & (pl.col("variant") == "paraphrase_1")
    judgements["nurse"] = judgements["nurse"].with_columns(
        value=pl.when(~lost).then("value"),
        status=pl.when(lost).then(pl.lit("no_answer")).otherwise("status"),
    )
    view = VIEW | {"context": "", "dataset": ""}
    settings = {"seed": 7, "confidence": 0.95}
    place = {"judge": "j", "model": "m", "task": "t"}
    assessment = Assessment(place, view, settings, items=items, baseline="baseline")
    for row in assessment.variance(judgements):
        left_out = 0 if row["metric"] == LENGTH else 1
        assert (row["n_items"], row["n_left_out"]) == (15 - left_out, left_out)
