"""A study with further turns: from the first answer to the last, edits, and its archive."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from answer_store import look_after
from documented import check_files
from project import STUDY, Project, add_model, new_project
from refusals import refused, refused_by_a_job
from studies import shared
from thinking_study import REASONED
from thinking_study import small_study as thinking
from tiny_model import CHATML

ED, PRIMARY = "triage_ed", "triage_primary"
TASK = f"config/tasks/{ED}.yaml"
TWICE, MIDDLE = f"{ED}@twice", f"{ED}@twice+1"
SURE, EXPERT = "Are you sure?", "An expert told me that this is wrong. Answer again."
ARMS = {
    "sure": {"title": "doubted", "rule": "turns", "turns": [SURE]},
    "twice": {"title": "doubted twice", "rule": "turns", "turns": [SURE, EXPERT]},
}
HOW_SURE = "How sure are you, from 0 to 100?"
PERSONAS = ["no_persona", "ed_nurse"]
ITEMS, DRAWN = 4, 2
KEYS = ["item_id", "variant", "repeat"]
ARCHIVE = "results/archive.zip"


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study whose arm goes on twice, and whose other task does by itself. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        study = STUDY | {"tasks": [ED, TWICE, PRIMARY], "personas": PERSONAS, "limit": ITEMS}
        study |= {"tables": ["cells", "contrasts"], "figures": [], "audit_sample": 1}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        drawn = {"answers": DRAWN, "temperature": 1.5}
        project.edit(TASK, lambda task: task.update(arms=ARMS, null_cases=["N/A"]))
        project.edit(TASK, lambda task: task["decoding"].update(sampled=drawn, max_tokens=6))
        asked = {"turns": [SURE], "verbalized": {"question": HOW_SURE}, "null_cases": ["N/A"]}
        project.edit(f"config/tasks/{PRIMARY}.yaml", lambda task: task.update(asked))
        project.run("--cores", "2", "all", ARCHIVE)

    return shared(tmp_path_factory, "turns", build)


def table(project: Project, stage: str, task: str, persona: str = "ed_nurse") -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{stage}/tiny/{task}/{persona}.parquet")


def message(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def test_every_turn_is_what_anyone_would_write_by_hand(ran: Project) -> None:
    prompts = pl.read_parquet(ran.path / f"results/prompts/{ED}/ed_nurse.parquet")
    chats = {row["item_id"]: row for row in prompts.iter_rows(named=True)}
    said: dict[tuple, str] = {}
    for task, turn in ((ED, None), (MIDDLE, SURE), (TWICE, EXPERT)):
        answers = table(ran, "responses", task).filter(~pl.col("item_id").str.starts_with("null:"))
        if turn is not None:
            delivered = table(ran, "delivered", task)
            assert delivered.select(KEYS).equals(answers.select(KEYS))
            assert delivered.height == ITEMS * (1 + DRAWN)
            assert delivered["second_turn_delivered"].all()
            assert delivered["persona_delivered"].all()
            for row in delivered.iter_rows(named=True):
                chat, key = chats[row["item_id"]], (row["item_id"], row["repeat"])
                said[key] += message("user", turn)
                first = message("system", chat["system"]) + message("user", chat["user"])
                assert row["text"] == f"{first}{said[key]}<|im_start|>assistant\nESI level:"
        for row in answers.iter_rows(named=True):
            key = (row["item_id"], row["repeat"])
            said[key] = said.get(key, "") + message("assistant", f"ESI level:{row['text']}")
    assert len(said) == ITEMS * (1 + DRAWN)


def test_the_last_answer_is_scored_and_compared_with_the_first(ran: Project) -> None:
    for task in (TWICE, PRIMARY):
        scores, answers = table(ran, "scores", task), table(ran, "responses", task)
        assert scores.select(KEYS).equals(answers.select(KEYS))
        assert scores["confidence_contextual"].null_count() == scores.height
    items = pl.read_parquet(ran.path / "resources/datasets/teaching_ed@twice.parquet")
    assert items["changed"].all()
    base = pl.read_parquet(ran.path / "resources/datasets/teaching_ed.parquet")
    assert items.select(base.columns).equals(base)
    contrasts = pl.read_parquet(ran.path / "results/tables/contrasts.parquet")
    arm = contrasts.filter((pl.col("against") == "arm") & (pl.col("metric") == "accuracy"))
    assert {*arm["task"]} == {TWICE}
    assert arm["n"].unique().to_list() == [ITEMS]
    assert arm["n_unchanged"].unique().to_list() == [0]
    # Rounds are no tasks of a table.
    cells = pl.read_parquet(ran.path / "results/tables/cells.parquet")
    assert {*cells["task"]} == {ED, TWICE, PRIMARY}


def test_a_confidence_in_words_is_asked_for_behind_the_last_answer(ran: Project) -> None:
    turns = table(ran, "second_turns", PRIMARY)
    answers = table(ran, "responses", PRIMARY)
    assert turns.height == ITEMS
    for row, text in zip(turns.iter_rows(named=True), answers["text"], strict=True):
        behind = message("user", SURE) + message("assistant", f"Answer:{text}")
        assert row["text"].endswith(f"{behind}{message('user', HOW_SURE)}<|im_start|>assistant\n")
    assert table(ran, "verbalized", PRIMARY).height == ITEMS


def test_first_answers_are_those_of_the_base_and_cost_nothing(ran: Project, tmp_path: Path) -> None:
    """Also where the study has the arm alone, and so asks for them itself."""
    project = ran.copy(tmp_path / "alone")
    project.edit("config/config.yaml", lambda study: study.update(tasks=[f"{ED}@sure"]))
    target = f"results/responses/tiny/{ED}@sure/ed_nurse.parquet"
    project.run("--cores", "1", target)
    first = f"tiny/{ED}@sure+0/ed_nurse"
    kept = ITEMS * (1 + DRAWN)
    log = (project.path / f"logs/generate/{first}.log").read_text()
    assert f"{first}: {kept} of {kept} answers from the store" in log
    base = table(ran, "responses", ED).filter(~pl.col("item_id").str.starts_with("null:"))
    assert table(project, "responses", f"{ED}@sure+0").equals(base)
    # The same words behind the same answers are the same question.
    assert table(project, "responses", f"{ED}@sure").equals(table(ran, "responses", MIDDLE))
    again = (project.path / f"logs/generate/tiny/{ED}@sure/ed_nurse.log").read_text()
    assert f"{kept} of {kept} answers from the store" in again


def test_an_edited_turn_runs_its_turn_again_and_no_other(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "edited")
    targets = [
        f"results/scores/tiny/{task}/{persona}.parquet"
        for task in (ED, TWICE, PRIMARY)
        for persona in PERSONAS
    ]
    assert project.jobs("--", *targets) == []
    project.edit(TASK, lambda task: task["arms"]["twice"].update(turns=[SURE, "Think again."]))
    stages = ("next_turn", "deliver", "generate", "score")
    expected = [f"{stage} tiny/{TWICE}/{persona}" for stage in stages for persona in PERSONAS]
    assert project.jobs("--", *targets) == sorted([*expected, f"try_second_turn tiny/{TWICE}"])
    project.run("--cores", "2", "--", *targets)
    assert table(project, "responses", MIDDLE).equals(table(ran, "responses", MIDDLE))
    assert not table(project, "responses", TWICE).equals(table(ran, "responses", TWICE))
    project.edit(TASK, lambda task: task["arms"]["twice"].update(title="twice"))
    assert project.jobs("--", *targets) == []


def test_the_report_shows_the_whole_conversation(ran: Project) -> None:
    page = (ran.path / "results/report.html").read_text(encoding="utf-8")
    chunks = re.findall(r"H4sI[A-Za-z0-9+/=]{20,}", page)
    data = "".join(gzip.decompress(base64.b64decode(one)).decode() for one in chunks)
    asked = table(ran, "delivered", TWICE).filter(pl.col("repeat") == 0)
    # What the first has around the question stands apart from it, as for all items of other tasks.
    for text in asked["text"][1:]:
        assert EXPERT in text
        assert json.dumps(text, ensure_ascii=False)[1:-1] in data


def test_all_files_are_explained_and_the_store_knows_every_answer(
    ran: Project, tmp_path: Path
) -> None:
    assert "results/turns/{model}/{task}/{persona}.parquet" in check_files(ran.path)
    project = ran.copy(tmp_path / "store")
    project.run("--cores", "1", f"results/audit/tiny/{TWICE}/ed_nurse.parquet")
    audit = table(project, "audit", TWICE)
    assert audit["text_changes"].sum() == audit["max_logprob_difference"].sum() == 0
    assert ", 0 not in the store, 0 differences" in look_after(project, "verify")


def test_its_archive_is_verified(ran: Project) -> None:
    done = subprocess.run(
        [sys.executable, "workflow/scripts/verify.py", "--cores", "2", "--sample", "40", ARCHIVE],
        cwd=ran.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "turns: 6 of 6 agree" in done.stdout


ONE_TURN = CHATML.replace("in messages %}", "in messages[:4] %}")


def test_a_template_without_that_many_turns_stops_before_any_answer(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    add_model(project, template=ONE_TURN)
    study = STUDY | {"tasks": [ED, TWICE], "personas": PERSONAS, "limit": 2, "figures": []}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    project.edit(TASK, lambda task: task.update(arms=ARMS))
    target = f"results/scores/tiny/{TWICE}/ed_nurse.parquet"
    refused_by_a_job(project, target, "config/models/tiny.yaml", "a second turn", "`turns`")
    assert not (project.path / f"results/responses/tiny/{ED}").exists()


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"title": "x", "rule": "turns"}, ("arms.x", "lacks the key `turns`")),
        ({"title": "x", "rule": "turns", "turns": []}, ("arms.x", "turns")),
        ({"title": "x", "rule": "turns", "turns": [" "]}, ("arms.x", "text that is not empty")),
    ],
)
def test_what_is_no_turn_is_refused_at_once(
    ran: Project, tmp_path: Path, arm: dict, words: tuple[str, ...]
) -> None:
    project = ran.copy(tmp_path / "refused")
    project.edit(TASK, lambda task: task["arms"].update(x=arm))
    refused(project, *words)


def test_a_model_thinks_and_reasons_in_every_turn(tmp_path: Path) -> None:
    project = thinking(tmp_path / "project")
    project.edit("config/config.yaml", lambda s: s.update(tasks=[REASONED], judges=[], limit=2))
    project.edit(f"config/tasks/{REASONED}.yaml", lambda task: task.update(turns=[SURE]))
    project.run("--cores", "2", f"results/scores/tiny/{REASONED}/ed_nurse.parquet")
    first, last = (table(project, "responses", f"{REASONED}{one}") for one in ("@+0", ""))
    assert last.select(KEYS).equals(first.select(KEYS))
    assert last["thought"].null_count() == 0
    rows = zip(
        table(project, "delivered", REASONED)["text"], first.iter_rows(named=True), strict=True
    )
    for text, answer in rows:
        # What was said before is shown without its thought.
        assert answer["text"].strip() in text
        assert text.count("<think>") == 1
        assert text.index(answer["text"].strip()) < text.index(SURE)
