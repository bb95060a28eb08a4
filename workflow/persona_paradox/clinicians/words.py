"""What clinicians say, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ..words import Row, Section, Settings, Tables, named, number, place_of


def clinicians(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
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
            f"- {place_of(settings, model, task)}, {_question(settings, task, question)}: "
            + "; ".join(
                f"{named(settings, row['persona'])} {_number(row)}, n = {row['n']}"
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
                f"{row['kind']} {_number(row)}, n = {row['n']}"
                + " (NOT USABLE: a judge among them is not)" * (row["usable"] is False)
                for row in part.iter_rows(named=True)
            )
            + "."
        )


def _mean_share(part: pl.DataFrame) -> float:
    weighted = (pl.col("low_confidence_share") * pl.col("n_ratings")).sum()
    return float(part.select(weighted / pl.col("n_ratings").sum()).item())


def _question(settings: Settings, task: Any, question: Any) -> str:
    titles = {q["id"]: q["title"] for q in settings["judged_tasks"][task]["questions"]}
    for judge in settings["judges"].values():
        titles |= {rating["id"]: rating["title"] for rating in judge["ratings"]}
    return str(titles.get(question, question)).lower()


def _number(row: Row) -> str:
    return number(row["value"], row["low"], row["high"])


SECTIONS: tuple[Section, ...] = (("What clinicians say", ("clinicians", "agreement"), clinicians),)
