"""Rubrics of items: a judge says of every criterion whether an answer meets it.

The chats on an answer share all but the criterion. A verdict is read from the probabilities of
the digits 1 (met) and 2 (not met). The score of an answer is that of HealthBench (Arora et al.
2025): the points of the criteria that are met, divided by the sum of all points above 0. It is
below 0 where an answer does more of what it must not do than it earns; as published, it is the
mean over answers that is clipped to 0–1, and not the score of each.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..data.criteria import EACH, each_criterion
from ..files import read_table
from ..measures import statistics
from ..measures.answers import number
from ..measures.resampling import Draws
from ..names import ALL, RUBRIC_EXPECTED, RUBRIC_SCORE
from . import answers as answering
from . import chats as chatting
from .known import criteria_checks
from .verdicts import JUDGEMENT, READ, judgements

MET, NOT_MET = 1, 2

_ANSWER: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
}
CRITERION = {
    **_ANSWER,
    **EACH,
    "status": pl.String,
    "p_met": pl.Float64,
    "met": pl.Boolean,
    "mass": pl.Float64,
    "written": pl.Int64,
    "rationale": pl.String,
    "n_characters": pl.Int64,
    "response_key": pl.String,
    "backend": pl.String,
}
SCORE = {
    "item_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
    "status": pl.String,
    RUBRIC_SCORE: pl.Float64,
    RUBRIC_EXPECTED: pl.Float64,
    "n_characters": pl.Int64,
    "backend": pl.String,
}
RUBRICS = {
    "judge": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "tag": pl.String,
    "metric": pl.String,
    "n": pl.Int64,
    "n_criteria": pl.Int64,
    "n_unjudged": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
SCORES = (RUBRIC_SCORE, RUBRIC_EXPECTED)
MET_SHARE = "met_share"


# What answers and their criteria are read from: a cell and its items, or answers of known worth.
PATHS = ("responses", "prompts", "items", "sanity")


def add_options(parser: ArgumentParser) -> None:
    """Add the options of a script that `read_answers` needs."""
    parser.add_argument("--responses", type=Path, help="Parquet file of the answers")
    parser.add_argument("--prompts", type=Path, help="Parquet file of their prompts")
    parser.add_argument("--items", type=Path, help="Parquet file of the data set")
    parser.add_argument("--sanity", type=Path, help="CSV file of answers of known worth instead")
    parser.add_argument("--judge-file", required=True, help="name of the judge's file in errors")


def read_answers(arguments: Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The answers in the form of `answers.questioned`, and the table of their criteria.

    Raises:
        InputError: the file of answers of known worth cannot be read.
    """
    if arguments.sanity:
        return criteria_checks(arguments.sanity, arguments.judge_file)
    read = answering.read_answers(arguments.responses, arguments.prompts)
    return read, each_criterion(read_table(arguments.items))


def criterion_chats(
    answers: pl.DataFrame, criteria: pl.DataFrame, judge: Mapping[str, Any]
) -> pl.DataFrame:
    """One chat for every answer and criterion of its item.

    Args:
        answers: columns `item_id`, `variant`, `repeat`, `question` and `text`.
        criteria: as `data.criteria.each_criterion` gives them.
        judge: the judge's view of criteria: `instruction`, `user`, and `question`, which holds
            `{criterion}`.

    Returns:
        A table of `chats.RATING_CHAT`; `dimension` is the number of the criterion.
    """
    asked: dict[str, dict[str, str]] = {}
    for id_, place, text in criteria.select("item_id", "number", "criterion").iter_rows():
        question = judge["question"].replace("{criterion}", text)
        asked.setdefault(id_, {})[str(place)] = question
    parts = [
        chatting.rating_chats(part, {**judge, "questions": asked[str(id_)]})
        for (id_,), part in answers.group_by("item_id", maintain_order=True)
        if id_ in asked
    ]
    return pl.concat([pl.DataFrame(schema=chatting.RATING_CHAT), *parts])


def criterion_verdicts(
    answers: pl.DataFrame, criteria: pl.DataFrame, chats: pl.DataFrame, verdicts: pl.DataFrame
) -> pl.DataFrame:
    """What a judge says of every criterion of every answer.

    Args:
        answers: as for `criterion_chats`.
        criteria: as `data.criteria.each_criterion` gives them.
        chats: what `criterion_chats` made of them.
        verdicts: responses to these, in the same order, one to each.

    Returns:
        A table of `CRITERION`. `p_met` is the probability of 1 (met) among the digits 1 and 2, and
        `met` says whether it is above one half; `status` as in `verdicts.judgements`.
    """
    places = map(str, criteria["number"].unique().sort())
    view = {"scale": NOT_MET, "better": dict.fromkeys(places, "low"), "classes": {}}
    read = judgements(answers, chats, verdicts, view)
    p_met = pl.col("probabilities").list.get(0, null_on_oob=True)
    table = read.with_columns(
        number=pl.col("dimension").cast(pl.Int64), p_met=p_met, met=p_met > 0.5
    ).join(criteria, on=["item_id", "number"], how="inner", maintain_order="left")
    return table.select(pl.col(name).cast(dtype) for name, dtype in CRITERION.items())


