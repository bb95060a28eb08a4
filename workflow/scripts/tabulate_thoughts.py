"""Put what there is to count of all cells' thoughts into one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.prompting.steps import THOUGHTS, counted


def main(arguments: Namespace) -> None:
    """Count the thoughts of every cell of a model that thinks."""
    parts = [pl.DataFrame(schema=THOUGHTS)]
    view = files.read_json(arguments.cells)
    for model, task, persona in view["thinking"]:
        responses = files.read_table(arguments.responses / model / task / f"{persona}.parquet")
        names = {"model": model, "task": task, "persona": persona}
        parts.append(counted(responses).with_columns(**{k: pl.lit(v) for k, v in names.items()}))
    table = pl.concat(part.select(*THOUGHTS) for part in parts)
    files.write_table(table, arguments.parquet, {"cells": arguments.cells})
    files.write_csv(table, arguments.csv)
    n_cut = table.get_column("n_cut").sum()
    cli.log.info("%d thoughts, %d of them cut", table.get_column("n_thoughts").sum(), n_cut)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            cells="view that lists the cells that think",
            responses="folder of answers",
            parquet="table to write",
            csv="the same, as CSV",
        ),
    )
