"""What a number is that is measured of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A number that is measured of a cell.

    Attributes:
        id: its name in tables.
        title: what figures call it.
        unit: of the value.
        better: which values are better; None where neither are.
        contrast: how two cells are compared: `paired` shares by McNemar's test, `resampled`
            values by the bootstrap, `none` not at all.
        definition: in Markdown.
        own: whether the definition is this project's own.
        source: who defined it.
    """

    id: str
    title: str
    unit: Literal["share", "points", "levels", "nats", "score", "count"]
    better: Literal["high", "low"] | None
    contrast: Literal["paired", "resampled", "none"]
    definition: str
    own: bool = False
    source: str = ""
