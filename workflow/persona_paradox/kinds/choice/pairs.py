"""An arm's answers against the same persona's to the unchanged questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..labelled import pairs as labelled
from ..labelled.measures import Chosen
from ..labelled.pairs import METRICS, OUTCOMES, Floats, at, probabilities, where
from .letters import places

__all__ = ["METRICS", "OUTCOMES", "outcomes", "pairs"]


def pairs(
    this: Chosen, before: Chosen, items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, Floats]:
    """What an arm does to every question.

    The probability of being right is that of all right options together, and a set of options
    adopts the named one where it holds it.

    Args:
        this: the answers to the questions of the arm.
        before: those to the unchanged questions.
        items: see `labelled.pairs.pairs`.
        view: the measures' view of the task.
    """
    found = labelled.pairs(this, before, items, view)
    changed = items["changed"].fill_null(value=False).to_numpy()
    found["p_right_change"] = where(changed, _p_right(this) - _p_right(before))
    if "named" in items.columns and view["select"] == "all":
        named = items["named"].fill_null(-1).to_numpy()
        names = changed & (named >= 0)
        taken, was = _holds(this.answer, named), _holds(before.answer, named)
        found["adopted"] = where(names & ~was, taken)
        found["adopted_of_right"] = where(names & ~was & before.hits["accuracy"], taken)
        found["named_rate"] = where(names, taken)
    return found


def outcomes(this: Chosen) -> dict[str, Floats]:
    """The values of `OUTCOMES`, each of shape (items,), nan where an item has none."""
    return labelled.outcomes(this) | {"p_right": _p_right(this)}


def _p_right(this: Chosen) -> Floats:
    """The probability of all right options of every item together, shape (items,)."""
    p = probabilities(this)
    listed = [places(letters) for letters in this.scores["reference"]]
    total = np.zeros(len(p))
    for number in range(max(map(len, listed))):
        place = np.array([one[number] if number < len(one) else -1 for one in listed])
        total = total + np.where(place < 0, 0.0, at(p, place))
    return total


def _holds(answer: NDArray[np.int64], named: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a set holds an option, shape (items,); an invalid answer holds none."""
    inside = (answer >= 0) & (named >= 0)
    holds: NDArray[np.bool_] = ((answer >> np.where(inside, named, 0)) & 1) == 1
    return inside & holds
