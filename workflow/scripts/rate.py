"""Write a human rater's levels as responses."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.responses import human_responses


def main(arguments: Namespace) -> None:
    """Read the rater's column and write it in the form of a model's answers."""
    scoring = files.read_json(arguments.scoring)
    label_of_level = {entry["level"]: entry["label"] for entry in scoring["labels"]}
    responses = human_responses(files.read_table(arguments.items), arguments.rater, label_of_level)
    inputs = {"items": arguments.items, "scoring": arguments.scoring}
    files.write_table(responses, arguments.responses, inputs)
    cli.log.info("%d levels of rater %s", responses.height, arguments.rater)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        items="Parquet file of the data set",
        scoring="view of the task's labels and levels",
        responses="Parquet file to write",
    )
    options.add_argument("--rater", required=True, help="id of the rater")
    cli.run(main, options)
