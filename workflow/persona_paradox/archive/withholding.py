"""Texts that may not be passed on: found wherever they stand in a table, and taken out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from ..data.criteria import criteria_of
from ..files import sha256_bytes
from ..names import CRITERIA

# A text repeats another where so many words in a row are the same (all of a shorter one). Names of
# diseases and turns of phrase are shorter.
RUN = 5

MARK = "[withheld, SHA-256 "
_WORD = re.compile(r"\w+")

# Columns that name something, and hold no text.
_NAMES = {"item_id", "prompt_id", "variant", "response_key", "prompt_sha256", "label"}


class Texts:
    """Texts to be looked for.

    Args:
        texts: what must not be repeated.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._runs: dict[int, set[tuple[str, ...]]] = {}
        for text in texts:
            words = _words(text)
            if words:
                length = min(RUN, len(words))
                self._runs.setdefault(length, set()).update(_windows(words, length))

    def repeated_in(self, text: str) -> bool:
        """Whether a text repeats a run of words of any of them."""
        words = _words(text)
        return any(
            not runs.isdisjoint(_windows(words, length)) for length, runs in self._runs.items()
        )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _windows(words: list[str], length: int) -> Iterable[tuple[str, ...]]:
    return (tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def texts_in(path: Path) -> Iterator[str]:
    """What must not be repeated of the items of a data set: cases; options and criteria of a run of
    words.

    A shorter option is a name or a turn of phrase, and may be the answer itself.
    """
    yield from pl.read_parquet(path, columns=["case"])["case"].drop_nulls()
    if CRITERIA in pl.read_parquet_schema(path):
        rubrics = pl.read_parquet(path, columns=[CRITERIA])[CRITERIA]
        texts = (one.text for rubric in rubrics for one in criteria_of(rubric))
        yield from (text for text in texts if len(_words(text)) >= RUN)
    if "options" in pl.read_parquet_schema(path):
        options = pl.read_parquet(path, columns=["options"])["options"].explode().drop_nulls()
        yield from (option for option in options if len(_words(option)) >= RUN)


def withhold(table: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """The table with a mark and the SHA-256 in the place of every value that repeats a text.

    Where the text of a prompt is withheld, so are its tokens.
    """
    for column, kind in table.schema.items():
        listed = kind == pl.List(pl.String)
        if not (listed or kind == pl.String) or column in _NAMES:
            continue
        values = (table[column].explode() if listed else table[column]).drop_nulls().unique()
        found = {one: mark(one) for one in values if texts.repeated_in(one)}
        if not found:
            continue
        if column == "text" and "pieces" in table.columns:
            tokens = pl.when(~pl.col("text").is_in(list(found))).then("pieces")
            table = table.with_columns(tokens.alias("pieces"))
        marked = pl.element().replace(found) if listed else pl.col(column).replace(found)
        table = table.with_columns(pl.col(column).list.eval(marked) if listed else marked)
    return table


def mark(text: str) -> str:
    """What stands in the place of a text; of what stands there already, that itself."""
    if text.startswith(MARK):
        return text
    return f"{MARK}{sha256_bytes(text.encode())}]"


def is_withheld(column: str) -> pl.Expr:
    """Whether a value was withheld; null where there is none."""
    return pl.col(column).str.starts_with(MARK)
