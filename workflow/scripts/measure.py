"""Measure the cells of one model in one task, or of raters of it, and compare them."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.kinds import measuring
from persona_paradox.measures.arms import Arm
from persona_paradox.measures.cells import Measurement


def measure_models(measurement: Measurement, arguments: Namespace, personas: list[str]) -> None:
    """Read and measure the cells of a model."""
    recalibration = arm = None
    if arguments.recalibration is not None:
        recalibration = files.read_table(arguments.recalibration)
    if arguments.base is not None:
        arm = Arm(
            scores={p: files.read_table(arguments.base / f"{p}.parquet") for p in personas},
            items=files.read_table(arguments.items),
        )
    calibration = {}
    if arguments.calibration is not None:
        calibration = {
            p: (
                files.read_table(arguments.calibration / f"{p}.parquet"),
                files.read_table(arguments.calibration / f"{p}.draws.parquet"),
            )
            for p in personas
        }
    scores = {p: files.read_table(arguments.scores / f"{p}.parquet") for p in personas}
    measurement.measure(scores, calibration, recalibration, arm)


def main(arguments: Namespace) -> None:
    """Read the cells and write their tables."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    items = files.read_table(arguments.items) if view["subgroups"] else None
    measurement = Measurement(
        arguments.model,
        arguments.task,
        measuring.load(arguments.kind),
        view,
        settings,
        items=None if arguments.raters else items,
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        if arguments.raters:
            asked = None
            if arguments.asked is not None:
                asked = files.read_table(arguments.asked)["item_id"].unique().to_list()
            for rater in arguments.raters:
                scores = files.read_table(arguments.scores / f"{rater}.parquet")
                measurement.rate(rater, scores, asked)
        else:
            measure_models(measurement, arguments, view["personas"])
        tables = measurement.tables()
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    for name, table in tables.items():
        files.write_table(table, arguments.measures / f"{name}.parquet", inputs)
    cli.log.info("%d measures of %d wordings", tables["measures"].height, tables["cells"].height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="the measures' view of the task",
        statistics="view of the statistics",
        scores="folder of the scores, a Parquet file per persona",
        items="Parquet file of the data set",
        measures="folder to write to",
    )
    for name, text in (("kind", "kind of the task"), ("model", "model"), ("task", "task")):
        options.add_argument(f"--{name}", required=True, help=text)
    for name, text in (
        ("calibration", "folder of the calibration, of answers that are labels"),
        ("recalibration", "Parquet file of what they have after recalibration"),
        ("base", "folder of the scores of the task that this one is an arm of"),
        ("asked", "scores of a model: which items were asked"),
    ):
        options.add_argument(f"--{name}", type=Path, help=text)
    options.add_argument("--raters", nargs="+", help="ids of raters, whose the cells are")
    cli.run(main, options)
