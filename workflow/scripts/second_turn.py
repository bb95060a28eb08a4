"""Render and tokenize the question behind each answer of a cell, and prove that it arrives."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.kinds.labelled.verbalized import example, second_turns
from persona_paradox.prompting.delivery import deliver_chats


def main(arguments: Namespace) -> None:
    """Put the question behind the answers of a cell; without answers, behind an example."""
    prompts = files.read_table(arguments.prompts)
    question = files.read_json(arguments.question)["question"]
    read_out = files.read_json(arguments.read_out)
    view = files.read_json(arguments.template)
    names = ("prompts", "question", "read_out", "template", "responses", "manifest")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    # A cell, or model and task.
    name = "/".join(arguments.delivered.with_suffix("").parts[-3 if arguments.responses else -2 :])
    if arguments.responses:
        responses = files.read_table(arguments.responses)
    else:
        # A task that reasons reads its labels in a step of its own.
        responses = example(prompts, (read_out["labels"] or ["1"])[0])
    turns = second_turns(prompts, responses, question, read_out["answer_prefix"])
    model = model_of(arguments.manifest)
    table = deliver_chats(turns, view, model, arguments.config_file, name=f"{name}, second turn")
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%s: %d second turns", name, table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        question="view of the question",
        read_out="view of the task's labels and answer prefix",
        template="view of the model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--responses", type=Path, help="Parquet file of the answers")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
