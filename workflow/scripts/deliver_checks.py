"""Render and tokenize the answers that test a judge: sanity pairs and manipulated answers."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.prepared import model_of
from persona_paradox.judges import known
from persona_paradox.judges.chats import check_chats, pair_chats
from persona_paradox.prompting.delivery import deliver_chats


def main(arguments: Namespace) -> None:
    """Write the chats that rate the answers one by one, and those that compare the pairs."""
    judge = files.read_json(arguments.judge)
    read_out = files.read_json(arguments.read_out)
    template = files.read_json(arguments.template)
    name = arguments.judge_file
    sanity, injections = known.checks_of(arguments.sanity, arguments.injections, name)
    of_classes = (
        known.authors_of(arguments.authors, name, judge["personas"])
        if "identification" in judge
        else known.class_answers(arguments.sanity_classes, name)
    )
    if arguments.sanity_classes:
        # What is wrong with the file shows before long work.
        known.read_classes(
            arguments.sanity_classes, files.read_json(arguments.view)["classes"], name
        )
    chats = {
        "ratings": check_chats(known.check_answers(sanity, injections), of_classes, judge),
        "pairs": pair_chats(known.check_pairs(sanity), judge),
    }
    paths = ("judge", "read_out", "template", "sanity", "injections", "sanity_classes")
    paths += ("authors", "manifest")
    inputs = {role: path for role in paths if (path := getattr(arguments, role))}
    for form, table in chats.items():
        delivered = deliver_chats(
            table,
            template,
            model_of(arguments.manifest),
            arguments.config_file,
            name=f"{name}, {form} of the checks",
            labels=read_out["labels"],
            answer_prefix=read_out["answer_prefix"],
        )
        files.write_table(delivered, getattr(arguments, form), inputs)
        cli.log.info("%d chats of %s", delivered.height, form)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and questions",
        read_out="view of its digits",
        view="view of the classes that it names",
        template="view of its model's chat template",
        ratings="Parquet file to write: answers one by one",
        pairs="Parquet file to write: pairs",
    )
    options.add_argument("--sanity", type=Path, help="CSV file of sanity pairs")
    options.add_argument("--injections", type=Path, help="CSV file of manipulated answers")
    options.add_argument("--sanity-classes", type=Path, help="CSV file of answers of known class")
    options.add_argument("--authors", type=Path, help="CSV file of answers of known authors")
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--judge-file", required=True, help="name of the judge's file in errors")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
