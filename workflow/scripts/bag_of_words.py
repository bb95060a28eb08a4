"""Answer every item of a task by the words of its case alone, and write that as responses."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.engine.responses import SCHEMA
from persona_paradox.measures import bag_of_words

# What answered.
BACKEND = "scikit-learn"


def responses(
    items: pl.DataFrame, view: dict[str, Any], scoring: dict[str, Any]
) -> list[dict[str, Any]]:
    """Rows of `SCHEMA`: the likeliest label of every item, and the probabilities of all."""
    label_of = {entry["level"]: entry["label"] for entry in scoring["labels"]}
    fold = bag_of_words.folds_of(items, view["cluster"], view["folds"], view["seed"])
    table = bag_of_words.features(items["case"].to_list(), view["fields"])
    levels = [entry["level"] for entry in scoring["labels"]]
    found = bag_of_words.cross_fitted(table, items["reference"].to_list(), fold, levels)
    rows = []
    for item_id, shares in zip(items["item_id"], found, strict=True):
        learned = not np.isnan(shares).any()
        with np.errstate(divide="ignore"):
            logprob = np.log(shares).tolist()
        rows.append(
            {
                "item_id": item_id,
                "variant": "main",
                "repeat": 0,
                "text": label_of[levels[int(shares.argmax())]] if learned else None,
                "finish_reason": "stop" if learned else "nothing_learned",
                "label_logprob": logprob if learned else None,
                "backend": BACKEND,
            }
        )
    return rows


def main(arguments: Namespace) -> None:
    """Learn what the words tell, fold by fold, and write it in the form of a model's answers."""
    view, scoring = files.read_json(arguments.view), files.read_json(arguments.scoring)
    items = files.read_table(arguments.items).filter(pl.col("excluded").is_null())
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        table = pl.DataFrame(responses(items, view, scoring), schema=SCHEMA)
    inputs = {key: getattr(arguments, key) for key in ("items", "view", "scoring")}
    files.write_table(table, arguments.responses, inputs)
    cli.log.info("%d items answered by their words, in %d folds", table.height, view["folds"])
    few = items.group_by("reference").len().filter(pl.col("len") < view["folds"])
    for level, n in few.sort("reference").iter_rows():
        told = "level %s has %d items, fewer than the %d folds: words can hardly be learned for it"
        cli.log.warning(told, level, n, view["folds"])


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            items="Parquet file of the data set",
            view="view of the folds, and of the fields of a case",
            scoring="view of the task's labels and levels",
            responses="Parquet file to write",
        ),
    )
