"""Adapters (LoRA) of the tiny model: the tests' stand-in for a trained one.

They are drawn at random, and are as large as trained ones are beside their weights, so that answers
change. Files hold rows as the tiny model does: of a file that a converter writes, queries and keys
would be reordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from gguf import GGUFType, GGUFValueType, GGUFWriter
from project import Project
from tiny_model import HEAD, N_EMBD, N_FF, N_HEAD, N_HEAD_KV, N_LAYER

from persona_paradox.files import sha256_file

RANK, ALPHA = 2, 4.0
# Weight of a layer → its rows and columns.
SHAPES = {
    "attn_q": (N_HEAD * HEAD, N_EMBD),
    "attn_k": (N_HEAD_KV * HEAD, N_EMBD),
    "attn_v": (N_HEAD_KV * HEAD, N_EMBD),
    "attn_output": (N_EMBD, N_HEAD * HEAD),
    "ffn_gate": (N_FF, N_EMBD),
    "ffn_up": (N_FF, N_EMBD),
    "ffn_down": (N_EMBD, N_FF),
}

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def draw_adapter(seed: int = 0, gain: float = 0.5) -> Pairs:
    """Name of a weight → A of shape (rank, columns), and B of shape (rows, rank)."""
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) * gain / columns**0.5).astype(np.float32)

    return {
        f"blk.{layer}.{name}.weight": (matrix(RANK, columns), matrix(rows, RANK))
        for layer in range(N_LAYER)
        for name, (rows, columns) in SHAPES.items()
    }


def merged(pairs: Pairs, scale: float) -> dict[str, np.ndarray]:
    """What the adapter adds to each weight: scale · alpha / rank · B A, in double precision."""
    factor = scale * ALPHA / RANK
    return {
        name: (factor * b.astype(np.float64) @ a.astype(np.float64)).astype(np.float32)
        for name, (a, b) in pairs.items()
    }


def write_adapter(
    path: Path,
    pairs: Pairs,
    *,
    architecture: str = "llama",
    kind: str = "lora",
    invoked_by: tuple[int, ...] = (),
) -> None:
    """Write an adapter to `path`; equal arguments give equal bytes.

    Args:
        path: where the GGUF goes; its folder exists.
        pairs: see `draw_adapter`.
        architecture: of the model it says to be for.
        kind: of the adapter.
        invoked_by: tokens behind which alone an activated adapter takes effect.
    """
    writer = GGUFWriter(path, architecture)
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", kind)
    writer.add_float32("adapter.lora.alpha", ALPHA)
    if invoked_by:
        tokens, of = list(invoked_by), GGUFValueType.UINT32
        writer.add_key_value("adapter.alora.invocation_tokens", tokens, GGUFValueType.ARRAY, of)
    for name, (a, b) in pairs.items():
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_adapter(
    project: Project, name: str = "bold", base: str = "tiny", **change: object
) -> Mapping[str, object]:
    """Write an adapter into a project, with its configuration file; the latter's content."""
    path = project.path / f"{name}.gguf"
    write_adapter(path, draw_adapter())
    adapter = {
        "title": f"random change ({name})",
        "base": base,
        "licence": "CC0-1.0",
        "source": {"kind": "path", "path": path.name, "sha256": sha256_file(path)},
        **change,
    }
    file = project.path / "config/adapters" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(adapter, sort_keys=False))
    return adapter
