"""Read a judge's verdicts on the answers whose worth is known beforehand."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.judges import known
from persona_paradox.judges.chats import check_chats, pair_chats
from persona_paradox.judges.verdicts import judgements, preferences


def main(arguments: Namespace) -> None:
    """Write what the judge made of single answers and of pairs."""
    judge = files.read_json(arguments.judge)
    sanity, injections = known.checks_of(
        arguments.sanity, arguments.injections, arguments.judge_file
    )
    answers = known.check_answers(sanity, injections)
    of_classes = (
        known.authors_of(arguments.authors, arguments.judge_file, judge["personas"])
        if "identification" in judge
        else known.class_answers(arguments.sanity_classes, arguments.judge_file)
    )
    chats = check_chats(answers, of_classes, judge)
    verdicts = files.read_table(arguments.rating_verdicts)
    view = files.read_json(arguments.view)
    rated = pl.concat(
        [
            judgements(answers, chats, verdicts, view, asked="ratings"),
            judgements(of_classes, chats, verdicts, view, asked="classes"),
        ]
    )
    pairs = known.check_pairs(sanity if judge["pairs"] else None)
    chats = pair_chats(pairs, judge)
    verdicts = files.read_table(arguments.pair_verdicts)
    preferred = preferences(pairs, chats, verdicts, known.SANITY[2:])
    paths = ("judge", "view", "sanity", "injections", "sanity_classes")
    paths += ("authors", "rating_verdicts", "pair_verdicts")
    inputs = {role: path for role in paths if (path := getattr(arguments, role))}
    files.write_table(rated, arguments.ratings, inputs)
    files.write_table(preferred, arguments.pairs, inputs)
    cli.log.info("%d judgements, %d pairs", rated.height, preferred.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and questions",
        view="view of how its verdicts are read",
        rating_verdicts="Parquet file of its verdicts on single answers",
        pair_verdicts="Parquet file of its verdicts on pairs",
        ratings="Parquet file to write: judgements of single answers",
        pairs="Parquet file to write: preferences in the pairs",
    )
    options.add_argument("--sanity", type=Path, help="CSV file of sanity pairs")
    options.add_argument("--injections", type=Path, help="CSV file of manipulated answers")
    options.add_argument("--sanity-classes", type=Path, help="CSV file of answers of known class")
    options.add_argument("--authors", type=Path, help="CSV file of answers of known authors")
    options.add_argument("--judge-file", required=True, help="name of the judge's file in errors")
    cli.run(main, options)
