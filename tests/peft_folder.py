"""A folder as peft saves a LoRA, written with numpy alone, for adapters of the tiny model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tiny_adapter import ALPHA, RANK, Pairs
from tiny_model import HEAD, N_HEAD, N_HEAD_KV

CONFIG = {
    "peft_type": "LORA",
    "base_model_name_or_path": "tiny",
    "r": RANK,
    "lora_alpha": ALPHA,
    "bias": "none",
    "lora_dropout": 0.05,
    "modules_to_save": None,
    "rank_pattern": {},
    "target_modules": ["q_proj", "up_proj"],
    "use_dora": False,
}
NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
HEADS = {"attn_q": N_HEAD, "attn_k": N_HEAD_KV}


def in_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows as transformers has them, of rows in pairs as a GGUF has them: one by one."""
    size, found = HEAD, np.empty_like(rows)
    assert len(rows) == heads * size
    for head in range(heads):
        for pair in range(size // 2):
            found[head * size + pair] = rows[head * size + 2 * pair]
            found[head * size + size // 2 + pair] = rows[head * size + 2 * pair + 1]
    return found


def of_pairs(pairs: Pairs, prefix: str = "base_model.model.model.") -> dict[str, np.ndarray]:
    """Peft's name → matrix, of an adapter whose rows are those of a GGUF."""
    found = {}
    for name, (a, b) in pairs.items():
        _, layer, weight, _ = name.split(".")
        module = f"{prefix}layers.{layer}.{NAMES[weight]}"
        found[f"{module}.lora_A.weight"] = a
        rows = in_halves(b, HEADS[weight]) if weight in HEADS else b
        found[f"{module}.lora_B.weight"] = rows
    return found


def safetensors(tensors: Mapping[str, np.ndarray], kind: str = "F32") -> bytes:
    """A file of this format; numbers are cut off to `kind`."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        if kind == "BF16":
            data = (np.ascontiguousarray(tensor, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
        else:
            data = tensor.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[kind]).tobytes()
        about = {"dtype": kind, "shape": list(tensor.shape)}
        header[name] = about | {"data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def write_folder(
    folder: Path, tensors: Mapping[str, np.ndarray], kind: str = "F32", **config: Any
) -> Path:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors, kind))
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    return folder
