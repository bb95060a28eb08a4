"""What the places of the user's message are filled with: the question, and its options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ...errors import InputError
from .letters import LETTERS
from .order import seed_of, shown


def fields(items: pl.DataFrame, task: Mapping[str, Any]) -> pl.DataFrame:
    """`{options}`, beside `{case}`: a line for each, such as “A. Rest at home.”

    Args:
        items: with `options` and `order`.
        task: its view: `labels`, in the order in which they are shown, and perhaps `order_seed`.

    Raises:
        InputError: an item has more options than the task has labels, or its options bring letters
            and are moved.
    """
    lines = [_lines(row, task) for row in items.iter_rows(named=True)]
    return pl.DataFrame({"options": lines}, schema={"options": pl.String})


def null_fields(nulls: pl.DataFrame, task: Mapping[str, Any], items: pl.DataFrame) -> pl.DataFrame:
    """`{options}` of cases without content: as many as an item may have, each without content.

    Args:
        nulls: with a `case`, whose text stands for every option as well.
        task: its view: `labels`, and `most_options`, as far as the data set's file says.
        items: all that may be shown, with `options`, to which an arm may have added some.
    """
    most = max([task["most_options"], *items["options"].list.len()])
    labels = task["labels"][:most]
    lines = [_listed(labels, [case] * len(labels)) for case in nulls["case"]]
    return pl.DataFrame({"options": lines}, schema={"options": pl.String})


def _lines(row: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    options = row["options"]
    if len(options) > len(task["labels"]):
        raise InputError(
            f"item {row['item_id']} has {len(options)} options, but key `labels` of the task has "
            f"{len(task['labels'])}; give it more, or leave the key out"
        )
    order = shown(row, seed_of(task))
    if order != sorted(order) and _lettered(options):
        raise InputError(
            f"item {row['item_id']} has options that begin with letters of their own, such as "
            f"{options[0]!r}, behind which other labels would stand in an order that is not the "
            "file's; take the letters out of the file, or leave the order as it is there"
        )
    texts = [options[place] for place in order]
    return _listed(task["labels"], texts)


def _lettered(options: Sequence[str]) -> bool:
    """Whether all options bring the letters of the file's order: “A) rest”, “(B) tea”."""
    return all(
        re.match(rf"\(?{letter}[).:]", option)
        for letter, option in zip(LETTERS, options, strict=False)
    )


def _listed(labels: Sequence[str], texts: Sequence[str]) -> str:
    return "\n".join(
        f"{label}. {text}".rstrip() for label, text in zip(labels, texts, strict=False)
    )
