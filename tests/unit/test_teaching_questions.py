"""The bundled teaching questions: balanced, each with its source, no key given away by form."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from statistics import mean

FILE = Path(__file__).resolve().parents[2] / "resources" / "bundled" / "teaching_questions.csv"
LETTERS = "ABCDE"
SUBJECTS = (
    "cardiovascular",
    "respiratory",
    "neurological",
    "poisoning",
    "infections",
    "injuries",
)

with open(FILE, encoding="utf-8", newline="") as handle:
    ROWS = list(csv.DictReader(handle))


def options(row: dict[str, str]) -> list[str]:
    return [text for letter in LETTERS if (text := row[f"option_{letter.lower()}"])]


def right(row: dict[str, str]) -> str:
    return options(row)[LETTERS.index(row["key"])]


def test_columns_and_counts() -> None:
    places = [f"option_{letter.lower()}" for letter in LETTERS]
    columns = ["id", "subject", "setting", "question", *places, "key", "source"]
    assert list(ROWS[0]) == columns
    assert [row["id"] for row in ROWS] == [f"tq_{number:02d}" for number in range(1, 61)]
    assert Counter(row["subject"] for row in ROWS) == dict.fromkeys(SUBJECTS, 10)
    settings = Counter(row["setting"] for row in ROWS)
    assert set(settings) == {"emergency", "primary_care"}
    assert min(settings.values()) >= 20
    assert len({row["question"] for row in ROWS}) == 60
    assert all(value == value.strip() for row in ROWS for value in row.values())


def test_options_stand_without_gaps_and_differ() -> None:
    for row in ROWS:
        given = options(row)
        filled = [bool(row[f"option_{letter.lower()}"]) for letter in LETTERS]
        assert filled == [True] * len(given) + [False] * (5 - len(given)), row["id"]
        assert 3 <= len(given) <= 5, row["id"]
        assert len({text.lower() for text in given}) == len(given), row["id"]
        assert row["key"] in LETTERS[: len(given)], row["id"]
    assert min(Counter(len(options(row)) for row in ROWS).values()) >= 15


def test_every_question_names_a_source_with_its_year() -> None:
    for row in ROWS:
        assert re.search(r"\b(?:19|20)\d\d\b", row["source"]), row["id"]


def test_keys_are_balanced_over_positions() -> None:
    for number in (3, 4, 5):
        found = Counter(row["key"] for row in ROWS if len(options(row)) == number)
        assert set(found) == set(LETTERS[:number])
        assert max(found.values()) - min(found.values()) <= 1, number


def test_the_key_is_not_told_by_its_length() -> None:
    """Choosing the longest, or the shortest, option is no better than chance plus its noise."""
    by_chance = sum(1 / len(options(row)) for row in ROWS)
    sd = sum((1 / len(options(row))) * (1 - 1 / len(options(row))) for row in ROWS) ** 0.5
    for extreme in (max, min):
        hits = 0.0
        for row in ROWS:
            lengths = [len(text) for text in options(row)]
            ends = [text for text in options(row) if len(text) == extreme(lengths)]
            hits += (right(row) in ends) / len(ends)
        assert hits < by_chance + 1.96 * sd
    of_right = mean(len(right(row)) for row in ROWS)
    of_wrong = mean(len(text) for row in ROWS for text in options(row) if text != right(row))
    assert abs(of_right - of_wrong) < 2


def test_no_question_says_its_answer() -> None:
    for row in ROWS:
        assert right(row).lower() not in row["question"].lower(), row["id"]
        assert not re.search(r"(?i)\b(?:none|all) of (?:the|these)", " ".join(options(row)))
