"""Tiny models whose weights are no good."""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFReader


def overwrite(path: Path, tensor: str, value: float, row: int | None = None) -> None:
    """Write a value into a tensor of 32-bit floats, or into one of its rows."""
    reader = GGUFReader(path, "r+")
    (found,) = (t for t in reader.tensors if t.name == tensor)
    found.data[slice(None) if row is None else row] = value
    found.data.flush()
