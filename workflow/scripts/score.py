"""Say what every answer of a cell says: its label against the reference, or its language."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.kinds import base


def mean_mass(scores: pl.DataFrame) -> list[tuple[str, float]]:
    """Wording and probability of all labels together, on the mean over items that have it."""
    greedy = scores.filter((pl.col("repeat") == 0) & pl.col("label_mass").is_not_null())
    return greedy.group_by("variant").agg(pl.col("label_mass").mean()).sort("variant").rows()


def main(arguments: Namespace) -> None:
    """Score a cell."""
    scoring = files.read_json(arguments.scoring)
    responses = files.read_table(arguments.responses)
    verbalized = files.read_table(arguments.verbalized) if arguments.verbalized else None
    score = base.load(arguments.kind, "scoring").score
    scores = score(responses, files.read_table(arguments.items), scoring, verbalized)
    inputs = {
        "responses": arguments.responses,
        "items": arguments.items,
        "scoring": arguments.scoring,
    }
    if arguments.verbalized:
        inputs["verbalized"] = arguments.verbalized
    files.write_table(scores, arguments.scores, inputs)
    told = "parse_status" if "parse_status" in scores.columns else "outcome"
    statuses = scores.group_by(told).len().sort(told).iter_rows()
    cli.log.info(
        "%d answers: %s", scores.height, ", ".join(f"{status} {n}" for status, n in statuses)
    )
    below = scoring.get("label_mass_warning_below", 0)
    for wording, mass in mean_mass(scores) if "label_mass" in scores.columns else ():
        if mass < below:
            cli.log.warning(
                "wording %s: the labels have a probability of %.3g together, on the mean over items"
                " (warning below %g): the model rarely means one of them here, so mind label "
                "probabilities, confidences and read-outs; look at its answers, and at the "
                "task's `answer_prefix` and labels",
                wording,
                mass,
                below,
            )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        responses="Parquet file of responses",
        items="Parquet file of the data set",
        scoring="view of the task's labels and levels",
        scores="Parquet file to write",
    )
    options.add_argument("--kind", required=True, help="kind of the task, a folder of kinds")
    options.add_argument("--verbalized", type=Path, help="Parquet file of stated confidences")
    cli.run(main, options)
