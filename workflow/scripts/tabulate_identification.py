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
from persona_paradox.names import PERSONA

# Wording → source → persona → who is named.
Cells = dict[str, dict[str, dict[str, Named]]]


class IdentifiedCells:
    """The cells whose personas are named, by the model or by judges."""

    def __init__(self, arguments: Namespace) -> None:
        """Read the view."""
        self.folders = arguments
        self.view = files.read_json(arguments.view)
        self.settings = files.read_json(arguments.statistics)
        self.usable: dict[str, bool] = {}
        if arguments.judges:
            quality = files.read_table(arguments.judges).filter(pl.col("metric") == "usable")
            self.usable = dict(quality.select("judge", "met").iter_rows())

    def places(self) -> list[tuple[str, str]]:
        """Models and tasks."""
        judged = [tuple(place) for places in self.view["judges"].values() for place in places]
        return sorted({*map(tuple, self.view["places"]), *judged})

    def cells(self, model: str, task: str) -> Cells:
        """Who is named in the cells of a model in a task."""
        about = self.view["tasks"][task]
        items = files.read_table(self.folders.items / f"{about['dataset']}.parquet")
        found: Cells = {}
        for persona in self.view["personas"]:
            for source, table in self.sources(model, task, persona):
                for variant, rows in by_wording(table).items():
                    named = named_of(rows, items, persona, self.view, about["cluster"])
                    found.setdefault(variant, {}).setdefault(source, {})[persona] = named
        return found

    def sources(self, model: str, task: str, persona: str) -> list[tuple[str, pl.DataFrame]]:
        """Who names somebody in a cell, and whom."""
        cell = f"{model}/{task}/{persona}.parquet"
        found: list[tuple[str, pl.DataFrame]] = []
        if [model, task] in self.view["places"]:
            table = files.read_table(self.folders.identified / cell)
            parts = table.partition_by("asked", maintain_order=True, as_dict=True)
            found += [(str(asked), rows) for (asked,), rows in parts.items()]
        for judge, places in self.view["judges"].items():
            if [model, task] in places:
                table = files.read_table(self.folders.judgements / judge / cell)
                found.append((judge, self.of_judge(table)))
        return found

    def of_judge(self, judgements: pl.DataFrame) -> pl.DataFrame:
        """What a judge names, in the form of what a model names."""
        ids = {place: one["id"] for place, one in enumerate(self.view["options"], start=1)}
        rows = judgements.filter((pl.col("repeat") == 0) & (pl.col("dimension") == PERSONA))
        return rows.with_columns(
            pl.col("mode", "written").replace_strict(ids, default=None, return_dtype=pl.String)
        ).rename({"mode": "named"})

    def with_usable(self, rows: list[dict[str, Any]], schema: Any) -> pl.DataFrame:
        """A table that says whether a judge is usable; of a model it says nothing."""
        for row in rows:
            row["usable"] = self.usable.get(row.get("named_by") or row["source"])
        return pl.DataFrame(rows, schema=schema)


def main(arguments: Namespace) -> None:
    """Read every identified cell that the study names and write the tables."""
    study = IdentifiedCells(arguments)
    rows: list[dict[str, Any]] = []
    confusion: list[dict[str, Any]] = []
    variance: list[dict[str, Any]] = []
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        for model, task in study.places():
            wordings = study.cells(model, task)
            for variant, cells in wordings.items():
                place = {"model": model, "task": task, "variant": variant}
                found = measures.identification_rows(cells, study.settings)
                rows += [place | row for row in found[0]]
                confusion += [place | row for row in found[1]]
            place = {"model": model, "task": task}
            found = measures.variance(wordings, study.view["baseline"], study.settings)
            variance += [place | row for row in found]
            cli.log.info("%s/%s", model, task)
    table = measures.with_holm(study.with_usable(rows, measures.IDENTIFICATION))
    tables = {
        "identification": table.select(*measures.IDENTIFICATION),
        "identification_variance": study.with_usable(variance, measures.IDENTIFICATION_VARIANCE),
        "identification_confusion": study.with_usable(confusion, measures.CONFUSION),
    }
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    for name, one in tables.items():
        files.write_table(one, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(one, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the identified cells",
        statistics="view of the statistics",
        identified="folder of identifications",
        judgements="folder of judgements",
        items="folder of data sets",
        tables="folder to write to",
    )
    options.add_argument("--judges", type=Path, help="Parquet file of the quality of judges")
    cli.run(main, options)
