"""Make the vectors by which a model is steered as a persona, of its readings."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.axis.vectors import vector_rows
from persona_paradox.engine.steering import SCHEMA


def main(arguments: Namespace) -> None:
    """Read what lies at both ends, and write what lies between."""
    view = files.read_json(arguments.view)
    personas = dict.fromkeys((view["default"], *view["towards"]))
    tables = {
        persona: [
            files.read_table(arguments.readings / task / f"{persona}.parquet")
            for task in view["tasks"]
        ]
        for persona in personas
    }
    table = pl.DataFrame(list(vector_rows(view, tables)), schema=SCHEMA)
    files.write_table(table, arguments.vector, {"view": arguments.view})
    cli.log.info(
        "vectors of %s items, behind layers %s",
        *(", ".join(map(str, table[name])) for name in ("n_items", "layer")),
    )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the steered persona",
        readings="folder of readings of a model",
        vector="Parquet file to write",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
