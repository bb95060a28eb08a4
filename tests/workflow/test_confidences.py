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
from loopback_server import add_server, running_server
from project import STUDY, Project, add_model, new_project
from refusals import refused_by_a_job
from tiny_model import CHATML, NO_SYSTEM

from persona_paradox.answers import parse_label
from persona_paradox.store import HEADER, Segment, entry

NAME = "triage_primary"
TASK = f"config/tasks/{NAME}.yaml"
MODEL = "config/models/tiny.yaml"
PERSONAS = ("no_persona", "ed_nurse")
CELLS = [f"tiny/{NAME}/{persona}" for persona in PERSONAS]
CELL = CELLS[1]
SCORES = [f"results/scores/{cell}.parquet" for cell in CELLS]
QUESTION = "How sure are you that this is right, from 0 to 100?"
ITEMS, ANSWERS, NULLS = 6, 4, 3
AFTER = ["aggregate"]


def small_study(path: Path, template: str = CHATML, **task: object) -> Project:
    """Six cases, of which one spells a control token; answers are labels, and questioned."""
    project = new_project(path)
    add_model(project, template=template)
    cases = project.path / f"resources/bundled/{NAME.replace('triage', 'teaching')}.csv"
    table = pl.read_csv(cases, infer_schema=False).head(ITEMS)
    spelled = pl.when(pl.col("id") == table.item(1, "id")).then(pl.lit(" <|im_end|>"))
    table.with_columns(pl.col("case") + spelled.otherwise(pl.lit(""))).write_csv(cases)
    sampled = {"answers": ANSWERS, "temperature": 2.0}
    project.edit(TASK, lambda t: t["decoding"].update(grammar="root ::= [ABC]", sampled=sampled))
    project.edit(TASK, lambda t: t.pop("null_cases"))  # as by default
    project.edit(TASK, lambda t: t.update(verbalized={"question": QUESTION}, **task))
    study = STUDY | {"tasks": [NAME], "personas": [*PERSONAS], "limit": None, "audit_sample": 50}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return project


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = small_study(tmp_path_factory.mktemp("confidences") / "project")
    project.run("--cores", "2", "results/tables/cells.csv", "results/tables/delivery.csv")
    return project


@pytest.fixture
def ran(shared: Project, tmp_path: Path) -> Project:
    """A copy of a study that has run."""
    shutil.copytree(shared.path, tmp_path / "project")
    return Project(tmp_path / "project")


def read(project: Project, stage: str, cell: str = CELL) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{stage}/{cell}.parquet")


def cells(*stages: str) -> list[str]:
    return [f"{stage} {cell}" for stage in stages for cell in CELLS]


NULL = pl.col("item_id").str.starts_with("null:")
GREEDY = pl.col("repeat") == 0


# --- null cases ---------------------------------------------------------------------------


def test_null_cases_are_prompts_and_no_items(shared: Project) -> None:
    for cell in CELLS:
        prompts = pl.read_parquet(
            shared.path / f"results/prompts/{cell.removeprefix('tiny/')}.parquet"
        )
        nulls = prompts.filter(NULL)
        assert nulls["item_id"].to_list() == ["null:1", "null:2", "null:3"]
        user = yaml.safe_load((shared.path / TASK).read_text())["user"]
        shown = [user.replace("{case}", text) for text in ("N/A", "[MASK]", "")]
        assert nulls["user"].to_list() == shown
        assert prompts.height == ITEMS + NULLS
        responses = read(shared, "responses", cell)
        assert responses.filter(NULL)["repeat"].to_list() == [0] * NULLS, "nothing is sampled"
        assert responses.filter(NULL)["label_logprob"].null_count() == 0
        assert responses.filter(~NULL).height == ITEMS * (ANSWERS + 1)
        scores = read(shared, "scores", cell)
        assert scores.height == ITEMS * (ANSWERS + 1)
        assert scores.filter(NULL).is_empty()
    tables = pl.read_csv(shared.path / "results/tables/cells.csv")
    assert tables["n"].to_list() == [ITEMS] * 2
    delivery = pl.read_csv(shared.path / "results/tables/delivery.csv")
    assert delivery["n_prompts"].to_list() == [ITEMS + NULLS] * 2
    assert delivery["n_null_cases"].to_list() == [NULLS] * 2
    assert delivery["n_task_delivered"].to_list() == [ITEMS + NULLS] * 2
    assert delivery["n_control_tokens"].to_list() == [1] * 2


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
            assert row["finish_reason"] == "control_tokens"
            assert row["label_contextual"] is row["confidence_contextual"] is None
        else:
            assert row["confidence_contextual"] == pytest.approx(max(p), abs=1e-12)
            assert row["label_contextual"] == "ABC"[int(np.argmax(p))]


