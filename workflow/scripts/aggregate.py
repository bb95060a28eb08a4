"""Put all cells into tables: figures, contrasts with the baseline, robustness, subgroups."""

import multiprocessing
import sys
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.measures.aggregation import Measurement, Part, rated, tables_of


def measure(arguments: Namespace, model: str, task: str) -> Part:
    """Read and measure the cells of one model in one task."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    spec = view["tasks"][task]
    personas = [p for m, t, p in view["cells"] if (m, t) == (model, task)]
    items = None
    if spec["subgroups"]:
        items = files.read_table(arguments.items / f"{spec['dataset']}.parquet")
    scores, folder = arguments.scores / model / task, arguments.calibration / model / task
    recalibrated = None
    if arguments.recalibration is not None:
        recalibrated = files.read_table(arguments.recalibration / model / f"{task}.parquet")
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        return Measurement((model, task), view, settings, items=items).measure(
            {p: files.read_table(scores / f"{p}.parquet") for p in personas},
            {
                p: (
                    files.read_table(folder / f"{p}.parquet"),
                    files.read_table(folder / f"{p}.draws.parquet"),
                )
                for p in personas
            },
            recalibrated,
        )


def main(arguments: Namespace) -> None:
    """Read every cell that the study names and write the tables."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    places = list(dict.fromkeys((model, task) for model, task, _ in view["cells"]))
    processes = min(arguments.threads, len(places))
    work = [arguments] * len(places), *zip(*places, strict=True)
    if processes == 1:
        parts = dict(zip(places, map(measure, *work), strict=True))
    else:
        # Processes that are forked could inherit a lock of polars' threads.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
            parts = dict(zip(places, pool.map(measure, *work), strict=True))
    for place, part in parts.items():
        cli.log.info("%s/%s: n=%d", *place, len(part.asked))
    asked = {task: part.asked for (_, task), part in reversed(parts.items())}
    raters = []
    with threadpool_limits(1):
        for _, task, rater in view["human"]:
            scores = files.read_table(arguments.scores / "human" / task / f"{rater}.parquet")
            raters.append(rated(task, rater, scores, asked.get(task), view=view, settings=settings))
        found = tables_of(parts, raters, view, settings)
    inputs = {"cells": arguments.cells, "statistics": arguments.statistics}
    for name, table in found.items():
        files.write_table(table, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(table, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        cells="view that lists the cells",
        statistics="view of the statistics",
        scores="folder of scores",
        calibration="folder of calibration figures",
        items="folder of data sets",
        tables="folder to write to",
    )
    options.add_argument("--recalibration", type=Path, help="folder of recalibrated figures")
    options.add_argument("--threads", type=int, default=1, help="models × tasks at a time")
    cli.run(main, options)
