"""The answers of a study as the report shows them: columns that a browser can filter and open.

Every function takes tables and gives what becomes JSON: lists in the order of the items, labels as
numbers in the order of the task's `AnswerSpec`, probabilities and confidences in thousandths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import polars as pl

from ..archive.withholding import Texts, withhold
from ..data.groups import groups_of, ordered_groups
from ..data.items import is_null_case
from ..judges.verdicts import READ
from ..kinds import answers, base
from ..kinds.answers import INVALID, PARTS, AnswerSpec, aligned, parts
from ..names import CONFIDENCES

# Ratings are rounded to 1 / `RATING_PARTS`.
RATING_PARTS = 100
# Characters of an answer that the list of cases shows, where it shows any.
START = 40

Json = dict[str, Any]


def answer_spec(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> AnswerSpec:
    """What the answers of a task are, by its file and that of its data set."""
    kind = task["kind"]
    if base.has(kind, "cells"):
        spec: AnswerSpec = base.load(kind, "cells").describe(task, dataset)
        return spec
    return answers.describe(task, dataset, base.spec(kind), base.has(kind, "scoring"))


def list_columns(kind: str, scores: pl.DataFrame, ids: pl.DataFrame, spec: AnswerSpec) -> Json:
    """What the list of cases needs of one wording, by the greedy rows of its scores."""
    own: ModuleType | None = base.load(kind, "cells") if base.has(kind, "cells") else None
    columns = getattr(own, "columns", answers.columns)
    found: Json = columns(scores, ids, spec)
    return found


def item_ids(delivered: pl.DataFrame) -> pl.DataFrame:
    """The items that a task asks about, in order: column `item_id`."""
    return delivered.filter(~is_null_case()).select("item_id").unique(maintain_order=True)


def wordings(table: pl.DataFrame) -> list[str]:
    """The wordings that a table has (`variant`), the main one first."""
    return sorted(table["variant"].unique(), key=lambda v: (v != "main", v))


def items(
    dataset: pl.DataFrame,
    ids: pl.DataFrame,
    spec: Mapping[str, Any],
    answers_: AnswerSpec,
    withheld: bool,
) -> Json:
    """The items of a task.

    Args:
        dataset: the items of its data set.
        ids: those that the task asks about.
        spec: the data set's file.
        answers_: what the answers of the task are.
        withheld: whether their texts are left out.
    """
    rows = aligned(dataset, ids)
    found: Json = {
        "id": rows["item_id"].to_list(),
        "case": None if withheld else rows["case"].to_list(),
        "groups": {},
        **answers.items(rows, answers_),
    }
    for column in answers_.facts if withheld else ():
        # A list holds texts of the case: its options.
        if isinstance(rows[column].dtype, pl.List):
            found["facts"][column] = [None] * rows.height
    for subgroup in spec.get("subgroups", []):
        groups = groups_of(rows, subgroup)
        names = ordered_groups(groups, subgroup)
        found["groups"][subgroup["id"]] = [names.index(group) for group in groups]
    return found


def changes(dataset: pl.DataFrame, base: pl.DataFrame, ids: pl.DataFrame, withheld: bool) -> Json:
    """What an arm did to the items.

    Args:
        dataset: the items of the arm, with `changed` and `change`.
        base: those that it is made of.
        ids: the items that the task asks about.
        withheld: whether their texts are left out.

    Returns:
        Whether each was changed; what a changed case was `before`, where its text is another; and
        where it is the same, what else was done (`done`).
    """
    rows = aligned(dataset, ids)
    changed = rows["changed"].to_list()
    was = aligned(base.select("item_id", "case"), ids)["case"].to_list()
    texts = zip(changed, was, rows["case"].to_list(), rows["change"].to_list(), strict=True)
    before, done = [], []
    for is_changed, old, new, what in texts:
        before.append(old if is_changed and old != new else None)
        done.append(what if is_changed and old == new else None)
    nothing = {"before": None, "done": None}
    return {"changed": changed} | (nothing if withheld else {"before": before, "done": done})


def rated(kind: str, scores: pl.DataFrame, ids: pl.DataFrame, spec: AnswerSpec) -> Json:
    """What a rater said of the items, as the list of cases needs it."""
    found = list_columns(kind, scores, ids, spec)
    return {name: found[name] for name in ("label", "outcome")}


def group_names(dataset: pl.DataFrame, ids: pl.DataFrame, spec: Mapping[str, Any]) -> Json:
    """Subgroup → title and names of its groups, which the items are numbered by."""
    rows = aligned(dataset, ids)
    return {
        subgroup["id"]: {
            "title": subgroup["title"],
            "groups": ordered_groups(groups_of(rows, subgroup), subgroup),
        }
        for subgroup in spec.get("subgroups", [])
    }


def shown_prompt(
    delivered: pl.DataFrame, ids: pl.DataFrame, cases: pl.DataFrame, user: str
) -> tuple[Json | None, list[str | None]]:
    """The prompts of one wording as the model reads them, without saying the same twice.

    Args:
        delivered: its rows: `item_id` and `text`.
        ids: the items.
        cases: `item_id` and `case`.
        user: the user's message, with `{case}`.

    Returns:
        What stands in front of the user's message and behind it, alike for all items (None where
        no two are alike); and the whole prompt of every item that is otherwise, else None.
    """
    texts = aligned(delivered, ids)["text"].to_list()
    cased = aligned(cases, ids)["case"].to_list()
    messages = [user.replace("{case}", case or "") for case in cased]
    around = None
    for text, message in zip(texts, messages, strict=True):
        if text is not None and message and message in text:
            around = tuple(text.rsplit(message, 1))
            break
    if around is None:
        return None, texts
    head, tail = around
    other = [
        None if text is None or text == head + message + tail else text
        for text, message in zip(texts, messages, strict=True)
    ]
    return {"head": head, "tail": tail}, other


def confidences(scores: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """Confidences of one wording, as exact as the edges of bins: name → by item.

    Args:
        scores: its greedy rows.
        ids: the items.
    """
    rows = aligned(scores, ids)
    return {
        name: rows[column].to_list()
        for name, column in CONFIDENCES.items()
        if rows[column].null_count() < rows.height
    }


def opened(
    responses: pl.DataFrame,
    scores: pl.DataFrame | None,
    ids: pl.DataFrame,
    spec: AnswerSpec,
) -> Json:
    """What an opened case shows of one wording.

    Args:
        responses: its rows, sampled answers among them.
        scores: the same; None of a kind that has none.
        ids: the items.
        spec: of the task.
    """
    greedy = aligned(responses.filter(pl.col("repeat") == 0), ids)
    found = {
        "text": greedy["text"].to_list(),
        "finish": greedy["finish_reason"].to_list(),
        **_thoughts(greedy),
    }
    if scores is None or not spec.labels:
        return found
    marks = [label.mark for label in spec.labels]
    read = aligned(scores.filter(pl.col("repeat") == 0), ids)
    found["probability"] = [_probabilities(p) for p in read["label_probabilities"].to_list()]
    found["mass"] = parts(read["label_mass"])
    stated = read["confidence_verbalized"]
    if stated.null_count() < len(stated):
        found["verbalized"] = parts(stated)
    sampled = scores.filter(pl.col("repeat") > 0)
    if sampled.height:
        by_item = sampled.sort("repeat").group_by("item_id", maintain_order=True).agg("label")
        drawn = aligned(by_item, ids)["label"].to_list()
        place = {mark: number for number, mark in enumerate(marks)}
        found["sampled"] = [
            None if one is None else [place.get(label, INVALID) for label in one] for one in drawn
        ]
    return found


def starts(texts: Sequence[str | None]) -> list[str | None]:
    """How answers begin, where a list has nothing else to say of them."""
    return [None if text is None else text.strip()[:START] for text in texts]


def _thoughts(greedy: pl.DataFrame) -> Json:
    """What a model thought before each answer; nothing where it did not think."""
    if greedy["thought"].null_count() == greedy.height:
        return {}
    return {
        "thought": greedy["thought"].to_list(),
        "thought_tokens": greedy["n_thought_tokens"].to_list(),
        "thought_cut": greedy["thought_cut"].to_list(),
    }


def judged_column(judgements: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """What the list of cases needs of a judge's verdicts on one wording: dimension → by item.

    Mean ratings are in 1 / `RATING_PARTS`, actions are counted from 0; null without a verdict. As
    in the tables, an answer that lacks any verdict has no action.
    """
    by_dimension = _by_dimension(judgements, ids)
    if not by_dimension:
        # A judge of criteria alone.
        return {}
    read = pl.select(
        pl.all_horizontal(rows["status"].eq_missing(READ) for rows in by_dimension.values())
    ).to_series()
    found = {}
    for dimension, rows in by_dimension.items():
        found[dimension] = (
            (rows["mode"] - 1).set(~read, None).to_list()
            if rows["value"].null_count() == rows.height
            else parts(rows["value"], RATING_PARTS)
        )
    return found


def judged_answers(judgements: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """What an opened case shows of a judge's verdicts on one wording: dimension → columns."""
    return {
        dimension: {
            # Judges may read a sample.
            "status": [None if one == READ else one or "not_read" for one in rows["status"]],
            "mode": rows["mode"].to_list(),
            "probability": [
                None if one is None else [round(p * PARTS) for p in one]
                for one in rows["probabilities"].to_list()
            ],
            "rationale": rows["rationale"].to_list(),
        }
        for dimension, rows in _by_dimension(judgements, ids).items()
    }


