"""The table of arms of one attribute, from the scores of a task and its arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..data.changes import has_already
from ..measures.answers import Scored, by_wording, number
from ..measures.arms import PairMeasures
from ..measures.cells import Kind
from ..measures.resampling import Draws, Resampled
from .arms import DIFFERENCES, Edit, Mask, Statistic, measured

SCHEMA = {
    **dict.fromkeys(("model", "task", "context", "dataset", "persona", "backend"), pl.String),
    **dict.fromkeys(("attribute", "cue", "other_cue", "class", "metric", "measure"), pl.String),
    **dict.fromkeys(("n_arms", "n", "n_left_out"), pl.Int64),
    **dict.fromkeys(("n_invalid", "n_refused", "n_unreadable"), pl.Int64),
    **dict.fromkeys(("value", "low", "high", "p", "baseline_value"), pl.Float64),
    **dict.fromkeys(("difference", "difference_low", "difference_high"), pl.Float64),
    "difference_p": pl.Float64,
}


class Persona:
    """The answers of a persona to a task and its arms, in the main wording."""

    def __init__(
        self, kind: Kind, pairs: PairMeasures, view: Mapping[str, Any], tables: Mapping[str, Any]
    ) -> None:
        """Prepare.

        Args:
            kind: of the task.
            pairs: what it measures of arms.
            view: the measures' view of the task, with `arms`: task → what it is about.
            tables: task → scores and items of it; the base's first, without items.
        """
        answers = {
            task: kind.answers(by_wording(scores)["main"], view)
            for task, (scores, _) in tables.items()
        }
        self.before: Scored = answers.pop(view["base"])
        self.outcomes = pairs.outcomes(self.before)
        self._arms = {
            task: (this, pairs.outcomes(this), *_of_arm(tables[task][1], this))
            for task, this in answers.items()
        }
        self._pairs, self._view = pairs, view

    def measured(self, outcome: str, draws: Draws) -> tuple[Resampled | None, dict[str, Mask]]:
        """Every number of an outcome, and which items the attributes share."""
        edits = [
            Edit(
                attribute=attribute_of(self._view["arms"][task]),
                cls=class_of(self._view["arms"][task]),
                cue=self._view["arms"][task].get("cue"),
                values=outcomes[outcome],
                usable=usable,
                severity=severity,
            )
            for task, (_, outcomes, usable, severity) in self._arms.items()
        ]
        worse = self._pairs.worse[outcome]
        return measured(edits, self.outcomes[outcome], draws, worse)

    def counted(self, attribute: str, items: Mask) -> dict[str, int]:
        """How many arms an attribute has, and how many of their answers have no label."""
        own = [
            this.among(items)
            for task, (this, *_) in self._arms.items()
            if attribute_of(self._view["arms"][task]) == attribute
        ]
        return {
            "n_arms": len(own),
            "n": int(items.sum()),
            "n_left_out": int((~items).sum()),
            "n_invalid": sum(one.n_invalid for one in own),
            "n_refused": sum(one.n_refused for one in own),
            "n_unreadable": sum(one.n_unreadable for one in own),
        }


def attribute_of(about: Mapping[str, str]) -> str:
    """What the arms of a group have in common."""
    return about.get("attribute", "identity")


def class_of(about: Mapping[str, str]) -> str:
    """What tells the arms of a group apart."""
    return about["class"] if "class" in about else about["identity"]


def _of_arm(items: pl.DataFrame, this: Scored) -> tuple[Mask, NDArray[np.float64]]:
    """Which items an arm can be used of, and by how much worse it makes each; in their order."""
    own = this.item_ids.to_frame().join(items, on="item_id", how="left", maintain_order="left")
    usable = (own["changed"].fill_null(value=False) | has_already(own)).to_numpy()
    severity = np.full(own.height, np.nan)
    if "severity" in own.columns:
        severity = own["severity"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return usable, severity


def rows_of(
    personas: Mapping[str, Persona], view: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The rows of one model in one task, as of `SCHEMA`, behind those that say which these are.

    Args:
        personas: id → its answers, the baseline among them.
        view: with `baseline`.
        settings: the statistics'.
    """
    baseline = personas[view["baseline"]]
    draws = Draws.of(baseline.before.clusters, settings)
    for outcome in baseline.outcomes:
        theirs, _ = baseline.measured(outcome, draws)
        for name, persona in personas.items():
            found, shared = persona.measured(outcome, draws)
            if found is None:
                continue
            counted = {one: persona.counted(one, items) for one, items in shared.items()}
            is_baseline = name == view["baseline"] or theirs is None
            difference = None if theirs is None or is_baseline else found - theirs
            for statistic in found.point:
                about = {"persona": name, "backend": persona.before.backend, "metric": outcome}
                row = about | _named(statistic) | counted[statistic.attribute]
                few = draws.clusters[shared[statistic.attribute]]
                row |= _value(statistic, found.of(few))
                if theirs is not None and difference is not None and statistic in difference.point:
                    row["baseline_value"] = number(theirs.point[statistic])
                    row |= _difference(statistic, difference.of(few))
                yield row


def _named(statistic: Statistic) -> dict[str, Any]:
    named = statistic._asdict()
    return named | {"class": named.pop("cls")}


def _value(statistic: Statistic, found: Resampled) -> dict[str, float | None]:
    low, high = found.interval(statistic)
    p = found.p_zero(statistic) if statistic.measure in DIFFERENCES else np.nan
    value = found.point[statistic]
    return {"value": number(value), "low": number(low), "high": number(high), "p": number(p)}


def _difference(statistic: Statistic, difference: Resampled) -> dict[str, float | None]:
    low, high = difference.interval(statistic)
    return {
        "difference": number(difference.point[statistic]),
        "difference_low": number(low),
        "difference_high": number(high),
        "difference_p": number(difference.p_zero(statistic)),
    }
