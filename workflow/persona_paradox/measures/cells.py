"""From the scores and the calibration of one model in one task to the rows of all tables.

Every measure stands with its interval in `low` and `high`, and every row with its number of items
and of invalid answers. Plain shares have Wilson intervals, all others bootstrap intervals over
items; where a data set declares clusters, all intervals are bootstrap intervals over these. The
draws are the same for every persona of a task and for every arm of it, so that contrasts are
paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..data.groups import groups_of, ordered_groups
from ..names import RELATION, SUBJECT
from . import confidences, contrasts, pairs, relations, robustness, subgroups, wide
from .answers import Scored, by_wording, measured, measured_pair, number
from .arms import Arm, PairMeasures, Side, Unchanged
from .contrasts import ARM, BOTH, PERSONA, Calibrated
from .metric import Metric
from .resampling import Draws, Resampled

Rows = list[dict[str, Any]]

PLACE: dict[str, Any] = {"model": pl.String, "task": pl.String, "persona": pl.String}
ABOUT = {"context": pl.String, "dataset": pl.String}
VARIANT = {"variant": pl.String}
CELL = PLACE | ABOUT | VARIANT
# The columns of the wide table begin so.
WIDE = {key: pl.String for key in ("model", "task", "context", "dataset", "persona", "variant")}

MEASURES = (
    {"kind": pl.String}
    | CELL
    | dict.fromkeys(("subgroup", "group", "metric", "confidence", "backend"), pl.String)
    | dict.fromkeys(wide.COUNTED, pl.Int64)
    | dict.fromkeys(("value", "low", "high"), pl.Float64)
)
_CALIBRATION = {
    **{key: pl.String for key in ("model", "task", "context", "dataset", "persona", "backend")},
    **confidences.CALIBRATION,
}
# Columns of the calibration that are not those of a plain measure.
_CURVE = ("coverage", "threshold")
_BIN = ("bin", "lower", "upper", "mean_confidence")


def _without(columns: Sequence[str]) -> dict[str, Any]:
    return {name: dtype for name, dtype in _CALIBRATION.items() if name not in columns}


# Tables that every kind has; the cells have the columns of their kind.
SCHEMAS: dict[str, dict[str, Any]] = {
    "measures": MEASURES,
    "contrasts": CELL
    | {"against": pl.String}
    | contrasts.CONTRAST
    | contrasts.OUTCOMES
    | contrasts.FLIPS
    | contrasts.RELATIVE_DROP
    | {"n_unchanged": pl.Int64, "p_mean": pl.Float64},
    "spread": {key: PLACE[key] for key in ("model", "task")} | ABOUT | robustness.SPREAD,
    "calibration": _without((*_BIN, *_CURVE)),
    "reliability": _without(_CURVE),
    "risk_coverage": {
        "accuracy" if name == "value" else name: dtype
        for name, dtype in _without((*_BIN, "metric", "recalibration")).items()
    }
    | {"n_all": pl.Int64},
    "subgroups": PLACE | ABOUT | subgroups.SUBGROUP | subgroups.P_HOLM,
}


@dataclass(frozen=True)
class Kind:
    """What a kind of task brings to the measures.

    Attributes:
        id: of the kind.
        labels: whether its answers are labels.
        metrics: its measures.
        counts: names of what it counts besides.
        answers: prepares the scores of one wording.
        tables: id → module with `SCHEMA` and `rows`.
        pairs: what it measures of an arm's answers against those to the unchanged items.
    """

    id: str
    labels: bool
    metrics: Sequence[Metric]
    counts: Sequence[str]
    answers: Callable[..., Scored]
    tables: Mapping[str, ModuleType]
    pairs: PairMeasures | None = None

    @property
    def pair_metrics(self) -> Sequence[Metric]:
        """Its measures of an arm's answers against those to the unchanged items."""
        return () if self.pairs is None else self.pairs.metrics

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Columns of all tables of a model in a task."""
        own = {name: CELL | module.SCHEMA for name, module in self.tables.items()}
        of_cells = wide.schema(self.metrics, self.counts, labels=self.labels)
        return {"cells": WIDE | of_cells} | SCHEMAS | own


@dataclass(frozen=True)
class _Group:
    """The items of a subgroup: which they are, their draws, and the baseline's answers to them."""

    about: dict[str, str]
    inside: NDArray[np.bool_]
    draws: Draws
    baseline: Side


