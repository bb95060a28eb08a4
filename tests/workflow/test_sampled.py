"""Decoding of a task through its keys: sampled answers, stop strings, grammars; and the GPU's."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import refused_by_a_job

from persona_paradox.decoding import Decoding
from persona_paradox.responses import Request

MODEL = "config/models/tiny.yaml"
TASK = "config/tasks/triage_primary.yaml"
CELLS = [f"tiny/triage_primary/{persona}" for persona in ("no_persona", "ed_nurse")]
RESPONSES = [f"results/responses/{cell}.parquet" for cell in CELLS]
TABLE = "results/tables/cells.csv"
ITEMS, ANSWERS = 6, 3


def set_decoding(project: Project, **keys: object) -> None:
    project.edit(TASK, lambda task: task["decoding"].update(keys))


def small_study(path: Path) -> Project:
    """A study of few cases, which are all there are: no draw of items depends on the seed."""
    project = new_project(path)
    add_model(project)
    cases = project.path / "resources/bundled/teaching_primary.csv"
    pl.read_csv(cases, infer_schema=False).head(ITEMS).write_csv(cases)
    change = {"tasks": ["triage_primary"], "personas": ["no_persona", "ed_nurse"], "limit": None}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(STUDY | change))
    return project


def responses(project: Project, cell: str = CELLS[1]) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/responses/{cell}.parquet")


def log_of(project: Project, cell: str = CELLS[1]) -> str:
    return (project.path / f"logs/generate/{cell}.log").read_text()


@dataclass(frozen=True)
class Ran:
    """A study of greedy answers, and the same project with sampled ones besides.

    Attributes:
        greedy: the responses of every cell before.
        project: with the sampled answers.
    """

    greedy: dict[str, pl.DataFrame]
    project: Project


@pytest.fixture(scope="module")
def _ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    project = small_study(tmp_path_factory.mktemp("sampled") / "project")
    project.run("--cores", "2", *RESPONSES)
    greedy = {cell: responses(project, cell) for cell in CELLS}
    set_decoding(project, sampled={"answers": ANSWERS, "temperature": 1.0})
    project.run("--cores", "2", TABLE)
    return Ran(greedy, project)


@pytest.fixture
def ran(_ran: Ran, tmp_path: Path) -> Ran:
    """The same, in a copy that may be changed."""
    shutil.copytree(_ran.project.path, tmp_path / "project")
    return Ran(_ran.greedy, Project(tmp_path / "project"))


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A small study that has not run."""
    return small_study(tmp_path / "project")


GREEDY = pl.col("repeat") == 0


def test_every_prompt_has_its_repeats(ran: Ran) -> None:
    for cell in CELLS:
        table = responses(ran.project, cell)
        items = ran.greedy[cell]["item_id"].to_list()
        assert table.select("item_id", "repeat").rows() == [
            (item, repeat) for item in items for repeat in range(ANSWERS + 1)
        ]
        assert table["response_key"].n_unique() == table.height
        assert table["text"].null_count() == 0
        per_item = table.group_by("item_id").agg(
            drawn=pl.col("text").filter(~GREEDY).n_unique(),
            read_out=pl.col("label_logprob").n_unique(),
        )
        assert per_item["drawn"].mean() > 2, "sampled answers are not one answer"
        assert per_item["read_out"].to_list() == [1] * ITEMS, "labels are read before any draw"
        scores = pl.read_parquet(ran.project.path / f"results/scores/{cell}.parquet")
        assert scores["repeat"].to_list() == table["repeat"].to_list()


def test_greedy_answers_are_those_of_a_study_without_sampling(ran: Ran) -> None:
    for cell in CELLS:
        assert responses(ran.project, cell).filter(GREEDY).equals(ran.greedy[cell])
        expected = f"{cell}: {ITEMS} of {ITEMS * (ANSWERS + 1)} answers from the store"
        assert expected in log_of(ran.project, cell)


