"""What policies are made of: the stored answers of all personas to the same items."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..data.groups import groups_of
from ..measures.answers import Scored

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# What the groups of items are called that are no subgroups; no id of one begins so.
TASK, CONTEXT = "@task", "@context"


class Labelled(Scored, Protocol):
    """The scored answers of a cell, of a kind whose answers are labels."""

    @property
    def scores(self) -> pl.DataFrame:
        """One row per item, of the greedy answer."""

    @property
    def answer(self) -> Ints:
        """Number of the label that was answered, -1 where it is invalid; shape (items,)."""


@dataclass(frozen=True)
class _Items:
    """Arrays whose first axis is the items."""

    def among(self, items: Bools) -> Self:
        """Those of some of the items, a mask of shape (items,)."""
        mine = {one.name: getattr(self, one.name) for one in fields(self)}
        return type(self)(
            **{
                name: {key: part[items] for key, part in value.items()}
                if isinstance(value, dict)
                else value[items]
                for name, value in mine.items()
            }
        )


@dataclass(frozen=True)
class Asked(_Items):
    """What is known of items and answers where nobody knows the right one.

    Attributes:
        labels: number of the label that every persona answers, -1 where it is invalid; shape
            (items, personas), the baseline first. Of levels with an order 0 is the most urgent.
        probabilities: of the labels, shape (items, personas, labels), nan where they are unknown.
        confidence: probability of the likeliest label, shape (items, personas), nan as above.
        groups: dimension → group of every item, shape (items,).
        flagged: whether the case holds a word of the list, shape (items,).
        features: numbers that a router learns from, shape (items, features).
    """

    labels: Ints
    probabilities: Floats
    confidence: Floats
    groups: dict[str, NDArray[np.str_]]
    flagged: Bools
    features: Floats


@dataclass(frozen=True)
class Outcomes(_Items):
    """What the answers are worth.

    Attributes:
        right: whether an answer is right, shape (items, personas).
        harm: 1 where it counts in the rate that is limited, else 0; nan where the item's task has
            no such rate. Shape (items, personas).
        cost: of an answer; nan where it is invalid, or its kind says of no answer what it costs.
            Shape (items, personas).
    """

    right: Bools
    harm: Floats
    cost: Floats


@dataclass(frozen=True)
class Cases:
    """Items with the answers of all personas, and what these are worth.

    Attributes:
        asked: what a policy may know of an item that it decides on.
        outcomes: what it may know of others alone.
        invalid: whether an answer cannot be read, shape (items, personas).
        clusters: cluster of every item, the same for one item in two tasks; shape (items,).
    """

    asked: Asked
    outcomes: Outcomes
    invalid: Bools
    clusters: NDArray[np.str_]

    def among(self, items: Bools) -> Self:
        """Those of some of the items, a mask of shape (items,)."""
        return type(self)(
            self.asked.among(items),
            self.outcomes.among(items),
            self.invalid[items],
            self.clusters[items],
        )


def cases_of(
    answers: Mapping[str, Sequence[Labelled]],
    tasks: Mapping[str, Mapping[str, Any]],
    items: Mapping[str, pl.DataFrame],
    limited: str,
    flags: Sequence[str],
) -> Cases:
    """The items of several tasks together.

    Args:
        answers: task → the answers of every persona, the baseline first.
        tasks: task → what the measures' view says of it: `dataset`, `context`, `subgroups`.
        items: data set → its items.
        limited: the rate that is limited; empty for none.
        flags: words that call for caution where they stand in a case.
    """
    dimensions = dict.fromkeys(
        group["id"] for about in tasks.values() for group in about.get("subgroups", [])
    )
    parts = [
        _task_cases(
            own,
            {TASK: task, **tasks[task]},
            items[tasks[task]["dataset"]],
            limited=limited,
            flags=flags,
        )
        for task, own in answers.items()
    ]
    n_labels = max(part.asked.probabilities.shape[2] for part in parts)
    where = np.repeat(np.arange(len(parts)), [len(part.clusters) for part in parts])
    # Of the first task nothing need be said where all others are told.
    of_tasks = (where[:, None] == np.arange(1, len(parts))).astype(np.float64)
    own_features = np.concatenate([part.asked.features for part in parts])

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part.asked, name) for part in parts])

    asked = Asked(
        labels=joined("labels"),
        probabilities=np.concatenate([_wide(part.asked.probabilities, n_labels) for part in parts]),
        confidence=joined("confidence"),
        groups={
            name: np.concatenate(
                [
                    part.asked.groups.get(name, np.full(len(part.clusters), "not recorded"))
                    for part in parts
                ]
            )
            for name in (TASK, CONTEXT, *dimensions)
        },
        flagged=joined("flagged"),
        features=np.hstack([of_tasks, own_features]),
    )
    outcomes = Outcomes(
        right=np.concatenate([part.outcomes.right for part in parts]),
        harm=np.concatenate([part.outcomes.harm for part in parts]),
        cost=np.concatenate([part.outcomes.cost for part in parts]),
    )
    invalid = np.concatenate([part.invalid for part in parts])
    return Cases(asked, outcomes, invalid, np.concatenate([part.clusters for part in parts]))


def _task_cases(
    answers: Sequence[Labelled],
    about: Mapping[str, Any],
    items: pl.DataFrame,
    *,
    limited: str,
    flags: Sequence[str],
) -> Cases:
    """The items of one task; features: length of the case, the baseline's entropy and margin."""
    baseline = answers[0]
    order = pl.DataFrame({"item_id": baseline.item_ids})
    asked_items = order.join(items, on="item_id", how="left", maintain_order="left")
    n = baseline.n
    groups = {TASK: np.full(n, about[TASK]), CONTEXT: np.full(n, about["context"])} | {
        group["id"]: groups_of(asked_items, group).to_numpy().astype(np.str_)
        for group in about.get("subgroups", [])
    }
    tables = [cell.scores for cell in answers]
    words = asked_items["case"].str.split(" ").list.len().cast(pl.Float64).log1p()
    features = [words.to_numpy(), *(_numbers(tables[0][name]) for name in ("entropy", "margin"))]
    nothing = np.full(n, np.nan)
    asked = Asked(
        labels=np.column_stack([cell.answer for cell in answers]),
        probabilities=_probabilities(tables),
        confidence=np.column_stack([_numbers(table["confidence"]) for table in tables]),
        groups=groups,
        flagged=np.array([holds(text, flags) for text in asked_items["case"]], dtype=np.bool_),
        features=np.column_stack(features),
    )
    outcomes = Outcomes(
        right=np.column_stack([cell.hits["accuracy"] for cell in answers]),
        harm=np.column_stack(
            [
                cell.hits[limited].astype(np.float64) if limited in cell.hits else nothing
                for cell in answers
            ]
        ),
        cost=np.column_stack([getattr(cell, "costs", nothing) for cell in answers]),
    )
    invalid = np.column_stack([cell.hits["invalid_rate"] for cell in answers])
    # Two tasks may ask the same items, which are then in one fold.
    clusters = np.array([f"{about['dataset']} {one}" for one in baseline.clusters])
    return Cases(asked, outcomes, invalid, clusters)


