"""Questions with options: from YAML files to tables, figure, summary, page and archive."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import polars as pl
import pytest
from choice_study import MOST, PERSONAS, QUESTIONS, SAMPLED, choice_study
from loaded_modules import loaded, named, watch
from playwright.sync_api import Browser, Page, expect
from project import Project
from studies import shared

TASKS = ("quiz", "quiz@rotated", "quiz@drawn", "quiz_shuffled", "quiz_sets")
ARCHIVE = "results/archive.zip"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study of a quiz, run to its archive. Not to be changed."""

    def build(path: Path) -> None:
        project = choice_study(path, recalibrations=["logistic"])
        noting = watch(path.parent / "notes")
        project.run("--cores", "2", **noting)
        project.run("--cores", "2", ARCHIVE, **noting)

    return shared(tmp_path_factory, "choice", build)


def table(ran: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(ran.path / f"results/tables/{name}.parquet")


def cell(ran: Project, stage: str, task: str, persona: str = "no_persona") -> pl.DataFrame:
    folder = f"results/{stage}" + ("" if stage == "prompts" else "/tiny")
    found = pl.read_parquet(ran.path / f"{folder}/{task}/{persona}.parquet")
    return found.filter(variant="main")


def shown(user: str) -> list[str]:
    """The options of a prompt, in the order in which they stand."""
    return re.findall(r"^[A-E]\. (.*)$", user, re.MULTILINE)


def test_prompts_show_the_options_in_the_order_of_their_task(ran: Project) -> None:
    users = {task: cell(ran, "prompts", task)["user"].to_list() for task in TASKS}
    moved = 0
    for number, (question, options, *_) in enumerate(QUESTIONS):
        fixed, rotated, drawn, shuffled, sets = (shown(users[task][number]) for task in TASKS)
        assert users["quiz"][number].startswith(f"{question}\n\nA. {options[0]}\n")
        assert fixed == sets == [*options]
        assert rotated == [*options[1:], options[0]]
        assert sorted(drawn) == sorted(shuffled) == sorted(options)
        moved += shuffled != fixed
    assert moved > len(QUESTIONS) / 3
    # A null case has as many options as an item may have, and none has content.
    assert shown(users["quiz"][len(QUESTIONS)]) == ["N/A"] * MOST
    assert len(users["quiz_sets"]) == len(QUESTIONS)
    # One order for every persona.
    for persona in PERSONAS:
        other = cell(ran, "prompts", "quiz_shuffled", persona)["user"].to_list()
        assert other == users["quiz_shuffled"]
    delivered = cell(ran, "delivered", "quiz_shuffled")
    assert delivered["case_delivered"].all()


def test_an_answer_is_the_option_that_stood_at_its_letter(ran: Project) -> None:
    for task in TASKS[:4]:
        users = cell(ran, "prompts", task)["user"].to_list()
        said = cell(ran, "responses", task).filter(repeat=0)["text"].to_list()
        scores = cell(ran, "scores", task).filter(repeat=0)
        assert scores.height == len(QUESTIONS)
        for row, (_, options, key, _), user, text in zip(
            scores.iter_rows(named=True), QUESTIONS, users, said, strict=False
        ):
            at = "ABCDEF".index(text)
            listed = shown(user)
            if at >= len(listed):
                assert (row["label"], row["parse_status"]) == (None, "no_option")
                assert row["outcome"] == "unreadable"
                continue
            assert options["ABCDE".index(row["label"])] == listed[at]
            assert row["correct"] == (row["label"] in key)
            assert len(row["label_probabilities"]) == len(options)
    for row in cell(ran, "scores", "quiz_sets").iter_rows(named=True):
        assert row["correct"] == (row["label"] == row["reference"])
        assert row["label_probabilities"] is None


def test_mass_is_of_the_options_that_an_item_has(ran: Project) -> None:
    answers = cell(ran, "responses", "quiz").filter(repeat=0)
    scores = cell(ran, "scores", "quiz").filter(repeat=0)
    for logprob, mass, (_, options, *_) in zip(
        answers["label_logprob"], scores["label_mass"], QUESTIONS, strict=False
    ):
        wanted = sum(2.718281828459045**one for one in logprob[: len(options)])
        assert mass == pytest.approx(wanted)


def test_tables_have_what_is_measured_with_n_and_interval(ran: Project) -> None:
    cells = table(ran, "cells").filter(variant="main")
    assert cells["task"].unique().sort().to_list() == sorted(TASKS)
    measures = table(ran, "measures").filter(variant="main")
    k = [len(options) for _, options, *_ in QUESTIONS]
    right = [len(key) for *_, key, _ in QUESTIONS]
    chance = sum(a / b for a, b in zip(right, k, strict=True)) / len(k)
    for row in cells.iter_rows(named=True):
        scores = cell(ran, "scores", row["task"], row["persona"])
        greedy = scores.filter(repeat=0)
        assert row["n"] == len(QUESTIONS)
        assert row["accuracy"] == pytest.approx(greedy["correct"].mean())
        assert row["n_invalid"] == greedy["label"].null_count()
        if row["task"] == "quiz_sets":
            assert row["macro_f1"] is None
            assert row["all_of_k"] is None
            assert row["smooth_ece_top_label"] is None
            continue
        assert row["chance"] == pytest.approx(chance)
        shares = scores.filter(pl.col("repeat") > 0).group_by("item_id").agg(pl.mean("correct"))
        assert row["n_repeats"] == SAMPLED
        assert row["all_of_k"] == pytest.approx((shares["correct"] == 1).mean())
        assert row["majority_of_k"] == pytest.approx((shares["correct"] > 0.5).mean())
        assert row["smooth_ece_top_label"] is not None
    for name in ("macro_f1", "position_bias", "accuracy_sampled", "all_of_k"):
        found = measures.filter(metric=name).filter(pl.col("subgroup").is_null())
        assert found.height == 4 * len(PERSONAS)
        assert (found["low"] <= found["value"]).all()
        assert (found["value"] <= found["high"]).all()
    # By the topic, which is what a sample would be stratified by.
    topics = measures.filter(metric="accuracy", subgroup="subject", task="quiz")
    assert topics["n"].to_list() == [4] * 3 * len(PERSONAS)


def test_what_an_order_moves_is_a_flip(ran: Project) -> None:
    flips = table(ran, "measures").filter(metric="flip_rate", variant="main")
    flips = flips.filter(pl.col("subgroup").is_null())
    assert flips["task"].unique().sort().to_list() == ["quiz@drawn", "quiz@rotated"]
    for row in flips.iter_rows(named=True):
        both = cell(ran, "scores", "quiz", row["persona"]).filter(repeat=0)
        moved = cell(ran, "scores", row["task"], row["persona"]).filter(repeat=0)
        arm = pl.read_parquet(ran.path / f"resources/datasets/{row['task']}.parquet")
        differs = both["label"].ne_missing(moved["label"])
        assert row["n"] == arm["changed"].sum()
        assert row["value"] == pytest.approx(differs.filter(arm["changed"]).mean())


def test_figure_summary_and_page_show_them(ran: Project) -> None:
    results = ran.path / "results"
    assert (results / "figures/answer_outcomes.pdf").read_bytes().startswith(b"%PDF")
    summary = (results / "summary.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", summary, re.MULTILINE)
    assert {"Does the place of an option matter?", "Right again and again"} < {*titles}
    assert "a uniform guess has 39%" in summary
    assert "a uniform guess has 15%" in summary
    page = (results / "report.html").read_text(encoding="utf-8")
    for task in TASKS:
        for chunk in (f"items/{task}", f"cells/tiny/{task}", f"answers/tiny/{task}/0"):
            assert f'"{chunk}"' in page
    assert "Options, in the order of the file" in page


def opened(page: Page, ran: Project, state: str) -> None:
    """The page at a state, which is an address of its own."""
    page.goto("about:blank")
    page.goto(f"{(ran.path / 'results/report.html').as_uri()}#cases?{state}")
    expect(page.locator("#case-title")).to_be_visible(timeout=60_000)


def test_an_opened_case_shows_options_key_and_answer(ran: Project, chromium: Browser) -> None:
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page, ran, "task=quiz@rotated&case=quiz_03")
    _, options, key, _ = QUESTIONS[2]
    facts = page.locator("#case .facts")
    assert facts.locator("ol li").all_inner_texts() == [*options]
    assert facts.locator("div").filter(has_text="Right ones").locator("dd").inner_text() == key
    score = cell(ran, "scores", "quiz@rotated").filter(repeat=0).row(2, named=True)
    first = page.locator("#case table tbody tr").first
    assert first.locator("td").first.inner_text()[0] == (score["label"] or "?")
    # One bar for each option that the item has.
    assert first.locator(".probability").count() == len(options)
    assert "NaN" not in page.locator("#case").inner_text()
    assert "Changed: options in the order 2, 3, 4, 1" in page.locator("#case").inner_text()
    opened(page, ran, "task=quiz_sets&case=quiz_03")
    said = [cell(ran, "scores", "quiz_sets", one)["label"][2] for one in PERSONAS]
    pairs = [a != b for n, a in enumerate(said) for b in said[n + 1 :]]
    wanted = f"{100 * sum(pairs) / len(pairs):.0f}%"
    differ = page.locator("#case .facts div").filter(has_text="Pairs of personas that differ")
    assert differ.locator("dd").inner_text() == wanted
    page.goto("about:blank")
    page.goto(f"{(ran.path / 'results/report.html').as_uri()}#cases?task=quiz")
    # No figure of what triage alone has.
    titles = page.locator("#figures-list h3")
    expect(titles.first).to_have_text("Accuracy", timeout=60_000)
    assert "Which way the answers go" not in titles.all_inner_texts()
    assert errors == []
    page.close()


