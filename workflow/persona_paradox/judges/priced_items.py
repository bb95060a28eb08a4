"""The items whose answers a judge reads, as far as they can be known before a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..data.items import read_items
from ..files import sources_of
from ..kinds import base
from ..names import CRITERIA
from ..study.conditions import base_of
from ..study.study import Study
from .criteria import listed


@dataclass(frozen=True)
class Asked:
    """The items of a task whose answers judges read.

    Attributes:
        n: their number.
        question: mean number of characters of their cases.
        criteria: mean number of criteria, and of characters of one.
    """

    n: int
    question: float
    criteria: tuple[float, float] = (0.0, 0.0)


def asked(task: str, study: Study, root: Path, resources: Path) -> Asked | None:
    """The items of a task, where they can be known."""
    dataset = base_of(study.asked_tasks[task]["dataset"])
    items = _items(dataset, study, root, resources)
    if items is None:
        return None
    shown = items.filter(items["excluded"].is_null())
    limits = (shown.height, study.limit_of(task), study.settings["judge_sample"])
    n = min(number for number in limits if number is not None)
    criteria = (0.0, 0.0)
    if CRITERIA in shown.columns:
        each = listed(shown)
        criteria = (each.height / shown.height, _mean_length(each["criterion"]))
    return Asked(n, _mean_length(shown["case"]), criteria)


def _mean_length(texts: pl.Series) -> float:
    """Mean number of characters of a series of texts."""
    lengths = texts.str.len_chars()
    return float(lengths.sum() / len(lengths))


def _items(dataset: str, study: Study, root: Path, resources: Path) -> pl.DataFrame | None:
    """The items of a data set, prepared or bundled; None where there are none yet."""
    path = resources / f"{dataset}.parquet"
    if path.is_file():
        return pl.read_parquet(path)
    spec = study.datasets.get(dataset)
    if spec is None or any(source["kind"] != "bundled" for source in sources_of(spec)):
        return None
    kind = study.kind_of(dataset)
    own = base.load(kind, "items").columns if base.has(kind, "items") else None
    view = {**spec, **base.spec(kind).reading(spec)}
    paths = [root / source["path"] for source in sources_of(spec)]
    return read_items(paths, view, f"config/datasets/{dataset}.yaml", own)[0]
