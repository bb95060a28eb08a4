"""Read a judge's verdicts on the criteria of items, answer by answer."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.judges import criteria


def main(arguments: Namespace) -> None:
    """Write the verdicts."""
    answers, listed = criteria.read_answers(arguments)
    chats = criteria.criterion_chats(answers, listed, files.read_json(arguments.judge))
    verdicts = files.read_table(arguments.verdicts)
    table = criteria.criterion_verdicts(answers, listed, chats, verdicts)
    paths = ("judge", *criteria.PATHS, "verdicts")
    inputs = {role: path for role in paths if (path := getattr(arguments, role))}
    files.write_table(table, arguments.criteria, inputs)
    statuses = table.group_by("status").len().sort("status").iter_rows()
    cli.log.info(
        "%d criteria: %s", table.height, ", ".join(f"{status} {n}" for status, n in statuses)
    )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and its question on a criterion",
        verdicts="Parquet file of its verdicts",
        criteria="Parquet file to write",
    )
    criteria.add_options(options)
    cli.run(main, options)
