"""Render and tokenize what a judge is asked about the criteria of items, answer by answer."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.judges import criteria
from persona_paradox.prompting.delivery import deliver_chats


def main(arguments: Namespace) -> None:
    """Write the chats."""
    read_out = files.read_json(arguments.read_out)
    answers, listed = criteria.read_answers(arguments)
    chats = criteria.criterion_chats(answers, listed, files.read_json(arguments.judge))
    table = deliver_chats(
        chats,
        files.read_json(arguments.template),
        model_of(arguments.manifest),
        arguments.config_file,
        name="/".join(arguments.delivered.with_suffix("").parts[-5:]),
        labels=read_out["labels"],
        answer_prefix=read_out["answer_prefix"],
    )
    paths = ("judge", "read_out", "template", *criteria.PATHS, "manifest")
    inputs = {role: path for role in paths if (path := getattr(arguments, role))}
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%d chats on %d answers", table.height, answers.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and its question on a criterion",
        read_out="view of its digits",
        template="view of its model's chat template",
        delivered="Parquet file to write",
    )
    criteria.add_options(options)
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
