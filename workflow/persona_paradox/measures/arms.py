"""An arm of a task, and the answers to the unchanged items that it is compared with.

What is measured of an arm's answers against the same persona's to the unchanged items, item by item
(`pairs.py` of a kind), are measures of the arm's cell like any other: the draws are those of the
cell, so that they can be compared between personas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .answers import Scored, by_wording
from .metric import Metric
from .resampling import Draws, Resampled

# From an arm's answers, those to the unchanged items, the items and the view: measure → values of
# the items, shape (items,), nan where an item has none.
Pairs = Callable[[Any, Any, pl.DataFrame, Mapping[str, Any]], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Arm:
    """What an arm of a task is compared with.

    Attributes:
        scores: persona → its scores of the task on the unchanged items.
        items: the arm's, with `item_id`, `changed` (whether the arm could change it) and what its
            rule says of an item besides.
    """

    scores: Mapping[str, pl.DataFrame]
    items: pl.DataFrame


@dataclass(frozen=True)
class PairMeasures:
    """What a kind measures of an arm's answers against those to the unchanged items.

    Attributes:
        metrics: its measures.
        values: gives their values.
        worse: outcomes in which arms of one attribute are put beside each other, each with 1 or -1
            where a worse state raises or lowers it, else 0.
        outcomes: gives the values of answers in these, of shape (items,), nan where there is none.
    """

    metrics: Sequence[Metric]
    values: Pairs
    worse: Mapping[str, int]
    outcomes: Callable[[Any], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Side:
    """Answers with their measures."""

    answers: Scored
    drawn: Resampled


class Unchanged:
    """The answers to the unchanged items of an arm.

    Attributes:
        n_unchanged: number of items that the arm could not change.
        baseline: the baseline's answers in the main wording at the items that it changed.
        effect: what the arm does to their measures.
    """

    def __init__(
        self,
        arm: Arm,
        *,
        answers: Callable[..., Scored],
        pairs: PairMeasures | None,
        view: Mapping[str, Any],
        baseline: Scored,
        draws: Draws,
    ) -> None:
        """Prepare.

        Args:
            arm: what the task is compared with.
            answers: prepares the scores of one wording.
            pairs: what the kind measures of pairs of answers, if it does.
            view: the measures' view of the task.
            baseline: the baseline's answers to the arm's items, in the main wording.
            draws: of these items.
        """
        asked = baseline.item_ids.to_frame()
        self._items = asked.join(arm.items, on="item_id", how="left", maintain_order="left")
        self._changed = self._items["changed"].fill_null(value=False).to_numpy()
        self._draws = draws.among(self._changed)
        self._answers, self._pairs, self._view = answers, pairs, view
        self._wordings = {name: by_wording(rows) for name, rows in arm.scores.items()}
        self.n_unchanged = int((~self._changed).sum())
        before = self.before(view["baseline"], "main", baseline)
        if before is None:
            raise ValueError("the baseline has no main wording on the unchanged items")
        mine, theirs = self.compared(baseline, before)
        self.baseline, self.effect = mine.answers, mine.drawn - theirs.drawn

    def before(self, persona: str, variant: str, this: Scored) -> Scored | None:
        """The same persona's answers in the same wording; None where there are none.

        Raises:
            ValueError: they are to other items.
        """
        if variant not in self._wordings.get(persona, {}):
            return None
        before = self._answers(self._wordings[persona][variant], self._view)
        if not before.item_ids.equals(this.item_ids):
            raise ValueError("an arm needs the same items as its task")
        return before

    def beside(self, this: Scored, before: Scored | None) -> Scored:
        """The arm's answers, with what is measured of them against those before."""
        if before is None or self._pairs is None:
            return this
        return this.with_pairs(self._pairs.values(this, before, self._items, self._view))

    def compared(self, this: Scored, before: Scored) -> tuple[Side, Side]:
        """Both at the items that the arm changed."""
        sides = this.among(self._changed), before.among(self._changed)
        mine, theirs = (Side(one, self._draws.measure(one.points)) for one in sides)
        return mine, theirs
