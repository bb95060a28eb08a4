"""The residual stream of random-weights models: read where it is known by hand, and moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from tiny_model import ARCHITECTURES, N_LAYER, write_tiny_model

from persona_paradox.engine.decoding import Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.residual import depth_to_layer
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import Prompt

SETTINGS = Settings(context=512, width=2)
PROMPT = Prompt((tuple(range(40, 60)), tuple(range(60, 90))))
OTHER = Prompt((tuple(range(40, 60)), tuple(range(70, 120))))
# More than are read in one call.
TEXT = tuple(int(token) for token in np.random.default_rng(5).integers(33, 250, size=150))
LAYERS = range(N_LAYER)
DEPTHS = [layer / N_LAYER for layer in LAYERS]


def weights(path: Path) -> dict[str, np.ndarray]:
    """The tensors of an F32 model."""
    found = {tensor.name: np.asarray(tensor.data) for tensor in GGUFReader(path).tensors}
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    return found


def by_hand(tensors: dict[str, np.ndarray], tokens: Sequence[int]) -> list[np.ndarray]:
    """The stream behind every layer of a Llama whose attention says nothing."""
    h = tensors["token_embd.weight"][list(tokens)].astype(np.float64)
    found = []
    for layer in LAYERS:
        own = {
            name: tensors[f"blk.{layer}.ffn_{name}.weight"].astype(np.float64)
            for name in ("norm", "gate", "up", "down")
        }
        x = h / np.sqrt((h**2).mean(axis=1, keepdims=True) + 1e-5) * own["norm"]
        gate = x @ own["gate"].T
        h = h + (gate / (1 + np.exp(-gate)) * (x @ own["up"].T)) @ own["down"].T
        found.append(h)
    return found


def test_a_stream_that_is_known_by_hand_is_read(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "drawn.gguf")
    drawn = weights(tmp_path / "drawn.gguf")
    silent = {name: -drawn[name] for name in drawn if name.endswith("attn_output.weight")}
    assert len(silent) == N_LAYER
    write_tiny_model(tmp_path / "silent.gguf", plus=silent)
    with Engine(tmp_path / "silent.gguf", SETTINGS, 1, "x", depths=DEPTHS) as engine:
        read = engine.read_behind(PROMPT, TEXT)
    for layer, expected in enumerate(by_hand(drawn, TEXT)):
        assert read.stream[layer].shape == expected.shape
        np.testing.assert_allclose(read.stream[layer], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_read_depends_on_prompt_and_text_alone(tmp_path: Path, architecture: str) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, architecture=architecture)
    with Engine(model, SETTINGS, 1, "x", depths=DEPTHS) as engine:
        alone = engine.read_behind(PROMPT, TEXT)
    with Engine(model, SETTINGS, 1, "x", depths=DEPTHS) as engine:
        engine.read_behind(OTHER, TEXT[:30])
        engine.read_behind(PROMPT, TEXT[:70])
        again = engine.read_behind(PROMPT, TEXT)
        other = engine.read_behind(OTHER, TEXT)
    assert np.array_equal(alone.logprobs, again.logprobs)
    for layer in LAYERS:
        assert np.array_equal(alone.stream[layer], again.stream[layer])
        assert not np.array_equal(alone.stream[layer], other.stream[layer])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_reading_changes_no_bit(tmp_path: Path, architecture: str) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, architecture=architecture)
    questions = [Question(one, Decoding(16, token_logprobs=True)) for one in (PROMPT, OTHER)]
    found = []
    for depths in ((), DEPTHS):
        with Engine(model, SETTINGS, 1, "x", depths=depths) as engine:
            logits = engine.read(PROMPT.tokens)
            logprobs = engine.read_behind(PROMPT, TEXT).logprobs
            found.append((logits, logprobs, dict(engine.generate(questions))))
    (logits, logprobs, answers), (same, also, too) = found
    assert np.array_equal(logits, same)
    assert np.array_equal(logprobs, also)
    assert answers == too


def test_log_probabilities_are_those_of_the_whole_text(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        found = engine.read_behind(PROMPT, TEXT).logprobs
        logits = engine.read((*PROMPT.tokens, *TEXT)).astype(np.float64)
    rows = logits[len(PROMPT) - 1 : -1]
    expected = rows[range(len(TEXT)), list(TEXT)] - np.log(np.exp(rows).sum(axis=1))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_depth_is_the_layer_behind_that_share_of_all() -> None:
    assert [depth_to_layer(depth, 80) for depth in (0, 0.5, 0.99, 1)] == [0, 40, 79, 79]
    assert depth_to_layer(0.5, 64) == 32  # as in the paper
