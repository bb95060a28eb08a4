"""Steering: a model whose residual stream is pushed along vectors, or held below caps.

It holds for every token that the model computes, those of the prompt too, as long as its context
lives. llama.cpp adds a control vector to the stream behind a layer; it has no caps, which are
written back where the stream is watched (`residual.ResidualStream`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import polars as pl

from ..errors import InputError
from ..files import canonical_json, damaged, read_table, sha256_bytes
from .residual import Cap, ResidualStream, Rows, unread

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "layer": pl.Int64,
    "depth": pl.Float64,
    "vector": pl.List(pl.Float32),
    "most": pl.Float64,
    "n_items": pl.Int64,
}

# Of what an addition in 32 bits may lose, as a part of the largest number that takes part.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Steering:
    """What a model is steered by.

    Attributes:
        sha256: of all of it.
        pushes: layer → what is added to the stream behind it, shape (width of the model,).
        caps: layer → what the stream is held below.
    """

    sha256: str
    pushes: Mapping[int, Rows]
    caps: Mapping[int, Cap]

    @classmethod
    def read(cls, path: Path | None) -> Steering | None:
        """From a table of `SCHEMA`; None where there is none.

        A row with `most` is a cap along its vector, which has length 1; any other a push.

        Raises:
            InputError: it is damaged.
        """
        if path is None:
            return None
        table = read_table(path)
        if dict(table.schema) != dict(pl.DataFrame(schema=SCHEMA).schema):
            raise damaged(path, "it holds no vectors")
        pushes: dict[int, Rows] = {}
        caps = {}
        for row in table.iter_rows(named=True):
            vector = np.array(row["vector"], dtype=np.float32)
            if row["most"] is None:
                pushes[row["layer"]] = vector
            else:
                caps[row["layer"]] = Cap(vector, row["most"])
        return cls(content_of(table), pushes, caps)

    def check(self, n_layers: int, width: int, name: str) -> None:
        """See that the vectors fit the model.

        Raises:
            InputError: they do not.
        """
        vectors = {**self.pushes, **{layer: cap.direction for layer, cap in self.caps.items()}}
        for layer, vector in vectors.items():
            if layer >= n_layers or vector.shape != (width,):
                raise InputError(
                    f"{name}: the vector for layer {layer} has {len(vector)} numbers, but the "
                    f"model has {n_layers} layers and {width} numbers a token; remove "
                    "results/vectors and results/readings, and run snakemake again"
                )
        if 0 in self.pushes:
            raise InputError(
                f"{name}: llama.cpp cannot push the residual stream behind the first layer; name "
                "a larger depth in keys `readings.depths` of the study and `steering.depths` of "
                "the persona"
            )

    def use(self, context: Any, n_layers: int) -> None:
        """Push what a context computes, from its next call on."""
        if self.pushes:
            width = len(next(iter(self.pushes.values())))
            rows = np.zeros((n_layers - 1, width), dtype=np.float32)
            for layer, vector in self.pushes.items():
                rows[layer - 1] = vector
            _set(context, rows, min(self.pushes), max(self.pushes))


def _set(context: Any, rows: Rows, first: int, last: int) -> None:
    """Push behind layers `first` to `last`; all rows are given, the first of layer 1.

    Those that a shorter buffer would leave out kept what they were.
    """
    function = llama_cpp.llama_cpp._lib.llama_set_adapter_cvec
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int32] * 3]
    function.restype = ctypes.c_int32
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if function(context, rows.ctypes.data, rows.size, rows.shape[1], first, last) != 0:
        raise RuntimeError("llama_set_adapter_cvec failed")


def content_of(table: pl.DataFrame) -> str:
    """SHA-256 of what a table of `SCHEMA` steers by: layers, vectors and caps."""
    kept = table.select("layer", "vector", "most").sort("layer").to_dicts()
    return sha256_bytes(canonical_json(kept).encode())


def check_moves(model: Any, steering: Steering, name: str, architecture: str | None) -> None:
    """See that steering does what it says, in a small context of its own.

    llama.cpp takes vectors for every architecture, and there are some whose computation does not
    look at them.

    Raises:
        InputError: the stream is not shown, or is not moved by just the vector, or not held.
    """
    layers = sorted({*steering.pushes, *steering.caps})
    lowest = layers[0]
    pushed = steering if lowest in steering.pushes else None
    caps = {lowest: steering.caps[lowest]} if lowest in steering.caps else {}
    plain, found = _one_token(model, lowest, {}, None), _one_token(model, lowest, caps, pushed)
    if not len(plain):
        raise unread(name, lowest, architecture)
    expected = caps[lowest].hold(plain) if caps else plain + steering.pushes[lowest]
    largest = max(np.abs(expected).max(), np.abs(plain).max(), 1e-30)
    if np.abs(found - expected).max() > _ROUNDING * largest:
        raise InputError(
            f"{name}: llama.cpp does not move the residual stream of a model of the architecture "
            f"{architecture} by a control vector, so that it cannot be steered; use another model, "
            "or leave out personas with key `steering`"
        )


def _one_token(model: Any, layer: int, caps: Mapping[int, Cap], steering: Steering | None) -> Rows:
    """The stream behind a layer at one token, shape (1, width); without a row if not shown."""
    stream = ResidualStream([layer], llama_cpp.llama_model_n_embd(model), caps)
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = 256, 1, 1
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.no_perf = True
    parameters.cb_eval = stream.callback
    context = llama_cpp.llama_init_from_model(model, parameters)
    if not context:
        raise MemoryError
    batch = llama_cpp.llama_batch_init(1, 0, 1)
    try:
        if steering is not None:
            steering.use(context, llama_cpp.llama_model_n_layer(model))
        batch.n_tokens = batch.n_seq_id[0] = batch.logits[0] = 1
        batch.token[0] = batch.pos[0] = batch.seq_id[0][0] = 0
        stream.reading = True
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        stream.check()
    finally:
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
    return stream.taken()[layer]
