"""Split the variance of the answers, and ask whether effects depend on the context."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.analyses.interaction import PersonaEffect, persona_by_context
from persona_paradox.analyses.variance import SOURCE, variance_table
from persona_paradox.study.conditions import MARK

VARIANCE = {
    "model": pl.String,
    "task": pl.String,
    "metric": pl.String,
    "n_items": pl.Int64,
    "n_answers": pl.Int64,
    "n_invalid": pl.Int64,
    **SOURCE,
}
ESTIMATES = ("log_odds", "points")
INTERACTION = {
    "origin": pl.String,
    "model": pl.String,
    "persona": pl.String,
    "context": pl.String,
    "versus": pl.String,
    "n_items": pl.Int64,
    "n_answers": pl.Int64,
    "n_invalid": pl.Int64,
    **{
        f"{scale}{part}": pl.Float64
        for scale in ESTIMATES
        for part in ("", "_low", "_high", "_se", "_p")
    },
    "reason": pl.String,
}

Rows = list[dict[str, Any]]


def answers(view: Mapping[str, Any], folder: Path) -> pl.DataFrame:
    """The greedy answers to items that have a right one, of all cells.

    Columns item, model, task, persona, variant, right, readable.
    """
    parts = []
    for model, task, persona in view["cells"]:
        if not view["tasks"][task]["reference"]:
            continue
        scores = files.read_table(folder / model / task / f"{persona}.parquet")
        parts.append(
            scores.filter(pl.col("repeat") == 0).select(
                "item_id",
                "variant",
                "correct",
                invalid=pl.col("label").is_null(),
                cluster=pl.concat_str(
                    pl.lit(f"{task} "), pl.coalesce("cluster", "item_id"), separator=""
                ),
                model=pl.lit(model),
                task=pl.lit(task),
                persona=pl.lit(persona),
                context=pl.lit(view["tasks"][task]["context"]),
                origin=pl.lit(view["tasks"][task]["origin"]),
            )
        )
    return pl.concat(parts)


def variance_rows(
    table: pl.DataFrame, baseline: str, settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Shares of the variance of being right, per task, for every model and for all together."""
    wanted = table.filter(pl.col("persona") != baseline)
    for (task,), part in wanted.group_by("task", maintain_order=True):
        models = part["model"].unique(maintain_order=True).to_list()
        for model in [*models, None] if len(models) > 1 else models:
            here = part if model is None else part.filter(pl.col("model") == model)
            about = {
                "model": model,
                "task": task,
                "metric": "accuracy",
                "n_items": here["item_id"].n_unique(),
                "n_answers": here.height,
                "n_invalid": int(here["invalid"].sum()),
            }
            try:
                found = variance_table(
                    here, seed=settings["seed"], confidence=settings["confidence"]
                )
            except ValueError as error:
                yield {**about, "reason": str(error)}
                continue
            for row in found:
                yield {**about, **row}


def interaction_rows(
    table: pl.DataFrame, view: Mapping[str, Any], confidence: float
) -> Iterator[dict[str, Any]]:
    """Effects by context, of the main wordings; teaching cases and real ones are kept apart.

    Arms of a task are left out: the same items changed are no further ones.
    """
    is_arm = pl.col("task").str.contains(MARK, literal=True)
    main = table.filter(pl.col("variant") == "main", ~is_arm)
    for (origin,), part in main.group_by("origin", maintain_order=True):
        contexts = part["context"].unique().sort().to_list()
        if len(contexts) < 2:
            cli.log.info("%s data: %s only, no interaction", origin, contexts[0])
            continue
        effects = persona_by_context(
            part.with_columns(item_id=pl.col("cluster")),
            baseline=view["baseline"],
            reference_context=contexts[0],
            confidence=confidence,
        )
        for effect in effects:
            yield {"origin": origin, **_flat(effect), "n_invalid": _invalid(part, effect, view)}


def _flat(effect: PersonaEffect) -> dict[str, Any]:
    row = {key: value for key, value in asdict(effect).items() if key not in ESTIMATES}
    for scale in ESTIMATES:
        estimate = getattr(effect, scale)
        if estimate is not None:
            row[scale] = estimate.value
            row |= {f"{scale}_{k}": v for k, v in asdict(estimate).items() if k != "value"}
    return row


def _invalid(part: pl.DataFrame, effect: PersonaEffect, view: Mapping[str, Any]) -> int:
    asked = part.filter(
        pl.col("persona").is_in([effect.persona, view["baseline"]])
        & pl.col("context").is_in([effect.context, effect.versus or effect.context])
    )
    if effect.model is not None:
        asked = asked.filter(pl.col("model") == effect.model)
    return int(asked["invalid"].sum())


def main(arguments: Namespace) -> None:
    """Read every cell and write both tables."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    table = answers(view, arguments.scores)
    inputs = {"cells": arguments.cells, "statistics": arguments.statistics}
    rows: dict[str, tuple[Rows, Any]] = {
        "variance": (list(variance_rows(table, view["baseline"], settings)), VARIANCE),
        "interaction": (
            list(interaction_rows(table, view, settings["confidence"])),
            INTERACTION,
        ),
    }
    for name, (found, schema) in rows.items():
        frame = pl.DataFrame(found, schema=schema)
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
        files.write_table(frame, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(frame, arguments.tables / f"{name}.csv")
        cli.log.info("%s: %d rows", name, frame.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        cells="view that lists the cells",
        statistics="view of the statistics",
        scores="folder of scores",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
