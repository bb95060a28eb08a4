"""Read the confidence out of what a model said of each of its answers in a cell."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.kinds.labelled.verbalized import verbalized


def main(arguments: Namespace) -> None:
    """Read the stated confidences of a cell."""
    inputs = {"responses": arguments.responses, "statements": arguments.statements}
    table = verbalized(*(files.read_table(path) for path in inputs.values()))
    files.write_table(table, arguments.verbalized, inputs)
    statuses = table.group_by("status").len().sort("status").iter_rows()
    cli.log.info(
        "%d answers: %s", table.height, ", ".join(f"{status} {n}" for status, n in statuses)
    )


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            responses="Parquet file of the answers",
            statements="Parquet file of what was said of them",
            verbalized="Parquet file to write",
        ),
    )
