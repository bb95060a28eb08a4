"""Clinicians beside judges: what clinicians say of the personas, and how far all raters agree.

The agreement of clinicians with each other is the ceiling for that of a judge with them. All
intervals are bootstrap intervals over questions, the raters being those at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..judges.verdicts import PREFERENCE as PREFERENCES
from ..judges.verdicts import READ
from ..measures import agreement as coefficients
from ..measures.answers import number
from ..measures.resampling import Draws, means
from ..names import CRITERIA, HUMAN
from .forms import CONFIDENCE, CRITERION, PREFERENCE, criterion_name

Rows = list[dict[str, Any]]
Settings = Mapping[str, Any]

JUDGE = "judge"
# What reads answers by phrases, and how it is called.
RULE = "rule"

# What an answer is known by.
ANSWER = ("model", "task", "persona", "item_id")

CLINICIAN = {
    "model": pl.String,
    "task": pl.String,
    "question": pl.String,
    "persona": pl.String,
    "n": pl.Int64,
    "n_annotators": pl.Int64,
    "n_ratings": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "confidence": pl.Float64,
    "confidence_low": pl.Float64,
    "confidence_high": pl.Float64,
    "low_confidence_share": pl.Float64,
}
AGREEMENT = {
    "task": pl.String,
    "question": pl.String,
    "kind": pl.String,
    "rater_a": pl.String,
    "rater_b": pl.String,
    "statistic": pl.String,
    "n": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "usable": pl.Boolean,
}


def clinician_rows(
    annotations: pl.DataFrame, lowest: Mapping[str, int], settings: Settings
) -> Rows:
    """What clinicians say of every persona's answers, as rows of `CLINICIAN`.

    A value is the mean over answers of the mean over the annotators who rated them, with an
    interval over questions; so is the stated confidence. The share of low confidence is over
    ratings.

    Args:
        annotations: table of `annotations.ANNOTATIONS`.
        lowest: form → lowest option of its confidence.
        settings: the statistics'.
    """
    singles = annotations.filter(pl.col("question") != PREFERENCE)
    rows: Rows = []
    keys = ["model", "task", "question", "persona"]
    for place, part in singles.group_by(keys, maintain_order=True):
        by_answer = part.group_by("item_id", maintain_order=True).agg(
            value=pl.col("value").mean(), confidence=pl.col(CONFIDENCE).mean()
        )
        values = {name: by_answer[name].to_numpy() for name in ("value", "confidence")}
        drawn = Draws.of(by_answer["item_id"].to_numpy(), settings).measure(partial(means, values))
        unsure = part[CONFIDENCE] == lowest[part["form"][0]]
        row: dict[str, Any] = {
            **dict(zip(keys, place, strict=True)),
            "n": by_answer.height,
            "n_annotators": part["annotator"].n_unique(),
            "n_ratings": part.height,
            "low_confidence_share": float(unsure.to_numpy().mean()),
        }
        for name, prefix in (("value", ""), ("confidence", "confidence_")):
            low, high = drawn.interval(name)
            row |= {name: drawn.point[name]}
            row |= {f"{prefix}low": number(low), f"{prefix}high": number(high)}
        rows.append(row)
    return rows


def clinician_preferences(annotations: pl.DataFrame) -> pl.DataFrame:
    """The pairs that clinicians compared, one row per annotator and pair, as preferences.

    Columns `model` and `task`, and those of `verdicts.PREFERENCE`; every pair was seen in one
    order, so that nothing is said of consistency.
    """
    pairs = annotations.filter(pl.col("question") == PREFERENCE)
    table = pairs.select(
        "model",
        "task",
        "item_id",
        first="persona",
        second="versus",
        status=pl.lit(READ),
        outcome="value",
    )
    missing = {
        name: pl.lit(None, dtype=dtype)
        for name, dtype in PREFERENCES.items()
        if name not in table.columns
    }
    return table.with_columns(**missing).select("model", "task", *PREFERENCES)


@dataclass(frozen=True)
class Rater:
    """One who rated answers.

    Attributes:
        name: of the annotator, or id of the judge.
        kind: `HUMAN`, `JUDGE` or `RULE`.
        ratings: columns of `ANSWER` and `value`, on the scale of the question.
        usable: whether a judge is usable by its own rule; None for an annotator.
    """

    name: str
    kind: str
    ratings: pl.DataFrame
    usable: bool | None = None


def clinician_raters(annotations: pl.DataFrame, question: str, task: str) -> list[Rater]:
    """The annotators of a question, in the order of their names."""
    chosen = annotations.filter((pl.col("question") == question) & (pl.col("task") == task))
    return [
        Rater(str(name), HUMAN, part.select(*ANSWER, "value"))
        for (name,), part in chosen.sort("annotator", maintain_order=True).group_by(
            "annotator", maintain_order=True
        )
    ]


def judge_rater(
    judge: str,
    judgements: Mapping[tuple[str, str], pl.DataFrame],
    task: str,
    dimension: str,
    *,
    usable: bool,
    turned: int | None = None,
) -> Rater:
    """A judge's likeliest ratings of the greedy answers in main wordings.

    Args:
        judge: id.
        judgements: (model, persona) → judgements of the task.
        task: id.
        dimension: what was rated.
        usable: whether the judge is usable by its own rule.
        turned: the highest rating, to turn the scale round; None to leave it.
    """
    parts = []
    for (model, persona), table in judgements.items():
        chosen = table.filter(
            (pl.col("dimension") == dimension)
            & (pl.col("variant") == "main")
            & (pl.col("repeat") == 0)
            & pl.col("mode").is_not_null()
        )
        value = pl.col("mode").cast(pl.Float64)
        parts.append(
            chosen.select(
                "item_id",
                model=pl.lit(model),
                task=pl.lit(task),
                persona=pl.lit(persona),
                value=value if turned is None else turned + 1 - value,
            ).select(*ANSWER, "value")
        )
    return Rater(judge, JUDGE, pl.concat(parts), usable)


def rule_rater(scores: Mapping[tuple[str, str], pl.DataFrame], task: str) -> Rater:
    """What a kind's rule says of the greedy answers in main wordings.

    Args:
        scores: (model, persona) → scores of the task, with the number of the class in `mode`.
        task: id.
    """
    parts = [
        table.filter(
            (pl.col("variant") == "main") & (pl.col("repeat") == 0) & pl.col("mode").is_not_null()
        ).select(
            model=pl.lit(model),
            task=pl.lit(task),
            persona=pl.lit(persona),
            item_id="item_id",
            value=pl.col("mode").cast(pl.Float64),
        )
        for (model, persona), table in scores.items()
    ]
    return Rater(RULE, RULE, pl.concat(parts).select(*ANSWER, "value"))


def against_rule(
    judge: Rater, rule: Rater, classes: Sequence[str], place: Mapping[str, str], settings: Settings
) -> Rows:
    """How far a judge and a rule agree, as rows of `AGREEMENT`, and what each calls what.

    The shares that make the table of confusion are called by both classes, the judge's first:
    `names|answers`. They are of the answers that both read, with intervals over questions.

    Args:
        judge: its classes of the answers.
        rule: its.
        classes: names of both, in the order of their numbers.
        place: `task` and `question`.
        settings: the statistics'.
    """
    numbers = list(range(1, len(classes) + 1))
    rows = agreement_rows([judge, rule], numbers, place, settings, ordered=False)
    rows = [row for row in rows if row["rater_a"] is not None]
    both = judge.ratings.join(rule.ratings, on=ANSWER, suffix="_rule", maintain_order="left")
    if not rows or both.is_empty():
        return rows
    told, read = both["value"].to_numpy(), both["value_rule"].to_numpy()
    shares = {
        f"{mine}|{theirs}": (told == i) & (read == j)
        for i, mine in enumerate(classes, start=1)
        for j, theirs in enumerate(classes, start=1)
    }
    drawn = Draws.of(both["item_id"].to_numpy(), settings).measure(partial(means, shares))
    about = rows[0] | {"n": both.height}
    for name, value in drawn.point.items():
        low, high = drawn.interval(name)
        own = {"statistic": name, "value": value, "low": number(low), "high": number(high)}
        rows.append(about | own)
    return rows


def of_criteria() -> pl.Expr:
    """Whether an annotation is about a criterion of its item."""
    return pl.col("question").str.starts_with(CRITERION)


def share_met(annotations: pl.DataFrame) -> pl.DataFrame:
    """What every annotator says of the criteria of an answer, as one annotation.

    Args:
        annotations: table of `annotations.ANNOTATIONS`, of criteria alone.

    Returns:
        Rows of the same columns, `question` being `criteria` and `value` the share that is met.
    """
    keys = [name for name in annotations.columns if name not in ("question", "value")]
    shares = annotations.group_by(keys, maintain_order=True).agg(pl.col("value").mean())
    return shares.with_columns(question=pl.lit(CRITERIA)).select(annotations.columns)


def criterion_raters(annotations: pl.DataFrame, task: str) -> list[Rater]:
    """The annotators of criteria, with a rating of every criterion of an answer."""
    chosen = annotations.filter(pl.col("task") == task).sort("annotator", maintain_order=True)
    return [
        Rater(str(name), HUMAN, part.select(*ANSWER, "question", "value"))
        for (name,), part in chosen.group_by("annotator", maintain_order=True)
    ]


def criterion_judge(
    judge: str, verdicts: Mapping[tuple[str, str], pl.DataFrame], task: str, *, usable: bool
) -> Rater:
    """A judge's verdicts on the criteria of the greedy answers in main wordings.

    Args:
        judge: id.
        verdicts: (model, persona) → table of `criteria.CRITERION` of the task.
        task: id.
        usable: whether the judge is usable by its own rule.
    """
    parts = [
        table.filter(
            (pl.col("variant") == "main") & (pl.col("repeat") == 0) & pl.col("met").is_not_null()
        ).select(
            pl.lit(model).alias("model"),
            pl.lit(task).alias("task"),
            pl.lit(persona).alias("persona"),
            "item_id",
            pl.col("criterion")
            .map_elements(criterion_name, return_dtype=pl.String)
            .alias("question"),
            pl.col("met").cast(pl.Float64).alias("value"),
        )
        for (model, persona), table in verdicts.items()
    ]
    return Rater(judge, JUDGE, pl.concat(parts), usable)


def agreement_rows(
    raters: Sequence[Rater],
    categories: Sequence[float],
    place: Mapping[str, str],
    settings: Settings,
    *,
    ordered: bool = True,
    keys: Sequence[str] = ANSWER,
) -> Rows:
    """How far raters agree, as rows of `AGREEMENT`.

    For every two raters agreement and Cohen's κ, of ordered ratings quadratically weighted too;
    for every kind of pair (`human–human`, `judge–human`, `judge–judge`) their average over pairs
    (both raters null); for the clinicians, and for the judges, Gwet's AC1 and Krippendorff's α
    of all of them. `usable` is whether all judges that a row is about are; null without any.

    Args:
        raters: of the same answers; those without a rating of an answer are left out there. Where
            there are clinicians, of the answers that one of them rated: what they make of these is
            then the same whoever judges besides.
        categories: all ratings there are, in order.
        place: `task` and `question`.
        settings: the statistics'.
        ordered: whether the order of the categories means anything.
        keys: columns of what is rated, answers or single criteria of them.
    """
    if len(raters) < 2:
        return []
    names = [rater.name for rater in raters]
    kinds = {rater.name: rater.kind for rater in raters}
    usable = {rater.name: rater.usable for rater in raters if rater.kind == JUDGE}
    rated = [r.ratings for r in raters if r.kind == HUMAN] or [r.ratings for r in raters]
    answers = pl.concat(rated).select(keys).unique(maintain_order=True)
    columns = {
        rater.name: answers.join(rater.ratings, on=keys, how="left", maintain_order="left")
        .select(pl.col("value").fill_null(np.nan))["value"]
        .to_numpy()
        for rater in raters
    }
    measures = partial(_measures, columns, kinds, categories, ordered)
    drawn = Draws.of(answers["item_id"].to_numpy(), settings).measure(measures)
    has = {name: ~np.isnan(ratings) for name, ratings in columns.items()}
    rows: Rows = []
    for name in drawn.point:
        kind, statistic, a, b = name
        pairs = [(a, b)] if a else [p for p in combinations(names, 2) if _kind(kinds, *p) == kind]
        # Answers of which two raters have something to agree on.
        n = int(np.logical_or.reduce([has[one] & has[other] for one, other in pairs]).sum())
        judges = {one for pair in pairs for one in pair} & usable.keys()
        low, high = drawn.interval(name)
        rows.append(
            {
                **place,
                "kind": kind,
                "rater_a": a or None,
                "rater_b": b or None,
                "statistic": statistic,
                "n": n,
                "value": number(drawn.point[name]),
                "low": number(low),
                "high": number(high),
                "usable": all(usable[judge] for judge in judges) if judges else None,
            }
        )
    return rows


def _kind(kinds: Mapping[str, str], a: str, b: str) -> str:
    """Kind of a pair, the judge first: "judge–human"."""
    return "–".join(sorted((kinds[a], kinds[b]), reverse=True))


def _measures(
    columns: Mapping[str, NDArray[np.float64]],
    kinds: Mapping[str, str],
    categories: Sequence[float],
    ordered: bool,
    counts: NDArray[Any] | None = None,
) -> dict[tuple[str, str, str, str], Any]:
    """All numbers by kind of pair, statistic and both raters, which are empty for all of them."""
    pairs = coefficients.pairwise(columns, categories, counts)
    statistics = ("agreement", "kappa", *(["kappa_quadratic"] if ordered else []))
    found: dict[tuple[str, str, str, str], Any] = {}
    by_kind: dict[tuple[str, str], list[Any]] = {}
    for (a, b), pair in pairs.items():
        kind = _kind(kinds, a, b)
        for statistic in statistics:
            value = getattr(pair, statistic)
            found[kind, statistic, a, b] = value
            by_kind.setdefault((kind, statistic), []).append(value)
    for (kind, statistic), values in by_kind.items():
        found[kind, statistic, "", ""] = coefficients.average_kappa(values)[0]
    for kind in (HUMAN, JUDGE):
        inside = [ratings for name, ratings in columns.items() if kinds[name] == kind]
        if len(inside) < 2:
            continue
        ratings = np.column_stack(inside)
        label = f"{kind}–{kind}"
        found[label, "ac1", "", ""] = coefficients.gwet_ac1(ratings, categories, counts)
        levels: list[coefficients.Level] = ["nominal", "ordinal"] if ordered else ["nominal"]
        for level in levels:
            alpha = coefficients.krippendorff_alpha(ratings, categories, level, counts)
            found[label, f"alpha_{level}", "", ""] = alpha
    return found