def scores(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The score of every answer, by hard verdicts and by their probabilities.

    Args:
        verdicts: table of `CRITERION`.

    Returns:
        A table of `SCORE`, unclipped. An answer that lacks the verdict on one of its criteria has
        no score, and the `status` of the first that it lacks.
    """
    read = pl.col("status") == READ
    reached = pl.when(pl.col("points") > 0).then("points").sum()

    def earned(share: pl.Expr) -> pl.Expr:
        return pl.when(read.all()).then((share * pl.col("points")).sum() / reached)

    table = verdicts.group_by(*_ANSWER, maintain_order=True).agg(
        pl.when(read.all())
        .then(pl.lit(READ))
        .otherwise(pl.col("status").filter(~read).first())
        .alias("status"),
        earned(pl.col("met").cast(pl.Float64)).alias(RUBRIC_SCORE),
        earned(pl.col("p_met")).alias(RUBRIC_EXPECTED),
        pl.col("n_characters").first(),
        pl.col("backend").drop_nulls().unique().sort().str.join("; ").replace("", None),
    )
    return table.select(pl.col(name).cast(dtype) for name, dtype in SCORE.items())


def as_judgements(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The scores of answers as rows of `verdicts.JUDGEMENT`, each score a dimension."""
    table = scores(verdicts)
    return pl.concat(
        [
            _judgement(
                table,
                dimension=pl.lit(name),
                value=pl.col(name),
            )
            for name in SCORES
        ]
    )


def verdict_judgements(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The verdicts on criteria as rows of `verdicts.JUDGEMENT`, to see how a judge does."""
    p = pl.col("p_met")
    return _judgement(
        verdicts,
        dimension=pl.lit("criterion"),
        mode=pl.when("met").then(MET).when(~pl.col("met")).then(NOT_MET),
        probabilities=pl.when(p.is_not_null()).then(pl.concat_list(p, 1 - p)),
    )


def _judgement(table: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    """Rows with these columns; what is neither there nor given is null."""
    made = table.with_columns(**columns)
    missing = [pl.lit(None).alias(name) for name in JUDGEMENT if name not in made.columns]
    made = made.with_columns(*missing)
    return made.select(pl.col(name).cast(dtype) for name, dtype in JUDGEMENT.items())


def clipped(found: dict[str, Any]) -> dict[str, Any]:
    """Measures with the scores of rubrics clipped to 0–1: means over answers, and of draws."""
    return {
        name: np.clip(value, 0.0, 1.0) if name in SCORES else value for name, value in found.items()
    }


def tag_rows(
    verdicts: pl.DataFrame, items: pl.DataFrame, cluster: str | None, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What is met of all criteria, and of those of every tag, as rows of `RUBRICS`.

    Of the greedy answers in the main wording. An answer counts where every one of these criteria
    has a verdict; it is in a score where points can be reached by them. Intervals are bootstrap
    intervals over items.

    Args:
        verdicts: table of `CRITERION` of a cell.
        items: the data set.
        cluster: column of the items that names what belongs together, or None.
        settings: the statistics'.
    """
    main = verdicts.filter((pl.col("variant") == "main") & (pl.col("repeat") == 0))
    tags = main["tags"].explode().drop_nulls().unique().sort().to_list()
    rows = []
    for tag in (ALL, *(tag for tag in tags if tag != ALL)):
        part = main if tag == ALL else main.filter(pl.col("tags").list.contains(tag))
        by_item = (
            part.group_by("item_id", maintain_order=True)
            .agg(
                read=(pl.col("status") == READ).all(),
                n=pl.len(),
                met=pl.col("met").sum(),
                earned=pl.when("met").then("points").otherwise(0.0).sum(),
                reached=pl.when(pl.col("points") > 0).then("points").otherwise(0.0).sum(),
            )
            .join(items, on="item_id", how="left", maintain_order="left")
        )
        judged = by_item.filter("read")
        for metric, some in (
            (MET_SHARE, judged),
            (RUBRIC_SCORE, judged.filter(pl.col("reached") > 0)),
        ):
            about = {"tag": tag, "metric": metric, "n": some.height}
            about |= {"n_criteria": int(some["n"].sum())}
            about |= {"n_unjudged": by_item.height - judged.height}
            rows.append(about | _measured(metric, some, cluster, settings))
    return rows


def _measured(
    metric: str, by_item: pl.DataFrame, cluster: str | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """A share of criteria, or a mean score, with its interval; nothing of no answers."""
    if by_item.is_empty():
        return {}
    top, bottom = ("met", "n") if metric == MET_SHARE else ("earned", "reached")
    above, below = (by_item[name].cast(pl.Float64).to_numpy() for name in (top, bottom))
    if metric == RUBRIC_SCORE:
        above, below = above / below, np.ones(by_item.height)

    def measure(counts: Any = None) -> dict[str, Any]:
        drawn = np.ones((1, by_item.height)) if counts is None else counts
        value = np.clip((drawn @ above) / (drawn @ below), 0.0, 1.0)
        return {metric: float(value[0]) if counts is None else value}

    groups = statistics.clusters_of(
        pl.DataFrame(
            {
                "item_id": by_item["item_id"],
                "cluster": by_item[cluster].cast(pl.String)
                if cluster
                else pl.Series([None] * by_item.height, dtype=pl.String),
            }
        )
    )
    resampled = Draws.of(groups, settings).measure(measure)
    low, high = resampled.interval(metric)
    if metric == MET_SHARE and np.isclose(low, high):
        # The same share in every draw: as if each cluster were a criterion, as of other shares.
        n = np.unique(groups).size
        low, high = statistics.wilson(resampled.point[metric] * n, n, settings["confidence"])
    return {"value": number(resampled.point[metric]), "low": number(low), "high": number(high)}
