"""Read whom a model names, before a task and behind its answers, out of what it said."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.identification.reading import identified
from persona_paradox.names import WHEN


def main(arguments: Namespace) -> None:
    """Read the identifications of a cell."""
    names = ("responses", *WHEN, "identification")
    inputs = {name: getattr(arguments, name) for name in names}
    answers = {when: files.read_table(inputs[when]) for when in WHEN}
    view = files.read_json(arguments.identification)
    table = identified(files.read_table(arguments.responses), answers, view)
    files.write_table(table, arguments.identified, inputs)
    statuses = table.group_by("asked", "status").len().sort("asked", "status").iter_rows()
    told = ", ".join(f"{when} {status} {n}" for when, status, n in statuses)
    cli.log.info("%d questions: %s", table.height, told)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            responses="Parquet file of the answers to the task",
            before="Parquet file of what was said before the task",
            after="Parquet file of what was said behind the answers",
            identification="view of the question and its options",
            identified="Parquet file to write",
        ),
    )
