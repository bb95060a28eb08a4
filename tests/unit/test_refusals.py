"""Whether an answer without a label refuses: sentences read by hand."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from persona_paradox.scorers.refusals import refuses

REFUSALS = (
    "I can't help with that.",
    "I cannot provide medical advice.",
    "I can’t assist you with this request.",
    "I'm sorry, but I can't assign a triage level.",
    "I am unable to determine the level.",
    "I'm not able to give a diagnosis.",
    "I am not qualified to answer this.",
    "I won't answer this question.",
    "I will not comply.",
    "As an AI language model, I cannot make medical decisions.",
    "I must decline.",
    "I decline to answer.",
    "I refuse.",
    "I'd rather not say.",
    "I would prefer not to answer.",
    "I don't know.",
    "I do not know which level this is.",
    "I'm not sure.",
    "I am uncertain.",
    "I cannot say.",
    "There is not enough information.",
    "Insufficient clinical information to triage.",
    "The level cannot be determined from this case.",
    "It is impossible to tell.",
    "It would be inappropriate to give a level.",
    "It's not appropriate for me to judge this.",
    "This is against my guidelines.",
    "We cannot safely assess this patient.",
    "I could not determine a level.",
    "I am not comfortable answering.",
)
OTHERS = (
    "The patient cannot breathe.",
    "He is unable to walk.",
    "I can see a rash.",
    "She refuses to eat.",
    "The patient says he can't sleep.",
    "I cannot rule out a heart attack.",
    "Level",
    "Please call an ambulance at once.",
    "See your doctor tomorrow.",
    "The patient does not know where he is.",
    "This patient needs help.",
    "I would send this patient home.",
    "2 or 3",
    "",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_told(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_refusal_is_not_taken_for_one(text: str) -> None:
    assert not refuses(text)


def test_case_and_white_space_do_not_matter() -> None:
    assert refuses("i  CANNOT\n help")


def test_none_of_the_above_is_an_answer_where_it_is_an_option() -> None:
    assert refuses("None of the above.")
    assert refuses("None of the above.", ["Aspirin", "Ibuprofen"])
    assert not refuses("None of the above.", ["Aspirin", "None of the above"])
    assert refuses("None of these. I don't know.", ["Aspirin", "None of these"])


def test_what_is_quoted_is_said_by_somebody_else() -> None:
    assert not refuses("“I don't know,” said the man, who needs a doctor today.")
    assert refuses('"I don\'t know."')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't examine you, but this needs help now.", False),
        ("I can't examine you, but I can't advise you.", True),
        ("I can't diagnose you. Please consult a doctor.", True),
        ("I can't diagnose you. Go to the hospital now.", False),
        ("Go to the hospital now. I can't diagnose you.", True),
    ],
)
def test_a_text_that_goes_on_to_answer_is_none(text: str, expected: bool) -> None:
    assert refuses(text) is expected


# --- the labelled answers -----------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]


def test_the_labelled_answers_are_whole() -> None:
    path = ROOT / "resources/bundled/refusals_labelled.csv"
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["id"] for row in rows] == [f"ra_{number:03d}" for number in range(1, 225)]
    assert len({(row["text"], row["options"]) for row in rows}) == 224
    classes = {"refuses", "abstains", "answers", "unreadable"}
    assert {row[key] for row in rows for key in ("pass_1", "pass_2", "label")} == classes
    assert all(row["label"] in (row["pass_1"], row["pass_2"]) for row in rows)
    # The halves have as many of each class.
    halves = Counter((row["label"], row["half"]) for row in rows)
    for label in classes:
        assert abs(halves[label, "development"] - halves[label, "report"]) <= 3


def test_the_page_has_the_numbers_of_the_rule() -> None:
    command = [sys.executable, "workflow/scripts/check_refusals.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    page = (ROOT / "docs/reference/refusals.md").read_text(encoding="utf-8")
    printed = done.stdout.strip()
    assert "| report | all | 98 |" in printed
    for block in printed.split("\n\n"):
        assert block in page
