"""Render and tokenize the question behind each answer of a cell, and prove that it arrives.

Without answers, all that the user says in further turns of a task, and the question, is tried on an
example.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.identification.options import question
from persona_paradox.kinds.labelled.verbalized import second_turns
from persona_paradox.prompting.delivery import deliver_chats
from persona_paradox.prompting.turns import example


def main(arguments: Namespace) -> None:
    """Put the question behind the answers of a cell; without answers, behind an example."""
    prompts = files.read_table(arguments.prompts)
    read_out = files.read_json(arguments.read_out)
    view = files.read_json(arguments.template)
    said = files.read_json(arguments.turns)["turns"] if arguments.turns else []
    asked = [files.read_json(arguments.question)["question"]] if arguments.question else []
    if arguments.identification:
        view_of = files.read_json(arguments.identification)
        asked.append(question(view_of["question"], prompts["item_id"][0], view_of))
    # A cell, or model and task.
    name = "/".join(arguments.delivered.with_suffix("").parts[-3 if arguments.responses else -2 :])
    if arguments.responses:
        responses = files.read_table(arguments.responses)
        turns = second_turns(prompts, responses, *asked, read_out["answer_prefix"])
    else:
        # A task that reasons reads its labels in a step of its own.
        answer = read_out["answer_prefix"] + (read_out["labels"] or ["1"])[0]
        turns = example(prompts, [*said, *asked], answer)
    model = model_of(arguments.manifest)
    table = deliver_chats(turns, view, model, arguments.config_file, name=f"{name}, second turn")
    names = ("prompts", "turns", "question", "identification", "read_out", "template")
    names += ("responses", "manifest")
    inputs = {name: path for name in names if (path := getattr(arguments, name))}
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%s: %d second turns", name, table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        read_out="view of the task's labels and answer prefix",
        template="view of the model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--turns", type=Path, help="view of what the user says in further turns")
    options.add_argument("--question", type=Path, help="view of the question")
    options.add_argument("--identification", type=Path, help="view of the question who it is")
    options.add_argument("--responses", type=Path, help="Parquet file of the answers")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
