"""Put the user's next message behind every answer of a cell: the chats of its next turn."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.dialogue import said
from persona_paradox.prompting.turns import behind_answers


def main(arguments: Namespace) -> None:
    """Write the chats."""
    names = ("prompts", "responses", "turns", "read_out", "items")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    turns = files.read_json(arguments.turns)["turns"]
    items = files.read_table(arguments.items) if arguments.items else None
    responses = files.read_table(arguments.responses)
    chats = behind_answers(
        files.read_table(arguments.prompts),
        responses,
        turns[-1] if items is None else said(turns, items, responses),
        files.read_json(arguments.read_out)["answer_prefix"],
    )
    files.write_table(chats, arguments.chats, inputs)
    left = chats["status"].count()
    cli.log.info("%d chats, %d of them without an answer to go on behind", chats.height, left)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of the chats that were answered",
        responses="Parquet file of the answers",
        turns="view of what the user says, turn by turn",
        read_out="view of the task's labels and answer prefix",
        chats="Parquet file to write",
    )
    options.add_argument("--items", type=Path, help="data set, where its items fill places")
    cli.run(main, options)
