"""Further turns: the user says something fixed behind every answer, and the model answers again.

A chat that goes on is a row of the prompts with what was said since in the column `LATER`. So all
that comes behind the prompts of a cell (delivery, thoughts, reasonings) is the same in every turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..data.items import is_null_case
from ..engine.decoding import NO_ANSWER
from .prompts import SCHEMA as PROMPTS
from .proof import LATER
from .thinking import shown

SCHEMA = PROMPTS | {LATER: pl.List(pl.String), "repeat": pl.Int64, "status": pl.String}


def behind_answers(
    prompts: pl.DataFrame, responses: pl.DataFrame, said: str | pl.Series, answer_prefix: str
) -> pl.DataFrame:
    """The chats that go on behind the answers of a cell.

    Args:
        prompts: table of `prompts.SCHEMA`, or what this made for the turn before.
        responses: to these, table of `responses.SCHEMA`.
        said: the user's next message, or that of every answer to an item, null where the user says
            nothing more.
        answer_prefix: text that the answers were forced to begin with.

    Returns:
        A table of `SCHEMA`, one row per answer to an item, in the order of the answers; a null
        case has no further turn. What the model said behind the prefix, without its thoughts, and
        the user's next message stand at the end of `LATER`. A chat in which the user says nothing
        more stays as it is, so that its answer is the same once more. Where there is no answer to
        go on behind, `status` says so; a chat that was given up stays so.
    """
    answers = responses.filter(~is_null_case()).with_columns(shown())
    given = pl.col("text").str.contains(r"\S").fill_null(value=False)
    answers = answers.with_columns(
        said=pl.lit(said, dtype=pl.String) if isinstance(said, str) else said
    )
    over = pl.col("said").is_null()
    both = pl.concat_list(pl.lit(answer_prefix) + pl.col("text").fill_null(""), "said")
    said_now = pl.when(over).then(pl.lit([], dtype=pl.List(pl.String))).otherwise(both)
    about = {"said_now": said_now, "given": given, "over": over}
    answers = answers.select("item_id", "variant", "repeat", **about)
    on = [key for key in ("item_id", "variant", "repeat") if key in prompts.columns]
    joined = answers.join(prompts, on=on, maintain_order="left")
    before = [LATER] if LATER in prompts.columns else []
    own = [name for name in prompts.columns if name not in (*before, "repeat", "status")]
    status = pl.col("status") if "status" in prompts.columns else pl.lit(None, dtype=pl.String)
    return joined.with_columns(
        pl.concat_list(*before, "said_now").alias(LATER),
        status=pl.when("over").then(status).when(~pl.col("given")).then(pl.lit(NO_ANSWER)),
    ).select(*own, LATER, "repeat", "status")


def example(prompts: pl.DataFrame, texts: Sequence[str], answer: str) -> pl.DataFrame:
    """The first prompt, with an answer and what the user says as often as the user says something.

    So further turns are tried on a model's template before there are any answers.
    """
    later = [text for said in texts for text in (answer, said)]
    return prompts.head(1).with_columns(pl.lit(later).alias(LATER))


def conversation(later: Sequence[str], text: str | None) -> str | None:
    """What was said behind the user's first message, as one text; None where no answer ends it.

    Args:
        later: as in the column `LATER`; what the user said is marked.
        text: the last answer.
    """
    if text is None or not later:
        return text
    said = [f"[The user:] {one}" if i % 2 else one.strip() for i, one in enumerate(later)]
    return "\n\n".join([*said, f"[The answer:] {text}"])
