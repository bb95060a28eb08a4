"""What a model is trained to answer: the label of the reference level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl


def completions(items: pl.DataFrame, view: Mapping[str, Any]) -> pl.Series:
    """The right answer to every item, as the task calls it.

    Args:
        items: with `reference`.
        view: `labels`, each with its `label` and `level`.
    """
    label_of = {one["level"]: one["label"] for one in view["labels"]}
    return items["reference"].replace_strict(label_of, default=None, return_dtype=pl.String)
