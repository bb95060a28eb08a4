"""Candidates of cycles that train nothing: they are the adapter of the cycle before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from .. import files

# The file of losses of a candidate that was not trained.
NO_LOSSES = {"step": pl.Int64, "epoch": pl.Int64, "examples": pl.Int64, "loss": pl.Float64}


def reason(before: dict[str, Any], examples: pl.DataFrame) -> str | None:
    """Why there is no training; None where there is one.

    Args:
        before: manifest of the adapter of the cycle before.
        examples: of this training.
    """
    if before["stopped"] is not None:
        return f"stopped in cycle {before['stopped']['cycle']}"
    if examples.is_empty():
        return "no two answers are worth different"
    if "label" in examples.columns and examples["label"].n_unique() == 1:
        return "all answers are good, or all are bad"
    return None


def hand_on(
    before: Path, examples: Path, adapter: Path, manifest: Path, losses: Path
) -> str | None:
    """Write the adapter of the cycle before where nothing is to be trained, and say why.

    Args:
        before: manifest of that adapter, which lies beside it.
        examples: Parquet file of examples.
        adapter: GGUF file to write.
        manifest: to write.
        losses: Parquet file to write.

    Returns:
        Why; None where nothing was written, since there is something to train.
    """
    known, table = files.read_json(before), files.read_table(examples)
    why = reason(known, table)
    if why is not None:
        about = {
            "handed_on": why,
            "examples": table.height,
            "sha256": copy(before.with_name("adapter.gguf"), adapter),
            "size": adapter.stat().st_size,
        }
        files.write_table(pl.DataFrame(schema=NO_LOSSES), losses, {"before": before})
        files.write_text(manifest, files.canonical_json(about))
    return why


def copy(source: Path, target: Path) -> str:
    """Copy a file, whole or not at all; its SHA-256."""
    with files.atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return files.sha256_file(target)
