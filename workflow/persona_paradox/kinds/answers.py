"""What the answers of a task are, for whoever shows them: the report asks here, and no kind.

A kind says it in its `cells.py`:

- `describe(task, dataset)`: the `AnswerSpec` of a task, from its file and that of its data set.
- `columns(scores, ids, spec)`: what the list of cases needs of a wording, where that is more than
  the function of this name here gives. Answers without labels that are told apart nevertheless have
  a number in `said`.

A kind without this file is described here, by its traits. Lists are in the order of the items;
labels, outcomes and strata are numbers, the places of these in the lists of the spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from .. import names
from .base import Spec

# Probabilities are rounded to 1 / `PARTS`.
PARTS = 1000
# Shades of ordered labels, from dark to light.
SHADES = 5

# In the place of a label: an answer that none can be read from, and no answer at all.
INVALID, NONE = -1, None

Json = dict[str, Any]


@dataclass(frozen=True)
class Label:
    """A label that an answer may be.

    Attributes:
        id: what the items' column `reference` calls it.
        title: what a reader calls it.
        mark: what the model writes.
        shade: 0 (dark) to `SHADES` (light) where labels have an order, else None.
        note: what else a reader should know of it.
    """

    id: str
    title: str
    mark: str
    shade: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What has become of an answer.

    Attributes:
        id: its name in links.
        title: what a reader calls it.
        sign: what stands behind a label, readable without colour.
        within: id of the outcome that it is a part of.
        metric: of the tables, whose share counts these answers.
    """

    id: str
    title: str
    sign: str = ""
    within: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Stratum:
    """A group of items.

    Attributes:
        id: what the items' column calls it.
        title: what a reader calls it.
        within: id of the stratum that it is a part of.
    """

    id: str
    title: str
    within: str | None = None


@dataclass(frozen=True)
class Grave:
    """The worst that an answer can do, which has a filter of its own.

    Attributes:
        title: of the filter.
        definition: which cases it finds.
        answers: ids of outcomes, or of actions in a judge's view.
        cases: ids of reference labels or strata.
    """

    title: str
    definition: str
    answers: Sequence[str]
    cases: Sequence[str]


@dataclass(frozen=True)
class AnswerSpec:
    """What the answers of a task are.

    Attributes:
        labels: that an answer may be, in their order; none of free text.
        ordered: whether their order means something.
        reference: whether items have a right answer.
        outcomes: of an answer, those that are parts of others after these.
        stratum: title of the strata.
        strata: of the items, where they are others than the right answers.
        column: of the items, in which the strata stand.
        also: further strata, in the order of the numbers in `also_column`.
        also_column: of the items, from 0.
        facts: further columns of the items that an opened case shows, with their titles.
        grave: the worst that an answer can do.
    """

    labels: Sequence[Label] = ()
    ordered: bool = False
    reference: bool = False
    outcomes: Sequence[Outcome] = ()
    stratum: str = ""
    strata: Sequence[Stratum] = ()
    column: str = ""
    also: Sequence[Stratum] = ()
    also_column: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    grave: Grave | None = None


RIGHT = Outcome(names.RIGHT, "right", "✓", metric="accuracy")
WRONG = Outcome(names.WRONG, "wrong", "✗")
_INVALID = "invalid"
# Without a label that could be right or wrong; it counts as wrong.
UNREAD = (
    Outcome(_INVALID, "invalid", metric="invalid_rate"),
    Outcome(names.REFUSED, "refused", "⊘", within=_INVALID, metric="refused_rate"),
    Outcome(names.UNREADABLE, "unreadable", "?", within=_INVALID, metric="unreadable_rate"),
)


def describe(
    task: Mapping[str, Any], dataset: Mapping[str, Any], spec: Spec, scored: bool
) -> AnswerSpec:
    """The answers of a kind that says nothing of its own.

    Args:
        task: its file; of labels `labels`, one for every class.
        dataset: that of its data set; of labels `classes`.
        spec: of its kind.
        scored: whether its answers have scores.
    """
    traits = spec.TRAITS
    labels: list[Label] = []
    if traits.labels:
        mark_of = {entry["class"]: entry["label"] for entry in task["labels"]}
        classes = dataset["classes"]
        labels = [Label(each["id"], each["title"], mark_of[each["id"]]) for each in classes]
    apart = traits.stratum != "reference"
    strata = spec.strata(dataset) if apart else {}
    judged = (RIGHT, WRONG) if traits.reference else ()
    return AnswerSpec(
        labels=shaded(labels) if traits.ordered else labels,
        ordered=traits.ordered,
        reference=traits.reference,
        outcomes=(*judged, *UNREAD) if scored else (),
        stratum=traits.stratum.replace("_", " ").capitalize() if apart else "",
        strata=[Stratum(id_, title) for id_, title in strata.items()],
        column=traits.stratum if apart else "",
    )


def shaded(labels: Sequence[Label]) -> list[Label]:
    """Labels that have an order, with their shades."""
    last = max(1, len(labels) - 1)
    return [replace(each, shade=round(SHADES * i / last)) for i, each in enumerate(labels)]


def items(rows: pl.DataFrame, spec: AnswerSpec) -> Json:
    """What is known of the items beside their text.

    Args:
        rows: the items that a task asks about, in order.
        spec: of the task.
    """
    found: Json = {"facts": {column: rows[column].to_list() for column in spec.facts}}
    if spec.reference:
        found["reference"] = places(rows["reference"], [label.id for label in spec.labels])
    if spec.strata:
        found["stratum"] = places(rows[spec.column], [stratum.id for stratum in spec.strata])
    if spec.also:
        found["also"] = rows[spec.also_column].to_list()
    return found


def columns(scores: pl.DataFrame, ids: pl.DataFrame, spec: AnswerSpec) -> Json:
    """What the list of cases needs of the scores of one wording.

    Args:
        scores: its greedy rows.
        ids: the items, in order: column `item_id`.
        spec: of the task.

    Returns:
        `outcome`, a number; and where there are labels `label`, `top` (the likeliest one),
        `status` and `confidence` (in 1 / `PARTS`).
    """
    rows = aligned(scores, ids)
    found: Json = {}
    if spec.outcomes:
        found["outcome"] = places(rows["outcome"], [outcome.id for outcome in spec.outcomes])
    if spec.labels:
        found |= {
            "label": labels_of(rows, "label", spec),
            "top": labels_of(rows, "label_logprob_argmax", spec),
            "status": rows["parse_status"].to_list(),
            "confidence": parts(rows["confidence"]),
        }
    return found


def labels_of(rows: pl.DataFrame, column: str, spec: AnswerSpec) -> list[int | None]:
    """Labels of a column: `INVALID` where an answer has none, `NONE` without a row."""
    place = {label.mark: number for number, label in enumerate(spec.labels)}
    return [
        NONE if status is None else place.get(label, INVALID)
        for label, status in rows.select(column, "parse_status").iter_rows()
    ]


def aligned(table: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table for these items, in their order; nulls where there is none."""
    return ids.join(table, on="item_id", how="left", maintain_order="left")


def parts(values: pl.Series, scale: int = PARTS) -> list[int | None]:
    """Numbers as whole multiples of 1 / `scale`."""
    return (values * scale).round().cast(pl.Int64).to_list()


def places(values: pl.Series, among: Sequence[str]) -> list[int | None]:
    """The places of values in a list; None of what is not in it."""
    place = {name: number for number, name in enumerate(among)}
    return [place.get(value) for value in values]
