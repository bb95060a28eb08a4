"""Estimate what the factors of persona sets do, in every task of every model."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.analyses.factors import Answers, Effect, Trend, factor_effects
from persona_paradox.kinds import measuring
from persona_paradox.measures.answers import Scored, by_wording
from persona_paradox.measures.statistics import holm

SCHEMA = {
    "model": pl.String,
    "task": pl.String,
    "persona_set": pl.String,
    "metric": pl.String,
    "effect": pl.String,
    "factor": pl.String,
    "level": pl.String,
    "versus": pl.String,
    "factor_2": pl.String,
    "level_2": pl.String,
    "versus_2": pl.String,
    "n_items": pl.Int64,
    "n_clusters": pl.Int64,
    "n_answers": pl.Int64,
    "n_invalid": pl.Int64,
    "points": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "se": pl.Float64,
    "f": pl.Float64,
    "df": pl.Int64,
    "df_within": pl.Int64,
    "p": pl.Float64,
    "rho": pl.Float64,
    "rho_low": pl.Float64,
    "rho_high": pl.Float64,
    "in_family": pl.Boolean,
    "p_holm": pl.Float64,
    "reason": pl.String,
}


def rows(view: Mapping[str, Any], scores: Path) -> Iterator[dict[str, Any]]:
    """The effects in every metric, model, task and set; main wordings."""
    for model in view["models"]:
        for task, about in view["tasks"]:
            answers = measuring.load(about["kind"]).answers
            own = about | {"label_mass_warning_below": view["label_mass_warning_below"]}
            for set_, asked in view["sets"].items():
                cells = {}
                for id_ in asked["personas"]:
                    table = files.read_table(scores / model / task / f"{id_}.parquet")
                    cells[id_] = answers(by_wording(table)["main"], own)
                place = {"model": model, "task": task, "persona_set": set_}
                for row in of_set(cells, asked, view):
                    yield place | row


def of_set(
    cells: Mapping[str, Scored], asked: Mapping[str, Any], view: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The effects of the factors of one set: rows by the names of `SCHEMA`.

    Args:
        cells: persona → its answers.
        asked: what the view says of the set.
        view: `metrics`, and how intervals are made.
    """
    factors = {f["id"]: [level["id"] for level in f["levels"]] for f in asked["factors"]}
    trends = [Trend(t["id"], t["factor"], t["levels"]) for t in asked["trends"]]
    place = {
        id_: [ids.index(of[factor]) for factor, ids in factors.items()]
        for id_, of in asked["personas"].items()
    }
    levels = np.concatenate([np.tile(place[id_], (cell.n, 1)) for id_, cell in cells.items()])
    clusters = np.concatenate([cell.clusters for cell in cells.values()])
    for metric in view["metrics"]:
        if not all(metric in cell.hits for cell in cells.values()):
            continue
        counts = np.concatenate([cell.hits[metric] for cell in cells.values()])
        for effect in factor_effects(
            Answers(counts, levels, clusters, factors),
            trends,
            confidence=view["confidence"],
            draws=view["draws"],
            seed=view["seed"],
        ):
            n_items = next(iter(cells.values())).n
            counted = {"n_items": n_items, "n_invalid": _invalid(effect, cells, asked)}
            yield {"metric": metric} | counted | _flat(effect)


def _invalid(effect: Effect, cells: Mapping[str, Scored], asked: Mapping[str, Any]) -> int:
    """Invalid answers under the levels that are compared."""
    compared = {}
    if effect.effect == "trend":
        (trend,) = [t for t in asked["trends"] if t["id"] == effect.level]
        compared = {effect.factor: trend["levels"]}
    elif effect.level is not None:
        compared = {effect.factor: [effect.level, effect.versus]}
        if effect.factor_2 is not None:
            compared[effect.factor_2] = [effect.level_2, effect.versus_2]
    return sum(
        cell.n_invalid
        for id_, cell in cells.items()
        if all(asked["personas"][id_][factor] in levels for factor, levels in compared.items())
    )


def _flat(effect: Effect) -> dict[str, Any]:
    """An effect as a row."""
    row = {k: v for k, v in asdict(effect).items() if k not in ("points", "joint", "rho")}
    if effect.points is not None:
        row |= {k: v for k, v in asdict(effect.points).items() if k != "value"}
        row["points"] = effect.points.value
    if effect.joint is not None:
        row |= asdict(effect.joint)
    if effect.rho is not None:
        row |= dict(zip(("rho", "rho_low", "rho_high"), effect.rho, strict=True))
    return row


def with_family(table: pl.DataFrame, family: Mapping[str, Any]) -> pl.DataFrame:
    """Add `in_family` and `p_holm`, adjusted over all models, tasks and sets.

    Args:
        table: rows of `SCHEMA`, without both.
        family: the `metrics` and `effects` of the tests of the study.
    """
    inside = (
        pl.col("metric").is_in(family["metrics"])
        & pl.col("effect").is_in(family["effects"])
        & pl.col("p").is_not_null()
    )
    table = table.with_columns(in_family=inside).with_row_index("row")
    tested = table.filter("in_family")
    adjusted = pl.Series(holm(tested["p"].to_numpy()), dtype=pl.Float64)
    found = tested.select("row", p_holm=adjusted)
    return table.drop("p_holm").join(found, on="row", how="left", maintain_order="left")


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view = files.read_json(arguments.view)
    table = pl.DataFrame(list(rows(view, arguments.scores)), schema=SCHEMA)
    table = with_family(table, view["family"]).select(*SCHEMA)
    table = table.with_columns(pl.col(pl.Float64).fill_nan(None))
    files.write_table(table, arguments.tables / "factors.parquet", {"view": arguments.view})
    files.write_csv(table, arguments.tables / "factors.csv")
    cli.log.info("%d effects, %d without an estimate", table.height, table["reason"].count())


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the factors: sets, tasks and settings",
        scores="folder of scores",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
