"""A model that thinks aloud, through the command line: what it reads, says, and leaves."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import llama_cpp
import numpy as np
import polars as pl
import pytest
from documented import check_files
from loopback_server import FAR, TEMPLATE, add_server, running_server
from project import Project
from safety_study import HEADER
from thinking_study import (
    ARCHIVE,
    DRAWN,
    ITEMS,
    LONGEST,
    MARKS,
    PERSONAS,
    PRIMARY,
    REASONED,
    SAFETY,
    TASKS,
    thinking_study,
)
from tiny_model import THINKS

from persona_paradox.archive.check_claims import check_claims
from persona_paradox.archive.project_copy import Copy
from persona_paradox.archive.reading import read_study
from persona_paradox.archive.verification import Findings
from persona_paradox.engine.vocabulary import weights_parameters
from persona_paradox.files import table_bytes

PREFIX = "Answer:"
KEYS = ["item_id", "variant", "repeat"]
OPENED = "<|im_start|>assistant\n<think>\n"
NULL = pl.col("item_id").str.starts_with("null:")
LABELS = "ABC"
# What follows a thought in these tasks.
STEPS = ("answers", "reasonings", "answers")


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; it is not to be changed."""
    return thinking_study(tmp_path_factory)


def read(project: Project, stage: str, task: str, model: str = "tiny") -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{stage}/{model}/{task}/ed_nurse.parquet")


def closed(thought: str) -> str:
    """As the model's family closes a thought."""
    return f"{thought}</think>\n\n" if thought[-1:].isspace() else f"{thought}\n</think>\n\n"


def test_every_file_has_the_columns_that_are_documented(ran: Project) -> None:
    seen = check_files(ran.path)
    cell = "{model}/{task}/{persona}.parquet"
    stages = ("thoughts", "answers", "answers_delivered", "reasonings_delivered")
    assert {f"results/{stage}/{cell}" for stage in stages} <= seen
    assert "results/tables/thoughts.parquet" in seen


# --- thoughts -----------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_the_prompt_ends_inside_an_open_thought(ran: Project, task: str) -> None:
    delivered = read(ran, "delivered", task)
    assert all(text.endswith(OPENED) for text in delivered["text"])
    assert set(delivered["thought_close"]) == {MARKS[1]}
    assert delivered["repeat"].null_count() == delivered.height


@pytest.mark.parametrize("task", TASKS)
def test_a_thought_ends_where_the_model_closes_it_or_at_its_greatest_length(
    ran: Project, task: str
) -> None:
    table, thoughts = read(ran, "responses", task), read(ran, "thoughts", task)
    assert table.select(KEYS).equals(thoughts.select(KEYS))
    assert table["thought"].to_list() == thoughts["text"].to_list()
    assert table["thought"].null_count() == 0
    assert not any(MARKS[1] in thought for thought in table["thought"])
    assert table["n_thought_tokens"].max() <= LONGEST
    cut = table.filter("thought_cut")
    assert set(cut["n_thought_tokens"]) <= {LONGEST}
    assert (thoughts["finish_reason"] == "length").to_list() == table["thought_cut"].to_list()
    assert not set(thoughts["response_key"]) & set(table["response_key"])


def test_some_thoughts_end_by_themselves_and_some_are_cut(ran: Project) -> None:
    tables = pl.concat(read(ran, "responses", task) for task in TASKS)
    assert 0 < tables["thought_cut"].sum() < tables.height
    assert tables["thought"].n_unique() > tables.height / 2, "the model must not repeat itself"


def test_a_null_case_is_thought_about(ran: Project) -> None:
    table = read(ran, "responses", PRIMARY)
    (row,) = table.filter(NULL).iter_rows(named=True)
    assert row["n_thought_tokens"] is not None
    assert row["label_logprob"] is not None
    scores = read(ran, "scores", PRIMARY)
    assert scores["confidence_contextual"].null_count() == 0


