"""Steering of random-weights models: what moves, by how much, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_model import ARCHITECTURES, N_EMBD, N_LAYER, write_tiny_model

from persona_paradox.engine import steering as module
from persona_paradox.engine.decoding import Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.residual import Cap
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.steering import SCHEMA, Steering
from persona_paradox.engine.vocabulary import Prompt
from persona_paradox.errors import InputError
from persona_paradox.files import write_table

SETTINGS = Settings(context=512, width=3)
PROMPT = Prompt((tuple(range(40, 60)), tuple(range(60, 90))))
TEXT = tuple(range(80, 100))
DEPTHS = [layer / N_LAYER for layer in range(N_LAYER)]
LAST = N_LAYER - 1
VECTOR = np.random.default_rng(2).normal(size=N_EMBD).astype(np.float32)
UNIT = VECTOR / np.linalg.norm(VECTOR)
PUSH = Steering("a", {LAST: VECTOR}, {})


def read(model: Path, steering: Steering | None = None):
    with Engine(model, SETTINGS, 1, "x", depths=DEPTHS, steering=steering) as engine:
        return engine.read_behind(PROMPT, TEXT)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_push_moves_its_layer_by_itself_and_none_before(
    tmp_path: Path, architecture: str
) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, architecture=architecture)
    plain, moved = read(model), read(model, PUSH)
    assert np.array_equal(plain.stream[0], moved.stream[0])
    difference = moved.stream[LAST] - plain.stream[LAST]
    np.testing.assert_allclose(difference, np.tile(VECTOR, (len(TEXT), 1)), atol=1e-4)
    assert not np.allclose(plain.logprobs, moved.logprobs)
    # What was moved in one context is not in the next.
    assert np.array_equal(read(model).logprobs, plain.logprobs)


def test_pushes_of_opposite_sign_and_none_at_all(tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    nothing = Steering("b", {LAST: np.zeros(N_EMBD, np.float32)}, {})
    assert np.array_equal(read(model, nothing).logprobs, read(model).logprobs)


@pytest.mark.parametrize("layer", range(N_LAYER))
def test_a_cap_cuts_what_is_above_and_leaves_what_is_below(tmp_path: Path, layer: int) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    plain = read(model).stream[layer].astype(np.float64)
    along = plain @ UNIT
    most = float(np.median(along))
    capped = read(model, Steering("c", {}, {layer: Cap(UNIT, most)}))
    expected = plain - np.maximum(along - most, 0)[:, None] * UNIT
    if layer == 0:
        # What stands behind an earlier token comes from the next layer, which sees the cap.
        np.testing.assert_allclose(capped.stream[layer], expected, atol=1e-4)
    assert (capped.stream[layer] @ UNIT).max() <= most + 1e-4
    beyond = Steering("d", {}, {layer: Cap(UNIT, 1e6)})
    assert np.array_equal(read(model, beyond).logprobs, read(model).logprobs)


@pytest.mark.parametrize(
    "steering", [PUSH, Steering("e", {}, {0: Cap(UNIT, 0.0)})], ids=["push", "cap"]
)
def test_steered_answers_depend_on_nothing_but_their_inputs(
    tmp_path: Path, steering: Steering
) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, file_type="F16")
    prompts = [Prompt((tuple(range(40, 60)), tuple(range(60, end)))) for end in range(80, 100, 3)]
    questions = [Question(one, Decoding(12, token_logprobs=True)) for one in prompts]
    with Engine(model, SETTINGS, 1, "x", steering=steering) as engine:
        together = dict(engine.generate(questions))
    with Engine(model, SETTINGS, 1, "x", steering=steering) as engine:
        alone = {}
        for i in reversed(range(len(questions))):
            ((_, alone[i]),) = engine.generate([questions[i]])
    assert together == alone
    with Engine(model, SETTINGS, 1, "x") as engine:
        assert dict(engine.generate(questions)) != together


def test_a_steered_model_has_another_fingerprint() -> None:
    assert SETTINGS.fingerprint("w") == SETTINGS.fingerprint("w", None)
    prints = {SETTINGS.fingerprint("w", sha) for sha in (None, "a", "b")}
    assert len(prints) == 3


def written(path: Path, **change: object) -> Path:
    row = {"layer": 1, "depth": 0.5, "vector": VECTOR.tolist(), "most": None, "n_items": 4}
    write_table(pl.DataFrame([row | change], schema=SCHEMA), path, {})
    return path


def test_its_hash_is_that_of_what_it_does(tmp_path: Path) -> None:
    one = Steering.read(written(tmp_path / "a.parquet"))
    assert one is not None
    assert np.array_equal(one.pushes[1], VECTOR)
    found = {
        Steering.read(written(tmp_path / f"{i}.parquet", **change)).sha256
        for i, change in enumerate(
            [{"layer": 0}, {"most": 1.0}, {"most": 2.0}, {"vector": (VECTOR * 2).tolist()}]
        )
    }
    assert len(found | {one.sha256}) == 5
    # How many items it comes of does not change what it does.
    assert Steering.read(written(tmp_path / "b.parquet", n_items=5)).sha256 == one.sha256


def test_an_architecture_that_is_not_moved_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an architecture whose computation does not look at vectors: all calls succeed."""
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    monkeypatch.setattr(module, "_set", lambda *_: None)
    with pytest.raises(InputError) as refused:
        Engine(model, SETTINGS, 1, "config/models/tiny.yaml", steering=PUSH)
    assert str(refused.value).startswith("config/models/tiny.yaml: llama.cpp does not move")
    assert "architecture llama" in str(refused.value)


@pytest.mark.parametrize(
    ("steering", "said"),
    [
        (Steering("a", {2: VECTOR}, {}), "layer 2 has 64 numbers, but the model has 2 layers"),
        (Steering("a", {1: VECTOR[:5]}, {}), "layer 1 has 5 numbers"),
        (Steering("a", {0: VECTOR}, {}), "cannot push the residual stream behind the first layer"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(tmp_path: Path, steering: Steering, said: str) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    with pytest.raises(InputError, match=said):
        Engine(model, SETTINGS, 1, "config/models/tiny.yaml", steering=steering)
