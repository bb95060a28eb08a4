"""Put all cells into tables: figures, contrasts with the baseline, robustness, subgroups."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, effects, files, tables
from persona_paradox.resampling import Draws, Resampled
from persona_paradox.tables import Wording

Rows = list[dict[str, Any]]

PLACE = {"model": pl.String, "task": pl.String, "persona": pl.String}
ABOUT = {"context": pl.String, "dataset": pl.String}
VARIANT = {"variant": pl.String}
CONFUSION = {
    "backend": pl.String,
    "reference": pl.Int64,
    "answer": pl.Int64,
    "reference_level": pl.String,
    "answer_level": pl.String,
    "n": pl.Int64,
    "count": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
SUBGROUPS = {
    "backend": pl.String,
    "subgroup": pl.String,
    "group": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    "n_invalid_baseline": pl.Int64,
    "small": pl.Boolean,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
}
SCHEMAS = {
    "contrasts": PLACE
    | ABOUT
    | VARIANT
    | tables.CONTRAST
    | {"in_family": pl.Boolean, "p_holm": pl.Float64},
    "robustness": PLACE | ABOUT | effects.ROBUSTNESS,
    "spread": {key: PLACE[key] for key in ("model", "task")} | ABOUT | effects.SPREAD,
    "confusion": PLACE | ABOUT | VARIANT | CONFUSION,
    "subgroups": PLACE | ABOUT | SUBGROUPS,
}

# Columns of the calibration that are not those of a plain figure.
CURVE = ("coverage", "threshold")
BIN = ("bin", "lower", "upper", "mean_confidence")


class Aggregation:
    """The rows of all tables, one model and task after the other."""

    def __init__(self, view: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self.view = view
        self.settings = settings
        self.rows: dict[str, Rows] = {name: [] for name in ("cells", *SCHEMAS)}
        self.calibration: list[pl.DataFrame] = []
        # Effects and their draws in the metrics of the family: the spread needs them.
        self.drawn: dict[tuple[str, str, str], dict[tuple[str, str], Any]] = {}

    def add(self, model: str, task: str, scores: Path, calibration: Path, items: Path) -> Wording:
        """Add the cells of a model in a task; returns the answers under the baseline."""
        spec = self.view["tasks"][task]
        start = {"model": model, "task": task, "context": spec["context"]}
        start["dataset"] = spec["dataset"]
        personas = [p for m, t, p in self.view["cells"] if (m, t) == (model, task)]
        parts = {p: _parts(scores / model / task / f"{p}.parquet") for p in personas}
        baseline = tables.wording(parts[self.view["baseline"]]["main"], spec)
        draws = Draws.of(baseline.clusters, self.settings)
        theirs = draws.measure(baseline.figures)
        calibrated = _calibrated(calibration / model / task, self.view["baseline"], self.settings)
        groups = _groups(items / f"{spec['dataset']}.parquet", spec, baseline)
        for persona in personas:
            table, figures = _calibrated(calibration / model / task, persona, self.settings)
            self.calibration.append(
                table.select(*(pl.lit(v).alias(k) for k, v in start.items()),
                             pl.lit(persona).alias("persona"),
                             pl.lit(baseline.backend).alias("backend"), "*")
            )  # fmt: skip
            columns = tables.calibration_columns(table)
            for variant, part in parts[persona].items():
                this = tables.wording(part, spec, baseline)
                mine = draws.measure(this.figures)
                place = {**start, "persona": persona, "variant": variant}
                row = tables.cell_row(this, mine)
                self.rows["cells"].append({**place, **row, **columns.get(variant, {})})
                self._confusion(place, this)
                if variant == "main":
                    self._subgroups(place, this, baseline, draws, groups)
                if persona == self.view["baseline"]:
                    continue
                difference = mine - theirs
                rows = tables.contrast_rows(
                    this, baseline, difference, (mine, theirs), self.settings
                )
                rows += tables.calibration_contrasts(
                    this,
                    baseline,
                    figures.get(variant, {}),
                    calibrated[1].get("main", {}),
                    self.settings,
                )
                self.rows["contrasts"] += [{**place, **row} for row in rows]
                self._keep(model, task, (persona, variant), difference)
                for name, (figure, _) in figures.get(variant, {}).items():
                    base = calibrated[1].get("main", {}).get(name)
                    if base is not None:
                        self._keep(model, task, (persona, variant), figure - base[0], f"_{name}")
            cli.log.info("%s/%s/%s: n=%d", model, task, persona, baseline.n)
        return baseline

    def add_rater(self, task: str, rater: str, scores: pl.DataFrame, asked: Wording | None) -> None:
        """Add a human rater: on all records, and on the items that the models were asked."""
        spec = self.view["tasks"][task]
        place = {"model": "human", "task": task, "context": spec["context"]}
        place |= {"dataset": spec["dataset"], "persona": rater}
        wordings = {"main": scores}
        if asked is not None:
            same = scores.filter(pl.col("item_id").is_in(asked.scores["item_id"].implode()))
            wordings["same_items"] = same
        for variant, rows in wordings.items():
            this = tables.wording(rows, spec)
            figures = Draws.of(this.clusters, self.settings).measure(this.figures)
            row = tables.cell_row(this, figures)
            self.rows["cells"].append({**place, "variant": variant, **row})
            self._confusion({**place, "variant": variant}, this)

    def _confusion(self, place: Mapping[str, Any], this: Wording) -> None:
        levels = self.view["tasks"][place["task"]]["levels"]
        rows = tables.confusion_rows(this, levels, self.settings["confidence"])
        self.rows["confusion"] += [{**place, **row} for row in rows]

    def _subgroups(
        self,
        place: Mapping[str, Any],
        this: Wording,
        baseline: Wording,
        draws: Draws,
        groups: Mapping[str, pl.Series],
    ) -> None:
        is_baseline = place["persona"] == self.view["baseline"]
        for subgroup, series in groups.items():
            for group in series.unique().sort():
                inside = (series == group).to_numpy()
                other = None if is_baseline else baseline.among(inside)
                rows = tables.subgroup_rows(
                    this.among(inside), other, draws.among(inside), self.settings
                )
                about = {**place, "subgroup": subgroup, "group": group}
                self.rows["subgroups"] += [{**about, **row} for row in rows]

    def _keep(
        self,
        model: str,
        task: str,
        wording: tuple[str, str],
        difference: Resampled,
        suffix: str = "",
    ) -> None:
        for metric in self.settings["family"]["metrics"]:
            name = metric.removesuffix(suffix) if suffix else metric
            if metric.endswith(suffix) and name in difference.point:
                effect = difference.point[name], difference.drawn[name].astype(np.float32)
                self.drawn.setdefault((model, task, metric), {})[wording] = effect

    def finish(self) -> dict[str, pl.DataFrame]:
        """All tables."""
        view, settings = self.view, self.settings
        calibration = pl.concat(self.calibration)
        is_bin, is_point = pl.col("bin").is_not_null(), pl.col("coverage").is_not_null()
        contrasts = tables.with_family(
            self._table("contrasts", tables.CONTRAST), settings["family"], view["groups"]
        )
        of_family = contrasts.filter(tables.full_metric().is_in(settings["family"]["metrics"]))
        for (model, task), part in of_family.group_by("model", "task", maintain_order=True):
            start = {key: part.item(0, key) for key in ("model", "task", "context", "dataset")}
            rows = effects.robustness_rows(part, view["groups"], 1 - settings["confidence"])
            self.rows["robustness"] += [{**start, **row} for row in rows]
            main = part.filter(pl.col("variant") == "main")
            for metric in settings["family"]["metrics"]:
                drawn = self.drawn.get((model, task, metric))
                if drawn is None:
                    continue
                about = {
                    **start,
                    "metric": metric,
                    "backend": part.item(0, "backend"),
                    "n": main.item(0, "n"),
                    "n_invalid": int(part.unique(["persona", "variant"])["n_invalid"].sum()),
                }
                found = effects.spread_rows(drawn, view["groups"], settings["confidence"])
                self.rows["spread"] += [{**about, **row} for row in found]
        return {
            "cells": pl.DataFrame(self.rows["cells"], infer_schema_length=None),
            "contrasts": contrasts.select(*SCHEMAS["contrasts"]),
            **{name: self._table(name) for name in ("robustness", "spread", "confusion")},
            "calibration": calibration.filter(~is_bin & ~is_point).drop(*BIN, *CURVE),
            "reliability": calibration.filter(is_bin).drop(*CURVE),
            "risk_coverage": _curves(calibration.filter(is_point)),
            "subgroups": self._holm_subgroups(),
        }

    def _table(self, name: str, extra: Mapping[str, Any] | None = None) -> pl.DataFrame:
        schema = SCHEMAS[name] if extra is None else PLACE | ABOUT | VARIANT | dict(extra)
        return pl.DataFrame(self.rows[name], schema=schema)

    def _holm_subgroups(self) -> pl.DataFrame:
        """Accuracy is adjusted over all groups and personas of a model and task."""
        table = self._table("subgroups").drop("p_holm")
        tested = (pl.col("metric") == "accuracy") & pl.col("p").is_not_null()
        adjusted = table.filter(tested).select(
            "model", "task", "persona", "subgroup", "group", "metric",
            p_holm=pl.col("p").map_batches(_holm, return_dtype=pl.Float64).over("model", "task"),
        )  # fmt: skip
        keys = ["model", "task", "persona", "subgroup", "group", "metric"]
        return table.join(adjusted, on=keys, how="left", maintain_order="left")


def _holm(p: pl.Series) -> pl.Series:
    return pl.Series(tables.statistics.holm(p.to_numpy()))


def _curves(calibration: pl.DataFrame) -> pl.DataFrame:
    """Selective accuracy; `n_all` is the number of items with a confidence."""
    names = ["model", "task", "persona", "variant", "confidence"]
    return (
        calibration.with_columns(n_all=pl.col("n").max().over(names))
        .rename({"value": "accuracy"})
        .drop("metric", "recalibration", *BIN)
    )


def _parts(path: Path) -> dict[str, pl.DataFrame]:
    """The scores of a cell by wording, the main one first."""
    scores = pl.read_parquet(path)
    parts = scores.partition_by("variant", maintain_order=True, as_dict=True)
    names = sorted((str(key[0]) for key in parts), key=lambda v: (v != "main", v))
    return {name: parts[name,] for name in names}


def _calibrated(
    folder: Path, persona: str, settings: Mapping[str, Any]
) -> tuple[pl.DataFrame, dict[str, dict[str, tuple[Resampled, int]]]]:
    """The calibration of a cell; and variant → confidence → figures with draws, and n."""
    table = pl.read_parquet(folder / f"{persona}.parquet")
    plain = table.filter(
        (pl.col("recalibration") == "none") & pl.col("bin").is_null() & pl.col("coverage").is_null()
    )
    draws = pl.read_parquet(folder / f"{persona}.draws.parquet")
    found: dict[str, dict[str, tuple[Resampled, int]]] = {}
    for (variant, confidence), part in plain.group_by("variant", "confidence", maintain_order=True):
        mine = draws.filter(variant=variant, confidence=confidence)
        drawn = {
            metric: values.to_numpy().astype(np.float64)
            for metric, values in mine.select("metric", "draws").iter_rows()
            for values in [pl.Series(values)]
        }
        point = {
            metric: float("nan") if value is None else value
            for metric, value in part.select("metric", "value").iter_rows()
        }
        resampled = Resampled(point, drawn, {}, settings["confidence"])
        found.setdefault(str(variant), {})[str(confidence)] = resampled, part.item(0, "n")
    return table, found


def _groups(items: Path, spec: Mapping[str, Any], asked: Wording) -> dict[str, pl.Series]:
    """Subgrouping → the group of every item that was asked, in its order."""
    if not spec["subgroups"]:
        return {}
    table = asked.scores.select("item_id").join(
        pl.read_parquet(items), on="item_id", how="left", maintain_order="left"
    )
    return {group["id"]: tables.groups_of(table, group) for group in spec["subgroups"]}


def main(arguments: Namespace) -> None:
    """Read every cell that the study names and write the tables."""
    view = files.read_json(arguments.cells)
    settings = files.read_json(arguments.statistics)
    aggregation = Aggregation(view, settings)
    asked: dict[str, Wording] = {}
    for model, task in dict.fromkeys((m, t) for m, t, _ in view["cells"]):
        baseline = aggregation.add(
            model, task, arguments.scores, arguments.calibration, arguments.items
        )
        asked.setdefault(task, baseline)
    for _, task, rater in view["human"]:
        scores = pl.read_parquet(arguments.scores / "human" / task / f"{rater}.parquet")
        aggregation.add_rater(task, rater, scores, asked.get(task))
    inputs = {"cells": arguments.cells, "statistics": arguments.statistics}
    for name, table in aggregation.finish().items():
        files.write_table(table, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(table, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        cells="view that lists the cells",
        statistics="view of the statistics",
        scores="folder of scores",
        calibration="folder of calibration figures",
        items="folder of data sets",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
