"""Put into a table what steering does by its dose, and how much of what it says is incoherent."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.axis.doses import DOSES, dose_rows


def main(arguments: Namespace) -> None:
    """Read the readings and the contrasts, and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    contrasts = files.read_table(arguments.contrasts)
    rows = []
    for model in view["models"]:
        for task in view["tasks"]:
            readings = {
                persona: files.read_table(arguments.readings / model / task / f"{persona}.parquet")
                for persona in view["personas"]
            }
            where = {"model": model, "task": task}
            rows += dose_rows(view, readings, contrasts, where, settings["confidence"])
    inputs = {name: getattr(arguments, name) for name in ("view", "statistics", "contrasts")}
    table = pl.DataFrame(rows, schema=DOSES)
    files.write_tables(table.lazy(), arguments.tables / "steering", inputs)
    cli.log.info("%d rows", table.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            view="view of the doses",
            statistics="view of the statistics",
            readings="folder of readings",
            contrasts="table of contrasts",
            tables="folder to write to",
        ),
    )
