"""The answers of a study as the report shows them: columns that a browser can filter and open.

Every function takes tables and gives what becomes JSON: lists in the order of the items, levels as
numbers from the most urgent, probabilities and confidences in thousandths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..archive.withholding import Texts, withhold
from ..data.items import is_null_case
from ..judges.chats import ACTION
from ..judges.verdicts import READ
from ..measures.tables import groups_of, ordered_groups
from ..names import CONFIDENCES

# Probabilities are rounded to 1 / `PARTS`, ratings to 1 / `RATING_PARTS`.
PARTS = 1000
RATING_PARTS = 100

# Of a level: an answer that no label can be read from, and no answer at all.
INVALID, NONE = -1, None

Json = dict[str, Any]


def item_ids(delivered: pl.DataFrame) -> pl.DataFrame:
    """The items that a task asks about, in order: column `item_id`."""
    return delivered.filter(~is_null_case()).select("item_id").unique(maintain_order=True)


def aligned(table: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table for these items, in their order; nulls where there is none."""
    return ids.join(table, on="item_id", how="left", maintain_order="left")


def wordings(table: pl.DataFrame) -> list[str]:
    """The wordings that a table has (`variant`), the main one first."""
    return sorted(table["variant"].unique(), key=lambda v: (v != "main", v))


def parts(values: pl.Series, scale: int = PARTS) -> list[int | None]:
    """Numbers as whole multiples of 1 / `scale`."""
    return (values * scale).round().cast(pl.Int64).to_list()


def items(
    dataset: pl.DataFrame,
    ids: pl.DataFrame,
    spec: Mapping[str, Any],
    levels: Sequence[str],
    withheld: bool,
) -> Json:
    """The items of a task.

    Args:
        dataset: the items of its data set.
        ids: those that the task asks about.
        spec: the data set's file.
        levels: ids of the levels, from the most urgent; none for questions.
        withheld: whether their texts are left out.
    """
    rows = aligned(dataset, ids)
    found: Json = {
        "id": rows["item_id"].to_list(),
        "case": None if withheld else rows["case"].to_list(),
    }
    if levels:
        found["reference"] = _indices(rows["reference"], levels)
        found["groups"] = {}
        for subgroup in spec["subgroups"]:
            groups = groups_of(rows, subgroup)
            names = ordered_groups(groups, subgroup)
            found["groups"][subgroup["id"]] = [names.index(group) for group in groups]
    else:
        found["category"] = rows["category"].to_list()
        found["harm"] = rows["harm_level"].to_list()
    return found


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


def human(scores: pl.DataFrame, ids: pl.DataFrame, labels: Sequence[str]) -> list[int | None]:
    """The levels that a human rater gave; `labels` from the most urgent."""
    return _labels(aligned(scores, ids), "label", labels)


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


def triage_column(scores: pl.DataFrame, ids: pl.DataFrame, labels: Sequence[str]) -> Json:
    """What the list of cases needs of one wording.

    Args:
        scores: its greedy rows.
        ids: the items.
        labels: from the most urgent.
    """
    rows = aligned(scores, ids)
    return {
        "label": _labels(rows, "label", labels),
        "top": _labels(rows, "label_logprob_argmax", labels),
        "status": rows["parse_status"].to_list(),
        "confidence": parts(rows["confidence"]),
    }


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


def triage_answers(
    responses: pl.DataFrame,
    scores: pl.DataFrame,
    ids: pl.DataFrame,
    labels: Sequence[str],
    order: Sequence[int],
) -> Json:
    """What an opened case shows of one wording.

    Args:
        responses: its rows, sampled answers among them.
        scores: the same.
        ids: the items.
        labels: from the most urgent.
        order: places of these labels in `label_logprob`.
    """
    greedy = aligned(responses.filter(pl.col("repeat") == 0), ids)
    scored = aligned(scores.filter(pl.col("repeat") == 0), ids)
    found = {
        "text": greedy["text"].to_list(),
        "finish": greedy["finish_reason"].to_list(),
        "probability": [_probabilities(v, order) for v in greedy["label_logprob"].to_list()],
        "mass": parts(greedy["label_mass"]),
        **_thoughts(greedy),
    }
    stated = scored["confidence_verbalized"]
    if stated.null_count() < len(stated):
        found["verbalized"] = parts(stated)
    sampled = scores.filter(pl.col("repeat") > 0)
    if sampled.height:
        by_item = sampled.sort("repeat").group_by("item_id", maintain_order=True).agg("label")
        urgency = {label: place for place, label in enumerate(labels)}
        drawn = aligned(by_item, ids)["label"].to_list()
        found["sampled"] = [
            None if one is None else [urgency.get(label, INVALID) for label in one] for one in drawn
        ]
    return found


def free_answers(responses: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """The same of answers in free text."""
    greedy = aligned(responses.filter(pl.col("repeat") == 0), ids)
    return {
        "text": greedy["text"].to_list(),
        "finish": greedy["finish_reason"].to_list(),
        **_thoughts(greedy),
    }


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
    read = pl.select(
        pl.all_horizontal(rows["status"].eq_missing(READ) for rows in by_dimension.values())
    ).to_series()
    found = {}
    for dimension, rows in by_dimension.items():
        found[dimension] = (
            (rows["mode"] - 1).set(~read, None).to_list()
            if dimension == ACTION
            else parts(rows["value"], RATING_PARTS)
        )
    return found


def judged_answers(judgements: pl.DataFrame, ids: pl.DataFrame) -> Json:
    """What an opened case shows of a judge's verdicts on one wording: dimension → columns."""
    return {
        dimension: {
            "status": [None if one == READ else one for one in rows["status"]],
            "mode": rows["mode"].to_list(),
            "probability": [
                None if one is None else [round(p * PARTS) for p in one]
                for one in rows["probabilities"].to_list()
            ],
            "rationale": rows["rationale"].to_list(),
        }
        for dimension, rows in _by_dimension(judgements, ids).items()
    }


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


def _indices(values: pl.Series, names: Sequence[str]) -> list[int | None]:
    place = {name: number for number, name in enumerate(names)}
    return [None if value is None else place[value] for value in values]


def _labels(rows: pl.DataFrame, column: str, labels: Sequence[str]) -> list[int | None]:
    """Levels of a column of labels: `INVALID` where an answer has none, `NONE` without a row."""
    place = {label: number for number, label in enumerate(labels)}
    return [
        NONE if status is None else place.get(label, INVALID)
        for label, status in rows.select(column, "parse_status").iter_rows()
    ]


def _probabilities(logprob: Sequence[float] | None, order: Sequence[int]) -> list[int] | None:
    """Softmax of the labels' log-probabilities, from the most urgent, in thousandths."""
    if logprob is None or any(value is None for value in logprob):
        return None
    values = np.array(logprob)[list(order)]
    weights = np.exp(values - values.max())
    return [round(p) for p in (PARTS * weights / weights.sum()).tolist()]
