"""Invariance: are the answers of a cell the same when they are computed in another way?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import polars as pl

from ..engine.decoding import LENGTH, Answer, Wanted
from ..kinds.labelled.labels import parse_label

T = TypeVar("T")

# One way to compute answers: takes what is wanted, yields (index, answer).
Way = Callable[[Sequence[Wanted]], Iterator[tuple[int, Answer]]]

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "backend": pl.String,
    "check": pl.String,
    "n": pl.Int64,
    "max_logprob_difference": pl.Float64,
    "label_flips": pl.Int64,
    "argmax_flips": pl.Int64,
    "text_changes": pl.Int64,
}


def sample(wanted: Sequence[Wanted], responses: pl.DataFrame, size: int, seed: int) -> list[Wanted]:
    """Answers that were run, at most `size`, drawn with the seed whatever their order."""
    run = set(responses.filter(pl.col("text").is_not_null()).get_column("response_key"))
    by_key = {one.key: one for one in wanted if one.key in run}
    return _drawn([by_key[key] for key in sorted(by_key)], size, seed)


def _drawn(values: Sequence[T], size: int, seed: int) -> list[T]:
    """At most `size` of the values, in a random order."""
    order = np.random.default_rng(seed).permutation(len(values))
    return [values[i] for i in order[:size]]


def one_by_one(way: Way) -> Way:
    """Every answer by itself."""

    def alone(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
        for index, one in enumerate(wanted):
            for _, answer in way([one]):
                yield index, answer

    return alone


def shuffled(way: Way, seed: int) -> Way:
    """All answers together, in another order."""

    def in_order(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
        order = _drawn(range(len(wanted)), len(wanted), seed)
        for place, answer in way([wanted[i] for i in order]):
            yield order[place], answer

    return in_order


def among(way: Way, others: Sequence[Wanted], seed: int) -> Way:
    """All answers together, with as many others between them."""

    def mixed(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
        chosen = _drawn(others, len(wanted), seed)
        both = _drawn([*wanted, *chosen], len(wanted) + len(chosen), seed)
        index = {one.key: i for i, one in enumerate(wanted)}
        for place, answer in way(both):
            if both[place].key in index:
                yield index[both[place].key], answer

    return mixed


def compare(
    backend: str,
    check: str,
    way: Way,
    *,
    wanted: Sequence[Wanted],
    responses: pl.DataFrame,
    labels: Sequence[str],
) -> dict[str, Any]:
    """Compute answers in a way and compare them with the responses of the cell.

    Returns:
        A row of `SCHEMA`: the largest absolute difference of a label's log-probability (nats),
        and the number of answers whose parsed label, likeliest label or text differs.
    """
    before = {row["response_key"]: row for row in responses.iter_rows(named=True)}
    counts = {"label_flips": 0, "argmax_flips": 0, "text_changes": 0}
    largest = 0.0
    for index, answer in way(wanted):
        row = before[wanted[index].key]
        counts["text_changes"] += answer.text != row["text"]
        now, then = (
            parse_label(text, labels, reason == LENGTH)[0]
            for text, reason in (
                (answer.text, answer.finish_reason),
                (row["text"], row["finish_reason"]),
            )
        )
        counts["label_flips"] += now != then
        if answer.label_logprob is not None and row["label_logprob"] is not None:
            new, old = np.array(answer.label_logprob), np.array(row["label_logprob"])
            counts["argmax_flips"] += int(new.argmax() != old.argmax())
            largest = max(largest, _difference(new, old))
    return {
        "backend": backend,
        "check": check,
        "n": len(wanted),
        "max_logprob_difference": largest,
        **counts,
    }


def _difference(new: Any, old: Any) -> float:
    # A label that a server does not list is at minus infinity on both sides: no difference.
    both = (new != old) & ~(np.isneginf(new) & np.isneginf(old))
    return float(np.abs(new - old)[both].max(initial=0.0))


def differences(answer: Answer, row: Mapping[str, Any]) -> list[str]:
    """Names of the fields in which an answer is not bit for bit the one of a row."""
    parts = asdict(answer).items()
    now = {name: list(part) if isinstance(part, tuple) else part for name, part in parts}
    return [name for name, value in now.items() if value != row[name]]