def test_tables_count_items_and_not_repeats(ran: Ran) -> None:
    cells = pl.read_csv(ran.project.path / TABLE)
    for cell, row in zip(CELLS, cells.iter_rows(named=True), strict=True):
        scores = pl.read_parquet(ran.project.path / f"results/scores/{cell}.parquet")
        assert scores.height == ITEMS * (ANSWERS + 1)
        assert row["n"] == row["n_top_label"] == ITEMS
        greedy = scores.filter(GREEDY)
        assert row["n_invalid"] == greedy["label"].null_count()
        assert row["n_generated_label"] == ITEMS - row["n_invalid"]
        assert row["mean_confidence_top_label"] == pytest.approx(greedy["confidence"].mean())


def test_sampled_answers_are_the_same_from_empty_stores_and_on_any_cores(ran: Ran) -> None:
    project = ran.project
    expected = [project.checksums()[path.removeprefix("results/")] for path in RESPONSES]
    for cores in ("1", "2"):
        shutil.rmtree(project.path / "resources/store")
        project.run("--cores", cores, *RESPONSES, "--forcerun", "generate")
        assert f"0 of {ITEMS * (ANSWERS + 1)} answers from the store" in log_of(project)
        found = project.checksums()
        assert [found[path.removeprefix("results/")] for path in RESPONSES] == expected


def test_another_seed_of_the_study_draws_other_answers(ran: Ran) -> None:
    project, before = ran.project, responses(ran.project)
    project.edit("config/config.yaml", lambda study: study.update(seed=8))
    assert project.jobs(*RESPONSES) == sorted(f"generate {cell}" for cell in CELLS)
    project.run("--cores", "2", *RESPONSES)
    assert f"{ITEMS} of {ITEMS * (ANSWERS + 1)} answers from the store" in log_of(project)
    after = responses(project)
    assert after.filter(GREEDY).equals(before.filter(GREEDY))
    assert not set(after.filter(~GREEDY)["response_key"]) & set(before["response_key"])
    changed = after.filter(~GREEDY)["text"] != before.filter(~GREEDY)["text"]
    assert changed.mean() > 0.5


def test_another_seed_of_a_greedy_study_asks_nothing_anew(ran: Ran) -> None:
    set_decoding(ran.project, sampled={"answers": 0})
    ran.project.run("--cores", "2", *RESPONSES)
    assert f"{ITEMS} of {ITEMS} answers from the store" in log_of(ran.project)
    ran.project.edit("config/config.yaml", lambda study: study.update(seed=8))
    assert ran.project.jobs(*RESPONSES) == []


def test_more_answers_keep_those_that_are_there(ran: Ran) -> None:
    before = responses(ran.project)
    set_decoding(ran.project, sampled={"answers": ANSWERS + 1, "temperature": 1.0})
    ran.project.run("--cores", "1", RESPONSES[1])
    assert f"{before.height} of {before.height + ITEMS} answers from the store" in log_of(
        ran.project
    )
    assert responses(ran.project).filter(pl.col("repeat") <= ANSWERS).equals(before)


def test_the_keys_reach_the_backend(fresh: Project) -> None:
    drawn = {"temperature": 0.6, "top_p": 0.8, "min_p": 0.05}
    shared = {"max_tokens": 40, "stop": ["x", "yz"], "token_logprobs": True}
    constraint = {"grammar": "root ::= [ABC]"}
    set_decoding(fresh, sampled={"answers": 5, **drawn}, **shared, **constraint)
    fresh.run("-n")
    (view,) = fresh.path.glob("results/config/decoding/triage_primary-*.json")
    request = Request.of(json.loads(view.read_text()), "x")
    same = {**shared, **constraint, "stop": ("x", "yz")}
    assert request.greedy == Decoding(**same)
    assert request.sampled == Decoding(**same, **drawn)
    assert (request.repeats, request.seed) == (5, STUDY["seed"])
    assert request.labels == ("A", "B", "C")


