"""The architectures whose adapters are written here, and what a GGUF says of its model.

Nothing of training is needed to know it: an adapter from elsewhere is converted without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.vocabulary import Vocabulary

# Names of weights: transformers' → the GGUF's, of all architectures below.
WEIGHTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

# Architectures by their names in a GGUF; whether its rows of queries and keys stand in llama.cpp's
# order of rotary pairs (convert_hf_to_gguf.py, `undo_permute`).
ARCHITECTURES = {"llama": True, "qwen2": False, "gemma2": False, "gemma3": False}


@dataclass(frozen=True)
class Header:
    """What a GGUF says of its model.

    Attributes:
        architecture: its name in the GGUF.
        layers: number of layers.
        heads: of queries.
        heads_kv: of keys.
    """

    architecture: str
    layers: int
    heads: int
    heads_kv: int


def header_of(vocabulary: Vocabulary) -> Header:
    """What the GGUF of a model says of it; numbers are 0 where its architecture is no known one."""
    architecture = vocabulary.metadata("general.architecture") or "unknown"
    if architecture not in ARCHITECTURES:
        return Header(architecture, 0, 0, 0)

    def value(key: str, default: int = 0) -> int:
        return int(vocabulary.metadata(f"{architecture}.{key}") or default)

    heads = value("attention.head_count")
    heads_kv = value("attention.head_count_kv", heads)
    return Header(architecture, value("block_count"), heads, heads_kv)
