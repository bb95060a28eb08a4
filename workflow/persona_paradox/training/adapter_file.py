"""An adapter as a GGUF file, as llama.cpp reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from .architectures import ARCHITECTURES, WEIGHTS, Header

Matrix = NDArray[np.float32]

# As peft names A and B.
_NAME = re.compile(r".*\.layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.weight")


def write_adapter(path: Path, weights: Mapping[str, Matrix], alpha: float, base: Header) -> None:
    """Write an adapter, in 32 bits; equal weights give equal bytes.

    Args:
        path: where the GGUF goes.
        weights: peft's name → A of shape (rank, columns) or B of shape (rows, rank).
        alpha: as of `Settings`.
        base: the model it changes.
    """
    writer = gguf.GGUFWriter(path, base.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(alpha))
    for name, tensor in sorted(tensors(weights, base).items()):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(weights: Mapping[str, Matrix], base: Header) -> dict[str, Matrix]:
    """Tensors by their names in a GGUF.

    Raises:
        ValueError: a weight is none of `WEIGHTS`.
    """
    found = {}
    for name, tensor in weights.items():
        parts = _NAME.fullmatch(name)
        if parts is None or parts[2] not in WEIGHTS:
            raise ValueError(f"{name} is no weight of LoRA that llama.cpp knows")
        layer, weight, matrix = int(parts[1]), WEIGHTS[parts[2]], parts[3].lower()
        ordered = np.ascontiguousarray(tensor, dtype=np.float32)
        if ARCHITECTURES[base.architecture] and matrix == "b":
            heads = {"attn_q": base.heads, "attn_k": base.heads_kv}.get(weight)
            ordered = ordered if heads is None else rotary_order(ordered, heads)
        found[f"blk.{layer}.{weight}.weight.lora_{matrix}"] = ordered
    return found


def rotary_order(rows: Matrix, heads: int) -> Matrix:
    """Rows of queries or keys as llama.cpp orders them: the halves of each head interleaved.

    Args:
        rows: shape (heads · size of a head, any).
        heads: how many there are.
    """
    count, columns = rows.shape
    halves = rows.reshape(heads, 2, count // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(count, columns))
