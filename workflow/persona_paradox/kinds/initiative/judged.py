"""What follows from what a judge says of answers to cases with a planted problem or without one.

The judge does not know whether a problem is planted. What it calls naming one is taken for the
planted problem where there is one, and for one that is not there where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...measures.combined import Combined
from . import judged_metrics
from .measures import f1_of
from .problems import CLASSES, NAMES, PROBLEMS, RAISES
from .ruled import DIMENSION

Floats = NDArray[np.float64]
Masks = dict[str, NDArray[np.bool_]]
Modes = Mapping[str, NDArray[np.int64]]

METRICS = judged_metrics.METRICS


def judged(
    modes: Modes, items: pl.DataFrame, view: Mapping[str, Any]
) -> tuple[Masks, dict[str, Floats]]:
    """Proactivity and over-intervention.

    Args:
        modes: dimension → number of the class of every answer, 0 where it is unjudged, (items,).
        items: the cases in the same order: `planted`.
        view: `classes` (dimension → classes of the judge).

    Returns:
        No shares of all answers, and what is about some: name → shape (items,), nan where an item
        is not in it. Nothing of a judge that has no such dimension.
    """
    if not _has(view):
        return {}, {}
    planted, called, known = _called(modes, items, view)
    return {}, {
        "proactivity": np.where(planted & known, called, np.nan),
        "over_intervention": np.where(~planted & known, called, np.nan),
    }


def combined(modes: Modes, items: pl.DataFrame, view: Mapping[str, Any]) -> dict[str, Combined]:
    """Macro F1 over planted and clean, of the judged items; as for `judged`."""
    if not _has(view):
        return {}
    planted, called, known = _called(modes, items, view)
    whole = f1_of(planted.astype(np.int64), called)
    parts = np.where(known[:, None], whole.parts, np.nan)
    return {"initiative_f1": Combined(parts, whole.formula)}


def groups(items: pl.DataFrame, view: Mapping[str, Any]) -> Masks:
    """The items of every type of problem: name → mask."""
    return {name: (items["problem"] == name).to_numpy() for name in PROBLEMS}


def _has(view: Mapping[str, Any]) -> bool:
    return {*CLASSES} <= {*view["classes"].get(DIMENSION, ())}


def _called(
    modes: Modes, items: pl.DataFrame, view: Mapping[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Whether items are planted, whether the judge's class calls them so, and which are judged."""
    classes, mode = view["classes"][DIMENSION], modes[DIMENSION]
    planted = items["planted"].to_numpy()
    named, raised = (mode == classes.index(one) + 1 for one in (NAMES, RAISES))
    called = np.where(planted, named, named | raised).astype(np.int64)
    return planted, called, np.asarray(mode > 0)
