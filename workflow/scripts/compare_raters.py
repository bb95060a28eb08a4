"""Compare what models say of cases with what several raters say of them."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.ambiguity.distributions import (
    SCHEMA,
    ambiguity_rows,
    raters_of,
    with_holm,
)
from persona_paradox.kinds import measuring


def rows(
    view: Mapping[str, Any], settings: Mapping[str, Any], arguments: Namespace
) -> Iterator[dict[str, Any]]:
    """The rows of every model and task; main wordings."""
    for task, about in view["tasks"].items():
        items = files.read_table(arguments.items / f"{about['dataset']}.parquet")
        for model in view["models"]:
            answers = measuring.answers_of(arguments.scores / model / task, about, view)
            asked = answers[view["personas"][0]].item_ids
            raters = raters_of(items, asked, about["levels"])
            place = {key: about[key] for key in ("context", "dataset")}
            for row in ambiguity_rows(answers, raters, settings):
                yield {"model": model, "task": task, **place, **row}
            n = {name: int(inside.sum()) for name, inside in raters.groups.items()}
            cli.log.info("%s, %s: %d items, rated %s", model, task, len(asked), n)


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    table = with_holm(pl.DataFrame(list(rows(view, settings, arguments)), schema=SCHEMA))
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_table(table, arguments.tables / "ambiguity.parquet", inputs)
    files.write_csv(table, arguments.tables / "ambiguity.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the ambiguous cases",
        statistics="view of the statistics",
        scores="folder of scores",
        items="folder of data sets",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
