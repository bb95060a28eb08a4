"""Put reasoning, header and answer together: the responses of a cell that reasons."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.rationale import concluded, conclusions


def main(arguments: Namespace) -> None:
    """Join the two steps."""
    rationale = files.read_json(arguments.rationale)
    reasonings = files.read_table(arguments.reasonings)
    prompts = files.read_table(arguments.prompts)
    chats = conclusions(prompts, reasonings, rationale["header"], rationale["answer_prefix"])
    responses = concluded(reasonings, chats, files.read_table(arguments.answers))
    names = ("prompts", "reasonings", "rationale", "answers")
    files.write_table(responses, arguments.responses, {n: getattr(arguments, n) for n in names})
    cli.log.info("%d responses", responses.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            prompts="Parquet file of prompts",
            reasonings="Parquet file of the reasonings",
            rationale="view of the header",
            answers="Parquet file of the answers behind them",
            responses="Parquet file to write",
        ),
    )
