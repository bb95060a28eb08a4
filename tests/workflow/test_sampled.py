"""Decoding of a task through its keys: sampled answers, stop strings, grammars; and the GPU's."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import llama_cpp
import polars as pl
import pytest
from project import STUDY, Project
from refusals import refused_by_a_job
from triage_study import (
    ED,
    ED_CASES,
    ED_CELLS,
    ED_DRAWN,
    ED_TASK,
    MODEL,
    PRIMARY_CELLS,
    PRIMARY_TASK,
    TABLE,
    answered_study,
    asked_study,
)

from persona_paradox.engine.decoding import Decoding
from persona_paradox.engine.responses import Request

RESPONSES = [f"results/responses/{cell}.parquet" for cell in ED_CELLS]
CELL = ED_CELLS[1]
ANSWERS = ED_CASES * (ED_DRAWN + 1)
GREEDY = pl.col("repeat") == 0


def set_decoding(project: Project, file: str = ED_TASK, **keys: object) -> None:
    project.edit(file, lambda task: task["decoding"].update(keys))


def responses(project: Project, cell: str = CELL) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/responses/{cell}.parquet")


def scores(project: Project, cell: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/scores/{cell}.parquet")


def log_of(project: Project, cell: str = CELL) -> str:
    return (project.path / f"logs/generate/{cell}.log").read_text()


@pytest.fixture
def asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study with sampled answers, up to its tables; it is not to be changed."""
    return asked_study(tmp_path_factory)


@pytest.fixture
def ran(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Project:
    """A copy of a study with sampled answers, which may be changed."""
    return answered_study(tmp_path_factory).copy(tmp_path / "project")


def test_every_prompt_has_its_repeats(asked: Project) -> None:
    for cell in ED_CELLS:
        table = responses(asked, cell)
        prompts = asked.path / f"results/prompts/{cell.removeprefix('tiny/')}.parquet"
        items = pl.read_parquet(prompts)["item_id"].to_list()
        assert len(items) == ED_CASES
        assert table.select("item_id", "repeat").rows() == [
            (item, repeat) for item in items for repeat in range(ED_DRAWN + 1)
        ]
        assert table["response_key"].n_unique() == table.height
        assert table["text"].null_count() == 0
        per_item = table.group_by("item_id").agg(
            drawn=pl.col("text").filter(~GREEDY).n_unique(),
            read_out=pl.col("label_logprob").n_unique(),
        )
        assert per_item["drawn"].mean() > 2, "sampled answers are not one answer"
        assert set(per_item["read_out"]) == {1}, "labels are read before any draw"
        assert scores(asked, cell)["repeat"].to_list() == table["repeat"].to_list()


def test_tables_count_items_and_not_repeats(asked: Project) -> None:
    cells = pl.read_csv(asked.path / TABLE).filter(pl.col("task") == ED)
    for cell, row in zip(ED_CELLS, cells.iter_rows(named=True), strict=True):
        of_cell = scores(asked, cell)
        assert of_cell.height == ANSWERS
        assert row["n"] == row["n_top_label"] == ED_CASES
        greedy = of_cell.filter(GREEDY)
        assert row["n_invalid"] == greedy["label"].null_count()
        assert row["n_generated_label"] == ED_CASES - row["n_invalid"]
        assert row["mean_confidence_top_label"] == pytest.approx(greedy["confidence"].mean())


def test_greedy_answers_are_those_of_a_study_without_sampling_whatever_its_seed(
    ran: Project,
) -> None:
    before = responses(ran)
    shutil.rmtree(ran.path / "resources/store")
    set_decoding(ran, sampled={"answers": 0})
    ran.run("--cores", "1", RESPONSES[1])
    assert f"0 of {ED_CASES} answers from the store" in log_of(ran)
    assert responses(ran).equals(before.filter(GREEDY))
    ran.edit("config/config.yaml", lambda study: study.update(seed=8))
    assert ran.jobs(RESPONSES[1]) == []


def test_another_seed_of_the_study_draws_other_answers(ran: Project) -> None:
    before = responses(ran)
    ran.edit("config/config.yaml", lambda study: study.update(seed=8))
    assert ran.jobs(*RESPONSES) == sorted(f"generate {cell}" for cell in ED_CELLS)
    ran.run("--cores", "1", RESPONSES[1])
    assert f"{ED_CASES} of {ANSWERS} answers from the store" in log_of(ran)
    after = responses(ran)
    assert after.filter(GREEDY).equals(before.filter(GREEDY))
    assert not set(after.filter(~GREEDY)["response_key"]) & set(before["response_key"])
    changed = after.filter(~GREEDY)["text"] != before.filter(~GREEDY)["text"]
    assert changed.mean() > 0.5


def test_more_answers_keep_those_that_are_there(ran: Project) -> None:
    before = responses(ran)
    set_decoding(ran, sampled={"answers": ED_DRAWN + 1, "temperature": 1.0})
    ran.run("--cores", "1", RESPONSES[1])
    assert f"{ANSWERS} of {ANSWERS + ED_CASES} answers from the store" in log_of(ran)
    assert responses(ran).filter(pl.col("repeat") <= ED_DRAWN).equals(before)


def test_the_keys_reach_the_backend(project: Project) -> None:
    drawn = {"temperature": 0.6, "top_p": 0.8, "min_p": 0.05}
    shared = {"max_tokens": 40, "stop": ["x", "yz"], "token_logprobs": True}
    constraint = {"grammar": "root ::= [ABC]"}
    set_decoding(project, PRIMARY_TASK, sampled={"answers": 5, **drawn}, **shared, **constraint)
    project.run("-n")
    (view,) = project.path.glob("results/config/decoding/triage_primary-*.json")
    request = Request.of(json.loads(view.read_text()), "x")
    same = {**shared, **constraint, "stop": ("x", "yz")}
    assert request.greedy == Decoding(**same)
    assert request.sampled == Decoding(**same, **drawn)
    assert (request.repeats, request.seed) == (5, STUDY["seed"])
    assert request.labels == ("A", "B", "C")


def test_stop_strings_and_log_probabilities_of_tokens(asked: Project, ran: Project) -> None:
    free = responses(ran).filter(GREEDY)["text"].to_list()
    stop = [next(text[1:3] for text in free if len(text) > 4), "no such thing"]
    set_decoding(ran, stop=stop, sampled={"answers": 1, "temperature": 1.0})
    ran.run("--cores", "1", RESPONSES[1])
    table = responses(ran)
    greedy = table.filter(GREEDY)
    assert greedy["text"].to_list() == [text.partition(stop[0])[0] for text in free]
    assert sum(stop[0] in text for text in free) > 0
    assert not table["text"].str.contains(stop[0], literal=True).any()
    for row, text in zip(greedy.iter_rows(named=True), free, strict=True):
        if stop[0] in text:
            assert row["finish_reason"] == "stop"
    assert table["token_logprob"].null_count() == 0
    assert table["token_logprob"].list.len().to_list() == table["n_tokens"].to_list()
    assert table["token_logprob"].explode().drop_nulls().is_between(-50, 0).all()
    not_asked_for = responses(asked, PRIMARY_CELLS[1])
    assert not_asked_for["token_logprob"].null_count() == not_asked_for.height


SCHEMA = {
    "type": "object",
    "properties": {"category": {"enum": ["A", "B", "C"]}},
    "required": ["category"],
    "additionalProperties": False,
}


def test_a_grammar(ran: Project) -> None:
    before = responses(ran).filter(GREEDY)["label_logprob"]
    set_decoding(ran, grammar="root ::= [123]", sampled={"answers": 4, "temperature": 2.0})
    ran.run("--cores", "1", f"results/scores/{CELL}.parquet")
    table = responses(ran)
    assert set(table["text"]) == {"1", "2", "3"}
    assert set(table["finish_reason"]) == {"stop"}
    read_out = table.filter(GREEDY)["label_logprob"]
    assert read_out.equals(before), "it does not see the grammar"
    found = scores(ran, CELL)
    assert set(found["parse_status"]) == {"label"}
    assert found["label"].equals(table["text"])


def test_a_json_schema(ran: Project) -> None:
    set_decoding(ran, json_schema=SCHEMA, max_tokens=60, sampled={"answers": 2})
    ran.run("--cores", "1", RESPONSES[1])
    answers = [json.loads(text) for text in responses(ran)["text"]]
    assert len(answers) == 3 * ED_CASES
    assert all(list(answer) == ["category"] for answer in answers)
    assert {answer["category"] for answer in answers} <= {"A", "B", "C"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grammar", "root ::= ("),
        ("json_schema", {"type": "letter"}),
    ],
)
def test_what_no_grammar_can_be_made_of(ran: Project, key: str, value: object) -> None:
    """That is found out with the proof of delivery, before any answer."""
    set_decoding(ran, **{key: value})
    delivered = RESPONSES[1].replace("responses", "delivered")
    refused_by_a_job(ran, delivered, ED_TASK, f"`decoding.{key}`", "llama.cpp", "mend")


# --- graphics cards -----------------------------------------------------------------------


def resources(output: str) -> dict[str, set[str]]:
    """What the jobs of a dry run take of `gpu`, by rule."""
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule )", output)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        taken = re.search(r"^    resources: .*\bgpu=(\d+)", block, re.MULTILINE)
        found.setdefault(rule, set()).add(taken[1] if taken else "none")
    return found


