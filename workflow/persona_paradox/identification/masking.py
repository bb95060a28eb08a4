"""Texts without the words that tell where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from . import blinding

MASK = "[...]"

# "a" or "an" in front of what was masked says which of the personas it may have been.
_ARTICLE = re.compile(rf"\b[Aa]n? (?={re.escape(MASK)})")
# "I am [...], trained by ...", "I was made by ...": it is a model's maker that stands there.
_MAKER = re.compile(
    rf"((?:{re.escape(MASK)}|\bI(?: am|['’]m| was| have been|['’]ve been)),?(?: \w+){{0,2}} "
    r"(?:built|created|designed|developed|made|trained) by )"
    r"[^,.;:!?\n]{1,80}?(?=[,.;:!?\n]|$| (?:and|but|to|who|that|which)\b)"
)


def mask(answers: pl.DataFrame, strings: Iterable[str]) -> pl.DataFrame:
    """`answers` with `question` and `text` blinded, and how often in both (column `masked`)."""
    named = blinding.pattern(tuple(strings))
    rows = []
    for row in answers.iter_rows(named=True):
        # A patient may well say "I am a teacher"; an answer that does speaks of its persona.
        question, in_question = named.subn(MASK, row["question"])
        text, of_itself = blinding.OF_ITSELF.subn(
            lambda found: found[found.lastindex or 0] + MASK, row["text"] or ""
        )
        text, in_text = named.subn(MASK, text)
        text, of_makers = _MAKER.subn(rf"\1{MASK}", text)
        text = _ARTICLE.sub("", text)
        masked = in_question + in_text + of_itself + of_makers
        rows.append(row | {"question": question, "text": text, "masked": masked})
    return pl.DataFrame(rows, schema={**answers.schema, "masked": pl.Int64})
