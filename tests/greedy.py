"""Scores of greedy answers, of which a test says what it is about."""

from __future__ import annotations

import polars as pl

_TEXT = pl.lit(None, dtype=pl.String)
_NUMBER = pl.lit(None, dtype=pl.Float64)
_NUMBERS = pl.lit(None, dtype=pl.List(pl.Float64))


def greedy(given: pl.DataFrame) -> pl.DataFrame:
    """The given columns, and those that measures read besides: one readable answer an item."""
    others = {
        "repeat": pl.lit(0),
        "variant": pl.lit("main"),
        "cluster": _TEXT,
        "label_logprob_argmax": _TEXT,
        "label_contextual": _TEXT,
        "label_mass": _NUMBER,
        "label_logprob": _NUMBERS,
        "label_probabilities": _NUMBERS,
        "high_acuity_probability": _NUMBER,
        "parse_status": pl.lit("label"),
        "backend": pl.lit("test"),
    }
    return given.with_columns(**{k: v for k, v in others.items() if k not in given.columns})
