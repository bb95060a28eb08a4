"""What judges say, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..names import ACTIONS, ALL, PANEL, PERSONA
from ..words import (
    Row,
    Section,
    Settings,
    Tables,
    named,
    number,
    p_text,
    place_of,
    share,
    table_of,
    wordings_beside_personas,
)
from .assessment import CATEGORY_SCORE, LENGTH, UNJUDGED
from .ranking import PAIRWISE
from .trust import TESTS

_WORDS = {
    "accept": "accepted",
    "caution": "answered with caution",
    "refuse": "refused",
    UNJUDGED: "without a verdict",
}


def judged(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    """What every judge says of the answers, and whether it can be trusted."""
    if "judgements" in tables:
        yield from _judgements(tables, settings)
    yield from _trust(tables, settings)


def _judgements(tables: Tables, settings: Settings) -> Iterator[str]:
    judgements, verdicts = tables["judgements"], _verdicts(tables)
    keys = ["judge", "model", "task"]
    for (judge, model, task), part in judgements.group_by(keys, maintain_order=True):
        yield f"**{judge_title(settings, judge)}, {place_of(settings, model, task)}**"
        yield ""
        usable = bool(part["usable"].first())
        if not usable:
            notes = _notes(verdicts, judge)
            yield (
                f"- **NOT USABLE by its own rule**: {notes}. What follows is what it says, not "
                "what can be relied on."
            )
        if judge == PANEL or not settings["judges"][judge].get("personas"):
            yield f"- {_sanity(tables, settings, part['sanity_accuracy'].first(), judge)}"
        shown = part.filter(
            (pl.col("category") == ALL)
            & (pl.col("variant") == "main")
            & (pl.col("persona") == settings["baseline"])
        )
        rows = {row["metric"]: row for row in shown.iter_rows(named=True)}
        answers = rows[UNJUDGED]
        yield f"- Baseline ({answers['n']} answers, {answers['n_unjudged']} without a verdict):"
        # Some are about a part of the answers, such as those to benign questions.
        yield from table_of(
            ("of the baseline's answers", "value", "n"),
            (
                (metric_title(settings, judge, name), _value(settings, row), str(row["n"]))
                for name, row in rows.items()
                if name != UNJUDGED
            ),
        )
        yield from _by_group(part, settings, task)
        if "judgement_contrasts" in tables:
            yield from _contrasts(tables["judgement_contrasts"], settings, (judge, model, task))
        if "judgement_variance" in tables:
            of_score = tables["judgement_variance"].filter(
                judge=judge, model=model, task=task, metric=CATEGORY_SCORE
            )
            what = "the rating in a question's own category"
            yield from wordings_beside_personas(of_score, what)
        if "rankings" in tables:
            yield from _ranking(tables, settings, (judge, model, task))
        yield ""


def _by_group(part: pl.DataFrame, settings: Settings, task: Any) -> Iterator[str]:
    """What the baseline's answers do, in every group that the kind tells apart, as harm levels."""
    told = []
    for group in settings["judged_tasks"][task].get("groups", ()):
        rows = part.filter(
            (pl.col("category") == group["id"])
            & (pl.col("variant") == "main")
            & (pl.col("persona") == settings["baseline"])
        )
        found = {row["metric"]: row for row in rows.iter_rows(named=True)}
        if {*ACTIONS} <= found.keys():
            shares = [_share(found[name]) for name in ACTIONS]
            told.append((group["title"], *shares, str(found[ACTIONS[0]]["n"])))
    head = ("baseline by group of questions", *(_WORDS[name] for name in ACTIONS), "n")
    yield from table_of(head, told)


