"""Compare the confidences of a cell with how often they are right."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.calibration import (
    calibration_intervals,
    calibration_metrics,
    reliability_bins,
)

# Each confidence, and what being right means for it.
CONFIDENCES = {
    "top_label": ("confidence", pl.col("label_logprob_argmax") == pl.col("reference")),
    "generated_label": ("confidence_generated", pl.col("correct")),
}

SCHEMA = {
    "variant": pl.String,
    "confidence": pl.String,
    "metric": pl.String,
    "bin": pl.Int64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "n": pl.Int64,
    "n_without_confidence": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "mean_confidence": pl.Float64,
}


def calibrate(scores: pl.DataFrame, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Calibration figures and reliability bins of one wording, as rows of `SCHEMA`."""
    rows = []
    level = settings["confidence"]
    for name, (column, right) in CONFIDENCES.items():
        known = scores.filter(pl.col(column).is_not_null()).sort("item_id")
        confidence = known.get_column(column).to_numpy()
        correct = known.select(right).to_series().to_numpy()
        about = {
            "variant": scores.item(0, "variant"),
            "confidence": name,
            "n_without_confidence": scores.height - known.height,
        }
        metrics = calibration_metrics(confidence, correct, settings["bins"])
        intervals = calibration_intervals(
            confidence,
            correct,
            settings["bins"],
            draws=settings["draws"],
            seed=settings["seed"],
            confidence_level=level,
        )
        for metric, value in metrics.items():
            low, high = intervals[metric]
            n = known.height
            rows.append(
                about | {"metric": metric, "n": n, "value": value, "low": low, "high": high}
            )
        for b in reliability_bins(confidence, correct, settings["bins"], level):
            value = {"metric": "accuracy_in_bin", "value": b.pop("accuracy")}
            rows.append(about | b | value)
    return rows


def main(arguments: Namespace) -> None:
    """Calibrate every wording of a cell."""
    settings = files.read_json(arguments.statistics)
    # Sampled answers are repetitions, not further items.
    scores = pl.read_parquet(arguments.scores).filter(pl.col("repeat") == 0)
    rows = []
    for _, wording in scores.group_by("variant", maintain_order=True):
        rows += calibrate(wording, settings)
    table = pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.col(pl.Float64).fill_nan(None))
    inputs = {"scores": arguments.scores, "statistics": arguments.statistics}
    files.write_table(table, arguments.calibration, inputs)
    cli.log.info("%d figures and bins", table.height)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            scores="Parquet file of scores",
            statistics="view of the statistics",
            calibration="Parquet file to write",
        ),
    )
