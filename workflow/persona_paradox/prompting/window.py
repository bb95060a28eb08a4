"""Whether prompts fit the window of a model."""

from __future__ import annotations

import polars as pl

from ..data.items import is_null_case
from ..errors import InputError
from ..names import OK


def too_long(longest: int) -> pl.Expr:
    """Prompts that are not run since they have more than `longest` tokens; null on a server."""
    return (pl.col("n_prompt_tokens") > longest) & (pl.col("status") == OK)


def check_window(
    delivered: pl.DataFrame, context: int, max_tokens: int, name: str, remedy: str
) -> int:
    """Number of prompts that do not fit a window with what the model may write behind them.

    Args:
        delivered: table of `delivery.SCHEMA`, of a model that runs here.
        context: tokens of the window.
        max_tokens: most tokens of what is written first: an answer, a thought or a reasoning.
        name: the cell in errors.
        remedy: what to do where no case fits.

    Raises:
        InputError: there are cases, and none of them fits.
    """
    longest = context - max_tokens
    cases = delivered.filter(~is_null_case(), pl.col("status") == OK)["n_prompt_tokens"]
    shortest = cases.min()
    if isinstance(shortest, int) and shortest > longest:
        raise InputError(
            f"{name}: no case can be answered: its shortest prompt has {shortest} tokens and up to "
            f"{max_tokens} follow, but the window has {context}; {remedy}"
        )
    return delivered.filter(too_long(longest)).height
