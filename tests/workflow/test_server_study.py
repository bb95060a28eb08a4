"""A study of a local model and a server that has the same weights, through the command line."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from loopback_server import FAR, add_server, running_server
from project import STUDY, Project, add_model, new_project
from refusals import refused_by_a_job
from studies import shared

from persona_paradox.engine.responses import SCHEMA
from persona_paradox.kinds.triage.scoring import score

TASK = "triage_primary"
TASK_FILE = f"config/tasks/{TASK}.yaml"
PERSONAS = ("no_persona", "ed_nurse")
CELLS = [f"far/{TASK}/{persona}" for persona in PERSONAS]
RESPONSES = f"results/responses/{CELLS[1]}.parquet"
ITEMS, DRAWN, NULLS = 10, 2, 3
ANSWERS = ITEMS * (DRAWN + 1) + NULLS
SECRET = "sk-do-not-show-1234567890"  # noqa: S105
INVARIANCE = "results/audit/invariance.csv"
NULL = pl.col("item_id").str.starts_with("null:")
GREEDY = (pl.col("repeat") == 0) & ~NULL


def ask_for(project: Project, **study: object) -> None:
    """Put a small study of both models into the project."""
    study = {
        **STUDY,
        "models": ["tiny", "far"],
        "tasks": [TASK],
        "personas": list(PERSONAS),
        "limit": ITEMS,
        "audit_sample": 4,
        **study,
    }
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


@dataclass(frozen=True)
class Ran:
    """A project whose study has run, from a server that is stopped by now.

    Attributes:
        plan: the jobs that a dry run listed.
        output: what snakemake said.
    """

    project: Project
    plan: list[str]
    output: str

    def table(self, name: str) -> pl.DataFrame:
        path = self.project.path / "results" / name
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)

    def cell(self, stage: str, model: str, persona: str = "ed_nurse") -> pl.DataFrame:
        return self.table(f"{stage}/{model}/{TASK}/{persona}.parquet")


def run_with_a_server(path: Path) -> None:
    """Sampled answers, null cases and stated confidences, too."""
    project = new_project(path)
    sampled = {"sampled": {"answers": DRAWN, "temperature": 2.0}}
    project.edit(TASK_FILE, lambda task: task["decoding"].update(sampled))
    project.edit(TASK_FILE, lambda task: task.pop("null_cases"))  # as by default
    question = {"question": "How sure are you that this is right, from 0 to 100?"}
    project.edit(TASK_FILE, lambda task: task.update(verbalized=question))
    # The same file on both sides.
    add_model(project, file_type="F16")
    project.edit("config/models/tiny.yaml", lambda model: model.update(prepare="none"))
    with running_server(project.path / "tiny.gguf", window=2048, api_key=SECRET) as url:
        add_server(project, url, api_key_env="PERSONA_FAR_KEY")
        ask_for(project)
        plan = project.jobs()
        output = project.run("--cores", "1", "all", INVARIANCE, PERSONA_FAR_KEY=SECRET)
    (path / "said.json").write_text(json.dumps([plan, output]))


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    project = shared(tmp_path_factory, "served", run_with_a_server)
    return Ran(project, *json.loads((project.path / "said.json").read_text()))


@pytest.fixture
def stopped(ran: Ran, tmp_path: Path) -> Project:
    """A copy of the project; nobody answers at the server's address any more."""
    return ran.project.copy(tmp_path / "project")


