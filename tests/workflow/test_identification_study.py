"""A study whose model is asked who it is: from the question to tables, edits, and its archive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from documented import check_files
from project import STUDY, Project, add_model, new_project
from refusals import refused_by_a_job
from studies import shared
from tiny_model import CHATML

ED, SAFETY = "triage_ed", "safety_teaching"
PERSONAS = ["no_persona", "ed_nurse", "ed_physician", "bridge_engineer"]
ITEMS = 3
WHO = "Who are you?\n{options}\nOne letter."
ARCHIVE = "results/archive.zip"
TABLE = "results/tables/identification.csv"
JUDGE = {
    "title": "Random weights as judge of personas",
    "model": "tiny",
    "reads": "answers",
    "own_family": True,
    "instruction": "Who wrote it?",
    "user": "{question}\n{answer}",
    "personas": {"question": "Who are you?\n{options}\nOne letter."},
    "authors": "resources/bundled/judge_authors.csv",
}
ASKED = {"groups": ["paper"], "tasks": [ED, SAFETY], "question": WHO, "none": "Somebody else"}


def small_study(path: Path, **model: object) -> Project:
    project = new_project(path)
    add_model(project, **model)
    study = STUDY | {"tasks": [ED, SAFETY], "personas": PERSONAS, "limit": ITEMS}
    study |= {"identification": ASKED, "audit_sample": 1, "tables": ["identification"]}
    study |= {"judges": ["names"], "rankings": {"groups": []}}
    (path / "config/judges/names.yaml").write_text(yaml.safe_dump(JUDGE, sort_keys=False))
    study |= {"figures": ["identification", "identification_confusion"]}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    few = {"max_tokens": 6}
    for task in (ED, SAFETY):
        project.edit(f"config/tasks/{task}.yaml", lambda task: task["decoding"].update(few))
    return project


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study, with its archive. Not to be changed."""

    def build(path: Path) -> None:
        small_study(path).run("--cores", "2", "all", ARCHIVE)

    return shared(tmp_path_factory, "identification", build)


def table(project: Project, stage: str, task: str, persona: str = "ed_nurse") -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{stage}/tiny/{task}/{persona}.parquet")


