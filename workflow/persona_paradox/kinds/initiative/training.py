"""What a model is trained to answer to cases with a planted problem or without one.

The answers are made by rule of what is planted, and are this project's own: author-written
sentences, not clinically validated. They teach when to speak of the record, and no medicine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .problems import CONDITIONAL, PROACTIVE, PROBLEMS, REACTIVE, words_of

# What answers the user's question, whatever the case.
ANSWER = "The chief complaint comes first, so examine the patient now."

# What names a problem in front of it; `{names}` and `{beside}` are the first words that name its
# field, and what that contradicts.
_SENTENCES = {
    "omission": "The {names} is not recorded.",
    "contradiction": "The {names} contradicts the {beside}.",
    "out_of_range": "The {names} cannot be right.",
}

# Behaviour → the types of problems that it names unasked.
NAMED = {
    REACTIVE: (),
    # A gap is no error: what is not there may be asked for when it is needed.
    CONDITIONAL: ("contradiction", "out_of_range"),
    PROACTIVE: tuple(PROBLEMS),
}


def completions(items: pl.DataFrame, view: Mapping[str, Any]) -> pl.Series:
    """The answer to every item: to a clean one the answer alone, whatever the behaviour.

    Args:
        items: with `problem`, `planted`, `names` and `beside`.
        view: `behaviour`, one of `problems.BEHAVIOURS`.
    """
    named = NAMED[view["behaviour"]]
    return pl.Series(
        [_completion(row, named) for row in items.iter_rows(named=True)], dtype=pl.String
    )


def _completion(row: Mapping[str, Any], named: tuple[str, ...]) -> str:
    if not row["planted"] or row["problem"] not in named:
        return ANSWER
    words = {key: words_of(row[key]) for key in ("names", "beside")}
    # What a contradiction contradicts need not be named; then it is the rest of the record.
    filled = {"names": words["names"][0], "beside": [*words["beside"], "rest of the record"][0]}
    return f"{_SENTENCES[row['problem']].format(**filled)} {ANSWER}"
