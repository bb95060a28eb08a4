"""Compare the confidences of a cell with how often they are right."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.measures import confidences
from persona_paradox.measures.calibration import calibration_draws
from persona_paradox.measures.calibration_curves import reliability_bins, risk_coverage
from persona_paradox.measures.statistics import cluster_counts, clusters_of

# The curve of selective accuracy has about so many points.
COVERAGES = 50

DRAWS_SCHEMA = {
    "variant": pl.String,
    "confidence": pl.String,
    "metric": pl.String,
    "draws": pl.List(pl.Float64),
}

Rows = list[dict[str, Any]]


def calibrate(scores: pl.DataFrame, settings: dict[str, Any]) -> tuple[Rows, Rows]:
    """Rows of `confidences.CALIBRATION` and of `DRAWS_SCHEMA` of one wording."""
    rows: Rows = []
    draws: Rows = []
    scores = scores.sort("item_id")
    counts = cluster_counts(clusters_of(scores), settings["draws"], settings["seed"])
    level = settings["confidence"]
    for name, known, confidence, correct in confidences.known(scores):
        about = {"variant": scores.item(0, "variant"), "confidence": name}
        plain = about | {
            "recalibration": "none",
            "n_without_confidence": int(scores.height - known.sum()),
        }
        drawn = calibration_draws(confidence, correct, settings["bins"], counts[:, known])
        rows += confidences.measures(plain, confidence, correct, drawn, settings)
        draws += [about | {"metric": m, "draws": d} for m, d in drawn.items()]
        for b in reliability_bins(confidence, correct, settings["bins"], level):
            rows.append(plain | b | {"metric": "accuracy_in_bin", "value": b.pop("accuracy")})
        curve = risk_coverage(confidence, correct, level)
        for point in _thinned(curve):
            value = {"metric": "selective_accuracy", "value": point.pop("accuracy")}
            rows.append(plain | point | value)
    return rows, draws


def _thinned(curve: Rows) -> Rows:
    """Of a curve by rising coverage, the first point of each step of coverage, and the last."""
    steps = [int(point["coverage"] * COVERAGES) for point in curve]
    new = [i for i, step in enumerate(steps) if i == 0 or step > steps[i - 1]]
    return [curve[i] for i in sorted({*new, len(curve) - 1})] if curve else []


def main(arguments: Namespace) -> None:
    """Calibrate every wording of a cell."""
    settings = files.read_json(arguments.settings)
    # Sampled answers are repetitions, not further items.
    scores = files.read_table(arguments.scores).filter(pl.col("repeat") == 0)
    rows: Rows = []
    draws: Rows = []
    for _, wording in scores.group_by("variant", maintain_order=True):
        found, drawn = calibrate(wording, settings)
        rows += found
        draws += drawn
    table = pl.DataFrame(rows, schema=confidences.CALIBRATION).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )
    inputs = {"scores": arguments.scores, "settings": arguments.settings}
    files.write_table(pl.DataFrame(draws, schema=DRAWS_SCHEMA), arguments.draws, inputs)
    files.write_table(table, arguments.calibration, inputs)
    cli.log.info("%d measures and bins", table.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            scores="Parquet file of scores",
            settings="view of the settings of the calibration",
            calibration="Parquet file to write",
            draws="Parquet file of the bootstrap draws to write, for paired differences",
        ),
    )
