"""What the rule says of answers, in the classes of a judge, so that both can be held together."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from .problems import CLASSES

# The dimension of a judge whose classes are those of the rule.
DIMENSION = "initiative"


def modes(scores: pl.DataFrame, classes: Sequence[str]) -> pl.Series:
    """The number of the class of every answer, 1 on; null where the rule says something else.

    Args:
        scores: rows of the scores.
        classes: of the judge's dimension, in the order of its digits.
    """
    number = {one: place for place, one in enumerate(classes, start=1) if one in CLASSES}
    return scores["outcome"].replace_strict(number, default=None, return_dtype=pl.Int64)