class Measurement:
    """Measures the cells of one model in one task, and raters of it."""

    def __init__(
        self,
        model: str,
        task: str,
        kind: Kind,
        view: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        items: pl.DataFrame | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: id of the model, or one of `names.RATED`.
            task: id of the task.
            kind: its kind.
            view: the measures' view of the task.
            settings: the statistics'.
            items: the data set, where it declares subgroups.
        """
        self._kind, self._view, self._settings, self._items = kind, view, settings, items
        self._about = {
            "model": model,
            "task": task,
            "context": view["context"],
            "dataset": view["dataset"],
        }
        self._rows: dict[str, Rows] = {name: [] for name in kind.schemas}
        self._calibration: list[pl.DataFrame] = []
        self._drawn: robustness.Drawn = {}

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables of what was measured; those of calibration have three of one."""
        schemas = self._kind.schemas
        found = {n: pl.DataFrame(rows, schema=schemas[n]) for n, rows in self._rows.items()}
        columns = {name: pl.Series([], dtype=dtype) for name, dtype in _CALIBRATION.items()}
        calibration = pl.concat([pl.DataFrame(columns), *self._calibration])
        is_bin, is_point = pl.col("bin").is_not_null(), pl.col("coverage").is_not_null()
        found["calibration"] = calibration.filter(~is_bin & ~is_point)
        found["reliability"] = calibration.filter(is_bin)
        found["risk_coverage"] = _curves(calibration.filter(is_point))
        found["subgroups"] = subgroups.with_holm(found["subgroups"])
        return {name: table.select(*schemas[name]) for name, table in found.items()}

    def measure(
        self,
        scores: Mapping[str, pl.DataFrame],
        calibration: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
        recalibration: pl.DataFrame | None = None,
        arm: Arm | None = None,
    ) -> None:
        """Measure all cells.

        Args:
            scores: persona → its scores.
            calibration: persona → its calibration, and the draws of it; of a kind whose answers
                are no labels there is none.
            recalibration: what all personas have after recalibration.
            arm: what the task is compared with, where it is an arm of another one.
        """
        name = self._view["baseline"]
        baseline = self._kind.answers(by_wording(scores[name])["main"], self._view)
        draws = Draws.of(baseline.clusters, self._settings)
        unchanged = before = None
        if arm is not None:
            kind = self._kind
            unchanged = Unchanged(
                arm,
                answers=kind.answers,
                pairs=kind.pairs,
                view=self._view,
                baseline=baseline,
                draws=draws,
            )
            before = unchanged.before(name, "main", baseline)
            baseline = unchanged.beside(baseline, before)
        theirs = Side(baseline, draws.measure(baseline.points))
        groups = self._groups(baseline, draws)
        calibrated = {
            persona: _calibrated(*tables, draws.least_p, self._settings)
            for persona, tables in calibration.items()
        }
        for persona, rows in scores.items():
            if persona in calibration:
                table, _ = calibration[persona]
                about = {**self._about, "persona": persona, "backend": baseline.backend}
                if recalibration is not None:
                    table = _beside(table, recalibration.filter(persona=persona).drop("persona"))
                named = (pl.lit(value).alias(key) for key, value in about.items())
                self._calibration.append(table.select(*named, "*").select(*_CALIBRATION))
            for variant, wording in by_wording(rows).items():
                this = self._kind.answers(wording, self._view, baseline)
                if unchanged is not None:
                    before = unchanged.before(persona, variant, this)
                    this = unchanged.beside(this, before)
                mine = Side(this, draws.measure(this.points))
                place = {**self._about, "persona": persona, "variant": variant}
                own = calibrated.get(persona, {}).get(variant, {})
                related = self._related(persona, baseline, draws) if variant == "main" else []
                self._cell(place, mine, calibration.get(persona), [*groups, *related])
                if persona != name:
                    base_ = calibrated.get(name, {}).get("main", {})
                    self._against_persona(place, (mine, theirs), (own, base_), draws)
                if unchanged is not None and before is not None:
                    self._against_arm(place, (this, before), unchanged)
        declared = self._view["groups"]
        if self._drawn:
            self._over_wordings(draws.least_p)
            self._spread(scores, baseline, declared)

    def rate(self, rater: str, scores: pl.DataFrame, asked: Sequence[str] | None) -> None:
        """Measure a rater: on all records, and on the items that the models were asked.

        Args:
            rater: id of the rater.
            scores: the rater's.
            asked: ids of these items; None where no model was asked.
        """
        wordings = {"main": scores}
        if asked is not None:
            wordings["same_items"] = scores.filter(pl.col("item_id").is_in(asked))
        for variant, rows in wordings.items():
            this = self._kind.answers(rows, self._view)
            drawn = Draws.of(this.clusters, self._settings).measure(this.points)
            place = {**self._about, "persona": rater, "variant": variant}
            self._cell(place, Side(this, drawn), None, [])

    def _cell(
        self,
        place: Mapping[str, str],
        mine: Side,
        calibration: tuple[pl.DataFrame, pl.DataFrame] | None,
        groups: Sequence[_Group],
    ) -> None:
        """The measures of one wording: long, wide, in groups of items, and the kind's tables."""
        this = mine.answers
        counted = {key: getattr(this, key) for key in wide.COUNTED} | {"backend": this.backend}
        long: Rows = [
            {"metric": metric.id, "confidence": None}
            | counted
            | measured(metric.id, this, mine.drawn)
            for metric in self._kind.metrics
        ]
        for row in [] if calibration is None else _plain(calibration[0], place["variant"]):
            named = {key: row[key] for key in ("metric", "confidence", "n", "value", "low", "high")}
            long.append(counted | named)
        self._rows["cells"].append({**place, **wide.row(long, this.counts)})
        for metric in self._kind.pair_metrics:
            if metric.id in this.pairs:
                of_pair = measured_pair(metric, this, mine.drawn)
                long.append({"metric": metric.id, "confidence": None} | counted | of_pair)
        kind = {"kind": self._kind.id}
        known = [row for row in long if row["value"] is not None]
        self._rows["measures"] += [kind | dict(place) | row for row in known]
        for name, module in self._kind.tables.items():
            rows = module.rows(this, self._view, self._settings)
            self._rows[name] += [{**place, **row} for row in rows]
        for group in groups if place["variant"] == "main" else ():
            is_baseline = place["persona"] == self._view["baseline"]
            here = this.among(group.inside)
            drawn = group.baseline.drawn if is_baseline else group.draws.measure(here.points)
            other = None if is_baseline else (group.baseline.answers, group.baseline.drawn)
            measures = self._kind.metrics, self._kind.pair_metrics
            found = subgroups.subgroup_rows(here, drawn, other, measures, self._settings)
            own = self._view.get("relations", {}).get(place["persona"], {})
            about = group.about | {"relation": relations.column(own, **group.about)}
            self._rows["subgroups"] += [{**place, **about, **row} for row in found]
            self._rows["measures"] += [kind | {**place, **group.about} | row for row in found]

    def _groups(self, baseline: Scored, draws: Draws) -> list[_Group]:
        return [
            _group(baseline, draws, group_of == name, subgroup["id"], name)
            for subgroup, group_of in self._subgroups(baseline)
            for name in ordered_groups(group_of, subgroup)
        ]

    def _subgroups(self, baseline: Scored) -> Iterator[tuple[Mapping[str, Any], pl.Series]]:
        """The subgroups of the data set, each with the group of every item that is asked."""
        if self._items is not None:
            asked = baseline.item_ids.to_frame()
            items = asked.join(self._items, on="item_id", how="left", maintain_order="left")
            for subgroup in self._view["subgroups"]:
                yield subgroup, groups_of(items, subgroup)

    def _related(self, persona: str, baseline: Scored, draws: Draws) -> list[_Group]:
        """The groups of items by what their subject is to a persona."""
        own = self._view.get("relations", {}).get(persona)
        if own is None:
            return []
        found = []
        for subgroup, group_of in self._subgroups(baseline):
            if subgroup["id"] == SUBJECT:
                relation = relations.relations_of(own, group_of)
                for name in relation.unique().drop_nulls().sort():
                    inside = (relation == name).fill_null(value=False)
                    found.append(_group(baseline, draws, inside, RELATION, name))
        return found

    def _against_persona(
        self,
        place: Mapping[str, str],
        sides: tuple[Side, Side],
        calibrated: tuple[Calibrated, Calibrated],
        draws: Draws,
    ) -> None:
        """Compare a wording with the baseline."""
        mine, theirs = sides
        difference = mine.drawn - theirs.drawn
        answers, values = (mine.answers, theirs.answers), (mine.drawn, theirs.drawn)
        rows = contrasts.contrast_rows(
            answers, difference, values, self._kind.metrics, self._settings
        )
        rows += contrasts.answered_rows(answers, draws, self._settings)
        rows += pairs.contrast_rows(
            answers, difference, values, self._kind.pair_metrics, self._settings
        )
        rows += contrasts.calibration_contrasts(answers, calibrated, self._settings)
        self._rows["contrasts"] += [{**place, "against": PERSONA, **row} for row in rows]
        effect_of = {name: (difference, name) for name in difference.point}
        for confidence, (one, _) in calibrated[0].items():
            if confidence in calibrated[1]:
                beyond = one - calibrated[1][confidence][0]
                effect_of |= {f"{n}_{confidence}": (beyond, n) for n in beyond.point}
        for metric in self._settings["family"]["metrics"]:
            if metric in effect_of:
                resampled, name = effect_of[metric]
                # Single precision: these draws of all wordings are kept until the end.
                effect = resampled.point[name], resampled.drawn[name].astype(np.float32)
                self._drawn.setdefault(metric, {})[place["persona"], place["variant"]] = effect

    def _against_arm(
        self, place: Mapping[str, str], sides: tuple[Scored, Scored], unchanged: Unchanged
    ) -> None:
        """Compare a wording with the same one on the unchanged items, and both differences."""
        mine, theirs = unchanged.compared(*sides)
        # A sample may hold no item that the arm could change.
        if not mine.answers.n:
            return
        metrics, settings = self._kind.metrics, self._settings
        effect = mine.drawn - theirs.drawn
        answers, values = (mine.answers, theirs.answers), (mine.drawn, theirs.drawn)
        left_out = {"n_unchanged": unchanged.n_unchanged}
        rows = contrasts.contrast_rows(answers, effect, values, metrics, settings)
        self._rows["contrasts"] += [{**place, "against": ARM, **row} | left_out for row in rows]
        if place["persona"] != self._view["baseline"]:
            both = mine.answers, unchanged.baseline
            rows = contrasts.arm_rows(both, (effect, unchanged.effect), metrics, settings)
            self._rows["contrasts"] += [
                {**place, "against": BOTH, **row} | left_out for row in rows
            ]

    def _over_wordings(self, least_p: float) -> None:
        """Put `p_mean` of the metrics of the family beside the contrasts of main wordings."""
        p_of = robustness.p_over_wordings(self._drawn, least_p)
        for row in self._rows["contrasts"]:
            if row["against"] == PERSONA and row["variant"] == "main":
                confidence = row["confidence"]
                metric = row["metric"] if confidence is None else f"{row['metric']}_{confidence}"
                row["p_mean"] = number(p_of.get((metric, row["persona"]), float("nan")))

    def _spread(
        self, scores: Mapping[str, pl.DataFrame], baseline: Scored, groups: Mapping[str, str]
    ) -> None:
        """How far effects spread over wordings and over controls, in the metrics of the family."""
        invalid = {
            (row["persona"], row["variant"]): row["n_invalid"]
            for row in self._rows["contrasts"]
            if row["against"] == PERSONA
        }
        counted = {
            "backend": baseline.backend,
            "n": baseline.n,
            "n_invalid": sum(invalid.values()),
        }
        for metric, drawn in self._drawn.items():
            found = robustness.spread_rows(drawn, groups, self._settings["confidence"])
            self._rows["spread"] += [
                {**self._about, **counted, "metric": metric, **row} for row in found
            ]


def _group(baseline: Scored, draws: Draws, items: pl.Series, subgroup: str, name: str) -> _Group:
    """A group of items, a mask, of a subgroup."""
    inside = items.to_numpy()
    theirs, drawn = baseline.among(inside), draws.among(inside)
    about = {"subgroup": subgroup, "group": name}
    return _Group(about, inside, drawn, Side(theirs, drawn.measure(theirs.points)))


def _plain(calibration: pl.DataFrame, variant: str) -> Rows:
    """The calibration of a wording before recalibration, without bins and curves."""
    return calibration.filter(
        (pl.col("variant") == variant)
        & (pl.col("recalibration") == "none")
        & pl.col("bin").is_null()
        & pl.col("coverage").is_null()
    ).to_dicts()


def _beside(table: pl.DataFrame, recalibrated: pl.DataFrame) -> pl.DataFrame:
    """The calibration of a cell, with the recalibrated one of a confidence behind its own."""
    both = pl.concat([table, recalibrated], how="diagonal").with_row_index("row")
    first = pl.col("row").min().over("variant", "confidence")
    return both.sort(first, maintain_order=True).drop("row")


def _calibrated(
    calibration: pl.DataFrame, draws: pl.DataFrame, least_p: float, settings: Mapping[str, Any]
) -> dict[str, dict[str, tuple[Resampled, int]]]:
    """Variant → confidence → its calibration before recalibration, with the draws, and n."""
    plain = calibration.filter(
        (pl.col("recalibration") == "none") & pl.col("bin").is_null() & pl.col("coverage").is_null()
    )
    keys = ["variant", "confidence", "metric"]
    found: dict[str, dict[str, tuple[Resampled, int]]] = {}
    joined = plain.join(draws, on=keys, how="left", maintain_order="left")
    for (variant, confidence), part in joined.group_by(keys[:2], maintain_order=True):
        point = dict(part.select("metric", pl.col("value").fill_null(np.nan)).iter_rows())
        drawn = {
            row["metric"]: np.asarray(row["draws"], dtype=np.float64)
            for row in part.select("metric", "draws").iter_rows(named=True)
        }
        one = Resampled(point, drawn, {}, settings["confidence"], least_p)
        found.setdefault(str(variant), {})[str(confidence)] = one, part.item(0, "n")
    return found


def _curves(calibration: pl.DataFrame) -> pl.DataFrame:
    """Selective accuracy; `n_all` is the number of items with a confidence."""
    names = ["model", "task", "persona", "variant", "confidence"]
    return calibration.with_columns(n_all=pl.col("n").max().over(names)).rename(
        {"value": "accuracy"}
    )