@pytest.fixture
def nobody(project: Project) -> Project:
    """A study that has not run, of a server that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        add_server(project, f"http://127.0.0.1:{free.getsockname()[1]}/v1")
    ask_for(project)
    return project


def test_a_servers_model_is_asked_and_not_downloaded(ran: Ran) -> None:
    stages = ("deliver", "ask_server", "second_turn", "state_server", "verbalize")
    assert [job for job in ran.plan if "far" in job] == sorted(
        [f"try_second_turn far/{TASK}", f"measure_triage far/{TASK}"]
        + [f"{stage} {cell}" for stage in (*stages, "score", "calibrate") for cell in CELLS]
    )
    assert [job for job in ran.plan if job.split()[0] in ("generate", "ask_server")] == sorted(
        [f"generate {cell.replace('far', 'tiny')}" for cell in CELLS]
        + [f"ask_server {cell}" for cell in CELLS]
    )
    assert {"download_model tiny", "prepare_model tiny"} <= set(ran.plan)
    assert not (ran.project.path / "resources/models/far").exists()


def test_the_study_reaches_its_figures(ran: Ran) -> None:
    for figure in STUDY["figures"]:
        for suffix in ("pdf", "png"):
            assert (ran.project.path / f"results/figures/{figure}.{suffix}").stat().st_size > 1000
    delivery = ran.table("tables/delivery.csv").filter(pl.col("model") == "far")
    assert delivery["n_persona_delivered"].to_list() == [ITEMS + NULLS] * 2
    assert delivery["system_role"].to_list() == ["native"] * 2
    assert delivery["n_bos"].cast(pl.String).to_list() in ([None] * 2, [""] * 2), "out of sight"


def test_every_result_says_what_made_it(ran: Ran) -> None:
    backend = {"tiny": "llama.cpp", "far": "server"}
    for model, name in backend.items():
        for persona in PERSONAS:
            for stage in ("responses", "statements", "verbalized", "scores"):
                assert set(ran.cell(stage, model, persona)["backend"]) == {name}
    for table in ("cells.csv", "contrasts.csv", "cells.parquet", "contrasts.parquet"):
        rows = ran.table(f"tables/{table}").select("model", "backend").unique().sort("model").rows()
        assert rows == sorted(backend.items())
    assert ran.table("tables/cells.csv")["n"].to_list() == [ITEMS] * 4
    (figures,) = ran.project.path.glob("results/config/figures/triage-*.json")
    assert yaml.safe_load(figures.read_text())["models"] == {
        "tiny": "Random weights (tiny)",
        "far": "Random weights (far) (server)",
    }


def test_answers_are_those_of_the_same_weights_here(ran: Ran) -> None:
    """The same sums in another order, of 16-bit floats: equal up to rounding.

    Largest difference that was seen: 0.008 nats; other weights or another prompt are nats apart.
    """
    pairs = []
    for persona in PERSONAS:
        here, there = (
            ran.cell("responses", model, persona).filter(GREEDY) for model in ("tiny", "far")
        )
        assert here.height == ITEMS
        assert here["item_id"].equals(there["item_id"])
        assert here["prompt_sha256"].equals(there["prompt_sha256"])
        assert there["n_prompt_tokens"].null_count() == ITEMS
        assert not set(here["response_key"]) & set(there["response_key"])
        pairs += zip(here.iter_rows(named=True), there.iter_rows(named=True), strict=True)
    assert len({mine["text"] for mine, _ in pairs}) > ITEMS / 2, "the model must not repeat itself"
    # A tie of two tokens may turn a text; it has not been seen.
    columns = ("text", "finish_reason", "n_tokens")
    same = sum(all(mine[c] == theirs[c] for c in columns) for mine, theirs in pairs)
    assert same >= 0.85 * len(pairs)
    mine, theirs = (np.array([pair[i]["label_logprob"] for pair in pairs]) for i in (0, 1))
    assert mine.shape == (2 * ITEMS, 3)
    np.testing.assert_allclose(theirs, mine, rtol=0, atol=0.05)
    assert np.abs(mine - np.roll(mine, 1, axis=0)).max() > 1, "of any other prompt they differ"


def test_null_cases_are_no_part_of_a_sample(ran: Ran) -> None:
    for persona in PERSONAS:
        prompts = ran.table(f"prompts/{TASK}/{persona}.parquet")
        assert (prompts.filter(~NULL).height, prompts.filter(NULL).height) == (ITEMS, NULLS)


def test_a_server_is_asked_how_sure_it_is(ran: Ran) -> None:
    models = ("tiny", "far")
    first = [ran.cell("responses", model).filter(GREEDY)["text"] for model in models]
    here, there = (ran.cell("second_turns", model) for model in models)
    # Answers are equal up to rounding, and so then is what is asked about them.
    same = (first[0] == first[1]).to_list()
    assert (here["text"] == there["text"]).to_list() == same
    assert sum(same) >= 0.85 * ITEMS
    assert there["pieces"].null_count() == there.height
    said = [ran.cell("statements", model) for model in models]
    assert said[1]["text"].null_count() == 0
    assert (said[0]["text"] == said[1]["text"]).mean() > 0.7, "a tie of two tokens may turn a text"
    contextual = ran.cell("scores", "far")["confidence_contextual"]
    assert contextual.drop_nulls().len() == ITEMS * (DRAWN + 1)


def test_the_audit_has_the_server(ran: Ran) -> None:
    table = ran.table(INVARIANCE.removeprefix("results/"))
    checks = {
        "llama.cpp": ["one_by_one", "other_order", "other_companions", "other_threads"],
        "server": ["one_by_one", "other_order"],
    }
    assert table.select("model", "persona", "backend", "check").rows() == [
        (model, persona, backend, check)
        for model, backend in (("tiny", "llama.cpp"), ("far", "server"))
        for persona in PERSONAS
        for check in checks[backend]
    ]
    assert table["n"].to_list() == [4] * table.height
    local, server = (table.filter(pl.col("backend") == name) for name in checks)
    counts = ("label_flips", "argmax_flips", "text_changes")
    assert local.select("max_logprob_difference", *counts).sum().row(0) == (0.0, 0, 0, 0)
    # Not bit for bit: what a server remembers of its prompts changes the shape of its sums.
    assert server["max_logprob_difference"].max() < 0.05


def test_the_key_of_the_endpoint_stays_in_the_environment(ran: Ran) -> None:
    assert SECRET not in ran.output
    written = [path for path in ran.project.path.rglob("*") if path.is_file()]
    assert sum("logs" in path.parts for path in written) > 20
    assert any(path.suffix == ".answers" for path in written)
    holding = [path for path in written if SECRET.encode() in path.read_bytes()]
    assert holding == []
    assert any(
        b"PERSONA_FAR_KEY" in path.read_bytes() for path in written if path.suffix == ".json"
    )


def test_what_was_answered_needs_no_server(stopped: Project) -> None:
    before = stopped.checksums()[RESPONSES.removeprefix("results/")]
    output = stopped.run("--cores", "1", RESPONSES, "--forcerun", "ask_server")
    assert "rule ask_server:" in output
    log = (stopped.path / f"logs/generate/{CELLS[1]}.log").read_text()
    assert f"{CELLS[1]}: {ANSWERS} of {ANSWERS} answers from the store" in log
    assert stopped.checksums()[RESPONSES.removeprefix("results/")] == before


def test_other_weights_under_the_same_name_are_asked_anew(stopped: Project) -> None:
    stopped.edit(FAR, lambda model: model["source"].update(revision="2", api_key_env=None))
    refused_by_a_job(stopped, RESPONSES, FAR, "`source.url`", "cannot be reached")
    log = (stopped.path / f"logs/generate/{CELLS[1]}.log").read_text()
    assert f"{CELLS[1]}: 0 of {ANSWERS} answers from the store" in log


def test_a_key_that_is_not_set(stopped: Project) -> None:
    shutil.rmtree(stopped.path / "resources/store")
    stopped.edit(FAR, lambda model: model["source"].update(api_key_env="PERSONA_NO_KEY"))
    refused_by_a_job(stopped, RESPONSES, FAR, "`source.api_key_env`", "PERSONA_NO_KEY is not set")


def test_nobody_answers(nobody: Project) -> None:
    refused_by_a_job(
        nobody, RESPONSES, FAR, "`source.url`", "cannot be reached", "start the server"
    )


def test_items_without_a_listed_label_have_no_confidence(ran: Ran) -> None:
    """A server lists some tokens only; where no label is among them, nothing is known of them."""
    none = float("-inf")
    logprobs = [[none] * 3, [-1.0, none, none]]
    responses = pl.DataFrame(
        [
            {
                "item_id": f"tpc_0{i}",
                "variant": "main",
                "repeat": 0,
                "text": "A",
                "label_logprob": p,
            }
            for i, p in enumerate(logprobs, start=1)
        ],
        schema=SCHEMA,
    )
    items = pl.read_parquet(ran.project.path / "resources/datasets/teaching_primary.parquet")
    (view,) = ran.project.path.glob(f"results/config/scoring/{TASK}-*.json")
    scores = score(responses, items, yaml.safe_load(view.read_text()))
    assert scores["label"].to_list() == ["A", "A"]
    assert scores["label_logprob_argmax"].to_list() == [None, "A"]
    for column in ("confidence", "confidence_generated", "margin"):
        assert scores[column].to_list() == [None, 1.0]
    assert scores["entropy"].to_list() == [None, 0.0]
