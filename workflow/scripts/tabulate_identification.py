"""Put into tables how well personas are named, and whom each is taken for."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.identification import measures
from persona_paradox.identification.measures import Named, named_of
from persona_paradox.measures.answers import by_wording

# Wording → source → persona → who is named.
Cells = dict[str, dict[str, dict[str, Named]]]


def cells_of(
    folder: Path, view: dict[str, Any], about: dict[str, Any], items: pl.DataFrame
) -> Cells:
    """The identified cells of a model in a task."""
    found: Cells = {}
    for persona in view["personas"]:
        table = files.read_table(folder / f"{persona}.parquet")
        for variant, wording in by_wording(table).items():
            for (source,), rows in wording.group_by("asked", maintain_order=True):
                named = named_of(rows, items, persona, view, about["cluster"])
                found.setdefault(variant, {}).setdefault(str(source), {})[persona] = named
    return found


def main(arguments: Namespace) -> None:
    """Read every identified cell that the study names and write the tables."""
    view = files.read_json(arguments.view)
    settings = files.read_json(arguments.statistics)
    rows: list[dict[str, Any]] = []
    confusion: list[dict[str, Any]] = []
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        for model, task in view["places"]:
            about = view["tasks"][task]
            items = files.read_table(arguments.items / f"{about['dataset']}.parquet")
            folder = arguments.identified / model / task
            for variant, cells in cells_of(folder, view, about, items).items():
                place = {"model": model, "task": task, "variant": variant}
                found = measures.identification_rows(cells, settings)
                rows += [place | row for row in found[0]]
                confusion += [place | row for row in found[1]]
            cli.log.info("%s/%s", model, task)
    table = measures.with_holm(pl.DataFrame(rows, schema=measures.IDENTIFICATION))
    tables = {
        "identification": table.select(*measures.IDENTIFICATION),
        "identification_confusion": pl.DataFrame(confusion, schema=measures.CONFUSION),
    }
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    for name, one in tables.items():
        files.write_table(one, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(one, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            view="view of the identified cells",
            statistics="view of the statistics",
            identified="folder of identifications",
            items="folder of data sets",
            tables="folder to write to",
        ),
    )
