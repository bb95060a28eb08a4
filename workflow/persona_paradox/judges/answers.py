"""The answers of cells with their questions, as judges read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ..data.items import is_null_case
from ..files import read_table
from ..names import THOUGHTS
from ..prompting.prompts import without_persona
from ..prompting.proof import LATER
from ..prompting.thinking import shown
from ..prompting.turns import conversation


def questioned(
    responses: pl.DataFrame, prompts: pl.DataFrame, reads: str | None = None
) -> pl.DataFrame:
    """Answers with the questions that they are about: the user's messages, without a persona.

    Args:
        responses: table of `responses.SCHEMA`; null cases are left out.
        prompts: of the same cell, table of `prompts.SCHEMA`, or of `turns.SCHEMA`.
        reads: `THOUGHTS` for what the model thought in the place of what it answered.

    Returns:
        Columns `item_id`, `variant`, `repeat`, `question`, `text`, and `persona`, the sentence that
        the answer was given under, for judges that are told. Thoughts are left out of the
        text, and an answer that ends inside one has none. Behind further turns the text is all
        that was said since the user's first message: the last answer alone says too little.
    """
    on = [key for key in ("item_id", "variant", "repeat") if key in prompts.columns]
    later = [LATER] if LATER in prompts.columns else []
    users = prompts.select(*on, *later, "persona", question=without_persona())
    asked = responses.filter(~is_null_case())
    asked = asked.with_columns(pl.col("thought").alias("text") if reads == THOUGHTS else shown())
    joined = asked.join(users, on=on, how="left", maintain_order="left")
    if later:
        said = zip(joined[LATER].to_list(), joined["text"].to_list(), strict=True)
        texts = [conversation(*one) for one in said]
        joined = joined.with_columns(pl.Series("text", texts, dtype=pl.String))
    return joined.select("item_id", "variant", "repeat", "question", "text", "persona")


def read_answers(responses: Path, prompts: Path, reads: str | None = None) -> pl.DataFrame:
    """The answers of a cell with their questions, from both files; see `questioned`."""
    return questioned(read_table(responses), read_table(prompts), reads)


def read_cells(
    responses: Path, prompts: Path, personas: Sequence[str], reads: str | None = None
) -> tuple[dict[str, pl.DataFrame], dict[str, Path]]:
    """The answers of several personas, as `questioned` gives them, and the files of each."""
    cells: dict[str, pl.DataFrame] = {}
    inputs: dict[str, Path] = {}
    for persona in personas:
        paths = responses / f"{persona}.parquet", prompts / f"{persona}.parquet"
        cells[persona] = read_answers(*paths, reads)
        inputs |= {f"responses.{persona}": paths[0], f"prompts.{persona}": paths[1]}
    return cells, inputs


def paired(mine: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The greedy answers of two cells in the main wording, question by question.

    Args:
        mine: as `questioned` gives them.
        other: of the other cell.

    Returns:
        Columns `item_id`, `question`, `text`, `text_other`.
    """
    main = (pl.col("variant") == "main") & (pl.col("repeat") == 0)
    others = other.filter(main).select("item_id", text_other="text")
    return (
        mine.filter(main)
        .select("item_id", "question", "text")
        .join(others, on="item_id", how="inner", maintain_order="left")
    )


def listed(cells: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The greedy answers of several cells in the main wording, side by side.

    Args:
        cells: as `questioned` gives them, in the order of the list.

    Returns:
        Columns `item_id`, `question` and `texts`, a list of the answers in their order.
    """
    main = (pl.col("variant") == "main") & (pl.col("repeat") == 0)
    joined = cells[0].filter(main).select("item_id", "question", text_0="text")
    for i, cell in enumerate(cells[1:], start=1):
        one = cell.filter(main).select("item_id", pl.col("text").alias(f"text_{i}"))
        joined = joined.join(one, on="item_id", how="inner", maintain_order="left")
    texts = pl.concat_list([f"text_{i}" for i in range(len(cells))])
    return joined.select("item_id", "question", texts=texts)
