"""Tensors of a safetensors file: a length, a header in JSON, and the numbers one behind another.

The format is that of https://huggingface.co/docs/safetensors. It holds no code, and nothing that is
read here is trusted: every length is held against the file's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Types of numbers, as numpy reads them; bfloat16 is the upper half of a number of 32 bits.
_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# The longest header that the format allows.
_LONGEST = 100_000_000


def read_tensors(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The tensors of a file in the order of their names, in 32 bits.

    Raises:
        ValueError: it is damaged, or holds numbers of another type; in words.
    """
    data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    length = int.from_bytes(data[:8].tobytes(), "little")
    if data.size < 8 or not 2 <= length <= min(_LONGEST, data.size - 8):
        raise ValueError("it is truncated or damaged: its header is not as long as it says")
    try:
        header = json.loads(data[8 : 8 + length].tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError("it is truncated or damaged: its header is no JSON") from error
    if not isinstance(header, dict):
        raise ValueError("it is truncated or damaged: its header is no object of JSON")
    body = data[8 + length :]
    for name, about in sorted(header.items()):
        if name != "__metadata__":
            yield name, _tensor(name, about, body)


def _tensor(name: str, about: Any, body: NDArray[np.uint8]) -> NDArray[np.float32]:
    try:
        kind, shape = about["dtype"], [*about["shape"]]
        begin, end = about["data_offsets"]
        whole = all(type(one) is int and one >= 0 for one in (*shape, begin, end))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it is damaged: it does not say what {name} is") from error
    if kind not in _TYPES:
        raise ValueError(
            f"it holds {name} in the type {kind}, and F32, F16 and BF16 alone are read; save the "
            "adapter anew in one of these"
        )
    size = np.dtype(_TYPES[kind]).itemsize
    if not whole or end > body.size or end - begin != prod(shape) * size:
        raise ValueError(f"it is truncated or damaged: {name} is not as large as it says")
    numbers = body[begin:end].view(_TYPES[kind]).reshape(shape)
    if kind == "BF16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32)