def _contrasts(
    table: pl.DataFrame, settings: Settings, place: tuple[Any, Any, Any]
) -> Iterator[str]:
    judge, model, task = place
    contrasts = table.filter(
        (pl.col("judge") == judge)
        & (pl.col("model") == model)
        & (pl.col("task") == task)
        & pl.col("p_holm").is_not_null()
    )
    found = contrasts.filter(pl.col("p_holm") <= 1 - settings["confidence"])
    yield (
        f"- Differences from the baseline with p (Holm over {contrasts.height} tests) at most "
        f"{100 * (1 - settings['confidence']):.0f}%: {'' if found.height else 'none.'}"
    ).rstrip()
    yield from table_of(
        ("persona", "measure", "difference", "n", "p (Holm)"),
        (_contrast(settings, row) for row in found.iter_rows(named=True)),
    )


def _sanity(tables: Tables, settings: Settings, accuracy: Any, judge: Any) -> str:
    """How often a judge is right on the sanity pairs, beside what it says."""
    who = "the worst of its judges" if judge == PANEL else "it"
    where = "where one of two answers is plainly safer"
    about = settings["judges"].get(judge, {})
    if about.get("criteria_alone"):
        where = "where it is plain whether an answer meets a criterion"
    elif about and not (about["ratings"] or about.get("compares")):
        if accuracy is None:
            return "Not known: how often it names a class right that is known beforehand."
        right = _accuracy(tables, accuracy, judge)
        return f"Of the classes that are known beforehand {who} names {right} right."
    if accuracy is None:
        return f"Not known: how often it is right {where}."
    right = _accuracy(tables, accuracy, judge)
    return f"{where.capitalize()}, {who} is right in {right} (a coin: 50%)."


def _accuracy(tables: Tables, accuracy: float, judge: Any) -> str:
    """How often a judge is right, with the bounds and n of the test that says so."""
    metrics = [*TESTS, "authors_accuracy"]
    for row in tables["judges"].filter(pl.col("task").is_null()).iter_rows(named=True):
        of_judge = judge in (PANEL, row["judge"])
        if of_judge and row["metric"] in metrics and row["value"] == accuracy:
            return f"{_share(row)} of {row['n']}"
    return f"{100 * accuracy:.1f}%"


def _ranking(tables: Tables, settings: Settings, place: tuple[Any, Any, Any]) -> Iterator[str]:
    judge, model, task = place
    ranked = tables["rankings"].filter(
        (pl.col("judge") == judge)
        & (pl.col("model") == model)
        & (pl.col("task") == task)
        & (pl.col("category") == ALL)
    )
    for (method,), part in ranked.group_by("method", maintain_order=True):
        strengths = part.sort("strength", descending=True, maintain_order=True, nulls_last=True)
        if method == PAIRWISE:
            pairs, ties = int(part["n_pairs"].sum() / 2), int(part["n_ties"].sum() / 2)
            about = f"Ranking (Bradley–Terry log-strength, {pairs} comparisons, {ties} of them ties"
        else:
            n, unjudged = part.select("n_questions", "n_unjudged").row(0)
            about = f"Ranking by lists (Bradley–Terry log-strength, {n} lists, {unjudged} unjudged"
        yield f"- {about}):"
        yield from table_of(
            ("persona", "strength"),
            (
                (named(settings, row["persona"]), _strength(row))
                for row in strengths.iter_rows(named=True)
            ),
        )


def _trust(tables: Tables, settings: Settings) -> Iterator[str]:
    checks = tables["judges"].filter(pl.col("task").is_null() & pl.col("value").is_not_null())
    names = {
        "sanity_accuracy": "accuracy on the sanity pairs (a coin: 50%)",
        "sanity_both_orders": "right in both orders",
        "sanity_position_bias": "verdict changes with the order",
        "sanity_ratings": "safer answer rated better",
        "sanity_criteria": "right on whether an answer meets a criterion (a coin: 50%)",
        "sanity_classes": "classes that are known, named",
        "injection_rate": "judge injection rate",
        "authors_accuracy": "answers whose known author it names",
    }
    for (judge,), part in checks.group_by("judge", maintain_order=True):
        rows = {row["metric"]: row for row in part.iter_rows(named=True)}
        told = [
            f"{text} {_share(rows[name])}, n = {rows[name]['n']}"
            for name, text in names.items()
            if name in rows
        ]
        yield f"- {judge_title(settings, judge)} on answers of known worth: " + (
            "; ".join(told) + "." if told else "not checked."
        )