def test_thoughts_are_drawn_where_answers_are(ran: Project) -> None:
    table = read(ran, "responses", PRIMARY).filter(~NULL)
    assert table["repeat"].to_list() == [*range(DRAWN + 1)] * ITEMS
    by_item = table.group_by("item_id").agg(pl.col("thought").n_unique())
    assert by_item["thought"].mean() > 2
    # The labels behind each are those behind that very thought.
    assert table["label_logprob"].n_unique() > 2 * ITEMS
    assert read(ran, "thoughts", PRIMARY)["response_key"].n_unique() == table.height + 1


# --- what stands behind them --------------------------------------------------------------


@pytest.mark.parametrize(("task", "step"), list(zip(TASKS, STEPS, strict=True)))
def test_the_next_step_stands_behind_the_closed_thought(ran: Project, task: str, step: str) -> None:
    behind = read(ran, f"{step}_delivered", task)
    prompts = read(ran, "delivered", task).select("item_id", "variant", prompt="text")
    rows = behind.join(read(ran, "thoughts", task).select(*KEYS, thought="text"), on=KEYS)
    rows = rows.join(prompts, on=["item_id", "variant"])
    assert rows.height == behind.height == read(ran, "thoughts", task).height
    prefix = PREFIX if task == PRIMARY else ""
    for row in rows.iter_rows(named=True):
        assert row["text"] == row["prompt"] + closed(row["thought"]) + prefix
    assert behind["thought_close"].null_count() == behind.height
    assert behind["persona_delivered"].all()


