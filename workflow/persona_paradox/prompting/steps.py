"""Answers in steps: a thought, then the model's own words, then the label behind a header.

Every step is an answer of its own. A thought ends where the model closes it, or where it would end
anyway; a reasoning where the model writes the header. What ends a step is put behind it, and the
next one is read there. So every answer has a label position, and its probabilities are those
after the thought and the reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..data.items import is_null_case
from ..engine.decoding import LENGTH
from ..engine.responses import SCHEMA
from .thinking import with_thought_closed

# What a row of a step has in common with the row of the next one.
_KEYS = ("item_id", "variant", "repeat")

THOUGHTS = {
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "variant": pl.String,
    "n_answers": pl.Int64,
    "n_thoughts": pl.Int64,
    "n_cut": pl.Int64,
    "mean_tokens": pl.Float64,
    "median_tokens": pl.Float64,
    "max_tokens": pl.Int64,
}


def chats_behind(
    prompts: pl.DataFrame,
    thoughts: pl.DataFrame | None,
    reasonings: pl.DataFrame | None,
    rationale: Mapping[str, str] | None = None,
    answer_prefix: str = "",
) -> pl.DataFrame:
    """The chats that go on behind the steps of a cell that were answered.

    Args:
        prompts: table of `prompts.SCHEMA`.
        thoughts: None where the model does not think.
        reasonings: None where there are none, or none yet.
        rationale: `header` and `answer_prefix` behind the reasonings, where there are some.
        answer_prefix: behind the thoughts, where there are no reasonings.
    """
    chats = prompts if thoughts is None else behind_thoughts(prompts, thoughts, answer_prefix)
    if reasonings is None or rationale is None:
        return chats
    return conclusions(chats, reasonings, rationale["header"], rationale["answer_prefix"])


def behind_thoughts(
    prompts: pl.DataFrame, thoughts: pl.DataFrame, answer_prefix: str
) -> pl.DataFrame:
    """The chats that go on behind the thoughts.

    Args:
        prompts: table of `prompts.SCHEMA`, or of `turns.SCHEMA` behind earlier answers.
        thoughts: of the same cell, table of `responses.SCHEMA`.
        answer_prefix: text that the answer behind them is forced to begin with.

    Returns:
        The prompts, one row per thought, with the columns `repeat`, `thought` and
        `answer_prefix`. There is none for a prompt that was not run.
    """
    ran = thoughts.filter(pl.col("text").is_not_null())
    behind = ran.select(*_KEYS, thought="text", answer_prefix=pl.lit(answer_prefix))
    on = [key for key in _KEYS if key in prompts.columns]
    own = [name for name in prompts.columns if name != "repeat"]
    return behind.join(prompts, on=on, maintain_order="left").select(
        *own, "repeat", "thought", "answer_prefix"
    )


def conclusions(
    chats: pl.DataFrame, reasonings: pl.DataFrame, header: str, answer_prefix: str
) -> pl.DataFrame:
    """The chats that go on behind the reasonings, up to where the label stands.

    Args:
        chats: what the reasonings answer: a table of `prompts.SCHEMA`, or what `behind_thoughts`
            made of it.
        reasonings: of the same cell, table of `responses.SCHEMA`.
        header: the line that ends a reasoning.
        answer_prefix: text that the answer behind the header is forced to begin with.

    Returns:
        The chats, one row per reasoning, with the columns `repeat` and `answer_prefix` (the
        reasoning, what closes a thought that it ends inside, the header, and what the task forces).
        There is none for a prompt that was not run.
    """
    ran = reasonings.filter(pl.col("text").is_not_null())
    # A label that stood inside a thought of the model's own would be none.
    prefix = pl.Series(
        [
            with_thought_closed(text, f"\n\n{header}\n{answer_prefix}")
            for text in ran["text"].str.strip_chars_end()
        ],
        dtype=pl.String,
    )
    # The model had nothing to say: no blank lines in front of the header.
    behind = ran.select(*_KEYS, answer_prefix=prefix.str.strip_chars_start("\n"))
    chats = chats.drop("answer_prefix", strict=False)
    on = [key for key in _KEYS if key in chats.columns]
    own = [name for name in chats.columns if name != "repeat"]
    return behind.join(chats, on=on, maintain_order="left").select(*own, "repeat", "answer_prefix")


def concluded(reasonings: pl.DataFrame, chats: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The responses of a cell: reasoning, header and answer as one text.

    Args:
        reasonings: table of `responses.SCHEMA`.
        chats: what `conclusions` made of them.
        answers: the responses to these, in the same order, one to each.

    Returns:
        A table of `responses.SCHEMA` with the rows of the reasonings. What belongs to the
        label (its probabilities, the key, why the answer ended) is the second step's; the tokens
        of the answer are those of both. Where a step was not run there is no text, and
        `finish_reason` says why.
    """
    second = chats.select(*_KEYS, "answer_prefix").hstack(
        answers.select(pl.exclude("item_id", "variant", "repeat"))
    )
    joined = reasonings.join(second, on=_KEYS, how="left", suffix="_second", maintain_order="left")
    ran = pl.col("finish_reason_second").is_not_null()
    of_second = ("label_logprob", "label_mass", "finish_reason", "prompt_sha256", "response_key")
    tokens = pl.col("n_tokens") + pl.col("n_tokens_second").fill_null(0)
    return joined.with_columns(
        text=pl.concat_str("answer_prefix", "text_second"),
        n_tokens=tokens,
        token_logprob=pl.concat_list("token_logprob", "token_logprob_second"),
        **{
            name: pl.when(ran).then(pl.col(f"{name}_second")).otherwise(pl.col(name))
            for name in of_second
        },
    ).select(*SCHEMA)