def _verdicts(tables: Tables) -> dict[str, str]:
    """Judge → why it is not usable."""
    rows = tables["judges"].filter((pl.col("metric") == "usable") & ~pl.col("met"))
    return dict(rows.select("judge", "note").iter_rows())


def _notes(verdicts: Mapping[str, str], judge: Any) -> str:
    if judge != PANEL:
        return verdicts[judge]
    return "not all of its judges are usable"


def judge_title(settings: Settings, judge: Any) -> str:
    """What a judge is called, or all of them together."""
    return "Panel of all judges" if judge == PANEL else str(settings["judges"][judge]["title"])


def metric_title(settings: Settings, judge: Any, name: str) -> str:
    """What a judged figure is called."""
    if name in _WORDS:
        return _WORDS[name]
    if name == CATEGORY_SCORE:
        return "mean over the categories of the rating of each (high is better)"
    if name == LENGTH:
        return "characters"
    judges = settings["judges"]
    ratings = [r for id_, j in judges.items() if judge in (id_, PANEL) for r in j["ratings"]]
    for rating in ratings:
        if rating["id"] == name:
            return f"{rating['title'].lower()} ({rating['better']} is better)"
    if name in settings["judged_metrics"]:
        # Figures say on which scale a score is; here it is in percent, as shares are.
        return str(settings["judged_metrics"][name]["title"]).removesuffix(" (0–1)")
    return _classes(settings).get(name) or name.replace("_", " ")


def _classes(settings: Settings) -> dict[str, str]:
    """Share of a class → what it is called: with its dimension where two classes share a title."""
    found = {
        each["id"]: (one["title"].lower(), each["title"].lower())
        for judge in settings["judges"].values()
        for one in judge.get("classes", ())
        for each in one["classes"]
    }
    titles = [title for _, title in found.values()]
    options = {id_: persona["title"] for id_, persona in settings["personas"].items()}
    return {
        f"{PERSONA}_{id_}": f"names {t}" for id_, t in {**options, "none": "none of them"}.items()
    } | {
        id_: title if titles.count(title) == 1 else f"{dimension}: {title}"
        for id_, (dimension, title) in found.items()
    }


def is_share(settings: Settings, name: str) -> bool:
    """Whether a judged figure is a share, which is said in percent."""
    # Scores from 0 to 1 are given in percent as well.
    unit = settings["judged_metrics"].get(name, {}).get("unit")
    return name in _WORDS or name in _classes(settings) or unit in ("share", "score")


def _share(row: Row) -> str:
    return share(row["value"], row["low"], row["high"])


def _strength(row: Row) -> str:
    names = ("strength", "strength_low", "strength_high")
    return number(*(row[name] for name in names)).replace("-", "−")


def _value(settings: Settings, row: Row) -> str:
    if is_share(settings, row["metric"]):
        return _share(row)
    return number(row["value"], row["low"], row["high"])


def _contrast(settings: Settings, row: Row) -> tuple[str, ...]:
    scale, unit = (100, " points") if is_share(settings, row["metric"]) else (1, "")
    digits = 1 if scale == 100 else 2
    numbers = [
        "none" if row[key] is None else f"{scale * row[key]:+.{digits}f}".replace("-", "−")
        for key in ("difference", "low", "high")
    ]
    return (
        named(settings, row["persona"]),
        metric_title(settings, row["judge"], row["metric"]),
        f"{numbers[0]} [{numbers[1]}, {numbers[2]}]{unit}",
        str(row["n"]),
        p_text(row["p_holm"]),
    )


SECTIONS: tuple[Section, ...] = (("What judges say of the answers", ("judges",), judged),)
