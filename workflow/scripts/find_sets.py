"""Find conformal sets of labels, and tell how often the right one is among them."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.ambiguity.sets import ORDINAL, SCHEMA, set_rows, with_holm
from persona_paradox.kinds import measuring


def rows(
    view: Mapping[str, Any], settings: Mapping[str, Any], scores: Path
) -> Iterator[dict[str, Any]]:
    """The rows of every model, task and score; main wordings."""
    asked = view["asked"]
    for task, about in view["tasks"].items():
        ordered = task in view["ordered"]
        # Of labels without an order one item's have nothing to do with another's.
        levels = dict(enumerate(about["levels"])) if ordered else {}
        for model in view["models"]:
            answers = measuring.answers_of(scores / model / task, about, view)
            place = {key: about[key] for key in ("context", "dataset")}
            for score in asked["scores"]:
                if score != ORDINAL or ordered:
                    for row in set_rows(answers, score, asked, settings, levels):
                        yield {"model": model, "task": task, **place, **row}


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    found = list(rows(view, settings, arguments.scores))
    table = with_holm(pl.DataFrame(found, schema=SCHEMA))
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_table(table, arguments.tables / "conformal.parquet", inputs)
    files.write_csv(table, arguments.tables / "conformal.csv")
    cli.log.info("%d rows", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the conformal sets",
        statistics="view of the statistics",
        scores="folder of scores",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
