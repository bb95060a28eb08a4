"""Read the label out of every answer of a cell and compare it with the reference."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.scoring import score


def main(arguments: Namespace) -> None:
    """Score a cell."""
    scoring = files.read_json(arguments.scoring)
    responses = files.read_table(arguments.responses)
    verbalized = files.read_table(arguments.verbalized) if arguments.verbalized else None
    scores = score(responses, files.read_table(arguments.items), scoring, verbalized)
    inputs = {
        "responses": arguments.responses,
        "items": arguments.items,
        "scoring": arguments.scoring,
    }
    if arguments.verbalized:
        inputs["verbalized"] = arguments.verbalized
    files.write_table(scores, arguments.scores, inputs)
    statuses = scores.group_by("parse_status").len().sort("parse_status").iter_rows()
    cli.log.info(
        "%d answers: %s", scores.height, ", ".join(f"{status} {n}" for status, n in statuses)
    )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        responses="Parquet file of responses",
        items="Parquet file of the data set",
        scoring="view of the task's labels and levels",
        scores="Parquet file to write",
    )
    options.add_argument("--verbalized", type=Path, help="Parquet file of stated confidences")
    cli.run(main, options)
