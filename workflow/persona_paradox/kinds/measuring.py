"""What the kinds of tasks bring to the measures."""

from __future__ import annotations

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
