"""Render and tokenize the chats behind the thoughts or the reasonings of a cell."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.prompting.delivery import deliver_chats
from persona_paradox.prompting.steps import chats_behind


def main(arguments: Namespace) -> None:
    """Put behind every step what ends it and what the next one begins with."""
    read_out = files.read_json(arguments.read_out)
    view = files.read_json(arguments.template)
    table = deliver_chats(
        chats_behind(
            files.read_table(arguments.prompts),
            arguments.thoughts and files.read_table(arguments.thoughts),
            arguments.reasonings and files.read_table(arguments.reasonings),
            arguments.rationale and files.read_json(arguments.rationale),
            read_out["answer_prefix"],
        ),
        view,
        model_of(arguments.manifest),
        arguments.config_file,
        name="/".join(arguments.delivered.with_suffix("").parts[-3:]),
        labels=read_out["labels"],
        thinks=arguments.thoughts is not None,
    )
    names = ("prompts", "thoughts", "reasonings", "rationale", "read_out", "template", "manifest")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%d chats", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        read_out="view of the task's labels and answer prefix",
        template="view of the model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--thoughts", type=Path, help="Parquet file of the thoughts")
    options.add_argument("--reasonings", type=Path, help="Parquet file of the reasonings")
    options.add_argument("--rationale", type=Path, help="view of the header behind these")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
