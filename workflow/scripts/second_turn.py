"""Render and tokenize the question behind each answer of a cell, and prove that it arrives.

Without answers, all that the user says in further turns of a task, and the question, is tried on an
example.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.data.dialogue import whole
from persona_paradox.engine.prepared import model_of
from persona_paradox.errors import InputError
from persona_paradox.identification.options import question
from persona_paradox.kinds.labelled.verbalized import second_turns
from persona_paradox.prompting.delivery import deliver_chats
from persona_paradox.prompting.turns import example
from persona_paradox.study.conditions import file_of


def of_one_item(
    prompts: pl.DataFrame, turns: list[str], items: Path, name: str
) -> tuple[pl.DataFrame, list[str]]:
    """The prompt of an item that has something for all places, and what is said about it."""
    shown = files.read_table(items).filter(pl.col("item_id").is_in(prompts["item_id"].implode()))
    found = whole(turns, shown)
    if found is None:
        task = name.partition("/")[2]
        raise InputError(
            f"{file_of('tasks', task)}: key `turns` has {len(turns)} turns with places, but no "
            "item that is asked has as many of its own, or an answer to name; take some turns out"
        )
    id_, texts = found
    return prompts.filter(pl.col("item_id") == id_), texts


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
        if arguments.items:
            prompts, said = of_one_item(prompts, said, arguments.items, name)
        turns = example(prompts, [*said, *asked], answer)
    model = model_of(arguments.manifest)
    table = deliver_chats(turns, view, model, arguments.config_file, name=f"{name}, second turn")
    names = ("prompts", "turns", "items", "question", "identification", "read_out")
    names += ("template", "responses", "manifest")
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
    options.add_argument("--items", type=Path, help="data set, where its items fill places")
    options.add_argument("--question", type=Path, help="view of the question")
    options.add_argument("--identification", type=Path, help="view of the question who it is")
    options.add_argument("--responses", type=Path, help="Parquet file of the answers")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
