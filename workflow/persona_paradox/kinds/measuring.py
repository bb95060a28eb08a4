"""What the kinds of tasks bring to the measures."""

from __future__ import annotations

from ..measures.cells import Kind
from . import base


def load(kind: str) -> Kind:
    """What a folder of a kind brings."""
    metrics = base.load(kind, "metrics")
    return Kind(
        id=kind,
        labels=base.traits(kind).labels,
        metrics=metrics.METRICS,
        counts=getattr(metrics, "COUNTS", ()),
        answers=base.load(kind, "measures").answers,
        tables={name: base.load(kind, f"tables.{name}") for name in base.tables(kind)},
    )
