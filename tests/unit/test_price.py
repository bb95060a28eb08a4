"""What judges cost, as it is told before they run: chats counted by hand, tokens as a bound."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from root import ROOT


def told(*studies: str) -> str:
    """What a user is told of studies."""
    done = subprocess.run(
        [sys.executable, "workflow/scripts/check_study.py", *studies],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_chats_are_counted() -> None:
    rubrics, default = "config/studies/rubrics.yaml", "config/config.yaml"
    lines = [line for line in told(rubrics, default).splitlines() if "judge " in line]
    # 87 criteria under four personas, and both answers to each of 24 that are known.
    assert f"{rubrics}: judge smollm2_rubric: at most 396 chats" in lines[0]
    assert "(48 of its tests, 348 on criteria)" in lines[0]
    # Three ratings and the action of 12 answers of four personas, of two models; two pairs
    # with the baseline in both orders; 30 sanity pairs rated thrice and compared, 10 injections
    # rated thrice.
    tests = 30 * (2 * 3 + 2) + 10 * 2 * 3
    assert (
        f"({tests} of its tests, {2 * 12 * 4 * 4} on answers, {2 * 2 * 2 * 12} on pairs)"
        in lines[1]
    )
    for line in lines:
        assert "a token is taken as 4 characters" in line


def test_who_names_personas_and_answers_of_known_class_are_counted() -> None:
    small = "config/studies/character-small.yaml"
    (line,) = (one for one in told(small).splitlines() if "judge smollm2_personas" in one)
    # Ten questions under four personas in three wordings and a baseline.
    authors = pl.read_csv(ROOT / "resources/bundled/judge_authors.csv")["persona"]
    of_study = yaml.safe_load((ROOT / small).read_text())["personas"]
    tests = int(authors.is_in(of_study).sum())
    assert f"({tests} of its tests, {10 * (4 * 3 + 1)} on answers)" in line
    found = re.search(r"about ([\d,]+) tokens to read and ([\d,]+) to write", line)
    assert found
    answers = (
        130
        * yaml.safe_load((ROOT / "config/tasks/character_teaching_short.yaml").read_text())[
            "decoding"
        ]["max_tokens"]
    )
    assert number(found[1]) > answers
    cares = "config/studies/cares-small.yaml"
    (line,) = (one for one in told(cares).splitlines() if "cares_published" in one)
    # Of the action alone, which its file of answers of known class is asked about.
    classes = pl.read_csv(ROOT / "resources/bundled/judge_classes.csv").height
    assert f"({classes} of its tests, " in line


def test_of_a_sample_no_more_is_counted_for_whoever_names_personas(tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "config/studies/character-small.yaml").read_text())
    study = tmp_path / "sampled.yaml"
    study.write_text(yaml.safe_dump(settings | {"judge_sample": 3}))
    for line in (one for one in told(str(study)).splitlines() if "judge smollm2_" in one):
        questions = 1 if "smollm2_personas" in line else 5
        assert f"{questions * 3 * 13} on answers)" in line


@pytest.mark.parametrize("judge", ["smollm2_rubric"])
def test_tokens_are_a_bound(judge: str) -> None:
    (line,) = (one for one in told("config/studies/rubrics.yaml").splitlines() if judge in one)
    found = re.search(r"about ([\d,]+) tokens to read and ([\d,]+) to write", line)
    assert found
    read, written = map(number, found.groups())
    task = yaml.safe_load((ROOT / "config/tasks/safety_rubrics.yaml").read_text())
    # Every answer of 80 is read once, as long as it may be, and not once for each of 4.35 criteria.
    answers = 80 * task["decoding"]["max_tokens"]
    assert answers < read < 3 * answers
    assert written == pytest.approx(2 * 396, rel=0.05)
