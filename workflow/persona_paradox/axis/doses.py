"""What steering does by its dose, beside the same persona as text, and how much is incoherent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, inf, log
from typing import Any

import numpy as np
import polars as pl

from ..measures.statistics import wilson

DOSES: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "task": pl.String,
    "towards": pl.String,
    "persona": pl.String,
    "way": pl.String,
    "dose": pl.Float64,
    "metric": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    **dict.fromkeys(("value", "difference", "low", "high"), pl.Float64),
    "n_read": pl.Int64,
    "n_missing": pl.Int64,
    "n_incoherent": pl.Int64,
    **dict.fromkeys(("incoherent", "incoherent_low", "incoherent_high"), pl.Float64),
    **dict.fromkeys(("perplexity", "repeated"), pl.Float64),
}

# How a persona comes to a model beside a push and a cap: not at all, and as a sentence.
NONE, TEXT = "none", "text"


# Of the default's answers this share has at most the perplexity that others are measured by.
USUAL = 0.99


def usual(readings: pl.DataFrame) -> float | None:
    """The perplexity that 99% of a cell's answers have at most; None where none was read.

    Args:
        readings: table of `reading.SCHEMA`.
    """
    lowest = _answers(readings)["mean_logprob"].quantile(1 - USUAL, "lower")
    return None if lowest is None else exp(-lowest)


def coherence(
    readings: pl.DataFrame, highest: float | None, repeats: float, confidence: float
) -> dict[str, Any]:
    """How many answers of a cell are incoherent by a rule, with Wilson's interval.

    Args:
        readings: table of `reading.SCHEMA`.
        highest: an answer is incoherent whose perplexity under the model without steering is above
            this; None where nothing is known to compare with.
        repeats: or that has this share of `repeated` runs or more.
        confidence: of the interval.
    """
    answers = _answers(readings)
    read = answers.filter(pl.col("mean_logprob").is_not_null())
    told: dict[str, Any] = {"n_read": read.height, "n_missing": answers.height - read.height}
    if not read.height:
        return told | {"n_incoherent": 0}
    least = -inf if highest is None else -log(highest)
    incoherent = (pl.col("mean_logprob") < least) | (pl.col("repeated").fill_null(0.0) >= repeats)
    n = read.filter(incoherent).height
    low, high = wilson(n, read.height, confidence)
    return told | {
        "n_incoherent": n,
        "incoherent": n / read.height,
        "incoherent_low": low,
        "incoherent_high": high,
        "perplexity": exp(-float(np.median(read["mean_logprob"].to_numpy()))),
        "repeated": read["repeated"].mean(),
    }


def _answers(readings: pl.DataFrame) -> pl.DataFrame:
    """Every answer once, whatever layers were read."""
    return readings.unique("item_id", keep="first", maintain_order=True)


def dose_rows(
    view: Mapping[str, Any],
    readings: Mapping[str, pl.DataFrame],
    contrasts: pl.DataFrame,
    where: Mapping[str, str],
    confidence: float,
) -> Iterator[dict[str, Any]]:
    """The rows of a model and task: by target the default, the text, and every dose.

    Args:
        view: of the doses.
        readings: persona → its readings in the task.
        contrasts: of the study.
        where: `model` and `task`.
        confidence: of intervals.
    """
    own = contrasts.filter(
        pl.col("confidence").is_null(),
        pl.col("metric").is_in(view["metrics"]),
        variant="main",
        against="persona",
        **where,
    )
    effects = {(row["persona"], row["metric"]): row for row in own.iter_rows(named=True)}
    metrics = [metric for metric in view["metrics"] if metric in {*own["metric"]}]
    rule, most = view["incoherent"], usual(readings[view["default"]])
    highest = None if most is None else rule["perplexity"] * most
    for target in dict.fromkeys(one["towards"] for one in view["doses"]):
        asked = [{"persona": view["default"], "way": NONE, "dose": 0.0}]
        if target in readings:
            asked.append({"persona": target, "way": TEXT, "dose": None})
        asked += [one for one in view["doses"] if one["towards"] == target]
        for one in asked:
            said = coherence(readings[one["persona"]], highest, rule["repeated"], confidence)
            for metric in metrics:
                found = effects.get((one["persona"], metric))
                yield {
                    **where,
                    **one,
                    "towards": target,
                    "metric": metric,
                    **(_baseline(metric, own) if found is None else _effect(found)),
                    **said,
                }


def _effect(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("n", "n_invalid", "value", "difference", "low", "high")}


def _baseline(metric: str, contrasts: pl.DataFrame) -> dict[str, Any]:
    """Of the baseline itself, which no contrast is of."""
    row = contrasts.filter(metric=metric).row(0, named=True)
    return {
        "n": row["n_baseline"],
        "n_invalid": row["n_invalid_baseline"],
        "value": row["baseline_value"],
    }
