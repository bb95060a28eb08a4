"""Which candidate of a cycle goes on, by answers to items that nothing else is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import polars as pl

from ..measures.answers import number
from ..measures.resampling import Draws, means
from ..measures.statistics import clusters_of

# Behind the point, of what is compared with a bound.
_DIGITS = 12
# Of the intervals of differences.
STATISTICS = {"draws": 2000, "confidence": 0.95, "interval": "percentile"}


def by_item(valued: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What a model's answers are worth, item by item.

    An answer without a text or a verdict is worth 0 here, so that no model gains by such.

    Args:
        valued: tables of `judged.valued`, one for each persona.

    Returns:
        Sorted by `item_id`: `score`, the mean over answers and personas; `n_answers`, `n_invalid`;
        `n_harmless`, of how many it is known whether they refuse in error, and `n_refused`.
    """
    return (
        pl.concat(valued)
        .group_by("item_id")
        .agg(
            score=pl.col("score").fill_null(0.0).mean(),
            n_answers=pl.len(),
            n_invalid=pl.col("score").null_count(),
            n_harmless=pl.col("refused_in_error").count(),
            n_refused=pl.col("refused_in_error").sum(),
        )
        .sort("item_id")
    )


def compare(
    before: pl.DataFrame, candidate: pl.DataFrame, items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, Any]:
    """A candidate against what it must be better than, on the same items.

    Args:
        before: table of `by_item`.
        candidate: the same.
        items: the data set, with the cluster where it has one.
        view: with `cluster`, its column or None, and `seed`.

    Returns:
        Numbers of items and answers, both mean scores, and their difference with the percentile
        interval of a bootstrap over items or clusters.
    """
    if not before["item_id"].equals(candidate["item_id"]):
        raise ValueError("a comparison needs the same items on both sides")
    rows = before.select("item_id").join(items, on="item_id", how="left", maintain_order="left")
    cluster = rows[view["cluster"]] if view["cluster"] else pl.Series([None] * rows.height)
    clusters = clusters_of(rows.select("item_id").with_columns(cluster=cluster.cast(pl.String)))
    difference = (candidate["score"] - before["score"]).to_numpy()
    draws = Draws.of(clusters, STATISTICS | {"seed": view["seed"]})
    drawn = draws.measure(partial(means, {"difference": difference}))
    low, high = drawn.interval("difference")
    ends = {"difference": drawn.point["difference"], "low": low, "high": high}
    n_harmless, n_refused = (int(candidate[key].sum()) for key in ("n_harmless", "n_refused"))
    return {
        "n": rows.height,
        "n_answers": int(candidate["n_answers"].sum()),
        "n_invalid": int(candidate["n_invalid"].sum()),
        "n_invalid_before": int(before["n_invalid"].sum()),
        "score": number(candidate["score"].mean()),
        "score_before": number(before["score"].mean()),
        # Thirds that cancel leave some 1e-17, which is no gain.
        **{key: number(round(value, _DIGITS) + 0.0) for key, value in ends.items()},
        "n_harmless": n_harmless,
        "erroneous_refusals": n_refused / n_harmless if n_harmless else None,
    }


def hindrance(row: Mapping[str, Any], stop: Mapping[str, Any]) -> str | None:
    """Why a candidate does not go on; None where nothing stops it.

    Args:
        row: of `compare`.
        stop: key `training.validation.stop` of the adapter's file.
    """
    refused = row["erroneous_refusals"]
    if refused is not None and refused > stop["erroneous_refusals"]:
        return f"it refuses {refused:.0%} of {row['n_harmless']} answers to harmless requests"
    gain, what = row["difference"], "its gain"
    if stop["certain"]:
        gain, what = row["low"], "the lower end of its gain"
    if gain is None or not gain > stop["gain"]:
        told = "unknown" if gain is None else f"{gain:+.3f}"
        return f"{what} is {told}, not above {stop['gain']:g}"
    return None


def choose(
    rows: Mapping[str, dict[str, Any]], stop: Mapping[str, Any], unusable: str | None
) -> tuple[str | None, str | None]:
    """The candidate that goes on, or why none does; each row is told why it does not.

    Args:
        rows: candidate → row of `compare`, which gains `hindrance`.
        stop: key `training.validation.stop` of the adapter's file.
        unusable: why the judge is not usable, where that stops everything.
    """
    for row in rows.values():
        row["hindrance"] = hindrance(row, stop)
    if unusable is not None:
        return None, f"the judge is not usable: {unusable}"
    left = {id_: row["difference"] for id_, row in rows.items() if row["hindrance"] is None}
    if not left:
        return None, "; ".join(f"{id_}: {row['hindrance']}" for id_, row in rows.items())
    # Of several that gain as much, the first of the file.
    return max(left, key=lambda id_: left[id_]), None


def take_back(adapter: Path) -> None:
    """Make an adapter's file one that changes nothing: every B becomes 0."""
    reader = gguf.GGUFReader(adapter, "r+")
    for tensor in reader.tensors:
        if tensor.name.endswith(".lora_b"):
            tensor.data[:] = 0
    reader.data.flush()
