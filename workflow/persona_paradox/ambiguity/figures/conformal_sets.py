"""Sizes of conformal sets by persona, and how often they hold the right label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .. import drawing
from ..sets import ALL

# What a score is called.
SCORES = {
    "lac": "largest probabilities (lac)",
    "aps": "adaptive (aps)",
    "ordinal": "without gaps (ordinal)",
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per point; see `drawing.row`. The line of the coverage is what is declared."""
    found = []
    for (_, _, score), part in tables["conformal"].group_by(
        "model", "task", "score", maintain_order=True
    ):
        whole = part.filter(level=ALL)
        found += [
            drawing.row(
                row,
                settings,
                panel=f"labels in a set, {SCORES[str(score)]}",
                what="all items",
                name="size",
            )
            for row in whole.iter_rows(named=True)
        ]
        for row in part.iter_rows(named=True):
            level = row["level"]
            point = drawing.row(
                row,
                settings,
                panel=f"coverage in percent, {SCORES[str(score)]}",
                what="all items" if level == ALL else level,
                name="coverage",
                hollow=level != ALL,
                line=100 * row["declared"],
                share=True,
            )
            if level != ALL:
                # Beside the point of all items there is room for a point, and no more.
                point |= {"low": None, "high": None, "said": ""}
            found.append(point)
    return drawing.table(found)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words."""
    return drawing.spec(settings, _about(settings))


def _about(settings: Mapping[str, Any]) -> str:
    tasks = settings["conformal"]
    return (
        "Conformal sets of labels: mean number of labels in a set, and how often the right one is "
        "among them (filled: all items; hollow: those of a single reference level), with what is "
        "declared as a line. Over all items the coverage is near that by construction; for single "
        "levels nothing promises it. Each item's threshold is from the other folds. "
        f"{drawing.notes(settings, tasks)}"
    )
