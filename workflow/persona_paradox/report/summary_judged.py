"""What judges and clinicians say, in words: sections of `results/summary.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..judges.assessment import CARES, LENGTH, OVER_REFUSAL
from ..judges.ranking import PAIRWISE
from ..names import ALL, PANEL

Tables = Mapping[str, pl.DataFrame]
Settings = Mapping[str, Any]
Row = Mapping[str, Any]

_SHARES = ("accept", "caution", "refuse", "unjudged_rate", OVER_REFUSAL, CARES)
_WORDS = {
    "accept": "accepted",
    "caution": "answered with caution",
    "refuse": "refused",
    "unjudged_rate": "without a verdict",
    OVER_REFUSAL: "benign questions refused",
    CARES: "safety score (by harm level and action)",
}


def judged(tables: Tables, settings: Settings) -> Iterator[str]:
    """What every judge says of the answers, and whether it can be trusted."""
    if "judgements" in tables:
        yield from _judgements(tables, settings)
    yield from _trust(tables, settings)


def _judgements(tables: Tables, settings: Settings) -> Iterator[str]:
    judgements, verdicts = tables["judgements"], _verdicts(tables)
    keys = ["judge", "model", "task"]
    for (judge, model, task), part in judgements.group_by(keys, maintain_order=True):
        yield f"**{_judge(settings, judge)}, {_place(settings, model, task)}**"
        yield ""
        usable = bool(part["usable"].first())
        if not usable:
            notes = _notes(verdicts, judge)
            yield (
                f"- **NOT USABLE by its own rule**: {notes}. What follows is what it says, not "
                "what can be relied on."
            )
        yield f"- {_sanity(part['sanity_accuracy'].first(), judge)}"
        shown = part.filter(
            (pl.col("category") == ALL)
            & (pl.col("variant") == "main")
            & (pl.col("persona") == settings["baseline"])
        )
        rows = {row["metric"]: row for row in shown.iter_rows(named=True)}
        answers = rows["unjudged_rate"]
        yield (
            f"- Baseline ({answers['n']} answers, {answers['n_unjudged']} without a verdict): "
            + "; ".join(
                f"{_metric(settings, judge, name)} {_value(row)}"
                for name, row in rows.items()
                if name != "unjudged_rate"
            )
            + "."
        )
        if "judgement_contrasts" in tables:
            yield _contrasts(tables["judgement_contrasts"], settings, (judge, model, task))
        if "rankings" in tables:
            yield from _ranking(tables, settings, (judge, model, task))
        yield ""


def _contrasts(table: pl.DataFrame, settings: Settings, place: tuple[Any, Any, Any]) -> str:
    judge, model, task = place
    contrasts = table.filter(
        (pl.col("judge") == judge)
        & (pl.col("model") == model)
        & (pl.col("task") == task)
        & pl.col("p_holm").is_not_null()
    )
    found = contrasts.filter(pl.col("p_holm") <= 1 - settings["confidence"])
    return (
        f"- Differences from the baseline with p (Holm over {contrasts.height} tests) at most "
        f"{100 * (1 - settings['confidence']):.0f}%: "
        + ("; ".join(_contrast(settings, row) for row in found.iter_rows(named=True)) or "none")
        + "."
    )


def _sanity(accuracy: Any, judge: Any) -> str:
    """How often a judge is right on the sanity pairs, beside what it says."""
    who = "the worst of its judges" if judge == PANEL else "it"
    if accuracy is None:
        return "Not known: how often it is right where one of two answers is plainly safer."
    return (
        f"Where one of two answers is plainly safer, {who} is right in {100 * accuracy:.1f}% "
        "(a coin: 50%)."
    )


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
        yield (
            f"- {about}): "
            + "; ".join(
                f"{_persona(settings, row['persona'])} {_interval(row, 'strength')}"
                for row in strengths.iter_rows(named=True)
            )
            + "."
        )


def _trust(tables: Tables, settings: Settings) -> Iterator[str]:
    checks = tables["judges"].filter(pl.col("task").is_null() & pl.col("value").is_not_null())
    names = {
        "sanity_accuracy": "accuracy on the sanity pairs (a coin: 50%)",
        "sanity_both_orders": "right in both orders",
        "sanity_position_bias": "verdict changes with the order",
        "sanity_ratings": "safer answer rated better",
        "injection_rate": "judge injection rate",
    }
    for (judge,), part in checks.group_by("judge", maintain_order=True):
        rows = {row["metric"]: row for row in part.iter_rows(named=True)}
        told = [
            f"{text} {_percent(rows[name])}, n = {rows[name]['n']}"
            for name, text in names.items()
            if name in rows
        ]
        yield f"- {_judge(settings, judge)} on answers of known worth: " + (
            "; ".join(told) + "." if told else "not checked."
        )


def clinicians(tables: Tables, settings: Settings) -> Iterator[str]:
    """What clinicians say, and how far raters agree."""
    if "clinicians" in tables:
        yield from _rated(tables["clinicians"], settings)
    if "agreement" in tables:
        yield from _agreement(tables["agreement"], settings)


def _rated(rated: pl.DataFrame, settings: Settings) -> Iterator[str]:
    if rated.is_empty():
        yield (
            "No annotations yet: `snakemake results/clinician/packet.zip` makes the packet, and "
            "what comes back goes to resources/annotations."
        )
        yield ""
    keys = ["model", "task", "question"]
    for (model, task, question), part in rated.group_by(keys, maintain_order=True):
        n = max(part["n_annotators"].to_list())
        yield (
            f"- {_place(settings, model, task)}, {_question(settings, task, question)}: "
            + "; ".join(
                f"{_persona(settings, row['persona'])} {_bounds(row)}, n = {row['n']}"
                for row in part.iter_rows(named=True)
            )
            + f". {n} clinician{'s' * (n > 1)}; low confidence in "
            f"{100 * _mean_share(part):.1f}% of {sum(part['n_ratings'].to_list())} ratings."
        )


def _agreement(agreement: pl.DataFrame, settings: Settings) -> Iterator[str]:
    averages = agreement.filter(
        pl.col("rater_a").is_null()
        & (pl.col("statistic") == "kappa")
        & pl.col("value").is_not_null()
    )
    for (task, question), part in averages.group_by("task", "question", maintain_order=True):
        yield (
            f"- Agreement on {_question(settings, task, question)} "
            f"({settings['judged_tasks'][task]['title']}), average Cohen's κ: "
            + "; ".join(
                f"{row['kind']} {_bounds(row)}, n = {row['n']}"
                + " (NOT USABLE: a judge among them is not)" * (row["usable"] is False)
                for row in part.iter_rows(named=True)
            )
            + "."
        )


def _mean_share(part: pl.DataFrame) -> float:
    weighted = (pl.col("low_confidence_share") * pl.col("n_ratings")).sum()
    return float(part.select(weighted / pl.col("n_ratings").sum()).item())


def _verdicts(tables: Tables) -> dict[str, str]:
    """Judge → why it is not usable."""
    rows = tables["judges"].filter((pl.col("metric") == "usable") & ~pl.col("met"))
    return dict(rows.select("judge", "note").iter_rows())


def _notes(verdicts: Mapping[str, str], judge: Any) -> str:
    if judge != PANEL:
        return verdicts[judge]
    return "not all of its judges are usable"


def _judge(settings: Settings, judge: Any) -> str:
    return "Panel of all judges" if judge == PANEL else str(settings["judges"][judge]["title"])


def _place(settings: Settings, model: Any, task: Any) -> str:
    return f"{settings['models'][model]}, {settings['judged_tasks'][task]['title']}"


def _persona(settings: Settings, persona: str) -> str:
    return str(settings["personas"][persona]["title"])


def _question(settings: Settings, task: Any, question: Any) -> str:
    titles = {q["id"]: q["title"] for q in settings["judged_tasks"][task]["questions"]}
    for judge in settings["judges"].values():
        titles |= {rating["id"]: rating["title"] for rating in judge["ratings"]}
    return str(titles.get(question, question)).lower()


def _metric(settings: Settings, judge: Any, name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    if name == LENGTH:
        return "characters"
    judges = settings["judges"]
    ratings = [r for id_, j in judges.items() if judge in (id_, PANEL) for r in j["ratings"]]
    for rating in ratings:
        if rating["id"] == name:
            return f"{rating['title'].lower()} ({rating['better']} is better)"
    return name.replace("_", " ")


def _value(row: Row) -> str:
    return _percent(row) if row["metric"] in _SHARES else _bounds(row)


def _percent(row: Row) -> str:
    if row["value"] is None:
        return "not defined"
    bounds = "" if row["low"] is None else f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    return f"{100 * row['value']:.1f}%{bounds}"


def _bounds(row: Row) -> str:
    if row["value"] is None:
        return "not defined"
    low, high = row["low"], row["high"]
    return f"{row['value']:.2f}" + ("" if low is None else f" [{low:.2f}, {high:.2f}]")


def _interval(row: Row, name: str) -> str:
    values = {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
    return _bounds(values).replace("-", "−")


def _contrast(settings: Settings, row: Row) -> str:
    scale, unit = (100, " points") if row["metric"] in _SHARES else (1, "")
    digits = 1 if scale == 100 else 2
    numbers = [
        "none" if row[key] is None else f"{scale * row[key]:+.{digits}f}".replace("-", "−")
        for key in ("difference", "low", "high")
    ]
    name = _metric(settings, row["judge"], row["metric"])
    return (
        f"{_persona(settings, row['persona'])}, {name}: {numbers[0]} [{numbers[1]}, {numbers[2]}]"
        f"{unit}"
    )
