"""Put the proofs of all cells into one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.prompting.delivery import summary


def main(arguments: Namespace) -> None:
    """Summarize every cell that the study names."""
    windows = files.read_json(arguments.windows)
    rows = []
    for model, task, persona in files.read_json(arguments.cells)["cells"]:
        delivered = files.read_table(arguments.delivered / model / task / f"{persona}.parquet")
        found = summary(delivered, **windows[model][task])
        if found["n_too_long"]:
            cli.log.warning(
                "%s/%s/%s: %d of %d prompts are not run, as they leave no room in the window for "
                "what is written behind them (config/README.md, `engine.context`)",
                *(model, task, persona, found["n_too_long"], found["n_prompts"]),
            )
        rows.append({"model": model, "task": task, "persona": persona, **found})
    # A study may have servers alone, whose windows are not known.
    table = pl.DataFrame(rows, schema_overrides={"n_too_long": pl.Int64})
    inputs = {"cells": arguments.cells, "windows": arguments.windows}
    files.write_table(table, arguments.parquet, inputs)
    files.write_csv(table, arguments.csv)
    cli.log.info("%d cells", table.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            cells="view that lists the cells",
            windows="view of windows and of how much is first written, by model and task",
            delivered="folder of deliveries",
            parquet="table to write",
            csv="the same, as CSV",
        ),
    )
