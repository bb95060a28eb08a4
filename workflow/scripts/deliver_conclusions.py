"""Render and tokenize the chats behind the reasonings of a cell, up to where the label stands."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.delivery import deliver_chats
from persona_paradox.rationale import conclusions


def main(arguments: Namespace) -> None:
    """Put the header behind every reasoning."""
    rationale = files.read_json(arguments.rationale)
    view = files.read_json(arguments.template)
    chats = conclusions(
        files.read_table(arguments.prompts),
        files.read_table(arguments.reasonings),
        rationale["header"],
        rationale["answer_prefix"],
    )
    table = deliver_chats(
        chats,
        view,
        arguments.model,
        arguments.config_file,
        name="/".join(arguments.delivered.with_suffix("").parts[-3:]),
        labels=files.read_json(arguments.read_out)["labels"],
    )
    names = ("prompts", "reasonings", "rationale", "read_out", "template", "manifest")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%d reasonings", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        reasonings="Parquet file of the reasonings",
        rationale="view of the header",
        read_out="view of the task's labels",
        template="view of the model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--model", type=Path, help="GGUF file; none for a server")
    options.add_argument("--manifest", type=Path, help="its manifest")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
