"""What the kinds of tasks bring to the measures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import read_table
from ..measures.answers import by_wording
from ..measures.arms import PairMeasures
from ..measures.cells import Kind
from . import base


def load(kind: str) -> Kind:
    """What a folder of a kind brings."""
    module = base.load(kind, "measures")
    own = base.load(kind, "pairs") if base.has(kind, "pairs") else None
    pairs = None
    if own is not None:
        pairs = PairMeasures(own.METRICS, own.pairs, own.OUTCOMES, own.outcomes)
    return Kind(
        id=kind,
        labels=base.traits(kind).labels,
        metrics=module.METRICS,
        counts=getattr(module, "COUNTS", ()),
        answers=module.answers,
        tables={name: base.load(kind, f"tables.{name}") for name in base.tables(kind)},
        pairs=pairs,
    )


def answers_of(folder: Path, about: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of all personas to a task, in their main wordings.

    Args:
        folder: of the scores of a model in the task, a Parquet file per persona.
        about: what the measures' view says of the task.
        view: `personas`, the baseline first, and `label_mass_warning_below`.
    """
    below = "label_mass_warning_below"
    prepare = base.load(about["kind"], "measures").answers
    tables = {persona: read_table(folder / f"{persona}.parquet") for persona in view["personas"]}
    own = {**about, below: view[below]}
    return {id_: prepare(by_wording(table)["main"], own) for id_, table in tables.items()}
