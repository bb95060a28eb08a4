"""A new kind of task is a folder: nothing else of the project is touched."""

from __future__ import annotations

import polars as pl
import pytest
from coin_study import PERSONAS, TOSSES, coin_study
from project import Project


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study of a coin, run from its YAML files to its answers' scores."""
    project = coin_study(tmp_path_factory.mktemp("coin") / "study")
    project.run("--cores", "2", *(f"results/scores/tiny/coin/{one}.parquet" for one in PERSONAS))
    return project


def test_items_are_as_the_kind_reads_them(ran: Project) -> None:
    items = pl.read_parquet(ran.path / "resources/datasets/coin.parquet")
    assert items.columns == ["item_id", "case", "reference", "excluded", "metal"]
    assert items["reference"].to_list() == ["heads", "tails", "tails"] * (TOSSES // 3)


def test_a_place_of_the_message_is_filled_by_the_kind(ran: Project) -> None:
    prompts = pl.read_parquet(ran.path / "results/prompts/coin/ed_nurse.parquet")
    assert prompts["user"].to_list()[:2] == [
        "Toss 0. It is made of GOLD.",
        "Toss 1. It is made of BRASS.",
    ]


def test_answers_are_scored(ran: Project) -> None:
    for persona in PERSONAS:
        scores = pl.read_parquet(ran.path / f"results/scores/tiny/coin/{persona}.parquet")
        assert scores.height == TOSSES
        assert set(scores["label"]) <= {"H", "T"}
        right = (scores["label"] == scores["reference"]).to_list()
        assert scores["correct"].to_list() == right