def test_the_archive_holds_its_files(ran: Project) -> None:
    with zipfile.ZipFile(ran.path / ARCHIVE) as archive:
        names = set(archive.namelist())
    wanted = {f"results/scores/tiny/{t}/{p}.parquet" for t in TASKS for p in PERSONAS}
    assert wanted | {"resources/datasets/quiz@rotated.parquet"} <= names


def test_every_job_names_the_code_that_it_runs(ran: Project) -> None:
    inputs, notes = named(ran.path), loaded(ran.path.parent / "notes")
    assert "score" in {log.split("/")[1] for log in notes}
    for log, modules in notes.items():
        assert log in inputs, log
        assert modules <= inputs[log], (log, sorted(modules - inputs[log]))


def test_another_seed_draws_other_orders_and_leaves_the_others(
    ran: Project, tmp_path: Path
) -> None:
    copy = ran.copy(tmp_path / "copy")
    copy.edit("config/config.yaml", lambda study: study.update(seed=8))
    jobs = {job for job in copy.jobs("--until", "write_prompts") if job.startswith("write_prompts")}
    assert jobs == {f"write_prompts quiz_shuffled/{persona}" for persona in PERSONAS}
    copy = ran.copy(tmp_path / "again")
    copy.edit("config/tasks/quiz.yaml", lambda task: task["arms"]["rotated"].update(rotate=2))
    jobs = copy.jobs("--until", "score")
    assert {job.split("/")[1] for job in jobs if job.startswith("score")} == {"quiz@rotated"}


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("tasks/quiz", {"user": "{case}"}, ("config/tasks/quiz.yaml", "{options}")),
        ("tasks/quiz", {"labels": ["A", "B"]}, ("`labels` has 2 labels", "may have 5 options")),
        ("tasks/quiz", {"order": "random"}, ("`order` is 'random'", "fixed, shuffled")),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    tmp_path: Path, file: str, change: dict, said: tuple[str, ...]
) -> None:
    project = choice_study(tmp_path / "study")
    project.edit(f"config/{file}.yaml", lambda content: content.update(change))
    done = project.snakemake("-n")
    assert done.returncode != 0
    for words in said:
        assert words in done.stdout
