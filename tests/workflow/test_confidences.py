"""The confidences of an answer, from null cases to a question, through the command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from answer_store import look_after, shrink_loses_nothing
from documented import check_files
from project import Project
from refusals import refused_by_a_job
from tiny_model import CHATML, NO_SYSTEM
from triage_study import (
    DELIVERY,
    MODEL,
    PERSONAS,
    QUESTION,
    TABLE,
    asked_study,
    small_study,
)
from triage_study import PRIMARY as NAME
from triage_study import PRIMARY_CASES as ITEMS
from triage_study import PRIMARY_CELLS as CELLS
from triage_study import PRIMARY_DRAWN as ANSWERS
from triage_study import PRIMARY_RUN as RUN
from triage_study import PRIMARY_TASK as TASK

from persona_paradox.engine.store import HEADER, Segment, entry
from persona_paradox.kinds.labelled.labels import parse_label

CELL = CELLS[1]
SCORES = f"results/scores/{CELL}.parquet"
NULLS = 3
AFTER = [f"measure_triage tiny/{NAME}", "tabulate"]


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; it is not to be changed."""
    return asked_study(tmp_path_factory)


@pytest.fixture
def ran(asked: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return asked.copy(tmp_path / "project")


def read(project: Project, stage: str, cell: str = CELL) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{stage}/{cell}.parquet")


def cells(*stages: str) -> list[str]:
    return [f"{stage} {cell}" for stage in stages for cell in CELLS]


NULL = pl.col("item_id").str.starts_with("null:")
GREEDY = pl.col("repeat") == 0


# --- null cases ---------------------------------------------------------------------------


def test_null_cases_are_prompts_and_no_items(asked: Project) -> None:
    for cell in CELLS:
        prompts = pl.read_parquet(
            asked.path / f"results/prompts/{cell.removeprefix('tiny/')}.parquet"
        )
        nulls = prompts.filter(NULL)
        assert nulls["item_id"].to_list() == ["null:1", "null:2", "null:3"]
        user = yaml.safe_load((asked.path / TASK).read_text())["user"]
        shown = [user.replace("{case}", text) for text in ("N/A", "[MASK]", "")]
        assert nulls["user"].to_list() == shown
        assert prompts.height == ITEMS + NULLS
        responses = read(asked, "responses", cell)
        assert responses.filter(NULL)["repeat"].to_list() == [0] * NULLS, "nothing is sampled"
        assert responses.filter(NULL)["label_logprob"].null_count() == 0
        assert responses.filter(~NULL).height == ITEMS * (ANSWERS + 1)
        scores = read(asked, "scores", cell)
        assert scores.height == ITEMS * (ANSWERS + 1)
        assert scores.filter(NULL).is_empty()
    tables = pl.read_csv(asked.path / TABLE).filter(pl.col("task") == NAME)
    assert tables["n"].to_list() == [ITEMS] * 2
    delivery = pl.read_csv(asked.path / DELIVERY).filter(pl.col("task") == NAME)
    assert delivery["n_prompts"].to_list() == [ITEMS + NULLS] * 2
    assert delivery["n_null_cases"].to_list() == [NULLS] * 2
    assert delivery["n_task_delivered"].to_list() == [ITEMS + NULLS] * 2
    assert delivery["n_control_tokens"].to_list() == [1] * 2


def test_a_prompt_that_cannot_be_run_stays_as_a_row_that_says_why(asked: Project) -> None:
    whys = ["prompt_too_long", "control_tokens"]
    for cell in CELLS:
        greedy = read(asked, "responses", cell).filter(GREEDY & ~NULL)
        assert greedy["finish_reason"].to_list()[:2] == whys
        assert greedy["text"].is_null().to_list() == [True] * len(whys) + [False] * RUN
        found = read(asked, "scores", cell).filter(GREEDY)["parse_status"] == "no_answer"
        assert found.to_list() == [True] * len(whys) + [False] * RUN
    cells = pl.read_csv(asked.path / TABLE).filter(pl.col("task") == NAME)
    assert cells["n"].to_list() == [ITEMS] * 2
    assert cells["n_not_run"].to_list() == [len(whys)] * 2
    assert cells["n_top_label"].to_list() == [RUN] * 2


def by_hand(project: Project, nulls: list[str], cell: str = CELL) -> dict[str, list[float]]:
    """Label probabilities of every item over the mean of those of the null cases, normalized."""
    logprob = dict(
        read(project, "responses", cell).filter(GREEDY).select("item_id", "label_logprob").rows()
    )
    share = {
        item: np.exp(values) / np.exp(values).sum() for item, values in logprob.items() if values
    }
    prior = np.mean([share[null] for null in nulls], axis=0)
    return {item: list(p / prior / (p / prior).sum()) for item, p in share.items()}


def contextual_is(project: Project, nulls: list[str]) -> None:
    expected = by_hand(project, nulls)
    for row in read(project, "scores").iter_rows(named=True):
        p = expected.get(row["item_id"])
        if p is None:
            assert row["finish_reason"] in ("prompt_too_long", "control_tokens")
            assert row["label_contextual"] is row["confidence_contextual"] is None
        else:
            assert row["confidence_contextual"] == pytest.approx(max(p), abs=1e-12)
            assert row["label_contextual"] == "ABC"[int(np.argmax(p))]


def test_contextual_calibration_divides_by_the_null_cases(asked: Project) -> None:
    contextual_is(asked, ["null:1", "null:2", "null:3"])
    scores = read(asked, "scores").drop_nulls("confidence")
    assert (scores["confidence"] - scores["confidence_contextual"]).abs().max() > 0.01


def test_a_null_case_that_cannot_be_run_is_left_out(ran: Project) -> None:
    ran.edit(TASK, lambda task: task.update(null_cases=["none", "<|im_end|>", ""]))
    ran.run("--cores", "1", SCORES)
    nulls = read(ran, "responses").filter(NULL)
    assert nulls["finish_reason"].to_list()[1] == "control_tokens"
    contextual_is(ran, ["null:1", "null:3"])


def test_without_a_null_case_nothing_is_calibrated(ran: Project) -> None:
    before = read(ran, "scores")
    ran.edit(TASK, lambda task: task.update(null_cases=[]))
    ran.run("--cores", "1", SCORES)
    log = (ran.path / f"logs/generate/{CELL}.log").read_text()
    # That a prompt is too long is kept as well; one with a control token is not asked at all.
    kept = (RUN + 1) * (ANSWERS + 1)
    assert f"{CELL}: {kept} of {kept} answers from the store" in log
    after = read(ran, "scores")
    columns = ["label_contextual", "confidence_contextual"]
    assert after.select(columns).null_count().row(0) == (after.height,) * 2
    assert after.drop(columns).equals(before.drop(columns))


def test_null_cases_are_audited_like_any_other_prompt(ran: Project) -> None:
    ran.edit("config/config.yaml", lambda study: study.update(audit_sample=50))
    ran.run("--cores", "1", f"results/audit/{CELL}.parquet")
    table = read(ran, "audit")
    seen = check_files(ran.path)
    assert "results/verbalized/{model}/{task}/{persona}.parquet" in seen
    assert "results/audit/{model}/{task}/{persona}.parquet" in seen
    assert table["n"].to_list() == [RUN * (ANSWERS + 1) + NULLS] * 4
    assert table["text_changes"].sum() == table["max_logprob_difference"].sum() == 0


def test_other_null_cases_rerun_their_task(ran: Project) -> None:
    assert ran.jobs(TABLE, DELIVERY) == []
    ran.edit(TASK, lambda task: task.update(null_cases=["N/A"]))
    prompts = [f"write_prompts {NAME}/{persona}" for persona in PERSONAS]
    stages = ("deliver", "generate", "second_turn", "state", "verbalize", "score", "calibrate")
    assert ran.jobs(TABLE) == sorted(
        [*prompts, f"try_second_turn tiny/{NAME}", *cells(*stages), *AFTER]
    )


# --- repeat agreement ---------------------------------------------------------------------


def test_repeat_agreement_by_counting(asked: Project) -> None:
    found = set()
    for cell in CELLS:
        labels: dict[str, list[str | None]] = {}
        for row in read(asked, "responses", cell).filter(~NULL).iter_rows(named=True):
            labels.setdefault(row["item_id"], []).append(parse_label(row["text"], "ABC")[0])
        for row in read(asked, "scores", cell).iter_rows(named=True):
            greedy, *sampled = labels[row["item_id"]]
            assert len(sampled) == ANSWERS
            expected = None
            if row["repeat"] == 0 and greedy is not None:
                expected = sum(one == greedy for one in sampled) / ANSWERS
            assert row["confidence_repeat"] == expected
            found.add(expected)
    assert len(found) > 2, "answers must differ"


# --- the question -------------------------------------------------------------------------


def test_the_question_follows_the_answer(asked: Project) -> None:
    for cell in CELLS:
        prompts = pl.read_parquet(
            asked.path / f"results/prompts/{cell.removeprefix('tiny/')}.parquet"
        )
        chats = {row["item_id"]: row for row in prompts.iter_rows(named=True)}
        answers = read(asked, "responses", cell).filter(GREEDY & ~NULL).drop_nulls("text")
        turns = read(asked, "second_turns", cell)
        assert turns["item_id"].to_list() == answers["item_id"].to_list()
        assert turns.height == RUN
        for row, text in zip(turns.iter_rows(named=True), answers["text"], strict=True):
            chat = chats[row["item_id"]]
            # The template of the tiny model, as anyone would fill it in.
            assert row["text"] == (
                f"<|im_start|>system\n{chat['system']}<|im_end|>\n"
                f"<|im_start|>user\n{chat['user']}<|im_end|>\n"
                f"<|im_start|>assistant\nAnswer:{text}<|im_end|>\n"
                f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
            )
            assert row["second_turn_delivered"]
        said = read(asked, "statements", cell)
        assert said["prompt_sha256"].to_list() == turns["prompt_sha256"].to_list()
        assert said["text"].null_count() == 0
        assert said["n_tokens"].max() <= 8
        assert said["text"].n_unique() > 1


def test_every_answer_has_a_row(asked: Project) -> None:
    for cell in CELLS:
        table = read(asked, "verbalized", cell)
        answers = read(asked, "responses", cell).filter(GREEDY & ~NULL)
        keys = ["item_id", "prompt_id", "variant"]
        assert table.select(keys).equals(answers.select(keys))
        questioned = answers["text"].is_not_null()
        assert table.filter(~questioned)["status"].to_list() == ["no_answer"] * (ITEMS - RUN)
        assert table.filter(questioned)["response_key"].null_count() == 0
        assert (
            table.filter(questioned)["text"].to_list()
            == read(asked, "statements", cell)["text"].to_list()
        )
        assert (table["status"] == "read").to_list() == table["confidence"].is_not_null().to_list()


PLANTED = ["85", "I am 40% sure.", "0.25", "120", "no idea"]


def test_stated_numbers_reach_the_scores(ran: Project) -> None:
    """The store is given what a model that can count would have said."""
    said = read(ran, "statements")
    planted = dict(zip(said["response_key"], PLANTED, strict=True))
    for path in (ran.path / "resources/store").rglob("*.answers"):
        lines = [
            entry(key, value | {"text": planted.get(key, value["text"]), "finish_reason": "stop"})
            if key in planted
            else entry(key, value)
            for key, value in Segment(path)
        ]
        path.write_bytes(HEADER + b"".join(lines))
    ran.run("--cores", "1", SCORES, "--forcerun", "state")
    table = read(ran, "verbalized")
    asked = table["response_key"].is_not_null()
    assert table.filter(asked)["text"].to_list() == PLANTED
    assert table.filter(asked)["confidence"].to_list() == [0.85, 0.4, 0.25, None, None]
    assert table.filter(asked)["status"].to_list() == [
        *("read", "read", "read", "out_of_range", "not_a_number")
    ]
    stated = dict(table.select("item_id", "confidence").rows())
    for row in read(ran, "scores").iter_rows(named=True):
        expected = stated[row["item_id"]] if row["repeat"] == 0 else None
        assert row["confidence_verbalized"] == expected
    made_from = pl.read_parquet_metadata(ran.path / SCORES)
    assert "sha256.verbalized" in made_from


VERBALIZED = ("second_turn", "state", "verbalize", "score", "calibrate")


def test_another_question_reruns_no_answer(ran: Project) -> None:
    ran.edit(TASK, lambda task: task["verbalized"].update(question="How sure, from 0 to 100?"))
    tried = f"try_second_turn tiny/{NAME}"
    assert ran.jobs(TABLE) == sorted([tried, *cells(*VERBALIZED), *AFTER])


def test_longer_statements_render_nothing_anew(ran: Project) -> None:
    ran.edit(TASK, lambda task: task["verbalized"].update(max_tokens=12))
    assert ran.jobs(TABLE) == sorted([*cells(*VERBALIZED[1:]), *AFTER])


def test_no_question(ran: Project) -> None:
    ran.edit(TASK, lambda task: task.update(verbalized=None))
    assert ran.jobs(TABLE) == sorted([*cells("score", "calibrate"), *AFTER])
    before = read(ran, "scores")
    ran.run("--cores", "1", SCORES)
    after = read(ran, "scores")
    assert after["confidence_verbalized"].null_count() == after.height
    assert after.drop("confidence_verbalized").equals(before.drop("confidence_verbalized"))
    assert "sha256.verbalized" not in pl.read_parquet_metadata(ran.path / SCORES)


def test_from_nothing_on_one_core_all_is_the_same(ran: Project) -> None:
    before = ran.checksums()
    for folder in ("results", "resources/store"):
        shutil.rmtree(ran.path / folder)
    ran.run("--cores", "1", TABLE, DELIVERY)
    found = ran.checksums()
    assert found.items() <= before.items()
    # Views of the study as it was when it had one task.
    assert {name.partition("/")[0] for name in before.keys() - found.keys()} == {"config"}


def test_the_store_keeps_and_verifies_statements(ran: Project) -> None:
    keys = set(read(ran, "statements")["response_key"])
    shrink_loses_nothing(ran)
    segments = (ran.path / "resources/store").rglob("*.answers")
    assert keys <= {key for path in segments for key, _ in Segment(path)}
    verified = look_after(ran, "verify")
    assert verified.endswith("\n0")
    checked = re.search(r"(\d+) answers, 0 not in the store, 0 differences", verified)
    # Up to 20 of each cell of both tasks, and all 5 statements.
    assert int(checked[1]) == 2 * (20 + 20 + RUN)


ONE_TURN = CHATML.replace("message['content']", "(message['content'] if loop.index0 < 2 else '')")
DROPS_ANSWERS = CHATML.replace(
    "{% for message in messages %}",
    "{% for message in messages if message['role'] != 'assistant' %}",
)


@pytest.mark.parametrize("template", [ONE_TURN, DROPS_ANSWERS])
def test_a_template_without_a_second_turn_stops_before_any_answer(
    tmp_path: Path, template: str
) -> None:
    project = small_study(tmp_path / "project", (NAME,), template)
    refused_by_a_job(project, SCORES, MODEL, "a second turn", "exactly once", "`verbalized`")
    assert not (project.path / f"results/second_turns/tiny/{NAME}.parquet").exists()
    assert not (project.path / f"results/responses/{CELL}.parquet").exists()
    if template == ONE_TURN:
        project.edit(TASK, lambda task: task.update(verbalized=None))
        project.run("--cores", "1", SCORES)


def test_an_answer_that_the_template_changes_stops_the_cell(tmp_path: Path) -> None:
    """As templates do that drop what a model thought aloud, but only where there is any."""
    shown = "(message['content'] | replace('Answer:', 'Answer was:'))"
    template = CHATML.replace("message['content']", shown)
    project = small_study(tmp_path / "project", (NAME,), template)
    target = f"results/verbalized/{CELL}.parquet"
    words = ("tiny/triage_primary, second turn", "the model's answer", "`verbalized`")
    refused_by_a_job(project, target, *words)


def test_where_there_is_no_system_role_the_persona_leads_the_first_turn(tmp_path: Path) -> None:
    project = small_study(tmp_path / "project", (NAME,), NO_SYSTEM)
    project.run("--cores", "1", SCORES)
    turns = read(project, "second_turns")
    assert turns["system_role"].to_list() == ["folded"] * RUN
    sentence = "You are an Emergency Department Nurse."
    for text in turns["text"]:
        assert text.startswith(f"<|endoftext|><|im_start|>user\n{sentence}\n")
        assert text.count(sentence) == text.count(QUESTION) == 1
        assert text.endswith(f"user\n{QUESTION}<|im_end|>\n<|im_start|>model\n")
    unknown = read(project, "scores")["confidence_contextual"].null_count()
    assert unknown == (ITEMS - RUN) * (ANSWERS + 1)
