"""The bundled cases that are made by rule: rewritten to the same bytes, balanced, no test case."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "resources" / "bundled"
FILES = {"rule_cases_ed.csv": "esi", "rule_cases_primary.csv": "level"}
COUNTS = {
    "rule_cases_ed.csv": dict.fromkeys("12345", 120),
    "rule_cases_primary.csv": dict.fromkeys(("stay_home", "routine_care", "emergency_care"), 100),
}

# Danger zone of an adult: more than so many beats and breaths in a minute, less saturation than.
HEART, BREATHS, OXYGEN = 100, 20, 92


def read(name: str) -> list[dict[str, str]]:
    with open(BUNDLED / name, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(params=sorted(FILES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_script_writes_what_is_bundled(tmp_path: Path) -> None:
    ed, primary = tmp_path / "ed.csv", tmp_path / "primary.csv"
    subprocess.run(
        [
            *(sys.executable, "workflow/scripts/write_rule_cases.py"),
            *("--presentations", str(BUNDLED / "rule_presentations.csv")),
            *("--ed", str(ed), "--primary", str(primary)),
        ],
        cwd=ROOT,
        check=True,
    )
    assert ed.read_bytes() == (BUNDLED / "rule_cases_ed.csv").read_bytes()
    assert primary.read_bytes() == (BUNDLED / "rule_cases_primary.csv").read_bytes()


def test_levels_are_balanced_and_texts_differ(name: str) -> None:
    rows = read(name)
    assert Counter(row[FILES[name]] for row in rows) == COUNTS[name]
    assert len({row["case"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)
    assert all(value and value == value.strip() for row in rows for value in row.values())
    assert not any(re.search(r"[{}|]", row["case"]) for row in rows)


def test_a_presentation_has_one_level_but_for_the_danger_zone(name: str) -> None:
    known = {row["id"]: row for row in read("rule_presentations.csv")}
    levels: dict[str, set[str]] = defaultdict(set)
    letters = {"stay_home": "A", "routine_care": "B", "emergency_care": "C"}
    for row in read(name):
        if not row.get("decision_point", "").startswith("D"):
            level = row[FILES[name]]
            levels[row["presentation"]].add(letters.get(level, level))
    assert {one: {known[one]["level"]} for one in levels} == levels


def test_no_case_names_its_level(name: str) -> None:
    words = r"triag|urgen|emergenc|non-urgen|routine|resuscitat|acuity|priorit|level|high-risk"
    for row in read(name):
        assert not re.search(rf"(?i)(?<!\w)(?:{words}|ESI(?!\w))", row["case"]), row["id"]


def sequences(text: str, length: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_no_eight_words_stand_in_a_teaching_case_as_well(name: str) -> None:
    taught = set().union(
        *(
            sequences(row["case"], 8)
            for file in ("teaching_ed.csv", "teaching_primary.csv")
            for row in read(file)
        )
    )
    shared = {row["id"]: sequences(row["case"], 8) & taught for row in read(name)}
    assert not any(shared.values())


def vitals(text: str) -> tuple[int, int, int] | None:
    """Heart rate, respiratory rate and saturation, in whichever form they are told."""
    forms = (
        r"(?:[Hh]eart rate|pulse|HR) (\d+)",
        r"(?:breaths|[Rr]espiratory rate(?: is)?|RR) (\d+)",
        r"(?:oxygen|saturation|SpO2) (\d+)",
    )
    found = [re.search(form, text) for form in forms]
    return None if None in found else tuple(int(one[1]) for one in found if one)  # type: ignore[return-value]


def test_level_3_has_no_vital_sign_in_the_danger_zone_and_those_it_raises_have() -> None:
    raised = 0
    for row in read("rule_cases_ed.csv"):
        told = vitals(row["case"])
        if row["esi"] not in "23" or float(row["age_years"]) <= 8 or told is None:
            continue
        danger = told[0] > HEART or told[1] > BREATHS or told[2] < OXYGEN
        if row["esi"] == "3":
            assert not danger, row["id"]
        elif row["decision_point"].startswith("D"):
            assert danger, row["id"]
            raised += 1
    assert raised > 15


def test_pregnancy_and_testicles_fit_the_sex(name: str) -> None:
    for row in read(name):
        if re.search(r"pregnan|womb|period\b|gave birth", row["case"]):
            assert row["sex"] == "female", row["id"]
        if re.search(r"testicle", row["case"]):
            assert row["sex"] == "male", row["id"]
