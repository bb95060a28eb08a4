"""The bundled teaching cases: balanced, free of labels, and no answer given away by their form."""

from __future__ import annotations

import csv
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "bundled"

# file: column of the level, column that explains it, cases per level
SETS = {
    "teaching_ed.csv": ("esi", "decision_point", dict.fromkeys("12345", 12)),
    "teaching_primary.csv": (
        "level",
        "red_flag",
        dict.fromkeys(("stay_home", "routine_care", "emergency_care"), 20),
    ),
}

# Words of the scales and of their levels, at the start of a word.
LEVEL_WORDS = (
    r"triag|urgen|emergen|non-urgen|routine|resuscitat|acuity|categor|priorit|level|red flag"
    r"|high-risk|life-threat|critical|resource|stay(?:s|ed|ing)? (?:at )?home|home care|self-care"
    r"|(?:ESI|KTAS|CTAS|MTS|ATS)(?!\w)"
)


def read(name: str) -> list[dict[str, str]]:
    with open(BUNDLED / name, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(params=sorted(SETS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_columns_and_counts(name: str) -> None:
    level, explanation, counts = SETS[name]
    rows = read(name)
    columns = ["id", "case", level, explanation, "age", "sex", "complaint", "age_years"]
    assert list(rows[0]) == columns
    per_year = {"y": 1, "mo": 12, "d": 365}
    for row in rows:
        number, unit = row["age"].split()
        assert float(row["age_years"]) == pytest.approx(float(number) / per_year[unit], rel=1e-2)
    assert Counter(row[level] for row in rows) == counts
    assert all(value and value == value.strip() for row in rows for value in row.values())
    for column in ("id", "case", explanation):
        assert len({row[column] for row in rows}) == len(rows), column
    assert len({" ".join(re.findall(r"\w+", row["case"].lower())) for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[a-z]+_\d{2}", row["id"]) for row in rows)


def test_sexes_are_balanced_in_every_level(name: str) -> None:
    level, _, counts = SETS[name]
    found = Counter((row[level], row["sex"]) for row in read(name))
    assert found == {
        (key, sex): count // 2 for key, count in counts.items() for sex in ("female", "male")
    }


def test_no_label_and_no_level_in_a_case(name: str) -> None:
    for row in read(name):
        assert not re.search(r"(?<!\w)[A-Z](?!\w)", row["case"]), row["id"]
        assert not re.search(rf"(?i)(?<!\w)(?:{LEVEL_WORDS})", row["case"]), row["id"]


@pytest.mark.parametrize(
    "text",
    ["sent by triage.", "Non-urgent visit", "an ESI of two", "told to stay home", "urgently"],
)
def test_level_words_are_found(text: str) -> None:
    assert re.search(rf"(?i)(?<!\w)(?:{LEVEL_WORDS})", text)


def test_no_answer_in_a_case(name: str) -> None:
    level, explanation, _ = SETS[name]
    for row in read(name):
        case = row["case"].lower()
        assert row[level].replace("_", " ") not in case or row[level].isdigit(), row["id"]
        for part in re.split(r"[:;]", row[explanation]):
            sentence = part.strip(" .").lower()
            assert len(sentence.split()) < 4 or sentence not in case, row["id"]


def form(text: str) -> list[float]:
    """Length and punctuation of a text, nothing of its words."""
    words = text.split()
    sentences = [part for part in re.split(r"[.!?]", text) if part.strip()]
    return [
        len(text),
        len(words),
        float(np.mean([len(word) for word in words])),
        len(sentences),
        max(len(sentence) for sentence in sentences),
        sum(character.isdigit() for character in text),
        sum(character.isupper() for character in text),
        *(text.count(mark) for mark in string.punctuation),
        sum(ord(character) > 127 for character in text),
    ]


def accuracy(texts: list[str], levels: list[str]) -> float:
    """Cross-validated accuracy of guessing the level from the form: 5 folds, 10 shuffles."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=10, random_state=0)
    features = np.array([form(text) for text in texts])
    return float(np.mean(cross_val_score(model, features, levels, cv=folds)))


def test_form_gives_no_level_away(name: str) -> None:
    level, _, counts = SETS[name]
    rows = read(name)
    found = accuracy([row["case"] for row in rows], [row[level] for row in rows])
    assert found <= 1 / len(counts) + 0.07


@pytest.mark.parametrize(
    ("name", "planted"),
    [(name, level) for name, (_, _, counts) in SETS.items() for level in counts],
)
def test_a_planted_leak_is_found(name: str, planted: str) -> None:
    level, _, counts = SETS[name]
    rows = read(name)
    levels = [row[level] for row in rows]
    texts = [row["case"] + (" !" if row[level] == planted else "") for row in rows]
    found = accuracy(texts, levels)
    assert found > 1 / len(counts) + 0.07
    assert found > accuracy([row["case"] for row in rows], levels) + 0.15
