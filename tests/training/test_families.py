"""Adapters of all families that are trained: llama.cpp says what transformers says.

At every position, since a first token alone would not show queries and keys in a wrong order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_families import FAMILIES, engine_logits, write_family

from persona_paradox.engine.adapters import Adapter, try_adapter
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.errors import InputError
from persona_paradox.training import base_model
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.settings import Settings

# llama.cpp keeps keys and values in 16 bits.
TOLERANCE = 0.03
TOKENS = np.random.default_rng(0).integers(0, 250, 150).tolist()
SETTINGS = Settings("sft", rank=4, alpha=8, first_layer=1)
NAME = "config/adapters/x.yaml"


def spoken(model: Any) -> np.ndarray:
    """Logits of transformers at every position."""
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].numpy()


def header_of(model: Path) -> base_model.Header:
    with open_vocabulary(model, "model") as vocabulary:
        return base_model.read_header(vocabulary, NAME)


def tuned(model: Path, settings: Settings = SETTINGS) -> Any:
    """The model with LoRA that is drawn at random, and large."""
    loaded = base_model.load_base(model, header_of(model), torch.float32)
    peft = base_model.add_lora(loaded, settings)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_" in name:
                weight.copy_(0.1 * torch.randn_like(weight))
    return peft


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_says_in_llama_cpp_what_it_says_merged_in_transformers(
    family: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    drawn = write_family(path, family)
    base = engine_logits(path, TOKENS)
    np.testing.assert_allclose(base, spoken(drawn), rtol=0, atol=TOLERANCE)
    header = header_of(path)
    loaded = base_model.load_base(path, header, torch.float32)
    np.testing.assert_allclose(base, spoken(loaded), rtol=0, atol=TOLERANCE)
    assert base_model.check_reading(loaded, base, TOKENS, NAME) > 0.95
    peft = tuned(path)
    weights = base_model.lora_weights(peft)
    assert len(weights) == 2 * 7 * (header.layers - SETTINGS.first_layer)
    write_adapter(tmp_path / "adapter.gguf", weights, SETTINGS.alpha, header)
    try_adapter(path, tmp_path / "adapter.gguf", NAME)
    found = engine_logits(path, TOKENS, (Adapter(tmp_path / "adapter.gguf", 1.0),))
    merged = spoken(peft.merge_and_unload())
    assert np.abs(merged - base).max() > 1
    np.testing.assert_allclose(found, merged, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("family", "permuted"), [("llama", False), ("qwen2", True)])
def test_a_wrong_order_of_queries_and_keys_is_seen(
    family: str, permuted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    write_family(path, family)
    peft = tuned(path)
    weights, header = base_model.lora_weights(peft), header_of(path)
    monkeypatch.setitem(base_model.ARCHITECTURES, family, permuted)
    write_adapter(tmp_path / "adapter.gguf", weights, SETTINGS.alpha, header)
    found = engine_logits(path, TOKENS, (Adapter(tmp_path / "adapter.gguf", 1.0),))
    assert np.abs(found - spoken(peft.merge_and_unload())).max() > 10 * TOLERANCE


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    write_family(tmp_path / "model.gguf", "llama")
    weights = base_model.lora_weights(tuned(tmp_path / "model.gguf"))
    header = header_of(tmp_path / "model.gguf")
    for name in ("a", "b"):
        write_adapter(tmp_path / name, dict(reversed(weights.items())), 8, header)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_base_that_transformers_reads_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_family(path, "gemma2")
    loaded = base_model.load_base(path, header_of(path), torch.float32)
    for layer in loaded.model.layers:
        layer.self_attn.scaling /= 4
    with pytest.raises(InputError, match=rf"^{NAME}: key `base`: transformers .* reads the base"):
        base_model.check_reading(loaded, engine_logits(path, TOKENS), TOKENS, NAME)
