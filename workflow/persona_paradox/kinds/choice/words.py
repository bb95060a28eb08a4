"""The results of questions with options in words."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...names import RATED
from ...words import (
    Section,
    Settings,
    Tables,
    heading,
    named,
    number,
    points,
    points_within,
    share_of,
)
from ..labelled import words as labelled

# Of the sampled answers to a question.
_AGAIN = {
    "accuracy_sampled": "right on average",
    "majority_of_k": "right in more than half",
    "all_of_k": "right in all",
}


def _places(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    known = _main(tables, "position_bias")
    if known.is_empty():
        yield "No answer of the study is a single option."
    for _, part in known.group_by("model", "task", maintain_order=True):
        yield from heading(settings, part)
        for row in part.filter(persona=settings["baseline"]).iter_rows(named=True):
            bias, low, high = (row[f"position_bias{end}"] for end in ("", "_low", "_high"))
            f1 = number(*(row[f"macro_f1{end}"] for end in ("", "_low", "_high")))
            yield (
                f"- Baseline: share of the answers that are the option shown first, minus share of "
                f"the items in which it is right, {points(bias)} points {points_within(low, high)} "
                f"(n = {row['n'] - row['n_invalid']} answers); macro F1 {f1}."
            )
        rising = part.sort("position_bias", maintain_order=True)
        ends = [
            f"{points(row['position_bias'])} ({named(settings, row['persona'])})"
            for row in (rising.row(0, named=True), rising.row(-1, named=True))
        ]
        yield f"- All {part.height} personas: from {ends[0]} to {ends[1]}."
        yield ""


def _again(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    known = _main(tables, "all_of_k")
    if known.is_empty():
        yield "The study has no sampled answers."
    for _, part in known.group_by("model", "task", maintain_order=True):
        yield from heading(settings, part)
        for row in part.iter_rows(named=True):
            said = "; ".join(f"{words} {share_of(row, name)}" for name, words in _AGAIN.items())
            yield (
                f"- {named(settings, row['persona'])}, {row['n_repeats']} sampled answers to each "
                f"question, of which {row['n_invalid_repeats']} in all are invalid: {said}."
            )
        yield ""


def _main(tables: Tables, metric: str) -> pl.DataFrame:
    """The cells of models in the main wording that have a measure."""
    cells = tables["cells"].filter(~pl.col("model").is_in(RATED) & (pl.col("variant") == "main"))
    return cells.filter(pl.col(metric).is_not_null()) if metric in cells.columns else cells.clear()


SECTIONS: tuple[Section, ...] = (
    *labelled.SECTIONS,
    ("Does the place of an option matter?", ("cells",), _places),
    ("Right again and again", ("cells",), _again),
)
