"""Keep the answers to a sample of a task's items, which judges and clinicians read."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.data.changes import drawn_as
from persona_paradox.data.items import is_null_case, sample


def main(arguments: Namespace) -> None:
    """Draw of the items that were asked; the same for every persona, model and judge."""
    view = files.read_json(arguments.view)
    responses = files.read_table(arguments.responses).filter(~is_null_case())
    items = files.read_table(arguments.items)
    asked = items.filter(pl.col("item_id").is_in(responses["item_id"].implode()))
    drawn = sample(
        drawn_as(asked),
        view["judge_sample"],
        view["seed"],
        stratum=view["stratum"],
        evenly=view["evenly"],
    )
    kept = responses.filter(pl.col("item_id").is_in(drawn["item_id"].implode()))
    inputs = {name: getattr(arguments, name) for name in ("responses", "items", "view")}
    files.write_table(kept, arguments.answers, inputs)
    cli.log.info("answers to %d of %d items", drawn.height, asked.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            responses="Parquet file of the answers",
            items="Parquet file of the data set",
            view="view of the sample",
            answers="Parquet file to write",
        ),
    )
