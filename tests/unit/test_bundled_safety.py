"""The bundled texts on safety: questions, sanity pairs and manipulated answers."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from statistics import mean

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "bundled"

# file: columns, prefix of the ids, rows
FILES = {
    "teaching_safety.csv": (["id", "question", "category", "harm_level", "note"], "tsq", 60),
    "judge_sanity.csv": (["id", "question", "safer", "unsafe", "why"], "jsp", 30),
    "judge_classes.csv": (["id", "question", "answer", "action", "completion"], "jcl", 24),
    "judge_injections.csv": (["id", "question", "answer", "injection", "kind"], "jin", 10),
}
RISKY = (
    "harmful_advice",
    "misdiagnosis",
    "unlicensed_practice",
    "misinformation",
    "discrimination",
)
KINDS = {"imitates_format", "instructs", "authority", "role_play", "fake_turn", "flattery"}

# What a chat template or a tokenizer could take for a mark of its own.
CONTROL = re.compile(
    r"<\||\|>|\[/?(?:INST|SYS)\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|</?think>"
)


def read(name: str) -> list[dict[str, str]]:
    with open(BUNDLED / name, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def questions() -> list[str]:
    """The questions of all three files."""
    return [row["question"] for name in FILES for row in read(name)]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def near(one: str, other: str) -> bool:
    """Whether two texts share most of their words, or six in a row."""
    first, second = words(one), words(other)
    shared = set(first) & set(second)
    if len(shared) >= 0.6 * len(set(first) | set(second)):
        return True
    runs = [{tuple(text[i : i + 6]) for i in range(len(text) - 5)} for text in (first, second)]
    return bool(runs[0] & runs[1])


def sentences(text: str) -> int:
    return len(re.split(r"(?<=[.?!])\s+", text.strip()))


@pytest.mark.parametrize("name", FILES)
def test_columns_ids_and_form(name: str) -> None:
    columns, prefix, count = FILES[name]
    raw = (BUNDLED / name).read_bytes()
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    rows = read(name)
    assert list(rows[0]) == columns
    assert [row["id"] for row in rows] == [f"{prefix}_{i:02d}" for i in range(1, count + 1)]
    assert all(value and value == value.strip() for row in rows for value in row.values())
    assert pl.read_csv(BUNDLED / name, infer_schema=False).to_dicts() == rows


@pytest.mark.parametrize("name", FILES)
def test_no_control_token_in_a_text(name: str) -> None:
    for row in read(name):
        for value in row.values():
            assert not CONTROL.search(value), row["id"]


@pytest.mark.parametrize("text", ["<|im_end|>", "[INST]", "[/INST]", "</s>", "<end_of_turn>"])
def test_control_tokens_are_found(text: str) -> None:
    assert CONTROL.search(f"a {text} b")


def test_categories_and_harm_levels_of_the_teaching_questions() -> None:
    rows = read("teaching_safety.csv")
    assert Counter(row["category"] for row in rows) == {**dict.fromkeys(RISKY, 8), "benign": 20}
    risky = [row for row in rows if row["category"] != "benign"]
    assert {row["harm_level"] for row in rows if row["category"] == "benign"} == {"0"}
    levels = Counter(row["harm_level"] for row in risky)
    assert set(levels) == {"1", "2", "3"}
    assert all(count in (13, 14) for count in levels.values())
    for category in RISKY:
        found = Counter(row["harm_level"] for row in risky if row["category"] == category)
        assert set(found) == {"1", "2", "3"}
        assert min(found.values()) >= 2
    assert all(sentences(row["question"]) <= 2 for row in rows)
    assert len({row["note"] for row in rows}) == len(rows)


def test_benign_questions_resemble_every_category_equally() -> None:
    benign = [row for row in read("teaching_safety.csv") if row["category"] == "benign"]
    resembled = [re.match(r"Resembles (\w+): ", row["note"]) for row in benign]
    assert Counter(match[1] if match else None for match in resembled) == dict.fromkeys(RISKY, 4)


def test_form_does_not_tell_benign_questions_from_risky_ones() -> None:
    rows = read("teaching_safety.csv")
    groups = [
        [row["question"] for row in rows if (row["category"] == "benign") == benign]
        for benign in (True, False)
    ]
    lengths = [mean(len(text) for text in group) for group in groups]
    asked = [mean(text.endswith("?") for text in group) for group in groups]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)
    assert asked[0] == pytest.approx(asked[1], abs=0.1)


def test_length_does_not_tell_the_safer_answer() -> None:
    rows = read("judge_sanity.csv")
    pairs = [(len(row["safer"]), len(row["unsafe"])) for row in rows]
    assert sum(safer > unsafe for safer, unsafe in pairs) == 15
    assert sum(safer < unsafe for safer, unsafe in pairs) == 15
    assert min(abs(safer - unsafe) for safer, unsafe in pairs) >= 10
    assert mean(p[0] for p in pairs) == pytest.approx(mean(p[1] for p in pairs), rel=0.05)
    answers = [row[column] for row in rows for column in ("safer", "unsafe")]
    assert all(1 <= sentences(answer) <= 4 for answer in answers)
    assert len(set(answers)) == len(answers)


@pytest.mark.parametrize(
    "cue",
    [
        r"\bdoctor",
        r"\bpharmacist",
        r"\bI'm sorry\b",
        r"\bambulance\b",
        r"\bplease\b",
        r"\b(?:can't|won't)\b",
        r"^yes\b",
        r"^I'm sorry\b",
        r":",
        r";",
    ],
)
def test_no_single_word_tells_the_safer_answer(cue: str) -> None:
    """Choosing the answer with the cue (at random where both or none have it) is near chance."""
    rows = read("judge_sanity.csv")
    safer, unsafe = (
        [bool(re.search(cue, row[column], re.IGNORECASE)) for row in rows]
        for column in ("safer", "unsafe")
    )
    assert any(safer)
    assert any(unsafe)
    found = mean(0.5 + (a - b) / 2 for a, b in zip(safer, unsafe, strict=True))
    assert 0.4 <= found <= 0.6


def guessed(pairs: list[tuple[str, str]]) -> float:
    """Share of pairs whose safer answer is guessed from its words, each pair left out once."""
    count = CountVectorizer(binary=True, tokenizer=words, token_pattern=None)
    found = count.fit_transform([text for pair in pairs for text in pair]).toarray().astype(int)
    difference = found[::2] - found[1::2]
    hits = []
    for i in range(len(pairs)):
        others = np.delete(difference, i, axis=0)
        model = LogisticRegression(fit_intercept=False, C=0.1)
        model.fit(np.vstack([others, -others]), np.repeat([1, 0], len(others)))
        hits.append(model.predict(difference[[i]])[0])
    return float(np.mean(hits))


def test_words_hardly_tell_the_safer_answer() -> None:
    pairs = [(row["safer"], row["unsafe"]) for row in read("judge_sanity.csv")]
    assert guessed(pairs) <= 0.7
    assert guessed([(safer + " Take care.", unsafe) for safer, unsafe in pairs]) > 0.9


def test_an_injection_holds_its_answer_and_more() -> None:
    rows = read("judge_injections.csv")
    for row in rows:
        assert row["injection"].count(row["answer"]) == 1, row["id"]
        assert row["injection"] != row["answer"], row["id"]
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) == KINDS
    assert max(kinds.values()) <= 3


def test_no_two_questions_are_near_duplicates() -> None:
    for one, other in combinations(questions(), 2):
        assert not near(one, other), (one, other)


def test_near_duplicates_are_found() -> None:
    text = questions()[0]
    changed = words(text)
    assert near(text, text.upper() + " Thank you!")
    assert near(text, " ".join(changed[:6]) + " and now something that is not like it in any way")
    assert not near(text, " ".join(changed[:5]) + " and now something that is not like it at all")


def test_no_question_is_one_of_patient_safety_bench(data_dir: Path) -> None:
    path = data_dir / "patientsafetybench466" / "patientsafetybench.jsonl"
    known = [json.loads(line)["content"] for line in path.read_text("utf-8").splitlines()]
    assert len(known) == 466
    for ours, theirs in product(questions(), known):
        assert not near(ours, theirs), (ours, theirs)
