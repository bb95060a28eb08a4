"""From the scores and the calibration of all cells to the tables of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from . import robustness, tables
from .resampling import Draws, Resampled
from .statistics import holm
from .tables import Wording

Rows = list[dict[str, Any]]
# Confidence → its calibration figures with their draws, and how many items have it.
Calibrated = dict[str, tuple[Resampled, int]]

PLACE: dict[str, Any] = {"model": pl.String, "task": pl.String, "persona": pl.String}
ABOUT = {"context": pl.String, "dataset": pl.String}
VARIANT = {"variant": pl.String}
SCHEMAS = {
    "contrasts": PLACE
    | ABOUT
    | VARIANT
    | tables.CONTRAST
    | {"in_family": pl.Boolean, "p_holm": pl.Float64},
    "robustness": PLACE | ABOUT | robustness.ROBUSTNESS,
    "spread": {key: PLACE[key] for key in ("model", "task")} | ABOUT | robustness.SPREAD,
    "confusion": PLACE | ABOUT | VARIANT | tables.CONFUSION,
    "subgroups": PLACE | ABOUT | tables.SUBGROUP | {"p_holm": pl.Float64},
}

# Tables of which a cell has many rows, before p values are adjusted over all cells.
_LONG = {
    "contrasts": PLACE | ABOUT | VARIANT | tables.CONTRAST,
    "confusion": SCHEMAS["confusion"],
    "subgroups": PLACE | ABOUT | tables.SUBGROUP,
}

# Columns of the calibration that are not those of a plain figure.
_CURVE = ("coverage", "threshold")
_BIN = ("bin", "lower", "upper", "mean_confidence")


@dataclass(frozen=True)
class Part:
    """What one model in one task, or one human rater, adds to the tables.

    Attributes:
        rows: table → rows.
        tables: table of `_LONG` → what `pack` made of its rows.
        calibration: the calibration of the cells, with what they are.
        drawn: metric of the family → (persona, variant) → effect, and the effect in every draw.
        asked: ids of the items.
    """

    rows: dict[str, Rows] = field(default_factory=lambda: {name: [] for name in ("cells", *_LONG)})
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    calibration: list[pl.DataFrame] = field(default_factory=list)
    drawn: dict[str, dict[tuple[str, str], tuple[float, NDArray[np.float32]]]] = field(
        default_factory=dict
    )
    asked: list[str] = field(default_factory=list)

    def pack(self) -> Part:
        """Make tables of what is complete: the rows of a large study do not fit into memory."""
        for name, schema in _LONG.items():
            self.tables[name] = pl.DataFrame(self.rows.pop(name), schema=schema)
        if self.calibration:
            self.calibration[:] = [pl.concat(self.calibration, rechunk=True)]
        return self


@dataclass(frozen=True)
class _Group:
    """The items of a subgroup: which they are, their draws, and the baseline's answers to them."""

    about: dict[str, str]
    inside: NDArray[np.bool_]
    draws: Draws
    baseline: tuple[Wording, Resampled]