def test_stop_strings_and_log_probabilities_of_tokens(ran: Ran) -> None:
    free = ran.greedy[CELLS[1]]["text"].to_list()
    stop = [next(text[1:3] for text in free if len(text) > 4), "no such thing"]
    sampled = {"answers": 1, "temperature": 1.0}
    set_decoding(ran.project, stop=stop, token_logprobs=True, sampled=sampled)
    ran.project.run("--cores", "1", RESPONSES[1])
    table = responses(ran.project)
    greedy = table.filter(GREEDY)
    assert greedy["text"].to_list() == [text.partition(stop[0])[0] for text in free]
    assert sum(stop[0] in text for text in free) > 0
    assert not table["text"].str.contains(stop[0], literal=True).any()
    for row, text in zip(greedy.iter_rows(named=True), free, strict=True):
        if stop[0] in text:
            assert row["finish_reason"] == "stop"
    assert ran.greedy[CELLS[1]]["token_logprob"].null_count() == ITEMS, "not asked for before"
    assert table["token_logprob"].null_count() == 0
    assert table["token_logprob"].list.len().to_list() == table["n_tokens"].to_list()
    assert table["token_logprob"].explode().drop_nulls().is_between(-50, 0).all()


SCHEMA = {
    "type": "object",
    "properties": {"category": {"enum": ["A", "B", "C"]}},
    "required": ["category"],
    "additionalProperties": False,
}


def test_a_grammar(ran: Ran) -> None:
    drawn = {"answers": 4, "temperature": 2.0}
    set_decoding(ran.project, grammar="root ::= [ABC]", sampled=drawn)
    scores = RESPONSES[1].replace("responses", "scores")
    ran.project.run("--cores", "2", scores)
    table = responses(ran.project)
    assert set(table["text"]) == {"A", "B", "C"}
    assert set(table["finish_reason"]) == {"stop"}
    read_out = table.filter(GREEDY)["label_logprob"]
    assert read_out.equals(ran.greedy[CELLS[1]]["label_logprob"]), "it does not see the grammar"
    found = pl.read_parquet(ran.project.path / scores)
    assert set(found["parse_status"]) == {"label"}
    assert found["label"].equals(table["text"])


def test_a_json_schema(ran: Ran) -> None:
    set_decoding(ran.project, json_schema=SCHEMA, max_tokens=60, sampled={"answers": 2})
    ran.project.run("--cores", "2", RESPONSES[1])
    answers = [json.loads(text) for text in responses(ran.project)["text"]]
    assert len(answers) == 3 * ITEMS
    assert all(list(answer) == ["category"] for answer in answers)
    assert {answer["category"] for answer in answers} <= {"A", "B", "C"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grammar", "root ::= ("),
        ("json_schema", {"type": "letter"}),
    ],
)
def test_what_no_grammar_can_be_made_of(ran: Ran, key: str, value: object) -> None:
    """That is found out with the proof of delivery, before any answer."""
    set_decoding(ran.project, **{key: value})
    delivered = RESPONSES[1].replace("responses", "delivered")
    refused_by_a_job(ran.project, delivered, TASK, f"`decoding.{key}`", "llama.cpp", "mend")


# --- graphics cards -----------------------------------------------------------------------


def resources(output: str) -> dict[str, set[str]]:
    """What the jobs of a dry run take of `gpu`, by rule."""
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule )", output)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        taken = re.search(r"^    resources: .*\bgpu=(\d+)", block, re.MULTILINE)
        found.setdefault(rule, set()).add(taken[1] if taken else "none")
    return found


def test_a_job_on_the_graphics_card_takes_it(ran: Ran) -> None:
    project = ran.project
    targets = (*RESPONSES, "results/audit/invariance.csv", "--forceall")
    none = {"0", "none"}
    assert all(taken <= none for taken in resources(project.run("-n", *targets)).values())
    project.edit(MODEL, lambda model: model["engine"].update(gpu_layers=-1))
    found = resources(project.run("-n", *targets))
    assert found.pop("generate") == found.pop("audit") == {"1"}
    assert {"deliver", "prepare_model", "write_prompts"} <= set(found)
    assert all(taken <= none for taken in found.values())


def test_cards_are_not_shared_and_one_that_is_missing_is_named(ran: Ran) -> None:
    if llama_cpp.llama_supports_gpu_offload():
        pytest.skip("this build has a card")
    project = ran.project
    project.edit(MODEL, lambda model: model["engine"].update(gpu_layers=-1))
    done = project.snakemake("--cores", "2", "--keep-going", *RESPONSES)
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
    assert not any((project.path / path).exists() for path in RESPONSES)
    assert message in log_of(project)
