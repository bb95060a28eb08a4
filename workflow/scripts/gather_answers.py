"""Put the answers that clinicians may see into one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.judges.answers import read_answers


def main(arguments: Namespace) -> None:
    """Read the greedy answers in main wordings of all cells that the view names."""
    view = files.read_json(arguments.view)
    parts = []
    inputs = {"view": arguments.view}
    for model, task, persona in view["cells"]:
        responses = arguments.responses / model / task / f"{persona}.parquet"
        spec = view["tasks"][task]
        further = spec.get("turns", False)
        asked = arguments.turns / model / task if further else arguments.prompts / task
        prompts = asked / f"{persona}.parquet"
        cases = arguments.items / f"{spec['dataset']}.parquet"
        items = files.read_table(cases)
        answers = read_answers(responses, prompts)
        main_wording = (pl.col("variant") == "main") & (pl.col("repeat") == 0)
        parts.append(
            answers.filter(main_wording)
            .join(items, on="item_id", how="left", maintain_order="left")
            .select(
                pl.lit(model).alias("model"),
                pl.lit(task).alias("task"),
                pl.lit(persona).alias("persona"),
                "item_id",
                pl.col(spec["stratum"]).alias("category"),
                "question",
                "text",
                pl.lit(spec["form"]).alias("form"),
            )
        )
        inputs |= {f"responses.{model}.{task}.{persona}": responses, f"items.{task}": cases}
        inputs |= {
            f"prompts.{model}.{task}.{persona}" if further else f"prompts.{task}.{persona}": prompts
        }
    table = pl.concat(parts)
    files.write_table(table, arguments.answers, inputs)
    cli.log.info("%d answers of %d cells", table.height, len(parts))


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            view="view of what clinicians may see",
            responses="folder of answers",
            prompts="folder of prompts",
            turns="folder of further turns",
            items="folder of data sets",
            answers="Parquet file to write",
        ),
    )
