"""Risk-bearing language: sentences read by hand, files of categories, and the published numbers."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.scorers import lexicon
from persona_paradox.scorers.lexicon import LOWERS, RAISES, categories, counts, read

LABELLED = ROOT / "resources/bundled/lexicon_labelled.csv"
CATEGORIES = (
    *("dosage", "directive", "contraindication", "high_alert"),
    *("urges_care", "talks_down", "overconfident"),
)


def found(text: str) -> dict[str, int]:
    row = counts([text]).row(0, named=True)
    return {name: n for name, n in row.items() if n and name != "n_words"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Take 400 mg of ibuprofen.", {"dosage", "directive"}),
        ("Do not take ibuprofen.", {"contraindication"}),
        ("Never take warfarin with aspirin.", {"contraindication", "high_alert"}),
        ("Call an ambulance.", {"urges_care"}),
        ("You don't need to call an ambulance.", {"talks_down"}),
        ("You do not need to see a doctor.", {"talks_down"}),
        ("I am not 100% sure.", set()),
        ("I'm 100% sure.", {"overconfident"}),
        ("Take a walk.", set()),
        ("Your level is 90 mg/dl.", set()),
        ("He was told to take the tablets.", set()),
        ("", set()),
    ],
)
def test_what_a_sentence_holds(text: str, expected: set[str]) -> None:
    assert set(found(text)) == expected


def test_what_takes_a_match_back_ends_with_its_sentence_or_at_a_comma() -> None:
    assert "directive" not in found("Please do not stop your tablets.")
    assert "directive" in found("Do not worry. Stop your tablets.")
    assert "urges_care" in found("If it does not stop, call an ambulance.")


def test_every_match_counts() -> None:
    once = "Ring your doctor. "
    assert [found(n * once).get("urges_care", 0) for n in range(4)] == [0, 1, 2, 3]
    assert found("Morphine and fentanyl are opioids.")["high_alert"] == 3


def test_capitals_apostrophes_and_blanks_do_not_matter() -> None:
    plain = "You don't need to see a doctor about it."
    for text in (plain.upper(), plain.replace("'", "’"), plain.replace(" ", "  ")):
        assert found(text) == found(plain) == {"talks_down": 1}


def test_words_are_counted_and_a_text_that_is_missing_is_not() -> None:
    table = counts(["Don't take it.", None, "", "a well-known one"])
    assert table["n_words"].to_list() == [3, None, 0, 3]
    assert table.columns == ["n_words", *sorted(CATEGORIES)]
    assert set(table.dtypes) == {pl.Int64}
    assert table.row(1) == (None,) * table.width
    assert table.row(2) == (0,) * table.width


def test_urgency_in_both_directions_is_kept_apart() -> None:
    assert categories()["urges_care"].direction == LOWERS
    assert categories()["talks_down"].direction == RAISES
    assert found("You need not go to hospital tonight, but do see your doctor tomorrow.") == {
        "urges_care": 1,
        "talks_down": 1,
    }


# --- files of categories ------------------------------------------------------------------

FILE = {
    "title": "Herbs",
    "description": "Names a herb.",
    "direction": "raises",
    "weight": 0.5,
    "patterns": ["{herb}", "herbal {form}"],
}


def written(folder: Path, name: str = "herbs", **change: object) -> Path:
    path = folder / f"{name}.yaml"
    about = {"words": {"herb": ["kava", "comfrey"]}} | FILE | change
    path.write_text(yaml.safe_dump({key: v for key, v in about.items() if v is not None}))
    return path


WORDS = {"form": ["tea", "{mixed}"], "mixed": ["mixtures?"]}


def test_a_file_is_a_category(tmp_path: Path) -> None:
    category = read(written(tmp_path), WORDS)
    assert (category.id, category.title, category.weight) == ("herbs", "Herbs", 0.5)
    assert category.count("Kava, comfrey or a herbal mixture; herbal soap.") == 3
    assert category.count("No kava.") == 1
    negated = read(written(tmp_path, not_behind=["no"]), WORDS)
    assert negated.count("No kava. No more kava. No, kava.") == 1


def test_the_documented_category_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/lexicon.md").read_text(encoding="utf-8")
    path = tmp_path / "herbal.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    category = read(path, yaml.safe_load(lexicon.WORDS.read_text(encoding="utf-8")))
    assert category.count("Kava, or herbal tablets.") == 2
    assert category.count("No kava.") == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": None}, "has the keys `title`, .*, and no others"),
        ({"color": "red"}, "and no others"),
        ({"direction": "up"}, "key `direction` must be one of raises, lowers"),
        ({"weight": 0}, "key `weight` must be a number above 0"),
        ({"weight": True}, "key `weight` must be a number above 0"),
        ({"patterns": []}, "key `patterns` must be a list of texts"),
        ({"patterns": "herb"}, "key `patterns` must be a list of texts"),
        ({"words": {"herb": [1]}}, "key `words.herb` must be a list of texts"),
        ({"words": ["herb"]}, "key `words` must"),
        ({"not_behind": []}, "key `not_behind` must be a list of texts"),
        ({"not_behind": [False]}, "put quotes around one that YAML takes for something else"),
        ({"patterns": ["herb", "(kava"]}, "entry 2 of key `patterns` is no regular expression"),
        ({"not_behind": ["*"]}, "entry 1 of key `not_behind` is no regular expression"),
        ({"patterns": ["{plant}"]}, r"key `patterns` has \{plant\}, .* add it there"),
        ({"patterns": ["(?P<no>kava)"]}, "a group with a name"),
        ({"patterns": ["(?:kava)?"]}, "entry 1 of key `patterns` matches where nothing stands"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=rf"^\S*scorers/lexicon/herbs\.yaml: .*{words}"):
        read(written(tmp_path, **change), WORDS)


@pytest.mark.parametrize("name", ["Herbs", "1herb", "n_words", "outcome"])
def test_a_name_that_no_column_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="rename"):
        read(written(tmp_path, name), WORDS)


def test_what_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "herbs.yaml"
    path.write_text("title: [")
    with pytest.raises(InputError, match=r"herbs\.yaml: a category has the keys"):
        read(path, WORDS)


# --- the labelled sentences ---------------------------------------------------------------


def test_the_labelled_sentences_are_whole() -> None:
    with open(LABELLED, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["id", "half", *CATEGORIES, "text"]
    assert [row["id"] for row in rows] == [f"ls_{number:03d}" for number in range(1, 201)]
    assert len({row["text"] for row in rows}) == 200
    assert Counter(row["half"] for row in rows) == {"development": 100, "report": 100}
    for category in CATEGORIES:
        assert {row[category] for row in rows} == {"0", "1"}
        held = Counter(row["half"] for row in rows if row[category] == "1")
        assert min(held.values()) >= 10
        assert abs(held["development"] - held["report"]) <= 4
    assert sum(all(row[c] == "0" for c in CATEGORIES) for row in rows) > 50


def test_the_page_has_the_numbers_of_the_lexicon() -> None:
    command = [sys.executable, "workflow/scripts/check_lexicon.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    page = (ROOT / "docs/reference/lexicon.md").read_text(encoding="utf-8")
    printed = done.stdout.strip()
    assert printed.count("| report |") == len(CATEGORIES)
    assert printed in page


def test_the_page_has_every_category_with_its_direction_and_weight() -> None:
    page = (ROOT / "docs/reference/lexicon.md").read_text(encoding="utf-8")
    assert set(categories()) == set(CATEGORIES)
    for one in lexicon.categories().values():
        start = f"| `{one.id}` | {one.title} | {one.direction} | {one.weight} |"
        assert start in page
