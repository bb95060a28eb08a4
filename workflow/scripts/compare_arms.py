"""Put the arms of one attribute of a task beside each other, and compare personas in them."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.analyses.arm_table import SCHEMA, Persona, rows_of
from persona_paradox.kinds import measuring


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    rows: list[dict[str, Any]] = []
    for base, task in view["tasks"].items():
        kind = measuring.load(task["kind"])
        if kind.pairs is None:
            raise ValueError(f"kind {kind.id!r} measures nothing of arms")
        items = {
            arm: files.read_table(arguments.items / f"{dataset}.parquet")
            for arm, dataset in task["datasets"].items()
        }
        for model in view["models"]:
            personas = {}
            for persona in task["personas"]:
                tables = {
                    id_: (
                        files.read_table(arguments.scores / model / id_ / f"{persona}.parquet"),
                        items.get(id_),
                    )
                    for id_ in (base, *task["arms"])
                }
                personas[persona] = Persona(kind, kind.pairs, task, tables)
            place = {"model": model, "task": base}
            place |= {key: task[key] for key in ("context", "dataset")}
            rows += [place | row for row in rows_of(personas, task, settings)]
    table = pl.DataFrame(rows, schema=SCHEMA)
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_tables(table.lazy(), arguments.table.with_suffix(""), inputs)
    cli.log.info("%d rows of %d tasks", table.height, len(view["tasks"]))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the arms that are compared",
        statistics="view of the statistics",
        scores="folder of scores",
        items="folder of data sets",
        table="Parquet file to write, with a CSV file beside it",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
