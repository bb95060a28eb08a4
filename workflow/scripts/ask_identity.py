"""Render and tokenize the question who the model is, and prove that it arrives.

Without answers it is asked with nothing said before; with answers, behind each of them.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.identification.asking import chats_after, chats_before
from persona_paradox.prompting.delivery import deliver_chats


def main(arguments: Namespace) -> None:
    """Ask before a task, or behind the answers of a cell."""
    prompts = files.read_table(arguments.prompts)
    view = files.read_json(arguments.identification)
    name = "/".join(arguments.delivered.with_suffix("").parts[-3:])
    if arguments.responses:
        responses = files.read_table(arguments.responses)
        prefix = files.read_json(arguments.read_out)["answer_prefix"]
        chats = chats_after(prompts, responses, view, prefix)
    else:
        chats = chats_before(prompts, view)
    table = deliver_chats(
        chats,
        files.read_json(arguments.template),
        model_of(arguments.manifest),
        arguments.config_file,
        name=f"{name}, who it is",
        labels=view["labels"],
        answer_prefix=view["answer_prefix"],
    )
    names = ("prompts", "responses", "identification", "read_out", "template", "manifest")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%s: %d questions", name, table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        identification="view of the question and its options",
        template="view of the model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--responses", type=Path, help="Parquet file of the answers")
    options.add_argument("--read-out", type=Path, help="view of the task's answer prefix")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
