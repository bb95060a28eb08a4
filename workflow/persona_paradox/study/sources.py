"""Where all that a study needs comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import sources_of
from .conditions import MARK, base_of, split
from .study import Study
from .training import FOLDER, is_trained, source_of


def sources_of_study(study: Study) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every source of a study: `datasets`, `models` or `adapters`, the id, and the source."""
    adapters = {id_: {"source": source_of(study.adapters[id_])} for id_ in used_adapters(study)}
    specs: Mapping[str, Any]
    for kind, specs in (
        ("datasets", study.datasets),
        ("models", study.written_models),
        ("adapters", adapters),
    ):
        for id_, spec in specs.items():
            # What is made of another data set has no source of its own.
            if "arm" in spec:
                continue
            for source in sources_of(spec):
                yield kind, id_, source


def used_adapters(study: Study) -> list[str]:
    """Ids of the adapters of the models that answer or judge, and of those they were made by."""
    left = [split(model)[1] for model in study.all_models if MARK in model]
    found: list[str] = []
    while left:
        one = left.pop(0)
        if one not in found:
            found.append(one)
            left += sorted(study.training.before(one)) if one in study.training.adapters else []
    return found


def to_train(study: Study) -> list[str]:
    """Ids of the adapters that are still to be trained, or chosen."""
    return [
        id_
        for id_ in study.training.adapters
        if (id_ in study.settings["adapters"] or is_trained(study.adapters[id_]))
        and not Path(f"{FOLDER}/{id_}/adapter.gguf").exists()
    ]


def training_datasets(study: Study) -> list[str]:
    """Ids of the data sets of the adapters that are still to be trained, each once."""
    cells = [cell for id_ in to_train(study) for cell in study.training.cells_of(id_)]
    return [*dict.fromkeys(study.training.tasks[cell.task]["dataset"] for cell in cells)]


def training_sources(study: Study) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The data sets of these adapters, and their sources."""
    for id_ in training_datasets(study):
        for source in sources_of(study.training.datasets[id_]):
            yield base_of(id_), source
