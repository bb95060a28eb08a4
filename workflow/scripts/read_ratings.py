"""Read a judge's verdicts on the answers of a cell, one by one."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.judges.answers import read_answers
from persona_paradox.judges.chats import rating_chats
from persona_paradox.judges.verdicts import judgements


def main(arguments: Namespace) -> None:
    """Write the judgements."""
    judge = files.read_json(arguments.judge)
    answers = read_answers(arguments.responses, arguments.prompts, judge.get("reads"))
    chats = rating_chats(answers, judge)
    view = files.read_json(arguments.view)
    table = judgements(answers, chats, files.read_table(arguments.verdicts), view)
    names = ("responses", "prompts", "judge", "view", "verdicts")
    inputs = {name: getattr(arguments, name) for name in names}
    files.write_table(table, arguments.judgements, inputs)
    statuses = table.group_by("status").len().sort("status").iter_rows()
    cli.log.info(
        "%d judgements: %s", table.height, ", ".join(f"{status} {n}" for status, n in statuses)
    )


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            responses="Parquet file of the answers",
            prompts="Parquet file of their prompts",
            judge="view of the judge's rubric and questions",
            view="view of how its verdicts are read",
            verdicts="Parquet file of its verdicts",
            judgements="Parquet file to write",
        ),
    )
