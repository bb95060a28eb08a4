"""Initiative: from YAML files to tables, figure, summary, page and archive."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from initiative_study import PAIRS, PERSONAS, RECORDS, SAID, initiative_study
from loaded_modules import loaded, named, watch
from project import Project
from refusals import refused, set_key
from studies import shared

TASKS = ("hand", "hand@asked", "rule")
ARCHIVE = "results/archive.zip"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study, run to its archive. Not to be changed."""

    def build(path: Path) -> None:
        project = initiative_study(path)
        noting = watch(path.parent / "initiative_notes")
        project.run("--cores", "2", **noting)
        project.run("--cores", "2", ARCHIVE, **noting)

    return shared(tmp_path_factory, "initiative", build)


def table(ran: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(ran.path / f"results/tables/{name}.parquet")


def scores(ran: Project, task: str, persona: str) -> pl.DataFrame:
    return pl.read_parquet(ran.path / f"results/scores/tiny/{task}/{persona}.parquet")


def test_a_record_becomes_a_pair(ran: Project) -> None:
    items = pl.read_parquet(ran.path / "resources/datasets/rule.parquet")
    assert items.height == 2 * RECORDS
    assert items["item_id"][:2].to_list() == ["rec_01_clean", "rec_01_planted"]
    assert items["case"][:4].to_list() == [
        "Complaint: Complaint 0\nPulse: 60 per minute",
        "Complaint: Complaint 0\nPulse: not recorded",
        "Complaint: Complaint 2\nPulse: 62 per minute",
        "Complaint: Complaint 2\nPulse: 900 per minute",
    ]


def test_an_answer_is_read_by_what_it_says(ran: Project) -> None:
    seen = set()
    for task in TASKS:
        for persona in PERSONAS:
            responses = pl.read_parquet(
                ran.path / f"results/responses/tiny/{task}/{persona}.parquet"
            )
            found = scores(ran, task, persona)
            for row, text in zip(found.iter_rows(named=True), responses["text"], strict=True):
                outcomes = ("names" if row["planted"] else "raises", "answers", "refused")
                said = text.partition(" ")[2]
                assert row["outcome"] == dict(zip(SAID.values(), outcomes, strict=True))[said]
                seen.add(row["outcome"])
    assert len(seen) > 1


def test_all_that_is_measured_has_its_n_and_interval(ran: Project) -> None:
    measured = table(ran, "measures").filter(pl.col("subgroup").is_null(), variant="main")
    for task in TASKS:
        n = 2 * (RECORDS if task == "rule" else PAIRS)
        for persona in PERSONAS:
            here = measured.filter(task=task, persona=persona)
            found = scores(ran, task, persona)
            planted = found.filter("planted")
            (row,) = here.filter(metric="proactivity").rows(named=True)
            assert row["value"] == pytest.approx((planted["outcome"] == "names").mean())
            assert row["low"] <= row["value"] <= row["high"]
            assert row["n"] == n
            assert row["n_refused"] == (found["outcome"] == "refused").sum()
            values = dict(here.select("metric", "value").iter_rows())
            shares = ("names_rate", "answers_rate", "raises_rate", "invalid_rate")
            assert sum(values[name] for name in shares) == pytest.approx(1)
    cells = table(ran, "cells")
    assert set(cells["n_planted"]) == set(cells["n_clean"]) == {PAIRS, RECORDS}


def test_a_persona_and_an_arm_are_compared(ran: Project) -> None:
    contrasts = table(ran, "contrasts").filter(metric="proactivity")
    assert set(contrasts.filter(against="persona")["persona"]) == set(PERSONAS[1:])
    assert set(contrasts.filter(against="arm")["task"]) == {"hand@asked"}


def compared(ran: Project, *cells: str) -> str:
    """What `compare_cells.py` says of two cells of the cases by hand."""
    command = [sys.executable, "workflow/scripts/compare_cells.py", "config/config.yaml", "hand"]
    done = subprocess.run(
        [*command, *cells],
        cwd=ran.path,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_any_two_cells_are_compared_as_the_table_compares_personas(ran: Project) -> None:
    said = compared(ran, "tiny/behaviour@proactive", "tiny/no_persona")
    rows = table(ran, "contrasts").filter(
        task="hand", persona="behaviour@proactive", variant="main", against="persona"
    )
    for metric in ("proactivity", "over_intervention", "initiative_f1"):
        row = rows.row(by_predicate=pl.col("metric") == metric, named=True)
        assert (
            f"{metric}: {row['value']:.3f} against {row['baseline_value']:.3f}, difference "
            f"{row['difference']:.2f} [{row['low']:.2f}, {row['high']:.2f}]; {row['test']} p "
            f"{row['p']:.2g}"
        ) in said
    assert f"{2 * PAIRS} items" in said
    assert "results/scores/tiny/hand/nobody.parquet is missing" in compared(
        ran, "tiny/nobody", "tiny/no_persona"
    )


def test_every_type_of_problem_has_its_numbers(ran: Project) -> None:
    groups = table(ran, "subgroups").filter(task="hand", metric="over_intervention")
    assert set(groups["group"]) == {"omission", "contradiction", "out_of_range"}
    assert set(groups["n"]) == {2 * PAIRS // 3}


def test_a_judge_reads_the_same_answers(ran: Project) -> None:
    judged = table(ran, "judgements").filter(variant="main", category="all")
    shares = judged.filter(pl.col("metric").str.contains("^initiative_(names|answers|raises)$"))
    totals = shares.group_by("task", "persona").agg(pl.sum("value"), pl.len())
    assert totals.height == len(TASKS) * len(PERSONAS)
    assert set(totals["len"]) == {3}
    assert totals["value"].to_list() == pytest.approx([1] * totals.height)
    for metric, n in (("proactivity", PAIRS), ("over_intervention", PAIRS)):
        assert set(judged.filter(task="hand", metric=metric)["n"]) == {n}
    categories = set(table(ran, "judgements")["category"])
    assert {"omission", "contradiction", "out_of_range"} <= categories


def test_judge_and_rule_are_held_together(ran: Project) -> None:
    rows = table(ran, "agreement").filter(kind="rule–judge")
    assert set(rows["task"]) == set(TASKS)
    for task in TASKS:
        here = rows.filter(task=task)
        assert set(here["rater_a"]) | set(here["rater_b"]) == {"reader", "rule"}
        known = [scores(ran, task, persona) for persona in PERSONAS]
        read = sum((one["outcome"] != "refused").sum() for one in known)
        assert set(here["n"]) == {read}
        parts = here.filter(pl.col("statistic").str.contains("|", literal=True))
        assert parts.height == 9
        assert parts["value"].sum() == pytest.approx(1)
    text = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    assert "## Initiative: judge and rule" in text
    assert "(NOT USABLE): Cohen's κ" in text


def test_figure_summary_and_page_show_it(ran: Project) -> None:
    assert (ran.path / "results/figures/initiative_plane.pdf").read_bytes().startswith(b"%PDF")
    text = (ran.path / "results/summary.md").read_text(encoding="utf-8")
    assert "## Initiative: who names a planted problem" in text
    assert re.search(r"- Bridge engineer: names [\d.]+% \[.*of what is planted, raises", text)
    changes = text.partition("## Initiative: what a persona changes")[2].partition("\n## ")[0]
    counted = re.findall(r"n = (\d+) (planted|clean) items\.", changes)
    assert {int(n) for n, _ in counted} <= {RECORDS, PAIRS}
    assert len(counted) == changes.count("(points): ") > 0
    page = (ran.path / "results/report.html").read_text(encoding="utf-8")
    for chunk in ("items/hand", "cells/tiny/hand", "answers/tiny/rule/0"):
        assert f'"{chunk}"' in page


def test_the_archive_holds_its_files(ran: Project) -> None:
    with zipfile.ZipFile(ran.path / ARCHIVE) as archive:
        names = set(archive.namelist())
    wanted = {f"results/scores/tiny/{task}/{p}.parquet" for task in TASKS for p in PERSONAS}
    assert wanted | {"resources/datasets/rule.parquet"} <= names


def test_every_job_names_the_code_that_it_runs(ran: Project) -> None:
    inputs, notes = named(ran.path), loaded(ran.path.parent / "initiative_notes")
    for log, modules in notes.items():
        assert log in inputs, log
        assert modules <= inputs[log], (log, sorted(modules - inputs[log]))


def test_a_changed_phrase_reads_answers_again_and_asks_no_model(
    ran: Project, tmp_path: Path
) -> None:
    copy = ran.copy(tmp_path / "copy")
    copy.replace("workflow/persona_paradox/kinds/initiative/reading.yaml", "near: 6", "near: 7")
    rules = {job.split()[0] for job in copy.jobs()}
    assert "score" in rules
    assert not {"write_prompts", "deliver", "generate", "download_dataset"} & rules


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("set",), {"breath": "9"}, "names 'breath', which is the column of no field"),
        (("problem",), "mistake", "problem"),
        (("names",), [], "names"),
    ],
)
def test_a_rule_that_cannot_be_planted_is_told(
    tmp_path: Path, keys: tuple[str, ...], value: object, words: str
) -> None:
    project = initiative_study(tmp_path / "study", figures=[])
    set_key("config/datasets/rule.yaml", "columns", "plant", "rules", 0, *keys, value=value)(
        project
    )
    refused(project, "config/datasets/rule.yaml", "columns.plant.rules.0", words)


def test_pairs_by_hand_and_by_rule_exclude_each_other(tmp_path: Path) -> None:
    project = initiative_study(tmp_path / "study", figures=[])
    set_key("config/datasets/rule.yaml", "columns", "pair", value={"column": "pulse"})(project)
    refused(project, "config/datasets/rule.yaml", "columns", "either keys `pair`")
