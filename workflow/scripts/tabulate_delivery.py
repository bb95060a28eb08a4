"""Put the proofs of all cells into one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.delivery import summary


def main(arguments: Namespace) -> None:
    """Summarize every cell that the study names."""
    rows = []
    for model, task, persona in files.read_json(arguments.cells)["cells"]:
        delivered = files.read_table(arguments.delivered / model / task / f"{persona}.parquet")
        rows.append({"model": model, "task": task, "persona": persona, **summary(delivered)})
    table = pl.DataFrame(rows)
    files.write_table(table, arguments.parquet, {"cells": arguments.cells})
    files.write_csv(table, arguments.csv)
    cli.log.info("%d cells", table.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            cells="view that lists the cells",
            delivered="folder of deliveries",
            parquet="table to write",
            csv="the same, as CSV",
        ),
    )
