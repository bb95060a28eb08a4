"""Readings: what a model's residual stream is on the mean over the tokens of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..engine.engine import Engine
from ..engine.vocabulary import Prompt
from ..names import NULL_CASE, OK

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "status": pl.String,
    "layer": pl.Int64,
    "depth": pl.Float64,
    "vector": pl.List(pl.Float16),
    "n_tokens": pl.Int64,
    "n_generated": pl.Int64,
    "mean_logprob": pl.Float64,
    "repeated": pl.Float64,
}

NO_ANSWER, NO_TOKENS, TOO_LARGE = "no_answer", "no_tokens", "too_large"

# Tokens of the runs of which it is counted how many stood in an answer before.
RUN = 4


def repeated(tokens: Sequence[int]) -> float | None:
    """Share of the runs of `RUN` tokens of a text that it has more than once, but for their first.

    None of a text that is shorter than two such runs.
    """
    runs = [tuple(tokens[i : i + RUN]) for i in range(len(tokens) - RUN + 1)]
    return None if len(runs) < 2 else 1 - len(set(runs)) / len(runs)


def _half(values: NDArray[np.float64]) -> list[float] | None:
    """Numbers in 16 bits; None where one is too large for that."""
    with np.errstate(over="ignore"):
        halved = values.astype(np.float16)
    return halved.tolist() if np.isfinite(halved).all() else None


def readings(
    engine: Engine,
    delivered: pl.DataFrame,
    answers: pl.DataFrame,
    window: int,
) -> Iterator[dict[str, Any]]:
    """The rows of a cell: of every greedy answer to the main wording one for each layer.

    The model reads its prompt and the answer that is stored, token by token as it would have
    written it. Nothing in front of the answer is part of the mean: so neither is the first token
    of all, whose numbers are many times as large as the others'.

    Args:
        engine: reads some layers.
        delivered: table of `delivery.SCHEMA`, what was answered.
        answers: table of `responses.SCHEMA`.
        window: tokens that the model can read.
    """
    # Behind drawn answers a turn has prompts of its own, under the same name.
    greedily = delivered.filter(pl.col("repeat").fill_null(0) == 0)
    asked = {row["prompt_id"]: row for row in greedily.iter_rows(named=True)}
    layers = list(engine.layers.items())
    greedy = answers.filter(pl.col("variant") == "main", pl.col("repeat") == 0)
    for answer in greedy.iter_rows(named=True):
        if answer["item_id"].startswith(NULL_CASE):
            continue
        row = asked[answer["prompt_id"]]
        about = {"item_id": answer["item_id"], "n_generated": answer["n_tokens"]}
        nothing = [about | {"layer": layer, "depth": depth} for depth, layer in layers]
        if answer["text"] is None or row["status"] != OK:
            yield from (one | {"status": NO_ANSWER} for one in nothing)
            continue
        prompt = Prompt(tuple(tuple(piece) for piece in row["pieces"]))
        tokens = engine.vocabulary.behind(answer["text"])[: window - len(prompt)]
        about |= {"n_tokens": len(tokens)}
        if not tokens:
            yield from (one | about | {"status": NO_TOKENS} for one in nothing)
            continue
        read = engine.read_behind(prompt, tokens)
        about |= {"mean_logprob": float(read.logprobs.mean()), "repeated": repeated(tokens)}
        for one, (_, layer) in zip(nothing, layers, strict=True):
            vector = _half(read.stream[layer].mean(axis=0, dtype=np.float64))
            status = TOO_LARGE if vector is None else OK
            yield one | about | {"vector": vector, "status": status}