def holds(text: str, flags: Sequence[str]) -> bool:
    """Whether one of the words stands in a text: whole words, in any case, over any blanks."""
    forms = [r"\s+".join(map(re.escape, flag.split())) for flag in flags]
    return (
        bool(forms)
        and re.search(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)", text, re.IGNORECASE) is not None
    )


def _numbers(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _probabilities(tables: Sequence[pl.DataFrame]) -> Floats:
    """Of the labels, by item, persona and label."""
    rows = [table["label_probabilities"].to_list() for table in tables]
    most = max((len(one) for own in rows for one in own if one is not None), default=0)
    found = np.full((len(rows[0]), len(rows), most), np.nan)
    for persona, own in enumerate(rows):
        for item, one in enumerate(own):
            if one is not None:
                found[item, persona, : len(one)] = one
                found[item, persona, len(one) :] = 0.0
    return found


def _wide(probabilities: Floats, n_labels: int) -> Floats:
    """With labels that no answer to these items can have."""
    lacking = n_labels - probabilities.shape[2]
    # Of no labels at all nothing is known either.
    unknown = np.isnan(probabilities).all(axis=2, keepdims=True)
    more = np.where(unknown, np.nan, 0.0) * np.ones(lacking)
    return np.concatenate([probabilities, more], axis=2)
