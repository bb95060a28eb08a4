"""Read a judge's preferences between the personas of a model in a task."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.judges.answers import paired, read_cells
from persona_paradox.judges.chats import pair_chats
from persona_paradox.judges.verdicts import preferences


def main(arguments: Namespace) -> None:
    """Write the preferences of the pairs."""
    judge = files.read_json(arguments.judge)
    pairs = [pair.split(".vs.") for pair in arguments.pairs]
    personas = sorted({persona for pair in pairs for persona in pair})
    folders = (arguments.responses, arguments.prompts)
    cells, inputs = read_cells(*folders, personas, judge.get("reads"))
    inputs["judge"] = arguments.judge
    found = []
    for first, second in pairs:
        path = arguments.verdicts / f"{first}.vs.{second}.parquet"
        inputs[f"verdicts.{first}.{second}"] = path
        asked = paired(cells[first], cells[second])
        verdicts = files.read_table(path)
        found.append(preferences(asked, pair_chats(asked, judge), verdicts, (first, second)))
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
    options.add_argument("--pairs", nargs="+", required=True, help="ids of personas: A.vs.B")
    cli.run(main, options)
