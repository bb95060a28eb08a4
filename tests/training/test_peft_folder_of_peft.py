"""A folder that peft itself saves says in llama.cpp what peft says in transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_families import FAMILIES, engine_logits, write_family

from persona_paradox.engine.adapters import Adapter, try_adapter
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.training import base_model
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.architectures import header_of
from persona_paradox.training.peft_folder import read_lora

# llama.cpp keeps keys and values in 16 bits.
TOLERANCE = 0.03
TOKENS = np.random.default_rng(0).integers(0, 250, 150).tolist()
NAME = "config/adapters/x.yaml"
EVERYWHERE = [name.rpartition(".")[2] for name in base_model.WEIGHTS]
# What peft lets one set of single weights, and of all.
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rank-stabilized": {"use_rslora": True},
    "patterns": {
        "rank_pattern": {"q_proj": 7, "layers.1.mlp.up_proj": 2},
        "alpha_pattern": {"k_proj": 3, "layers.0.self_attn.o_proj": 40},
    },
    "patterns, rank-stabilized": {
        "use_rslora": True,
        "rank_pattern": {"v_proj": 6},
        "alpha_pattern": {"v_proj": 5},
    },
}


@pytest.mark.parametrize(
    ("family", "option", "dtype"),
    [
        *((family, "plain", torch.float32) for family in FAMILIES),
        *(("llama", option, torch.float32) for option in list(OPTIONS)[1:]),
        ("qwen2", "patterns", torch.bfloat16),
        ("gemma3", "rank-stabilized", torch.float16),
    ],
)
def test_a_saved_folder_says_what_it_said(
    family: str, option: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    model = write_family(path, family)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=EVERYWHERE, **OPTIONS[option])
    tuned = get_peft_model(model, config)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                # As a file of 16 bits would have them.
                weight.copy_((0.1 * torch.randn_like(weight)).to(dtype).float())
    with torch.no_grad():
        said = tuned(torch.tensor([TOKENS])).logits[0].numpy()
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.to(dtype)
    tuned.save_pretrained(tmp_path / "lora")
    assert json.loads((tmp_path / "lora/adapter_config.json").read_text())["peft_type"] == "LORA"
    with open_vocabulary(path, "model") as vocabulary:
        header = header_of(vocabulary)
    lora = read_lora(
        tmp_path / "lora/adapter_config.json",
        tmp_path / "lora/adapter_model.safetensors",
        header,
        NAME,
    )
    assert len(lora.weights) == 2 * 7 * header.layers
    write_adapter(tmp_path / "adapter.gguf", lora.weights, lora.alpha, header)
    try_adapter(path, tmp_path / "adapter.gguf", NAME)
    found = engine_logits(path, TOKENS, (Adapter(tmp_path / "adapter.gguf", 1.0),))
    assert np.abs(said - engine_logits(path, TOKENS)).max() > 1
    np.testing.assert_allclose(found, said, rtol=0, atol=TOLERANCE)