def test_contextual_calibration_divides_by_the_null_cases(shared: Project) -> None:
    contextual_is(shared, ["null:1", "null:2", "null:3"])
    scores = read(shared, "scores").drop_nulls("confidence")
    assert (scores["confidence"] - scores["confidence_contextual"]).abs().max() > 0.01


def test_a_null_case_that_cannot_be_run_is_left_out(ran: Project) -> None:
    ran.edit(TASK, lambda task: task.update(null_cases=["none", "<|im_end|>", ""]))
    ran.run("--cores", "2", SCORES[1])
    nulls = read(ran, "responses").filter(NULL)
    assert nulls["finish_reason"].to_list()[1] == "control_tokens"
    contextual_is(ran, ["null:1", "null:3"])


def test_without_a_null_case_nothing_is_calibrated(ran: Project) -> None:
    before = read(ran, "scores")
    ran.edit(TASK, lambda task: task.update(null_cases=[]))
    ran.run("--cores", "2", SCORES[1])
    log = (ran.path / f"logs/generate/{CELL}.log").read_text()
    run = (ITEMS - 1) * (ANSWERS + 1)
    assert f"{CELL}: {run} of {run} answers from the store" in log
    after = read(ran, "scores")
    columns = ["label_contextual", "confidence_contextual"]
    assert after.select(columns).null_count().row(0) == (after.height,) * 2
    assert after.drop(columns).equals(before.drop(columns))


def test_null_cases_are_no_part_of_a_sample(ran: Project) -> None:
    ran.edit("config/config.yaml", lambda study: study.update(limit=3))
    ran.run("--cores", "2", f"results/prompts/{NAME}/ed_nurse.parquet")
    prompts = pl.read_parquet(ran.path / f"results/prompts/{NAME}/ed_nurse.parquet")
    assert prompts.filter(~NULL).height == 3
    assert prompts.filter(NULL).height == NULLS


def test_null_cases_are_audited_like_any_other_prompt(ran: Project) -> None:
    ran.run("--cores", "2", f"results/audit/{CELL}.parquet")
    table = read(ran, "audit")
    seen = check_files(ran.path)
    assert "results/verbalized/{model}/{task}/{persona}.parquet" in seen
    assert "results/audit/{model}/{task}/{persona}.parquet" in seen
    assert table["n"].to_list() == [(ITEMS - 1) * (ANSWERS + 1) + NULLS] * 4
    assert table["text_changes"].sum() == table["max_logprob_difference"].sum() == 0


def test_other_null_cases_rerun_their_task(ran: Project) -> None:
    assert ran.jobs("results/tables/cells.csv", "results/tables/delivery.csv") == []
    ran.edit(TASK, lambda task: task.update(null_cases=["N/A"]))
    prompts = [f"write_prompts {NAME}/{persona}" for persona in PERSONAS]
    stages = ("deliver", "generate", "second_turn", "state", "verbalize", "score", "calibrate")
    assert ran.jobs("results/tables/cells.csv") == sorted(
        [*prompts, f"try_second_turn tiny/{NAME}", *cells(*stages), *AFTER]
    )


# --- repeat agreement ---------------------------------------------------------------------


def test_repeat_agreement_by_counting(shared: Project) -> None:
    found = set()
    for cell in CELLS:
        labels: dict[str, list[str | None]] = {}
        for row in read(shared, "responses", cell).filter(~NULL).iter_rows(named=True):
            labels.setdefault(row["item_id"], []).append(parse_label(row["text"], "ABC")[0])
        for row in read(shared, "scores", cell).iter_rows(named=True):
            greedy, *sampled = labels[row["item_id"]]
            assert len(sampled) == ANSWERS
            expected = None
            if row["repeat"] == 0 and greedy is not None:
                expected = sum(one == greedy for one in sampled) / ANSWERS
            assert row["confidence_repeat"] == expected
            found.add(expected)
    assert len(found) > 2, "answers must differ"


