"""Read the residual stream of a model at the answers of one cell."""

import sys
import time
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.axis.reading import SCHEMA, readings
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.settings import Settings, usable_cpus


def main(arguments: Namespace) -> None:
    """Load the model without what steers it, read every answer, write the table."""
    started = time.monotonic()
    prepared = Prepared.read(arguments.manifest)
    prepared.check()
    view = files.read_json(arguments.engine)
    # One text is read at a time, and in a context of its own: answers are left alone.
    settings = Settings.resolve({**view, "width": 1}, prepared.manifest)
    depths = files.read_json(arguments.readings)["depths"]
    answers, delivered = (
        files.read_table(arguments.answers),
        files.read_table(arguments.delivered),
    )
    threads, name = min(arguments.threads, usable_cpus()), arguments.config_file
    with Engine(
        prepared.model, settings, threads, name, prepared.adapters, depths=depths
    ) as engine:
        rows = readings(engine, delivered, answers, settings.context)
        table = pl.DataFrame(list(rows), schema=SCHEMA)
        layers = engine.layers
    names = ("delivered", "answers", "readings", "engine")
    inputs = {name: getattr(arguments, name) for name in names} | {"model": arguments.manifest}
    files.write_table(table, arguments.table, inputs)
    cli.log.info(
        "%d answers read behind layers %s in %.1f s",
        table["item_id"].n_unique(),
        ", ".join(map(str, layers.values())),
        time.monotonic() - started,
    )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        delivered="Parquet file of the prompts that were answered",
        answers="Parquet file of the answers",
        readings="view of what is read",
        engine="view of the model's engine settings",
        manifest="manifest of the prepared model",
        table="Parquet file to write",
    )
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(main, options)