def with_thoughts(thoughts: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The responses of a cell that thinks: the answers, and beside them the thoughts.

    Args:
        thoughts: table of `responses.SCHEMA`.
        answers: what was answered behind them, in the same form.

    Returns:
        A table of `responses.SCHEMA` with the rows of the thoughts. All is the answer's but the
        thought, its number of tokens, whether it was cut, and the number of the prompt's tokens.
        Where a step was not run there is no text, and `finish_reason` says why.
    """
    joined = thoughts.join(answers, on=_KEYS, how="left", suffix="_second", maintain_order="left")
    ran = pl.col("finish_reason_second").is_not_null()
    thought = pl.col("text").is_not_null()
    own = ("prompt_id", "n_prompt_tokens", "persona_delivered", "system_role", "backend")
    columns = {
        name: pl.when(ran).then(pl.col(f"{name}_second")).otherwise(pl.col(name))
        for name in SCHEMA
        if name not in (*_KEYS, *own)
    }
    columns |= {
        "text": pl.col("text_second"),
        "n_tokens": pl.col("n_tokens_second").fill_null(0),
        "thought": pl.col("text"),
        "n_thought_tokens": pl.when(thought).then("n_tokens"),
        "thought_cut": pl.when(thought).then(pl.col("finish_reason") == LENGTH),
    }
    # What stands in a row without an answer is the thought's: why there is none, and its key.
    return joined.with_columns(**columns).select(*SCHEMA)


def counted(responses: pl.DataFrame) -> pl.DataFrame:
    """What there is to count of a cell's thoughts, one row per wording: columns of `THOUGHTS`.

    Args:
        responses: table of `responses.SCHEMA`. Null cases are no items, and are not counted.
    """
    tokens = pl.col("n_thought_tokens")
    return (
        responses.filter(~is_null_case())
        .group_by("variant", maintain_order=True)
        .agg(
            n_answers=pl.len().cast(pl.Int64),
            n_thoughts=pl.col("thought").count().cast(pl.Int64),
            n_cut=pl.col("thought_cut").sum().cast(pl.Int64),
            mean_tokens=tokens.mean(),
            median_tokens=tokens.median(),
            max_tokens=tokens.max(),
        )
    )
