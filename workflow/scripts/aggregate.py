"""Put all cells into tables: cells, contrasts with the baseline, reliability bins."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files, tables


def main(arguments: Namespace) -> None:
    """Read every cell that the study names and write the tables."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    wordings: dict[tuple[str, str, str, str], tables.Wording] = {}
    for model, task, persona in view["cells"] + view["human"]:
        scores = pl.read_parquet(arguments.scores / model / task / f"{persona}.parquet")
        # Sampled answers are repetitions, not further items.
        scores = scores.filter(pl.col("repeat") == 0)
        for (variant,), rows in scores.group_by("variant", maintain_order=True):
            key = (model, task, persona, str(variant))
            wordings[key] = tables.wording(rows, view["tasks"][task])

    cells: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    reliability: list[pl.DataFrame] = []
    for model, task, persona in view["cells"] + view["human"]:
        human = [model, task, persona] in view["human"]
        place = {"model": model, "task": task, "persona": persona}
        about = {key: view["tasks"][task][key] for key in ("context", "dataset")}
        calibration: dict[str, dict[str, Any]] = {}
        if not human:
            table = pl.read_parquet(arguments.calibration / model / task / f"{persona}.parquet")
            calibration = tables.calibration_columns(table)
            bins = table.filter(pl.col("bin").is_not_null())
            reliability.append(bins.select(*(pl.lit(v).alias(k) for k, v in place.items()), "*"))
        baseline = None if human else wordings[model, task, view["baseline"], "main"]
        for variant in [key[3] for key in wordings if key[:3] == (model, task, persona)]:
            this = wordings[model, task, persona, variant]
            start = {**place, **about, "variant": variant}
            row = tables.cell_row(this, baseline, settings)
            cells.append({**start, **row, **calibration.get(variant, {})})
            if baseline is not None and this is not baseline:
                contrasts.append({**start, **tables.contrast_row(this, baseline, settings)})
            cli.log.info("%s/%s/%s %s: n=%d", model, task, persona, variant, this.n)

    inputs = {"cells": arguments.cells, "statistics": arguments.statistics}
    for name, table in {
        "cells": pl.DataFrame(cells, infer_schema_length=None),
        "contrasts": tables.holm_column(pl.DataFrame(contrasts, infer_schema_length=None)),
        "reliability": pl.concat(reliability),
    }.items():
        files.write_table(table, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(table, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        cells="view that lists the cells",
        statistics="view of the statistics",
        scores="folder of scores",
        calibration="folder of calibration figures",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