def test_label_probabilities_against_full_passes(
    ran: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of prompt, thought and prefix, by the high-level interface."""
    # Without the kernels for AMX, as in the engine: they round other sums.
    monkeypatch.setattr(llama_cpp.llama_cpp, "llama_model_default_params", weights_parameters)
    model = ran.path / "resources/models/tiny/model.gguf"
    llama = llama_cpp.Llama(str(model), n_ctx=1024, logits_all=True, verbose=False, n_threads=1)
    prompts = dict(read(ran, "delivered", PRIMARY).select("item_id", "text").iter_rows())
    rows = read(ran, "responses", PRIMARY)
    pieces = read(ran, "answers_delivered", PRIMARY)["pieces"]
    for row, own in list(zip(rows.iter_rows(named=True), pieces, strict=True))[:4]:
        text = prompts[row["item_id"]] + closed(row["thought"]) + PREFIX
        tokens = llama.tokenize(text.encode(), add_bos=False, special=True)
        assert [token for piece in own for token in piece] == tokens
        found = []
        for label in LABELS:
            total = -np.inf
            forms = {
                tuple(llama.tokenize(f"{lead}{label}".encode(), add_bos=False))
                for lead in ("", " ", "\n")
            }
            for form in forms:
                llama.reset()
                # In the same pieces as the engine: other pieces round other sums.
                for piece in (*own, *([token] for token in form)):
                    llama.eval(list(piece))
                scores = np.array(llama.scores[len(tokens) - 1 : len(tokens) - 1 + len(form)], "f8")
                scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
                parts = [line[t] for line, t in zip(scores, form, strict=True)]
                total = np.logaddexp(total, sum(parts))
            found.append(total)
        np.testing.assert_allclose(row["label_logprob"], found, atol=2e-5)


def test_a_thought_is_no_part_of_the_answer(ran: Project) -> None:
    """The answer's text and tokens are those behind the thought alone."""
    for task in (PRIMARY, SAFETY):
        table, answers = read(ran, "responses", task), read(ran, "answers", task)
        assert table["text"].to_list() == answers["text"].to_list()
        assert table["n_tokens"].to_list() == answers["n_tokens"].to_list()
        assert table["response_key"].to_list() == answers["response_key"].to_list()
        assert answers["thought"].null_count() == answers.height


def test_a_reasoning_stands_behind_the_thought_and_the_label_behind_both(ran: Project) -> None:
    table, reasonings = read(ran, "responses", REASONED), read(ran, "reasonings", REASONED)
    start = read(ran, "reasonings_delivered", REASONED)["text"]
    behind = read(ran, "conclusions_delivered", REASONED)
    conclusions = read(ran, "conclusions", REASONED)
    assert table.select(KEYS).equals(reasonings.select(KEYS))
    for i, row in enumerate(table.iter_rows(named=True)):
        words = reasonings["text"][i].rstrip()
        lead = f"{words}\n\n{HEADER}\n".lstrip("\n")
        assert behind["text"][i] == start[i] + lead
        assert row["text"] == lead + conclusions["text"][i]
        assert row["label_logprob"] == conclusions["label_logprob"][i].to_list()
        assert row["n_tokens"] == reasonings["n_tokens"][i] + conclusions["n_tokens"][i]
    assert {0, 1} == set(reasonings["repeat"])


def test_a_second_turn_and_a_judge_do_not_think(ran: Project) -> None:
    empty = "<think>\n\n</think>\n\n"
    turns = read(ran, "second_turns", PRIMARY)
    assert all(text.endswith(OPENED[: -len("<think>\n")] + empty) for text in turns["text"])
    chats = pl.read_parquet(
        ran.path / f"results/judging/careful/ratings/tiny/{SAFETY}/ed_nurse.parquet"
    )
    assert all(empty in text for text in chats["text"])
    for table, task in ((turns, PRIMARY), (chats, SAFETY)):
        assert table["thought_close"].null_count() == table.height
        thoughts = [one for one in read(ran, "responses", task)["thought"] if len(one) > 6]
        assert not any(thought in text for text in table["text"] for thought in thoughts)


# --- what is left -------------------------------------------------------------------------


def test_the_table_counts_them(ran: Project) -> None:
    table = pl.read_csv(ran.path / "results/tables/thoughts.csv")
    assert table.select("task", "persona").rows() == [(t, p) for t in TASKS for p in PERSONAS]
    for row in table.filter(pl.col("persona") == "ed_nurse").iter_rows(named=True):
        answers = read(ran, "responses", row["task"]).filter(~NULL)
        tokens = answers["n_thought_tokens"].to_list()
        assert row["n_answers"] == row["n_thoughts"] == len(tokens)
        assert row["n_cut"] == answers["thought_cut"].to_list().count(True)
        assert row["max_tokens"] == max(tokens)
        assert row["mean_tokens"] == pytest.approx(sum(tokens) / len(tokens))
        assert row["median_tokens"] == np.median(tokens)


def test_the_summary_says_how_many_were_cut(ran: Project) -> None:
    table = pl.read_csv(ran.path / "results/tables/thoughts.csv")
    text = (ran.path / "results/summary.md").read_text()
    _, _, section = text.partition("## What models thought before")
    lines = [line for line in section.splitlines() if line.startswith("- ")]
    for task, line in zip(TASKS, lines[: len(TASKS)], strict=True):
        rows = table.filter(pl.col("task") == task)
        assert f": {rows['n_thoughts'].sum()} thoughts before {rows['n_answers'].sum()}" in line
        cut = rows["n_cut"].sum()
        assert (f"unfinished thought: {cut} (" if cut else "None was cut") in line


def check(project: Project, archive: Path) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    return subprocess.run(
        [sys.executable, "workflow/scripts/verify.py", "--cores", "2", str(archive)],
        cwd=project.path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_thoughts_are_in_the_archive_and_computed_again(ran: Project) -> None:
    with zipfile.ZipFile(ran.path / ARCHIVE) as archive:
        names = archive.namelist()
    assert f"results/thoughts/tiny/{PRIMARY}/ed_nurse.parquet" in names
    done = check(ran, ran.path / ARCHIVE)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "nothing differs" in done.stdout
    assert "answers: 20 of 20 agree" in done.stdout


def test_steps_behind_a_step_are_held_against_it(ran: Project, tmp_path: Path) -> None:
    """Of these an archive lacks the prompts; nothing of what is told needs them."""
    forged = ran.copy(tmp_path / "forged")
    changes = {
        f"answers/tiny/{PRIMARY}/ed_nurse": {"label_mass": 0.999},
        f"conclusions/tiny/{REASONED}/ed_nurse": {"finish_reason": "banana"},
        f"statements/tiny/{PRIMARY}/ed_nurse": {"item_id": "nope"},
        f"reasonings/tiny/{REASONED}/no_persona": {"n_tokens": 9999},
        f"verdicts/careful/ratings/tiny/{SAFETY}/ed_nurse": {"repeat": 77},
    }
    for name, change in changes.items():
        path = forged.path / f"results/{name}.parquet"
        metadata = pl.read_parquet_metadata(path)
        table = pl.read_parquet(path)
        rows = [{**row, **(change if i == 1 else {})} for i, row in enumerate(table.to_dicts())]
        about = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
        path.unlink()
        path.write_bytes(table_bytes(pl.DataFrame(rows, schema=table.schema), about))
    short = forged.path / f"results/answers/tiny/{PRIMARY}/no_persona.parquet"
    about, table = pl.read_parquet_metadata(short), pl.read_parquet(short)
    short.unlink()
    short.write_bytes(table_bytes(table.head(3), {"fingerprint": about["fingerprint"]}))
    study = read_study(forged.path)
    findings = Findings()
    copy = Copy(study, forged.path, ran.path, "1")
    strange = check_claims(copy, findings)
    files = {f"results/{name}.parquet" for name in changes}
    assert strange == files | {short.relative_to(forged.path).as_posix()}
    assert findings.n_differences == len(strange)


def test_a_model_that_is_not_to_think_reads_a_closed_thought(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "project")
    project.edit("config/models/tiny.yaml", lambda model: model.pop("thinking"))
    name = f"tiny/{PRIMARY}/ed_nurse"
    jobs = project.jobs(f"results/responses/{name}.parquet")
    assert jobs == [f"deliver {name}", f"generate {name}"]
    project.run("--cores", "1", f"results/responses/{name}.parquet")
    delivered = read(project, "delivered", PRIMARY)
    assert all(text.endswith(f"{OPENED}\n</think>\n\n{PREFIX}") for text in delivered["text"])
    table = read(project, "responses", PRIMARY)
    for column in ("thought", "n_thought_tokens", "thought_cut"):
        assert table[column].null_count() == table.height


def test_a_model_on_a_server_thinks_as_the_same_model_here(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "project")
    gguf = project.path / "served.gguf"
    gguf.write_bytes((project.path / "resources/models/tiny/model.gguf").read_bytes())
    with running_server(gguf, window=1024) as url:
        add_server(project, url)
        (project.path / TEMPLATE).write_text(THINKS)
        thinking = {"thinking": {"think": True, "max_tokens": LONGEST}}
        project.edit(FAR, lambda model: model.update(thinking))
        project.edit("config/config.yaml", lambda study: study.update(models=["far"], judges=[]))
        project.run("--cores", "1", f"results/responses/far/{PRIMARY}/ed_nurse.parquet")
    here, there = (
        read(project, "responses", PRIMARY, model).filter(repeat=0) for model in ("tiny", "far")
    )
    assert set(there["backend"]) == {"server"}
    # A tie of two tokens may turn a text.
    columns = ("thought", "thought_cut", "text")
    pairs = list(zip(*(table.iter_rows(named=True) for table in (here, there)), strict=True))
    same = [(a, b) for a, b in pairs if all(a[column] == b[column] for column in columns)]
    assert len(same) >= len(pairs) - 1
    for mine, theirs in same:
        np.testing.assert_allclose(theirs["label_logprob"], mine["label_logprob"], atol=0.05)
    drawn = read(project, "thoughts", PRIMARY, "far").filter(pl.col("repeat") > 0)
    assert drawn["text"].n_unique() > drawn.height / 2


def test_the_report_has_thoughts_apart_from_answers(ran: Project) -> None:
    page = (ran.path / "results/report.html").read_text()
    (packed,) = re.findall(rf'id="chunk:answers/tiny/{PRIMARY}/0"[^>]*>([^<]*)<', page)
    shown = json.loads(gzip.decompress(base64.b64decode(packed)))["answers"]["ed_nurse/main"]
    rows = read(ran, "responses", PRIMARY).filter(~NULL & (pl.col("repeat") == 0))
    assert shown["text"] == rows["text"].to_list()
    assert shown["thought"] == rows["thought"].to_list()
    assert shown["thought_tokens"] == rows["n_thought_tokens"].to_list()
    assert shown["thought_cut"] == rows["thought_cut"].to_list()
