"""Texts that may not be passed on are found in other words' company, and taken out with a hash."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from persona_paradox.archive.withholding import Texts, is_withheld, texts_in, withhold
from persona_paradox.files import sha256_bytes

CASE = "A 54-year-old man has had chest pain for two hours. He is pale."
SHORT = "Pain, chest"


@pytest.mark.parametrize(
    "text",
    [
        CASE,
        f"Level: 2\n{CASE}",
        "You say he has HAD  chest\npain, for two days",
        "chest pain for two hours",
        "It is pain chest, as the record has it",
    ],
)
def test_a_text_that_repeats_a_run_of_words_is_found(text: str) -> None:
    assert Texts([CASE, SHORT]).repeated_in(text)


@pytest.mark.parametrize(
    "text",
    ["", "2", "A man has chest pain", "had chest pain for one hour", "He is pale", "pain in chest"],
)
def test_shorter_runs_are_nobodys(text: str) -> None:
    assert not Texts([CASE, SHORT, ""]).repeated_in(text)


def test_nothing_is_withheld_where_nothing_has_to_be() -> None:
    table = pl.DataFrame({"item_id": ["a"], "text": [CASE]})
    assert withhold(table, Texts([])).equals(table)


def test_a_mark_with_the_hash_stands_in_its_place_and_the_tokens_go() -> None:
    table = pl.DataFrame(
        {
            "item_id": [CASE, "b", "c"],
            "text": [CASE, "C", None],
            "user": ["x", f"{CASE} Which level?", "x"],
            "pieces": [[[1, 2]], [[3]], None],
            "label_logprob": [[-0.5], [-0.1], None],
        }
    )
    found = withhold(table, Texts([CASE]))
    mark = f"[withheld, SHA-256 {sha256_bytes(CASE.encode())}]"
    assert found["item_id"].to_list() == table["item_id"].to_list()
    assert found["text"].to_list() == [mark, "C", None]
    assert found["user"][1] == f"[withheld, SHA-256 {sha256_bytes(table['user'][1].encode())}]"
    assert found["pieces"].to_list() == [None, [[3]], None]
    assert found["label_logprob"].to_list() == table["label_logprob"].to_list()
    assert found.select(is_withheld("text")).to_series().to_list() == [True, False, None]
    assert found.schema == table.schema


def test_options_are_texts_of_an_item_but_names_are_not(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    options = [["Aspirin", "Send him home with a letter"], None]
    pl.DataFrame({"case": [CASE, None], "options": options}).write_parquet(path)
    texts = Texts(texts_in(path))
    assert texts.repeated_in("I would send him home with a letter.")
    assert texts.repeated_in(CASE)
    assert not texts.repeated_in("Aspirin")
    pl.DataFrame({"case": [CASE]}).write_parquet(path)
    assert [*texts_in(path)] == [CASE]