class Measurement:
    """Measures the cells of one model in one task against its baseline."""

    def __init__(
        self,
        place: tuple[str, str],
        view: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        items: pl.DataFrame | None,
    ) -> None:
        """Prepare.

        Args:
            place: model and task.
            view: the view of all cells.
            settings: the statistics'.
            items: the data set, where it declares subgroups.
        """
        self._model, self._task = place
        self._view, self._settings, self._items = view, settings, items
        self._spec = view["tasks"][self._task]
        self._about = _about(self._model, self._task, self._spec)

    def measure(
        self,
        scores: Mapping[str, pl.DataFrame],
        calibration: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
        recalibration: pl.DataFrame | None = None,
    ) -> Part:
        """Measure all cells.

        Args:
            scores: persona → its scores.
            calibration: persona → its calibration, and the draws of its figures.
            recalibration: the figures of all personas after recalibration.
        """
        part = Part()
        name = self._view["baseline"]
        baseline = tables.wording(tables.by_wording(scores[name])["main"], self._spec)
        part.asked.extend(baseline.scores["item_id"])
        draws = Draws.of(baseline.clusters, self._settings)
        theirs = baseline, draws.measure(baseline.figures)
        their_calibration = _figures(*calibration[name], draws.least_p, self._settings).get(
            "main", {}
        )
        groups = self._groups(baseline, draws)
        for persona, rows in scores.items():
            table, _ = calibration[persona]
            columns = tables.calibration_columns(table)
            calibrated = _figures(*calibration[persona], draws.least_p, self._settings)
            about = {**self._about, "persona": persona, "backend": baseline.backend}
            if recalibration is not None:
                table = _beside(table, recalibration.filter(persona=persona).drop("persona"))
            part.calibration.append(
                table.select(*(pl.lit(v).alias(k) for k, v in about.items()), "*")
            )
            for variant, wording in tables.by_wording(rows).items():
                this = tables.wording(wording, self._spec, baseline)
                mine = this, draws.measure(this.figures)
                place = {**self._about, "persona": persona, "variant": variant}
                row = tables.cell_row(*mine, low_mass=self._settings["label_mass_warning_below"])
                part.rows["cells"].append({**place, **row, **columns.get(variant, {})})
                _confusion(part, place, this, self._spec, self._settings)
                if variant == "main":
                    self._subgroups(part, place, this, groups)
                if persona != name:
                    both = calibrated.get(variant, {}), their_calibration
                    self._contrast(part, place, mine, theirs, both)
        return part.pack()

    def _contrast(
        self,
        part: Part,
        place: Mapping[str, Any],
        mine: tuple[Wording, Resampled],
        theirs: tuple[Wording, Resampled],
        calibrated: tuple[Calibrated, Calibrated],
    ) -> None:
        """Compare a wording with the baseline."""
        difference = mine[1] - theirs[1]
        wordings, values = (mine[0], theirs[0]), (mine[1], theirs[1])
        rows = tables.contrast_rows(*wordings, difference, values, self._settings)
        rows += tables.calibration_contrasts(*wordings, *calibrated, self._settings)
        part.rows["contrasts"] += [{**place, **row} for row in rows]
        effect_of = {name: (difference, name) for name in difference.point}
        for confidence, (figures, _) in calibrated[0].items():
            if confidence in calibrated[1]:
                of_figures = figures - calibrated[1][confidence][0]
                effect_of |= {f"{n}_{confidence}": (of_figures, n) for n in of_figures.point}
        for metric in self._settings["family"]["metrics"]:
            if metric in effect_of:
                resampled, name = effect_of[metric]
                # Single precision: these draws of all wordings are kept until the end.
                effect = resampled.point[name], resampled.drawn[name].astype(np.float32)
                part.drawn.setdefault(metric, {})[place["persona"], place["variant"]] = effect

    def _groups(self, baseline: Wording, draws: Draws) -> list[_Group]:
        if self._items is None:
            return []
        asked = baseline.scores.select("item_id")
        items = asked.join(self._items, on="item_id", how="left", maintain_order="left")
        groups = []
        for subgroup in self._spec["subgroups"]:
            group_of = tables.groups_of(items, subgroup)
            for name in tables.ordered_groups(group_of, subgroup):
                inside = (group_of == name).to_numpy()
                theirs, drawn = baseline.among(inside), draws.among(inside)
                about = {"subgroup": subgroup["id"], "group": name}
                groups.append(_Group(about, inside, drawn, (theirs, drawn.measure(theirs.figures))))
        return groups

    def _subgroups(
        self, part: Part, place: Mapping[str, Any], this: Wording, groups: Sequence[_Group]
    ) -> None:
        is_baseline = place["persona"] == self._view["baseline"]
        for group in groups:
            here = this.among(group.inside)
            figures = group.baseline[1] if is_baseline else group.draws.measure(here.figures)
            other = None if is_baseline else group.baseline
            rows = tables.subgroup_rows(here, figures, other, self._settings)
            part.rows["subgroups"] += [{**place, **group.about, **row} for row in rows]


