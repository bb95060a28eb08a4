"""What is said to differ between two finished studies, of changes that are known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from packed_study import ARCHIVE, packed_study, rewrite, say
from project import Project
from root import ROOT

CELL = "tiny/triage_ed/ed_nurse"
SAME = ["configuration:", "  nothing differs", "answers:", "  nothing differs"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return packed_study(tmp_path_factory)


def compared(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "workflow/scripts/what_changed.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lines(*words: object) -> list[str]:
    done = compared(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def finished(packed: Project, path: Path) -> Project:
    """A copy of what a study leaves, and of nothing else."""
    shutil.copytree(packed.path / "results", path / "results", ignore=lambda *_: ["archive.zip"])
    return Project(path)


def put(project: Project, file: str, data: bytes) -> None:
    (project.path / "results" / file).write_bytes(data)


def test_a_study_and_its_archive_are_the_same(packed: Project, tmp_path: Path) -> None:
    archive = packed.path / ARCHIVE
    # Some of its texts are withheld from the archive.
    for pair in ((archive, archive), (packed.path, archive)):
        said = lines(*pair)
        assert said[0] == f"from {pair[0]} to {pair[1]}"
        assert said[1:5] == SAME
        assert [line for line in said[6:] if " → " in line] == []
        assert any("2 rows" in line and "have another difference" in line for line in said)


def test_what_was_changed_is_said_and_nothing_else(packed: Project, tmp_path: Path) -> None:
    after = finished(packed, tmp_path / "after")
    provenance = after.path / "results/provenance.json"
    content = json.loads(provenance.read_text())
    content["configuration"]["personas"]["ed_nurse"]["texts"]["main"] = "You are a nurse."
    del content["configuration"]["study"]["seed"]
    provenance.write_text(json.dumps(content))
    # One answer, which was wrong and is right.
    file = f"scores/{CELL}.parquet"
    scores = pl.read_parquet(after.path / "results" / file)
    greedy = (scores["repeat"] == 0) & (scores["variant"] == "main") & ~scores["correct"]
    row = greedy.arg_true()[0]
    here = pl.int_range(pl.len()) == row
    put(after, file, rewrite(after.path / "results" / file, lambda t: t.with_columns(
        correct=pl.col("correct") | here)))  # fmt: skip
    answers = f"responses/{CELL}.parquet"
    keys = scores.select("item_id", "variant", "repeat").row(row)
    whole = pl.read_parquet(after.path / "results" / answers)
    place = [*whole.select("item_id", "variant", "repeat").iter_rows()].index(keys)
    change = say("text", place, "another")
    put(after, answers, rewrite(after.path / "results" / answers, change))
    # A test that finds something, of a difference that is another.
    contrasts = "tables/contrasts.parquet"
    test = pl.col("in_family") & (pl.col("task") == "triage_ed")
    put(after, contrasts, rewrite(after.path / "results" / contrasts, lambda t: t.with_columns(
        p_holm=pl.when(test).then(0.01).otherwise("p_holm"),
        difference=pl.when(test).then(0.25).otherwise("difference"))))  # fmt: skip
    n_tests = pl.read_parquet(after.path / "results" / contrasts).filter(test).height
    assert n_tests == 1
    shutil.rmtree(after.path / "results/responses/tiny/triage_primary")

    said = lines(packed.path, after.path)
    parts = {name: said[said.index(f"{name}:") + 1 :] for name in ("answers", "conclusions")}
    made = said[2 : said.index("answers:")]
    nurse = [line for line in made if "personas.ed_nurse.texts.main: " in line]
    assert len(nurse) == 1
    assert nurse[0].endswith(" → You are a nurse.")
    assert any(line.strip() == "study.seed: 7 → not there" for line in made)
    assert len(made) == 2
    n = scores.height
    only, changed = parts["answers"][:2]
    assert f"cells of {packed.path} alone: 2 (tiny/triage_primary/ed_nurse" in only
    assert changed.strip() == (
        f"{CELL}: 1 of {whole.height} answers differ; 0 right answers turned wrong and 1 wrong "
        "ones right"
    )
    assert n == whole.filter(~pl.col("item_id").str.starts_with("null")).height
    (moved,) = [line for line in parts["conclusions"] if "shown " in line]
    assert "tiny, triage_ed, ed_nurse, main, persona, accuracy" in moved
    assert "shown not shown → more (" in moved
    assert moved.endswith(" → +0.250)")
    assert any("1 have another difference" in line for line in parts["conclusions"])


def test_a_long_list_is_cut_and_says_so(packed: Project, tmp_path: Path) -> None:
    after = finished(packed, tmp_path / "after")
    for path in (after.path / "results/responses").rglob("*.parquet"):
        path.write_bytes(rewrite(path, lambda t: t.with_columns(text=pl.col("text") + "!")))
    said = lines(packed.path, after.path, "--most", "1")
    n = len([*(after.path / "results/responses").rglob("*.parquet")])
    assert f"  and {n - 1} more (--most {n} tells all)" in said


def test_what_is_no_finished_study_is_refused(packed: Project, tmp_path: Path) -> None:
    empty, broken = tmp_path / "empty", finished(packed, tmp_path / "broken")
    empty.mkdir()
    (broken.path / "results/tables/contrasts.parquet").write_bytes(b"PAR1")
    (tmp_path / "no.zip").write_bytes(b"no")
    half = tmp_path / "half"
    (half / "results").mkdir(parents=True)
    (half / "results/provenance.json").write_text("{")
    for path, words in (
        (empty, "has no results/provenance.json; name the folder"),
        (broken.path, "contrasts.parquet is no table that can be read"),
        (half, f"{half}: results/provenance.json is damaged; run that study again"),
        (tmp_path / "no.zip", "is not a whole zip file"),
        (tmp_path / "none.zip", "is no file"),
    ):
        done = compared(packed.path, path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert words in line


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--most", "-1"), "'-1' is not a whole number from 0"),
        (("--most", "1.5"), "'1.5' is not a whole number from 0"),
        (("--max-gib", "nan"), "'nan' is not a number of GiB from 0"),
        (("--max-gib", "inf"), "'inf' is not a number of GiB from 0"),
        (("--max-gib", "much"), "'much' is not a number of GiB from 0"),
        (("--max-gib", "-1"), "'-1' is not a number of GiB from 0"),
    ],
)
def test_a_number_that_is_none_is_refused(option: tuple[str, str], said: str) -> None:
    done = compared(ROOT / "tests/archive_of_0_1.zip", ROOT / "tests/archive_of_0_1.zip", *option)
    assert done.returncode == 2
    assert f"argument {option[0]}: {said}" in done.stderr
    assert "Traceback" not in done.stderr
