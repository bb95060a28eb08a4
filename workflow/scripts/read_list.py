"""Read which answer a judge calls the best of all personas' answers to a question."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.judges.answers import listed, read_cells
from persona_paradox.judges.chats import list_chats
from persona_paradox.judges.verdicts import list_preferences


def main(arguments: Namespace) -> None:
    """Write how likely every answer is called the best."""
    judge = files.read_json(arguments.judge)
    folders = (arguments.responses, arguments.prompts)
    cells, inputs = read_cells(*folders, arguments.personas, judge.get("reads"))
    lists = listed(list(cells.values()))
    verdicts = files.read_table(arguments.verdicts)
    table = list_preferences(lists, list_chats(lists, judge), verdicts, list(cells))
    inputs |= {"judge": arguments.judge, "verdicts": arguments.verdicts}
    files.write_table(table, arguments.preferences, inputs)
    cli.log.info("%d answers", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and questions",
        responses="folder of the answers of the model in the task",
        prompts="folder of the prompts of the task",
        verdicts="Parquet file of the verdicts",
        preferences="Parquet file to write",
    )
    options.add_argument("--personas", nargs="+", required=True, help="ids, sorted")
    cli.run(main, options)
