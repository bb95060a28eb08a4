"""Recalibrate the confidences of a model's cells in a task, and measure what that makes of them."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl

from persona_paradox import cli, files
from persona_paradox.measures import confidences
from persona_paradox.measures.calibration import calibration_draws
from persona_paradox.measures.folds import item_folds
from persona_paradox.measures.recalibration import cross_fitted
from persona_paradox.measures.statistics import cluster_counts, clusters_of

SCHEMA = {"persona": pl.String} | confidences.SCHEMA

Rows = list[dict[str, Any]]


def recalibrate(persona: str, scores: pl.DataFrame, settings: dict[str, Any]) -> Rows:
    """Rows of `SCHEMA` of the main wording of one cell."""
    rows: Rows = []
    scores = scores.sort("item_id")
    clusters = clusters_of(scores)
    counts = cluster_counts(clusters, settings["draws"], settings["seed"])
    for name, known, confidence, correct in confidences.known(scores):
        if name not in confidences.ALWAYS:
            continue
        about = {"persona": persona, "variant": "main", "confidence": name}
        fold = item_folds(correct, clusters[known], settings["folds"], settings["seed"])
        for method in settings["methods"]:
            fitted = cross_fitted(confidence, correct, method, fold=fold, bins=settings["bins"])
            found = ~np.isnan(fitted.confidence)
            here = fitted.confidence[found], correct[found]
            drawn = calibration_draws(*here, settings["bins"], counts[:, known][:, found])
            after = about | {
                "recalibration": method,
                "n_without_confidence": int(scores.height - found.sum()),
            }
            rows += confidences.measures(after, *here, drawn, settings)
            for number, reason in fitted.unfitted.items():
                told = persona, name, method, number, reason
                cli.log.info("%s, %s %s: fold %d has no map: %s", *told)
    return rows


def main(arguments: Namespace) -> None:
    """Recalibrate one cell after the other."""
    settings = files.read_json(arguments.settings)
    rows: Rows = []
    for persona in settings["personas"]:
        # Sampled answers are repetitions, not further items.
        scores = files.read_table(arguments.scores / f"{persona}.parquet")
        rows += recalibrate(persona, scores.filter(repeat=0, variant="main"), settings)
    table = pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.col(pl.Float64).fill_nan(None))
    files.write_table(table, arguments.recalibration, {"settings": arguments.settings})
    cli.log.info("%d measures of %d cells", table.height, len(settings["personas"]))


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            scores="folder of the scores of a model in a task, a Parquet file per persona",
            settings="view of the settings of the recalibration, and of the personas",
            recalibration="Parquet file to write",
        ),
    )
