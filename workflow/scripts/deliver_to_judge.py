"""Render and tokenize what a judge reads: answers to be rated, pairs, or a list of answers."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.judges.answers import listed, paired, read_answers
from persona_paradox.judges.chats import list_chats, pair_chats, rating_chats
from persona_paradox.prompting.delivery import deliver_chats

FORMS = ("ratings", "pairs", "list")


def chats_of(arguments: Namespace, judge: dict[str, Any]) -> pl.DataFrame:
    """The chats on the cells that the command line names."""
    cells = [
        read_answers(responses, prompts, judge.get("reads"))
        for responses, prompts in zip(arguments.responses, arguments.prompts, strict=True)
    ]
    if arguments.form == "ratings":
        return rating_chats(cells[0], judge)
    if arguments.form == "pairs":
        return pair_chats(paired(*cells), judge)
    return list_chats(listed(cells), judge)


def main(arguments: Namespace) -> None:
    """Write the chats of one file of verdicts."""
    read_out = files.read_json(arguments.read_out)
    view = files.read_json(arguments.template)
    chats = chats_of(arguments, files.read_json(arguments.judge))
    table = deliver_chats(
        chats,
        view,
        model_of(arguments.manifest),
        arguments.config_file,
        name="/".join(arguments.delivered.with_suffix("").parts[-5:]),
        labels=read_out["labels"],
        answer_prefix=read_out["answer_prefix"],
    )
    inputs = {name: getattr(arguments, name) for name in ("judge", "read_out", "template")}
    for name in ("responses", "prompts"):
        inputs |= {f"{name}_{i}": path for i, path in enumerate(getattr(arguments, name))}
    if arguments.manifest:
        inputs["model"] = arguments.manifest
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%d chats", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and questions",
        read_out="view of its digits",
        template="view of its model's chat template",
        delivered="Parquet file to write",
    )
    options.add_argument("--form", choices=FORMS, required=True, help="what is judged")
    several = {"type": Path, "nargs": "+", "required": True}
    options.add_argument("--responses", **several, help="Parquet files of the answers, by cell")
    options.add_argument("--prompts", **several, help="Parquet files of the prompts, by cell")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
