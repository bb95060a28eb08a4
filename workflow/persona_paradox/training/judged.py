"""What judged answers are worth, by what a judge says they do."""

from __future__ import annotations

from types import ModuleType

import polars as pl

from ..judges.verdicts import READ
from ..names import ACTION, ACTIONS

KEYS = ["item_id", "variant", "repeat"]


def valued(
    answers: pl.DataFrame,
    judgements: pl.DataFrame,
    items: pl.DataFrame,
    preference: ModuleType,
    rule: str,
) -> pl.DataFrame:
    """The answers in the main wording to the items whose answers are worth something.

    Args:
        answers: of a cell, as `generate` leaves them.
        judgements: what a judge says of them, rows of `verdicts.JUDGEMENT`.
        items: the data set.
        preference: module of the task's kind.
        rule: by which answers are worth something.

    Returns:
        `item_id`, `repeat`, `text`; `score`, from 0 to 1, null of an answer without a text or a
        verdict; and `refused_in_error`, null where nothing could be.
    """
    names = dict(enumerate(ACTIONS, start=1))
    said = judgements.filter(dimension=ACTION, status=READ).select(
        *KEYS, action=pl.col("mode").replace_strict(names, return_dtype=pl.String)
    )
    table = (
        answers.filter(pl.col("variant") == "main")
        .select(*KEYS, "text")
        .join(said, on=KEYS, how="left", maintain_order="left")
        .join(items, on="item_id", how="left", maintain_order="left")
        .with_columns(action=pl.when(pl.col("text").str.contains(r"\S")).then("action"))
    )
    worth = preference.scores(table.with_columns(action=pl.lit(ACTIONS[0])), rule)
    return (
        table.select("item_id", "repeat", "text")
        .with_columns(
            score=preference.scores(table, rule),
            refused_in_error=preference.refused_in_error(table),
        )
        .filter(worth.is_not_null())
    )
