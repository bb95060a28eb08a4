"""Whom a model names: the option with the likeliest letter, so that none is lost to parsing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..data.items import is_null_case
from ..engine.decoding import NO_ANSWER
from ..kinds.labelled.labels import parse_label
from ..names import WHEN
from .options import in_study_order, order_of

READ = "read"
NO_PROBABILITY = "no_probability"

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "variant": pl.String,
    "asked": pl.String,
    "status": pl.String,
    "named": pl.String,
    "written": pl.String,
    "probabilities": pl.List(pl.Float64),
    "mass": pl.Float64,
    "response_key": pl.String,
    "backend": pl.String,
}


def identified(
    responses: pl.DataFrame, answers: Mapping[str, pl.DataFrame], view: Mapping[str, Any]
) -> pl.DataFrame:
    """Whom a model names, of every item of a cell, before the task and behind its answer.

    Args:
        responses: to the task: their items and wordings are asked about.
        answers: `before` and `after` → what was answered to the question, table of
            `responses.SCHEMA`.
        view: of the identification.

    Returns:
        A table of `SCHEMA`. `named` is the id of the option whose letter is the likeliest, the
        first in the study's order of equal ones; `probabilities` are in that order, and add up to
        1; `mass` is the probability that falls on the letters at all; `written` the option whose
        letter the text gives, by the rules for labels, or null. Where `status` is not `read`
        nobody is named: there was no answer to ask behind (`no_answer`), the question was not run
        (`prompt_too_long`, `control_tokens`), or no letter has a probability (`no_probability`).
    """
    greedy = responses.filter((pl.col("repeat") == 0) & ~is_null_case())
    asked = greedy.select("item_id", "variant")
    rows: list[dict[str, Any]] = []
    for when in WHEN:
        found = {(r["item_id"], r["variant"]): r for r in answers[when].iter_rows(named=True)}
        for item_id, variant in asked.iter_rows():
            about = {"item_id": item_id, "variant": variant, "asked": when}
            rows.append(about | _read(found.get((item_id, variant)), item_id, view))
    return pl.DataFrame(rows, schema=SCHEMA)


def _read(
    answer: Mapping[str, Any] | None, item_id: str, view: Mapping[str, Any]
) -> dict[str, Any]:
    if answer is None:
        return {"status": NO_ANSWER}
    kept = {key: answer[key] for key in ("response_key", "backend")}
    if answer["text"] is None:
        return {**kept, "status": answer["finish_reason"]}
    letters = view["labels"]
    order = order_of(item_id, view)
    letter, _ = parse_label(answer["text"], letters)
    written = None if letter is None else view["options"][order[letters.index(letter)]]["id"]
    logprob = answer["label_logprob"]
    if logprob is None or max(logprob) == -np.inf:
        return {**kept, "status": NO_PROBABILITY, "written": written}
    values = np.asarray(in_study_order(logprob, item_id, view), dtype=np.float64)
    total = np.logaddexp.reduce(values)
    p = np.exp(values - total)
    return {
        **kept,
        "status": READ,
        "named": view["options"][int(np.argmax(p))]["id"],
        "written": written,
        "probabilities": p.tolist(),
        "mass": float(np.exp(total)),
    }
