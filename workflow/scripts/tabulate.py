"""Put the tables of every model and task one behind the other, and adjust over all of them."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.kinds import measuring
from persona_paradox.measures import tabulation


def main(arguments: Namespace) -> None:
    """Read what was measured and write the tables."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    places = dict.fromkeys((model, task) for model, task, _ in (*view["cells"], *view["rated"]))
    kinds = [measuring.load(kind) for kind in sorted({t["kind"] for t in view["tasks"].values()})]
    inputs = {"cells": arguments.cells, "statistics": arguments.statistics}
    for name, schema in tabulation.schemas(kinds).items():
        if name == "robustness":
            continue
        paths = [arguments.measures / model / task / f"{name}.parquet" for model, task in places]
        table = files.scan_tables([path for path in paths if path.exists()], schema)
        if name == "contrasts":
            table = tabulation.with_family(table.drop(*tabulation.FAMILY), settings, view)
            robust = tabulation.robust(table, settings, view)
            files.write_table(robust, arguments.tables / "robustness.parquet", inputs)
            files.write_csv(robust, arguments.tables / "robustness.csv")
        table = table.select(*schema)
        n = files.write_tables(table, arguments.tables / name, inputs)
        cli.log.info("%s: %d rows", name, n)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            cells="view that lists the cells",
            statistics="view of the statistics",
            measures="folder of the tables of every model and task",
            tables="folder to write to",
        ),
    )
