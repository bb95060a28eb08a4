"""Put the steps of every answer together: the responses of a cell that thinks or reasons."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.prompting.steps import chats_behind, concluded, with_thoughts


def main(arguments: Namespace) -> None:
    """Join the steps."""
    prompts, answers = (files.read_table(path) for path in (arguments.prompts, arguments.answers))
    thoughts = arguments.thoughts and files.read_table(arguments.thoughts)
    responses = answers
    if arguments.reasonings is not None:
        reasonings = files.read_table(arguments.reasonings)
        rationale = files.read_json(arguments.rationale)
        chats = chats_behind(prompts, thoughts, reasonings, rationale)
        responses = concluded(reasonings, chats, answers)
    if thoughts is not None:
        responses = with_thoughts(thoughts, responses)
        cut = responses.get_column("thought_cut").sum()
        cli.log.info("%d of %d thoughts were cut", cut, thoughts.height)
    names = ("prompts", "thoughts", "reasonings", "rationale", "answers")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    files.write_table(responses, arguments.responses, inputs)
    cli.log.info("%d responses", responses.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        answers="Parquet file of the answers of the last step",
        responses="Parquet file to write",
    )
    options.add_argument("--thoughts", type=Path, help="Parquet file of the thoughts")
    options.add_argument("--reasonings", type=Path, help="Parquet file of the reasonings")
    options.add_argument("--rationale", type=Path, help="view of the header behind these")
    cli.run(main, options)
