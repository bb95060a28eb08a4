"""Tables as figures read them: rows by model, task, persona and wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..names import RATED

SAME_ITEMS = "same_items"  # a rater's wording: the items that the models answered, not all


Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Cells:
    """A table by model, task, persona and wording, and the study's order of each.

    The order is the table's: the settings are JSON with sorted keys.
    """

    rows: dict[Key, dict[str, Any]]
    models: list[str]
    tasks: list[str]
    personas: list[str]
    paraphrases: list[str]

    def main(self, task: str) -> list[dict[str, Any]]:
        """Rows of the main wording of a task."""
        found = [self.get(m, task, p) for m in self.models for p in self.personas]
        return [row for row in found if row is not None]

    def get(
        self, model: str, task: str, persona: str, variant: str = "main"
    ) -> dict[str, Any] | None:
        """The row of a cell, or None."""
        return self.rows.get((model, task, persona, variant))

    def raters(self, task: str) -> list[dict[str, Any]]:
        """One row per rater of a task: on the items of the models, where there is one."""
        places = dict.fromkeys(key[:3] for key in self.rows if key[0] in RATED and key[1] == task)
        found = [self.get(*place, SAME_ITEMS) or self.get(*place) for place in places]
        return [row for row in found if row is not None]


def of_tasks(table: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a table on the tasks in the settings of a figure."""
    if "task" not in table.columns:
        return table
    return table.filter(pl.col("task").is_in(list(settings["tasks"])))


def read_cells(table: pl.DataFrame) -> Cells:
    """Arrange a table of cells."""
    rows: dict[Key, dict[str, Any]] = {}
    for row in table.iter_rows(named=True):
        rows[row["model"], row["task"], row["persona"], row["variant"]] = row
    keys = [key for key in rows if key[0] not in RATED]
    return Cells(
        rows=rows,
        models=list(dict.fromkeys(key[0] for key in keys)),
        tasks=list(dict.fromkeys(key[1] for key in rows)),
        personas=list(dict.fromkeys(key[2] for key in keys)),
        paraphrases=sorted({key[3] for key in keys} - {"main"}, key=lambda name: (len(name), name)),
    )


# Value and interval of a contrast, in the order that `wording` takes.
DIFFERENCE = ("difference", "low", "high")


def accuracy_contrasts(tables: Mapping[str, pl.DataFrame]) -> Cells:
    """The contrasts with the baseline in accuracy: of the answers, not of a confidence's label."""
    of_answers = (pl.col("metric") == "accuracy") & pl.col("confidence").is_null()
    against_baseline = pl.col("against") == "persona"
    return read_cells(tables["contrasts"].filter(of_answers, against_baseline))


def accuracy_robustness(
    tables: Mapping[str, pl.DataFrame],
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The row of robustness in accuracy of every model, task and persona that has one."""
    rows = tables["robustness"].filter(pl.col("metric") == "accuracy").iter_rows(named=True)
    return {(row["model"], row["task"], row["persona"]): row for row in rows}


def all_invalid(row: Mapping[str, Any]) -> bool:
    """Whether no answer of a cell could be read as a label."""
    return bool(row["n"]) and row["n_invalid"] == row["n"]
