"""The items of a task, as far as they can be known before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..data.criteria import each_criterion
from ..data.items import read_items
from ..files import sources_of
from ..kinds import base
from ..names import CRITERIA
from ..study.conditions import base_of
from ..study.study import Study
from ..study.views import reading_view


@dataclass(frozen=True)
class Asked:
    """The items of a task that a model is asked about, or whose answers judges read.

    Attributes:
        n: their number.
        question: mean number of characters of their cases.
        criteria: mean number of criteria, and of characters of one.
    """

    n: int
    question: float
    criteria: tuple[float, float] = (0.0, 0.0)


def asked(
    task: str, study: Study, root: Path, resources: Path, *, judged: bool = True
) -> Asked | None:
    """The items of a task, where they can be known; those that judges read, or all."""
    dataset = base_of(study.asked_tasks[task]["dataset"])
    items = _items(dataset, study, root, resources)
    if items is None:
        return None
    shown = items.filter(items["excluded"].is_null())
    limits = (
        *(shown.height, study.limit_of(task)),
        study.settings["judge_sample"] if judged else None,
    )
    n = min(number for number in limits if number is not None)
    criteria = (0.0, 0.0)
    if CRITERIA in shown.columns:
        each = each_criterion(shown)
        criteria = (each.height / shown.height, _mean_length(each["criterion"]))
    length = _mean_length(shown["case"])
    for name, kind in shown.schema.items():
        # Options of a question, and turns of a conversation, are shown beside the case.
        if kind == pl.List(pl.String):
            length += _mean_length(shown[name].list.join("    "))
    return Asked(n, length, criteria)


def _mean_length(texts: pl.Series) -> float:
    """Mean number of characters of a series of texts."""
    lengths = texts.str.len_chars()
    return float(lengths.sum() / len(lengths))


def _items(dataset: str, study: Study, root: Path, resources: Path) -> pl.DataFrame | None:
    """The items of a data set, prepared or in a file of this disk; None where there are none."""
    path = resources / f"{dataset}.parquet"
    if path.is_file():
        return pl.read_parquet(path)
    spec = study.datasets.get(dataset)
    if spec is None or not all(map(_is_here, sources_of(spec))):
        return None
    kind = study.kind_of(dataset)
    own = base.load(kind, "items") if base.has(kind, "items") else None
    made = (getattr(own, "columns", None), getattr(own, "rows", None))
    view = reading_view(dataset, spec, study)
    places = [
        source["path"].replace("{data_dir}", study.data_dir or "") for source in sources_of(spec)
    ]
    paths = [root / place for place in places]
    if not all(path.is_file() for path in paths):
        return None
    return read_items(paths, view, f"config/datasets/{dataset}.yaml", *made)[0]


def _is_here(source: Mapping[str, Any]) -> bool:
    """Whether a source is a whole file of this disk."""
    return source["kind"] in ("bundled", "path") and source.get("member") is None
