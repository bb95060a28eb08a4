"""From the tables of every model and task to those of a study.

What is said of a study as a whole is added here: p values that are adjusted over all of its tests,
and verdicts, which need these. All else is put one behind the other, lazily: a large study does not
fit into memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from . import contrasts, robustness
from .cells import ABOUT, PLACE, SCHEMAS, WIDE, Kind

FAMILY = {"in_family": pl.Boolean, "p_holm": pl.Float64}
ROBUSTNESS = PLACE | ABOUT | robustness.ROBUSTNESS


def schemas(kinds: Sequence[Kind]) -> dict[str, dict[str, Any]]:
    """Columns of all tables of a study with tasks of these kinds.

    The cells have the columns of all of them; a table of a kind's own has what it says.
    """
    found = {name: dict(schema) for name, schema in SCHEMAS.items()}
    found["contrasts"] |= FAMILY
    found["robustness"] = ROBUSTNESS
    found["cells"] = dict(WIDE)
    for kind in kinds:
        for name, schema in kind.schemas.items():
            if name not in SCHEMAS:
                found[name] = found.get(name, {}) | schema
    return found


def with_family(table: pl.LazyFrame, settings: Mapping[str, Any], view: Any) -> pl.LazyFrame:
    """The contrasts of a study, with `in_family` and `p_holm`."""
    return contrasts.with_family(table, settings["family"], view["groups"])


def robust(
    table: pl.LazyFrame, settings: Mapping[str, Any], view: Mapping[str, Any]
) -> pl.DataFrame:
    """Verdicts on all personas, in the metrics of the family.

    Args:
        table: the contrasts of the study, with `p_holm`.
        settings: the statistics'.
        view: the view of all cells, with the `groups` of personas.
    """
    metrics = settings["family"]["metrics"]
    of_family = table.filter(
        contrasts.full_metric().is_in(metrics) & (pl.col("against") == contrasts.PERSONA)
    ).collect()
    rows = []
    for _, part in of_family.group_by("model", "task", maintain_order=True):
        about = {key: part.item(0, key) for key in ("model", "task", *ABOUT)}
        found = robustness.robustness_rows(part, view["groups"], 1 - settings["confidence"])
        rows += [{**about, **row} for row in found]
    return pl.DataFrame(rows, schema=ROBUSTNESS)
