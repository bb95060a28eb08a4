"""Read a judge's preferences between the personas of a model in a task."""

import sys
from argparse import Namespace
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.judging import pair_chats, paired, preferences, read_answers


def main(arguments: Namespace) -> None:
    """Write the preferences of all pairs."""
    judge = files.read_json(arguments.judge)
    inputs = {"judge": arguments.judge}
    cells = {}
    for persona in arguments.personas:
        paths = [
            folder / f"{persona}.parquet" for folder in (arguments.responses, arguments.prompts)
        ]
        inputs |= {f"responses.{persona}": paths[0], f"prompts.{persona}": paths[1]}
        cells[persona] = read_answers(*paths)
    found = []
    for first, second in combinations(arguments.personas, 2):
        path = arguments.verdicts / f"{first}.vs.{second}.parquet"
        inputs[f"verdicts.{first}.{second}"] = path
        pairs = paired(cells[first], cells[second])
        verdicts = pl.read_parquet(path)
        found.append(preferences(pairs, pair_chats(pairs, judge), verdicts, (first, second)))
    table = pl.concat(found)
    files.write_table(table, arguments.preferences, inputs)
    statuses = table.group_by("status").len().sort("status").iter_rows()
    cli.log.info("%d pairs: %s", table.height, ", ".join(f"{s} {n}" for s, n in statuses))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        judge="view of the judge's rubric and questions",
        responses="folder of the answers of the model in the task",
        prompts="folder of the prompts of the task",
        verdicts="folder of the verdicts on pairs",
        preferences="Parquet file to write: pairs",
    )
    options.add_argument("--personas", nargs="+", required=True, help="ids, sorted")
    cli.run(main, options)