def rated(
    task: str,
    rater: str,
    scores: pl.DataFrame,
    asked: Sequence[str] | None,
    *,
    view: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Part:
    """Measure a human rater: on all records, and on the items that the models were asked."""
    part, spec = Part(), view["tasks"][task]
    wordings = {"main": scores}
    if asked is not None:
        wordings["same_items"] = scores.filter(pl.col("item_id").is_in(asked))
    for variant, rows in wordings.items():
        this = tables.wording(rows, spec)
        figures = Draws.of(this.clusters, settings).measure(this.figures)
        place = {**_about("human", task, spec), "persona": rater, "variant": variant}
        row = tables.cell_row(this, figures, settings["label_mass_warning_below"])
        part.rows["cells"].append({**place, **row})
        _confusion(part, place, this, spec, settings)
    return part.pack()


def tables_of(
    parts: Mapping[tuple[str, str], Part],
    raters: Sequence[Part],
    view: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, pl.DataFrame]:
    """Put the parts of all models and tasks, and of human raters, into tables.

    Args:
        parts: (model, task) → part, in the order of the tables; they are emptied on the way,
            because a large study fits into memory once and not twice.
        raters: parts of human raters.
        view: the view of all cells.
        settings: the statistics'.

    Returns:
        Tables by name; those of `SCHEMAS` have these columns.
    """
    everything = [*parts.values(), *raters]
    long = {
        name: pl.concat([part.tables.pop(name) for part in everything], rechunk=True)
        for name in _LONG
    }
    contrasts = tables.with_family(long["contrasts"], settings["family"], view["groups"])
    robust, spread = _beyond_wording(parts, contrasts, view, settings)
    calibration = pl.concat([part.calibration.pop() for part in parts.values()], rechunk=True)
    is_bin, is_point = pl.col("bin").is_not_null(), pl.col("coverage").is_not_null()
    cells = [row for part in everything for row in part.rows["cells"]]
    return {
        "cells": pl.DataFrame(cells, infer_schema_length=None),
        "contrasts": contrasts.select(*SCHEMAS["contrasts"]),
        "robustness": pl.DataFrame(robust, schema=SCHEMAS["robustness"]),
        "spread": pl.DataFrame(spread, schema=SCHEMAS["spread"]),
        "confusion": long["confusion"],
        "calibration": calibration.filter(~is_bin & ~is_point).drop(*_BIN, *_CURVE),
        "reliability": calibration.filter(is_bin).drop(*_CURVE),
        "risk_coverage": _curves(calibration.filter(is_point)),
        "subgroups": _with_holm(long["subgroups"]),
    }


def _about(model: str, task: str, spec: Mapping[str, Any]) -> dict[str, str]:
    context = {"context": spec["context"], "dataset": spec["dataset"]}
    return {"model": model, "task": task, **context}


def _confusion(
    part: Part,
    place: Mapping[str, Any],
    this: Wording,
    spec: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    found = tables.confusion_rows(this, spec["levels"], settings["confidence"])
    part.rows["confusion"] += [{**place, **row} for row in found]


def _beside(table: pl.DataFrame, recalibrated: pl.DataFrame) -> pl.DataFrame:
    """The calibration of a cell, with the recalibrated figures of a confidence behind its own."""
    both = pl.concat([table, recalibrated], how="diagonal").with_row_index("row")
    first = pl.col("row").min().over("variant", "confidence")
    return both.sort(first, maintain_order=True).drop("row")


def _figures(
    calibration: pl.DataFrame, draws: pl.DataFrame, least_p: float, settings: Mapping[str, Any]
) -> dict[str, Calibrated]:
    """Variant → confidence → its figures before recalibration, with their draws, and n."""
    plain = calibration.filter(
        (pl.col("recalibration") == "none") & pl.col("bin").is_null() & pl.col("coverage").is_null()
    )
    keys = ["variant", "confidence", "metric"]
    found: dict[str, Calibrated] = {}
    joined = plain.join(draws, on=keys, how="left", maintain_order="left")
    for (variant, confidence), part in joined.group_by(keys[:2], maintain_order=True):
        point = dict(part.select("metric", pl.col("value").fill_null(np.nan)).iter_rows())
        drawn = {
            row["metric"]: np.asarray(row["draws"], dtype=np.float64)
            for row in part.select("metric", "draws").iter_rows(named=True)
        }
        figures = Resampled(point, drawn, {}, settings["confidence"], least_p)
        found.setdefault(str(variant), {})[str(confidence)] = figures, part.item(0, "n")
    return found


def _beyond_wording(
    parts: Mapping[tuple[str, str], Part],
    contrasts: pl.DataFrame,
    view: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Rows, Rows]:
    """Rows of robustness and of spread."""
    robust: Rows = []
    spread: Rows = []
    metrics = settings["family"]["metrics"]
    of_family = contrasts.filter(tables.full_metric().is_in(metrics))
    for (model, task), table in of_family.group_by("model", "task", maintain_order=True):
        about = {key: table.item(0, key) for key in ("model", "task", *ABOUT)}
        found = robustness.robustness_rows(table, view["groups"], 1 - settings["confidence"])
        robust += [{**about, **row} for row in found]
        counted = {
            "backend": table.item(0, "backend"),
            "n": table.filter(pl.col("variant") == "main").item(0, "n"),
            "n_invalid": int(table.unique(["persona", "variant"])["n_invalid"].sum()),
        }
        for metric, drawn in parts[str(model), str(task)].drawn.items():
            found = robustness.spread_rows(drawn, view["groups"], settings["confidence"])
            spread += [{**about, **counted, "metric": metric, **row} for row in found]
    return robust, spread


def _curves(calibration: pl.DataFrame) -> pl.DataFrame:
    """Selective accuracy; `n_all` is the number of items with a confidence."""
    names = ["model", "task", "persona", "variant", "confidence"]
    return (
        calibration.with_columns(n_all=pl.col("n").max().over(names))
        .rename({"value": "accuracy"})
        .drop("metric", "recalibration", *_BIN)
    )


def _with_holm(subgroups: pl.DataFrame) -> pl.DataFrame:
    """Add `p_holm`: the accuracy adjusted over all groups and personas of a model and task."""
    keys = ["model", "task", "persona", "subgroup", "group", "metric"]
    tested = subgroups.filter((pl.col("metric") == "accuracy") & pl.col("p").is_not_null())
    adjusted = [
        part.select(*keys, p_holm=pl.Series(holm(part["p"].to_numpy()), dtype=pl.Float64))
        for part in tested.partition_by("model", "task", maintain_order=True)
    ]
    empty = tested.select(*keys, p_holm="p").clear()
    return subgroups.join(pl.concat([empty, *adjusted]), on=keys, how="left", maintain_order="left")
