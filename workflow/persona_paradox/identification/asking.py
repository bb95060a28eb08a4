"""The chats in which a model is asked who it is: before a task, and behind its answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..data.items import is_null_case
from ..files import sha256_bytes
from ..prompting.prompts import SCHEMA as PROMPTS
from ..prompting.prompts import without_persona
from ..prompting.turns import behind_answers
from .options import question


def chats_before(prompts: pl.DataFrame, view: Mapping[str, Any]) -> pl.DataFrame:
    """One chat per item and wording, in which nothing is said before the question.

    The system message is the task's, and the persona stands where it stands there. An item is an
    order of the options, and the same one as behind the answer to it.

    Args:
        prompts: table of `prompts.SCHEMA`, or of `turns.SCHEMA`; null cases are left out.
        view: of the identification.

    Returns:
        A table of `prompts.SCHEMA`.
    """
    asked = prompts.filter(~is_null_case()).unique(["item_id", "variant"], maintain_order=True)
    lead = pl.col("user").str.slice(0, pl.col("user").str.len_chars() - pl.col("bare"))
    rows = asked.with_columns(bare=without_persona().str.len_chars()).with_columns(
        user=lead + _said(asked, view)
    )
    digests = [
        sha256_bytes(f"{system}\0{user}".encode())[:16]
        for system, user in rows.select("system", "user").iter_rows()
    ]
    return rows.with_columns(prompt_id=pl.Series(digests, dtype=pl.String)).select(*PROMPTS)


def chats_after(
    prompts: pl.DataFrame, responses: pl.DataFrame, view: Mapping[str, Any], answer_prefix: str
) -> pl.DataFrame:
    """The chats that go on behind the greedy answers, as `turns.behind_answers` gives them.

    Args:
        prompts: of a cell.
        responses: to these, table of `responses.SCHEMA`.
        view: of the identification.
        answer_prefix: text that the answers were forced to begin with.

    Returns:
        A row per greedy answer; none where there is no answer to go on behind.
    """
    greedy = responses.filter((pl.col("repeat") == 0) & ~is_null_case())
    chats = behind_answers(prompts, greedy, _said(greedy, view), answer_prefix)
    return chats.filter(pl.col("status").is_null()).drop("repeat", "status")


def _said(items: pl.DataFrame, view: Mapping[str, Any]) -> pl.Series:
    """The question about every item of a table."""
    asked = [question(view["question"], item_id, view) for item_id in items["item_id"]]
    return pl.Series(asked, dtype=pl.String)
