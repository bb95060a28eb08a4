"""Put the audits of all cells into one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files


def main(arguments: Namespace) -> None:
    """Read the audit of every cell that the study names."""
    tables = []
    for model, task, persona in files.read_json(arguments.cells)["cells"]:
        place = {"model": model, "task": task, "persona": persona}
        table = files.read_table(arguments.audits / model / task / f"{persona}.parquet")
        tables.append(table.select(*(pl.lit(v).alias(k) for k, v in place.items()), "*"))
    table = pl.concat(tables)
    files.write_csv(table, arguments.table)
    worst = table.group_by("backend", maintain_order=True).agg(
        pl.col("n").sum(),
        pl.col("max_logprob_difference").max(),
        pl.col("label_flips", "argmax_flips", "text_changes").sum(),
    )
    for row in worst.iter_rows(named=True):
        cli.log.info(
            "%(backend)s: %(n)d comparisons, largest difference of a log-probability "
            "%(max_logprob_difference)g, %(label_flips)d labels, %(argmax_flips)d likeliest labels "
            "and %(text_changes)d texts changed",
            row,
        )


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            cells="view that lists the cells",
            audits="folder of audits",
            table="CSV file to write",
        ),
    )