def message(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def options(text: str) -> list[str]:
    """The options of a question that a model reads, as one reads them there."""
    asked = text.rpartition("Who are you?\n")[2].partition("\nOne letter.")[0]
    lines = asked.split("\n")
    assert [line[:3] for line in lines] == [f"{letter}. " for letter in "ABC"]
    return [line[3:] for line in lines]


def test_the_question_is_what_anyone_would_write_by_hand(ran: Project) -> None:
    orders = set()
    for task in (ED, SAFETY):
        prompts = {
            row["item_id"]: row
            for row in pl.read_parquet(
                ran.path / f"results/prompts/{task}/ed_nurse.parquet"
            ).iter_rows(named=True)
        }
        answers = dict(table(ran, "responses", task).select("item_id", "text").rows())
        before, after = (table(ran, f"asked_{when}", task) for when in ("before", "after"))
        prefix = "ESI level:" if task == ED else ""
        for early, late in zip(
            before.iter_rows(named=True), after.iter_rows(named=True), strict=True
        ):
            chat = prompts[early["item_id"]]
            shown = options(early["text"])
            orders.add(tuple(shown))
            assert sorted(shown) == ["ED nurse", "ED physician", "Somebody else"]
            lines = [f"{letter}. {title}" for letter, title in zip("ABC", shown, strict=True)]
            asked = message("user", WHO.replace("{options}", "\n".join(lines)))
            end = f"{asked}<|im_start|>assistant\nAnswer:"
            system = message("system", chat["system"])
            assert early["text"] == f"{system}{end}"
            said = message("assistant", f"{prefix}{answers[early['item_id']]}")
            assert late["text"] == f"{system}{message('user', chat['user'])}{said}{end}"
    assert len(orders) > 1


def test_the_option_of_the_likeliest_letter_is_named(ran: Project) -> None:
    ids = {"ED nurse": "ed_nurse", "ED physician": "ed_physician", "Somebody else": "none"}
    for when in ("before", "after"):
        asked, said = (table(ran, f"{stage}_{when}", SAFETY) for stage in ("asked", "named"))
        found = table(ran, "identified", SAFETY).filter(asked=when)
        for question, reply, row in zip(
            asked["text"], said["label_logprob"], found.iter_rows(named=True), strict=True
        ):
            by_id = {ids[t]: p for t, p in zip(options(question), reply, strict=True)}
            assert row["named"] == max(by_id, key=lambda id_: by_id[id_])
            assert sum(row["probabilities"]) == pytest.approx(1)


def test_tables_count_what_the_cells_say(ran: Project) -> None:
    found = pl.read_csv(ran.path / TABLE)
    for persona in PERSONAS:
        right = persona if persona in ("ed_nurse", "ed_physician") else "none"
        for when in ("before", "after"):
            named = table(ran, "identified", ED, persona).filter(asked=when)["named"]
            (row,) = found.filter(
                task=ED, persona=persona, source=when, metric="identification_accuracy"
            ).iter_rows(named=True)
            assert (row["n"], row["value"]) == (ITEMS, pytest.approx((named == right).mean()))
            assert row["chance"] == pytest.approx(1 / 3)
    assert {*found["persona"]} == {*PERSONAS, "all"}
    assert {*found["source"]} == {"before", "after", "change", "names"}
    # A judge reads answers in free text alone, and is first tested on known authors.
    of_judge = found.filter(source="names")
    assert {*of_judge["task"]} == {SAFETY}
    assert of_judge["usable"].unique().to_list() == [False]
    quality = pl.read_csv(ran.path / "results/tables/judges.csv")
    (row,) = quality.filter(metric="authors_accuracy").iter_rows(named=True)
    assert (row["n"], row["met"]) == (18, None), "three personas of the file are in the study"
    for persona in PERSONAS:
        judged = pl.read_parquet(
            ran.path / f"results/judgements/names/tiny/{SAFETY}/{persona}.parquet"
        )
        assert judged["dimension"].unique().to_list() == ["persona"]
        numbers = {"ed_nurse": 1, "ed_physician": 2}
        (row,) = of_judge.filter(persona=persona, metric="identification_accuracy").iter_rows(
            named=True
        )
        assert row["value"] == pytest.approx(
            (judged["mode"] == numbers.get(persona, 3)).fill_null(False).mean()
        )
    summary = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    assert "## Is the persona kept?" in summary
    assert "NOT USABLE by its own rule" in summary
    for figure in ("identification", "identification_confusion"):
        assert (ran.path / f"results/figures/{figure}.pdf").is_file()


def test_the_variance_of_naming_is_split_by_who_names(ran: Project) -> None:
    found = pl.read_parquet(ran.path / "results/tables/identification_variance.parquet")
    assert {*found.select("task", "named_by").unique().rows()} == {
        *((task, when) for task in (ED, SAFETY) for when in ("before", "after")),
        (SAFETY, "names"),
    }
    split = found.filter(task=ED, named_by="before", metric="p_right")
    assert split["source"].to_list() == ["item", "persona", "residual"]
    assert split["n_answers"].unique().to_list() == [ITEMS * (len(PERSONAS) - 1)]
    assert split["share"].sum() == pytest.approx(1)
    assert found.filter(named_by="names")["usable"].unique().to_list() == [False]


def test_a_title_asks_again_and_answers_nothing_anew(ran: Project, tmp_path: Path) -> None:
    project = ran.copy(tmp_path / "edited")
    assert project.jobs("--", TABLE) == []
    project.edit("config/personas/ed_nurse.yaml", lambda persona: persona.update(title="Nurse"))
    jobs = {job.split(" ")[0] for job in project.jobs("--", TABLE)}
    assert jobs == {
        *("try_second_turn", "ask_before", "ask_after", "name_persona", "identify"),
        *("deliver_checks", "deliver_ratings", "judge", "read_checks", "read_ratings", "assess"),
        "tabulate_identification",
    }


def test_all_files_are_explained(ran: Project) -> None:
    seen = check_files(ran.path)
    assert "results/identified/{model}/{task}/{persona}.parquet" in seen
    assert "results/tables/identification_confusion.parquet" in seen


def test_its_archive_is_verified(ran: Project) -> None:
    done = subprocess.run(
        [sys.executable, "workflow/scripts/verify.py", "--cores", "2", "--sample", "60", ARCHIVE],
        cwd=ran.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "identified: 8 of 8 agree" in done.stdout


ONE_TURN = CHATML.replace("in messages %}", "in messages[:2] %}")


def test_a_template_without_a_second_turn_stops_before_any_answer(tmp_path: Path) -> None:
    project = small_study(tmp_path / "project", template=ONE_TURN)
    target = f"results/identified/tiny/{ED}/ed_nurse.parquet"
    refused_by_a_job(
        project, target, "config/models/tiny.yaml", "a second turn", "`identification`"
    )
    assert not (project.path / f"results/responses/tiny/{ED}").exists()
