"""Where all that a study needs comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..files import sources_of
from .study import Study


def sources_of_study(study: Study) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every source of a study: `datasets`, `models` or `adapters`, the id, and the source."""
    for kind, specs in (
        ("datasets", study.datasets),
        ("models", study.written_models),
        ("adapters", study.adapters),
    ):
        for id_, spec in specs.items():
            # What is made of another data set has no source of its own.
            if "arm" in spec:
                continue
            for source in sources_of(spec):
                yield kind, id_, source
