"""Compare personas in a base and in what was tuned of it, in every task with a right answer."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.analyses.tuning import SCHEMA, tuning_rows, with_family
from persona_paradox.kinds import measuring
from persona_paradox.measures.answers import by_wording
from persona_paradox.training.chosen import is_base


def trained_with(pair: Mapping[str, Any], folder: Path) -> list[str] | None:
    """The personas of the training; None where they are not known, and where nothing went on."""
    if pair["chosen"] and is_base(files.read_json(folder / pair["adapter"] / "manifest.json")):
        return None
    known: list[str] | None = pair["trained_with"]
    return known


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    rows: list[dict[str, Any]] = []
    groups: dict[str, str] = {}
    for id_, task in view["tasks"].items():
        kind = measuring.load(task["kind"])
        groups |= task["groups"]
        for pair in view["pairs"]:
            answers = {}
            for persona in view["personas"]:
                before, after = (
                    files.read_table(arguments.scores / model / id_ / f"{persona}.parquet")
                    for model in (pair["base"], pair["model"])
                )
                answers[persona] = (
                    kind.answers(by_wording(before)["main"], task),
                    kind.answers(by_wording(after)["main"], task),
                )
            mix = trained_with(pair, arguments.adapters)
            place = {key: pair[key] for key in ("model", "base", "adapter")} | {"task": id_}
            place |= {key: task[key] for key in ("context", "dataset")}
            place["trained_with"] = None if mix is None else ", ".join(mix)
            for row in tuning_rows(answers, task["baseline"], kind.metrics, settings):
                known = mix is not None and row["persona"] in answers
                rows.append(place | {"in_training": row["persona"] in mix if known else None} | row)
    table = with_family(pl.DataFrame(rows, schema=SCHEMA), settings["family"], groups)
    table = table.select(*SCHEMA)
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_tables(table.lazy(), arguments.table.with_suffix(""), inputs)
    cli.log.info("%d rows of %d tuned models", table.height, len(view["pairs"]))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the tuned models, their bases and tasks",
        statistics="view of the statistics",
        scores="folder of scores",
        adapters="folder of adapters, by id",
        table="Parquet file to write, with a CSV file beside it",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
