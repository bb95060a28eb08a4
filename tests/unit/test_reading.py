"""Readings of stored answers by a random-weights model: which are taken, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tiny_model import write_tiny_model

from persona_paradox.axis.reading import SCHEMA, readings
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import Prompt
from persona_paradox.names import NULL_CASE

SETTINGS = Settings(context=256, width=1)
PIECES = [[*range(40, 60)], [*range(60, 70)]]
TEXT = "You are an A patient B"


def asked(**change: Any) -> dict[str, Any]:
    row = {"prompt_id": "1:main", "status": "ok", "repeat": None, "pieces": PIECES}
    return row | change


def answer(**change: Any) -> dict[str, Any]:
    row = {"item_id": "1", "prompt_id": "1:main", "variant": "main", "repeat": 0}
    return row | {"text": TEXT, "n_tokens": 9} | change


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    whole = {"repeat": pl.Int64, "n_tokens": pl.Int64, "text": pl.String}
    return pl.DataFrame(rows, schema_overrides={k: v for k, v in whole.items() if k in rows[0]})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(Path(path))
    with Engine(path, SETTINGS, 1, "x", depths=[0.0, 0.5]) as engine:
        yield engine


def read(engine: Engine, prompts: list[dict], answers: list[dict]) -> pl.DataFrame:
    rows = list(readings(engine, table(prompts), table(answers), SETTINGS.context))
    return pl.DataFrame(rows, schema=SCHEMA)


def test_a_reading_is_the_mean_over_the_tokens_of_the_answer(engine: Engine) -> None:
    found = read(engine, [asked()], [answer()])
    tokens = engine.vocabulary.behind(TEXT)
    whole = engine.read_behind(Prompt(tuple(map(tuple, PIECES))), tokens)
    assert found["layer"].to_list() == [0, 1]
    assert found["depth"].to_list() == [0.0, 0.5]
    assert {*found["n_tokens"]} == {len(tokens)}
    assert {*found["n_generated"]} == {9}
    for layer, vector in found.select("layer", "vector").iter_rows():
        mean = whole.stream[layer].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(vector, mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["mean_logprob"], whole.logprobs.mean())


def test_greedy_answers_to_main_wordings_alone_are_read(engine: Engine) -> None:
    others = [
        answer(item_id="2", repeat=1),
        answer(item_id="3", variant="paraphrase_1"),
        answer(item_id=f"{NULL_CASE}1"),
    ]
    found = read(engine, [asked()], [answer(), *others])
    assert {*found["item_id"]} == {"1"}


def test_a_greedy_answer_is_read_behind_its_own_prompt(engine: Engine) -> None:
    """A later turn has a prompt of one name for every drawn answer before it."""
    drawn = asked(repeat=1, pieces=[[*range(90, 120)]])
    alone = read(engine, [asked(repeat=0)], [answer()])
    for prompts in ([asked(repeat=0), drawn], [drawn, asked(repeat=0)]):
        assert read(engine, prompts, [answer()]).equals(alone)


def test_what_cannot_be_read_stays_as_a_row_that_says_why(engine: Engine) -> None:
    prompts = [asked(), asked(prompt_id="2:main", status="control_tokens")]
    answers = [
        answer(item_id="a", text=None),
        answer(item_id="b", text=""),
        answer(item_id="c", prompt_id="2:main"),
        answer(item_id="d"),
    ]
    found = read(engine, prompts, answers).filter(layer=0)
    assert dict(found.select("item_id", "status").iter_rows()) == {
        "a": "no_answer",
        "b": "no_tokens",
        "c": "no_answer",
        "d": "ok",
    }
    assert found["vector"].null_count() == 3


def test_an_answer_is_cut_where_the_window_ends(engine: Engine) -> None:
    room = SETTINGS.context - sum(map(len, PIECES))
    found = read(engine, [asked()], [answer(text="patient " * 300)])
    assert {*found["n_tokens"]} == {room}
