"""Write the chats of one task and persona, one row per wording and item or null case."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.data.changes import drawn_as
from persona_paradox.data.items import null_cases, sample
from persona_paradox.kinds import base
from persona_paradox.prompting.prompts import build_prompts


def main(arguments: Namespace) -> None:
    """Build and write the prompts."""
    task = files.read_json(arguments.task)
    texts = files.read_json(arguments.persona)["texts"]
    items = files.read_table(arguments.items).filter(pl.col("excluded").is_null())
    # An arm has the items that its base has.
    drawn = sample(
        drawn_as(items),
        task["limit"],
        task.get("seed", 0),
        task.get("limit_keeps", ()),
        task.get("stratum", ""),
        evenly=task.get("evenly", False),
    )
    every = items
    items = items.filter(pl.col("item_id").is_in(drawn["item_id"].implode()))
    nulls = null_cases(task["null_cases"])
    places = items.select(nulls.columns)
    if base.has(arguments.kind, "prompting"):
        prompting = base.load(arguments.kind, "prompting")
        fields = prompting.fields(items, task)
        places = places.hstack(fields.select(pl.exclude(places.columns)))
        if hasattr(prompting, "null_fields"):
            nulls = nulls.hstack(prompting.null_fields(nulls, task, every))
    prompts = build_prompts(pl.concat([places, nulls], how="diagonal"), texts, task)
    inputs = {"items": arguments.items, "persona": arguments.persona, "task": arguments.task}
    files.write_table(prompts, arguments.prompts, inputs)
    counts = (prompts.height, items.height, nulls.height, len(texts))
    cli.log.info("%d prompts: %d items and %d null cases, %d wordings", *counts)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        items="Parquet file of the data set",
        persona="view of the persona",
        task="view of the task's prompt",
        prompts="Parquet file to write",
    )
    options.add_argument("--kind", required=True, help="kind of the task, a folder of kinds")
    cli.run(main, options)