def test_a_job_on_the_graphics_card_takes_it(ran: Project) -> None:
    targets = (*RESPONSES, "results/audit/invariance.csv", "--forceall")
    none = {"0", "none"}
    assert all(taken <= none for taken in resources(ran.run("-n", *targets)).values())
    ran.edit(MODEL, lambda model: model["engine"].update(gpu_layers=-1))
    found = resources(ran.run("-n", *targets))
    assert found.pop("generate") == found.pop("audit") == {"1"}
    assert {"deliver", "prepare_model", "write_prompts"} <= set(found)
    assert all(taken <= none for taken in found.values())


def test_cards_are_not_shared_and_one_that_is_missing_is_named(ran: Project) -> None:
    if llama_cpp.llama_supports_gpu_offload():
        pytest.skip("this build has a card")
    ran.edit(MODEL, lambda model: model["engine"].update(gpu_layers=-1))
    done = ran.snakemake("--cores", "2", "--keep-going", *RESPONSES)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    events = re.findall(r"^(localrule generate:|Error in rule generate)", done.stdout, re.MULTILINE)
    # Two cores, two jobs that are ready, and one card.
    assert events == ["localrule generate:", "Error in rule generate"] * 2
    (message,) = {line for line in done.stdout.splitlines() if line.startswith("error: ")}
    assert message == (
        f"error: {MODEL}: key `engine.gpu_layers` is -1, but llama.cpp finds no graphics card; "
        "build it for one (README.md) or set the key to 0"
    )
    assert not any((ran.path / path).exists() for path in RESPONSES)
    assert message in log_of(ran)