def ticks(criteria: pl.DataFrame, ids: pl.DataFrame) -> list[list[Json] | None]:
    """What a judge says of the criteria of every item's greedy answer, in one wording.

    Args:
        criteria: rows of `judges.criteria.CRITERION` of the wording.
        ids: the items, in order.

    Returns:
        By item its criteria, or null where the answer was not read: `criterion`, `points`,
        whether it is `met`, null without a verdict, and with which probability, in thousandths.
    """
    found: dict[str, list[Json]] = {}
    greedy = criteria.filter(pl.col("repeat") == 0).sort("item_id", "number")
    for row in greedy.iter_rows(named=True):
        tick = {key: row[key] for key in ("criterion", "points", "met")}
        p = row["p_met"]
        tick["probability"] = None if p is None else round(p * PARTS)
        found.setdefault(row["item_id"], []).append(tick)
    return [found.get(id_) for id_ in ids["item_id"]]


def preferences(table: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """A judge's preferences: `first|second` → by item 1, 0, 0.5 (a tie), or null."""
    return {
        f"{first}|{second}": aligned(rows, ids)["outcome"].to_list()
        for (first, second), rows in sorted(
            table.partition_by("first", "second", as_dict=True, maintain_order=True).items(),
            key=lambda pair: [str(name) for name in pair[0]],
        )
    }


def without_texts(table: pl.DataFrame, texts: Texts | None) -> pl.DataFrame:
    """A table with marks in the place of what may not be passed on; None where all may."""
    return table if texts is None else withhold(table, texts)


def block(columns: Json, start: int, stop: int) -> Json:
    """The items from `start` to before `stop` of nested columns."""
    return {
        key: block(value, start, stop) if isinstance(value, dict) else value[start:stop]
        for key, value in columns.items()
    }


def _by_dimension(judgements: pl.DataFrame, ids: pl.DataFrame) -> dict[str, pl.DataFrame]:
    greedy = judgements.filter(pl.col("repeat") == 0)
    split = greedy.partition_by("dimension", as_dict=True, maintain_order=True)
    return {str(key[0]): aligned(split[key], ids) for key in sorted(split)}


def _probabilities(shares: Sequence[float] | None) -> list[int] | None:
    """Probabilities of the labels in thousandths."""
    return None if shares is None else [round(PARTS * p) for p in shares]
