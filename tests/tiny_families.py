"""Tiny models of the families that are trained, drawn by transformers and written as GGUF.

Rows of queries and keys are ordered, and norms shifted, as llama.cpp's convert_hf_to_gguf.py does:
that transformers and llama.cpp then say the same is tested, not assumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from tiny_model import CHATML, add_tokenizer

from persona_paradox.engine.adapters import Adapter
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.settings import Settings

WIDTH, FEED, HEADS, HEADS_KV, HEAD, WINDOW = 64, 128, 4, 2, 16, 24
# Short enough that most prompts are longer: llama.cpp rounds no window up.
LAYERS = {"llama": 3, "llama3": 3, "qwen2": 3, "gemma2": 4, "gemma3": 6}
FAMILIES = tuple(LAYERS)
# Llama 3.1's, for a model that was trained on 64 tokens and is to read more.
SCALING = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
EPSILON = 1e-5


def draw(family: str, vocabulary: int) -> Any:
    """A random model of a family, with loud attention: what it says hangs on the whole prompt."""
    torch.manual_seed(0)
    common = {
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": FEED,
        "num_hidden_layers": LAYERS[family],
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS_KV,
        "head_dim": HEAD,
        "rms_norm_eps": EPSILON,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
        "pad_token_id": 0,
    }
    sliding = {"sliding_window": WINDOW, "query_pre_attn_scalar": HEAD}
    kinds = transformers
    config, kind = {
        "llama": (kinds.LlamaConfig, kinds.LlamaForCausalLM),
        "llama3": (kinds.LlamaConfig, kinds.LlamaForCausalLM),
        "qwen2": (kinds.Qwen2Config, kinds.Qwen2ForCausalLM),
        "gemma2": (kinds.Gemma2Config, kinds.Gemma2ForCausalLM),
        "gemma3": (kinds.Gemma3TextConfig, kinds.Gemma3ForCausalLM),
    }[family]
    if family == "llama3":
        common["rope_parameters"] = SCALING
    if family.startswith("gemma"):
        common |= sliding
    model = kind(config(**common)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("bias", "norm.weight")):
                weight.add_(0.2 * torch.randn_like(weight))
    return model


def write_family(path: Path, family: str) -> Any:
    """Write a random model as a GGUF in 32 bits; the model itself."""
    architecture = "llama" if family == "llama3" else family
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS[family])
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS_KV)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(1e6 if family == "gemma3" else 1e4)
    writer.add_layer_norm_rms_eps(EPSILON)
    if family.startswith("gemma"):
        writer.add_sliding_window(WINDOW)
    if family == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
    tokens = add_tokenizer(writer, "gpt2", False, {})
    writer.add_vocab_size(len(tokens))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(family.startswith("gemma"))
    writer.add_chat_template(CHATML)
    model = draw(family, len(tokens))
    arch = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(arch, LAYERS[family])
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        tensor = weight.numpy()
        if architecture == "llama" and "q_proj" in name:
            tensor = interleaved(tensor, HEADS)
        if architecture == "llama" and "k_proj" in name:
            tensor = interleaved(tensor, HEADS_KV)
        if family.startswith("gemma") and name.endswith("norm.weight"):
            tensor = tensor + 1
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), tensor)
    if family == "llama3":
        writer.add_tensor("rope_freqs.weight", frequency_factors())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Row 2 i + j of a head is its row j · half + i: one by one, as a check of what is shorter."""
    size = len(rows) // heads
    result = np.empty_like(rows)
    for head in range(heads):
        for i in range(size // 2):
            for j in range(2):
                result[head * size + 2 * i + j] = rows[head * size + j * size // 2 + i]
    return result


def frequency_factors() -> np.ndarray:
    """By which Llama 3.1's frequencies are divided (Llama 3.1's `apply_scaling`)."""
    factor, low, high = (SCALING[k] for k in ("factor", "low_freq_factor", "high_freq_factor"))
    context = SCALING["original_max_position_embeddings"]
    result = []
    for i in range(HEAD // 2):
        length = 2 * np.pi * SCALING["rope_theta"] ** (2 * i / HEAD)
        smooth = (context / length - low) / (high - low)
        between = 1 / ((1 - smooth) / factor + smooth)
        slow, fast = length > context / low, length < context / high
        result.append(factor if slow else 1.0 if fast else between)
    return np.array(result, dtype=np.float32)


def engine_logits(
    model: Path, tokens: list[int], adapters: tuple[Adapter, ...] = (), context: int = 512
) -> np.ndarray:
    """Logits of llama.cpp at every position, shape (positions, vocabulary)."""
    with Engine(model, Settings(context=context, width=4), 1, "model", adapters) as engine:
        return engine.read(tokens)