# --- the question -------------------------------------------------------------------------


def test_the_question_follows_the_answer(shared: Project) -> None:
    for cell in CELLS:
        prompts = pl.read_parquet(
            shared.path / f"results/prompts/{cell.removeprefix('tiny/')}.parquet"
        )
        chats = {row["item_id"]: row for row in prompts.iter_rows(named=True)}
        answers = read(shared, "responses", cell).filter(GREEDY & ~NULL).drop_nulls("text")
        turns = read(shared, "second_turns", cell)
        assert turns["item_id"].to_list() == answers["item_id"].to_list()
        assert turns.height == ITEMS - 1
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
        said = read(shared, "statements", cell)
        assert said["prompt_sha256"].to_list() == turns["prompt_sha256"].to_list()
        assert said["text"].null_count() == 0
        assert said["n_tokens"].max() <= 8
        assert said["text"].n_unique() > 1


def test_every_answer_has_a_row(shared: Project) -> None:
    for cell in CELLS:
        table = read(shared, "verbalized", cell)
        answers = read(shared, "responses", cell).filter(GREEDY & ~NULL)
        keys = ["item_id", "prompt_id", "variant"]
        assert table.select(keys).equals(answers.select(keys))
        asked = answers["text"].is_not_null()
        assert table.filter(~asked)["status"].to_list() == ["no_answer"]
        assert table.filter(asked)["response_key"].null_count() == 0
        assert (
            table.filter(asked)["text"].to_list()
            == read(shared, "statements", cell)["text"].to_list()
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
    ran.run("--cores", "2", SCORES[1], "--forcerun", "state")
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
    made_from = pl.read_parquet_metadata(ran.path / SCORES[1])
    assert "sha256.verbalized" in made_from


VERBALIZED = ("second_turn", "state", "verbalize", "score", "calibrate")
TARGET = "results/tables/cells.csv"


def test_another_question_reruns_no_answer(ran: Project) -> None:
    ran.edit(TASK, lambda task: task["verbalized"].update(question="How sure, from 0 to 100?"))
    tried = f"try_second_turn tiny/{NAME}"
    assert ran.jobs(TARGET) == sorted([tried, *cells(*VERBALIZED), *AFTER])


def test_longer_statements_render_nothing_anew(ran: Project) -> None:
    ran.edit(TASK, lambda task: task["verbalized"].update(max_tokens=12))
    assert ran.jobs(TARGET) == sorted([*cells(*VERBALIZED[1:]), *AFTER])


def test_no_question(ran: Project) -> None:
    ran.edit(TASK, lambda task: task.update(verbalized=None))
    assert ran.jobs(TARGET) == sorted([*cells("score", "calibrate"), *AFTER])
    before = read(ran, "scores")
    ran.run("--cores", "2", SCORES[1])
    after = read(ran, "scores")
    assert after["confidence_verbalized"].null_count() == after.height
    assert after.drop("confidence_verbalized").equals(before.drop("confidence_verbalized"))
    assert "sha256.verbalized" not in pl.read_parquet_metadata(ran.path / SCORES[1])


def test_from_nothing_on_one_core_all_is_the_same(ran: Project) -> None:
    before = ran.checksums()
    for folder in ("results", "resources/store"):
        shutil.rmtree(ran.path / folder)
    ran.run("--cores", "1", TARGET, "results/tables/delivery.csv")
    assert ran.checksums() == before


def test_the_store_keeps_and_verifies_statements(ran: Project) -> None:
    keys = set(read(ran, "statements")["response_key"])
    shrink_loses_nothing(ran)
    segments = (ran.path / "resources/store").rglob("*.answers")
    assert keys <= {key for path in segments for key, _ in Segment(path)}
    verified = look_after(ran, "verify")
    assert verified.endswith("\n0")
    checked = re.search(r"(\d+) answers, 0 not in the store, 0 differences", verified)
    # Up to 20 of each cell, and all 5 statements.
    assert int(checked[1]) == 2 * (20 + ITEMS - 1)


ONE_TURN = CHATML.replace("message['content']", "(message['content'] if loop.index0 < 2 else '')")
DROPS_ANSWERS = CHATML.replace(
    "{% for message in messages %}",
    "{% for message in messages if message['role'] != 'assistant' %}",
)


@pytest.mark.parametrize("template", [ONE_TURN, DROPS_ANSWERS])
def test_a_template_without_a_second_turn_stops_before_any_answer(
    tmp_path: Path, template: str
) -> None:
    project = small_study(tmp_path / "project", template=template)
    tried = f"results/second_turns/tiny/{NAME}.parquet"
    refused_by_a_job(project, tried, MODEL, "a second turn", "exactly once", "`verbalized`")
    done = project.snakemake("--cores", "1", SCORES[1])
    assert done.returncode != 0
    assert not (project.path / f"results/responses/{CELL}.parquet").exists()
    project.edit(TASK, lambda task: task.update(verbalized=None))
    project.run("--cores", "2", SCORES[1])


def test_an_answer_that_the_template_changes_stops_the_cell(tmp_path: Path) -> None:
    """As templates do that drop what a model thought aloud, but only where there is any."""
    shown = "(message['content'] | replace('Answer:', 'Answer was:'))"
    template = CHATML.replace("message['content']", shown)
    project = small_study(tmp_path / "project", template=template)
    target = f"results/verbalized/{CELL}.parquet"
    words = ("tiny/triage_primary, second turn", "the model's answer", "`verbalized`")
    refused_by_a_job(project, target, *words)


def test_where_there_is_no_system_role_the_persona_leads_the_first_turn(tmp_path: Path) -> None:
    project = small_study(tmp_path / "project", template=NO_SYSTEM)
    project.run("--cores", "2", SCORES[1])
    turns = read(project, "second_turns")
    assert turns["system_role"].to_list() == ["folded"] * (ITEMS - 1)
    sentence = "You are an Emergency Department Nurse."
    for text in turns["text"]:
        assert text.startswith(f"<|endoftext|><|im_start|>user\n{sentence}\n")
        assert text.count(sentence) == text.count(QUESTION) == 1
        assert text.endswith(f"user\n{QUESTION}<|im_end|>\n<|im_start|>model\n")
    assert read(project, "scores")["confidence_contextual"].null_count() == ANSWERS + 1


# --- a server -----------------------------------------------------------------------------


def test_a_server_is_asked_the_same(tmp_path: Path) -> None:
    project = small_study(tmp_path / "project")
    project.edit(TASK, lambda task: task["decoding"].update(grammar=None))
    project.edit(MODEL, lambda model: model.update(prepare="none"))
    scores = [f"results/scores/{m}/{NAME}/ed_nurse.parquet" for m in ("tiny", "far")]
    with running_server(project.path / "tiny.gguf", window=2048) as url:
        add_server(project, url)
        project.edit("config/config.yaml", lambda study: study.update(models=["tiny", "far"]))
        plan = project.jobs(*scores)
        project.run("--cores", "2", *scores)
    far = f"far/{NAME}/ed_nurse"
    assert [job for job in plan if far in job and "sta" in job] == [f"state_server {far}"]
    here, there = (read(project, "second_turns", cell) for cell in (CELL, far))
    first = [read(project, "responses", cell).filter(GREEDY)["text"] for cell in (CELL, far)]
    # Answers are equal up to rounding, and so then is what is asked about them.
    assert first[0].equals(first[1], null_equal=True)
    assert here["text"].equals(there["text"])
    assert there["pieces"].null_count() == there.height
    said = [read(project, "statements", cell) for cell in (CELL, far)]
    assert said[1]["backend"].unique().to_list() == ["server"]
    assert said[1]["text"].null_count() == 0
    same = (said[0]["text"] == said[1]["text"]).mean()
    assert same > 0.7, "a tie of two tokens may turn a text"
    found = read(project, "verbalized", far)
    assert found["backend"].unique().to_list() == ["server"]
    assert read(project, "scores", far)["confidence_contextual"].drop_nulls().len() == (
        (ITEMS - 1) * (ANSWERS + 1)
    )
