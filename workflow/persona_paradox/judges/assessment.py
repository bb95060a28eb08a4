"""Measures of judged answers: ratings, classes, and how they differ from the baseline's.

An action is one of three classes. What follows from classes and from what a kind knows of its items
is the kind's: `judged.py` in its folder (see `kinds/base.py`).

The same code makes them as those of triage: shares have Wilson intervals and paired tests, means
have bootstrap intervals over questions, and the draws are the same for every persona of a task. An
answer that lacks a verdict is in no share but that of the unjudged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..analyses.variance import VARIANCE, variance_rows
from ..kinds import base
from ..measures import contrasts as contrasting
from ..measures import paired_tests, statistics
from ..measures.answers import by_wording, measured
from ..measures.combined import Combined
from ..measures.resampling import Draws, Resampled, means
from ..measures.statistics import holm
from ..names import ACTION, ALL, RUBRIC_EXPECTED
from .criteria import clipped
from .verdicts import READ

Rows = list[dict[str, Any]]
Floats = NDArray[np.float64]


UNJUDGED, LENGTH = "unjudged_rate", "n_characters"

# The share of sampled answers that are of one class is called by the dimension and this.
AGREEMENT = "agreement"
# Where a judge rates every question in the task of its own category.
CATEGORY_SCORE = "category_score"

PLACE = {
    "judge": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "variant": pl.String,
    "context": pl.String,
    "dataset": pl.String,
    "category": pl.String,
}
JUDGED = PLACE | {
    "metric": pl.String,
    "backend": pl.String,
    "n": pl.Int64,
    "n_unjudged": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
CONTRASTS = PLACE | contrasting.CONTRAST | {"p_holm": pl.Float64}
JUDGED_VARIANCE = {key: PLACE[key] for key in ("judge", "model", "task")} | VARIANCE


@dataclass(frozen=True)
class Judged:
    """The judged greedy answers of one cell in one wording, in the order of the items' ids.

    Attributes:
        item_ids: ids of the items.
        backend: what answered the judge's prompts.
        cluster: of every item, null for none.
        modes: dimension of classes → number of the class, 1 on; 0 where there is none, or where
            any verdict is missing. Shape (items,) each.
        unjudged: whether a verdict is missing, shape (items,).
        hits: shares of all items, shape (items,) each.
        means: means of other values, nan where an item has none.
        combined: numbers that are no means over items.
        mean_shares: those of the means that are shares, of the items that have a value.
    """

    item_ids: list[str]
    backend: str
    cluster: pl.Series
    modes: dict[str, NDArray[np.int64]]
    unjudged: NDArray[np.bool_]
    hits: dict[str, NDArray[np.bool_]]
    means: dict[str, Floats] = field(default_factory=dict)
    combined: dict[str, Combined] = field(default_factory=dict)
    mean_shares: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    @property
    def n_invalid(self) -> int:
        """Number of answers without a verdict."""
        return int(self.unjudged.sum())

    @property
    def clustered(self) -> bool:
        """Whether the data set declares clusters."""
        return self.cluster.null_count() < self.n

    @property
    def clusters(self) -> NDArray[Any]:
        """Cluster of every item; an item without one is a cluster of its own."""
        return statistics.clusters_of(
            pl.DataFrame({"item_id": self.item_ids, "cluster": self.cluster})
        )

    def changed(self, other: Judged) -> int | None:
        """Number of items of another class than there; None where the judge names none."""
        if not self.modes:
            return None
        differs = [mode != other.modes[name] for name, mode in self.modes.items()]
        return int(np.logical_or.reduce(differs).sum())

    @property
    def values(self) -> dict[str, Floats]:
        """What is measured of every answer, shape (items,) each, nan where there is none."""
        hits = {k: hit.astype(np.float64) for k, hit in self.hits.items() if k != UNJUDGED}
        found = hits | self.means
        if (one := self.combined.get(CATEGORY_SCORE)) is not None:
            # Of a single question it is the rating in its own category.
            found[CATEGORY_SCORE] = np.full(self.n, np.nan)
            found[CATEGORY_SCORE][one.known] = one.formula(one.parts[one.known])
        return found

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        found = means(self.hits, counts) if self.hits else {}
        for name, values in self.means.items():
            known = ~np.isnan(values)
            if known.any():
                drawn = counts if counts is None or known.all() else counts[:, known]
                found |= means({name: values[known]}, drawn)
        for name, one in self.combined.items():
            if one.known.any():
                found[name] = one.value(counts)
        return clipped(found)

    def n_of(self, name: str) -> int:
        """Number of items that a measure is about."""
        if name in self.combined:
            return int(self.combined[name].known.sum())
        return self.n if name in self.hits else int((~np.isnan(self.means[name])).sum())

    def among(self, inside: NDArray[np.bool_]) -> Judged:
        """The answers to some of the items, a mask of shape (items,)."""
        return replace(
            self,
            item_ids=[id_ for id_, chosen in zip(self.item_ids, inside, strict=True) if chosen],
            cluster=self.cluster.filter(pl.Series(inside)),
            modes={name: mode[inside] for name, mode in self.modes.items()},
            unjudged=self.unjudged[inside],
            hits={name: hit[inside] for name, hit in self.hits.items()},
            means={name: values[inside] for name, values in self.means.items()},
            combined={name: one.among(inside) for name, one in self.combined.items()},
        )


def judged(judgements: pl.DataFrame, items: pl.DataFrame, view: Mapping[str, Any]) -> Judged:
    """Prepare the judgements of one wording.

    Args:
        judgements: rows of `verdicts.JUDGEMENT`, those of sampled answers among them.
        items: the data set: `item_id`, perhaps the cluster, and what the kind knows of it.
        view: the task's entry in the view of all judged cells, with the judge's `better` and
            `classes`.
    """
    asked = [*view["better"], *view["classes"]]
    greedy = judgements.filter((pl.col("repeat") == 0) & pl.col("dimension").is_in(asked))
    ids = greedy["item_id"].unique().sort()
    order = pl.DataFrame({"item_id": ids}).join(
        items, on="item_id", how="left", maintain_order="left"
    )
    by_dimension = {
        str(name): pl.DataFrame({"item_id": ids}).join(
            part, on="item_id", how="left", maintain_order="left"
        )
        for (name,), part in greedy.group_by("dimension", maintain_order=True)
    }
    unread = [(part["status"] != READ).to_numpy() for part in by_dimension.values()]
    unjudged = np.logical_or.reduce(unread)
    found: dict[str, Floats] = {
        name: by_dimension[name]["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in view["better"]
    }
    hits = {UNJUDGED: unjudged}
    modes = {
        name: np.where(unjudged, 0, by_dimension[name]["mode"].fill_null(0).to_numpy())
        for name in view["classes"]
    }
    for dimension, classes in view["classes"].items():
        names = measures_of(dimension, classes)
        hits |= {name: modes[dimension] == i for i, name in enumerate(names, start=1)}
        sampled = judgements.filter((pl.col("repeat") > 0) & (pl.col("dimension") == dimension))
        if sampled.height:
            found[f"{dimension}_{AGREEMENT}"] = _alike(sampled, ids)
    combined: dict[str, Combined] = {}
    shares: frozenset[str] = frozenset()
    if modes and base.has(view["kind"], "judged"):
        own = base.load(view["kind"], "judged")
        of_all, of_some = own.judged(modes, order, view)
        hits, found = hits | of_all, found | of_some
        combined = own.combined(modes, order, view) if hasattr(own, "combined") else {}
        shares = frozenset(metric.id for metric in own.METRICS if metric.contrast == "paired")
    combined |= _by_category(found, order, view)
    some = next(iter(by_dimension.values()))
    found[LENGTH] = some["n_characters"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    cluster = view["cluster"]
    return Judged(
        item_ids=ids.to_list(),
        backend="; ".join(sorted(some["backend"].drop_nulls().unique())),
        cluster=order[cluster].cast(pl.String) if cluster else pl.Series([None] * len(ids)),
        modes=modes,
        unjudged=unjudged,
        hits=hits,
        means=found,
        combined=combined,
        mean_shares=shares & {*found},
    )


def _by_category(
    ratings: Mapping[str, Floats], items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, Combined]:
    """The mean over the categories of the mean rating of the same id, where all have one.

    As PersonaScore is of five tasks (Samuel et al. 2025): each question is rated in its own.
    """
    categories = view["categories"]
    if not categories or {*view["better"]} != {*categories}:
        return {}
    of_item = items["category"].to_list()
    own = np.array(
        [ratings[c][i] if c in ratings else np.nan for i, c in enumerate(of_item)], dtype=np.float64
    )
    inside = np.array([[c == one for one in categories] for c in of_item], dtype=np.float64)
    parts = np.concatenate([inside * own[:, None], inside], axis=1)
    parts[np.isnan(own)] = np.nan

    def formula(sums: Floats) -> Floats:
        total, n = np.split(sums, 2, axis=-1)
        means_of = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
        return np.asarray(np.nanmean(means_of, axis=-1))

    return {CATEGORY_SCORE: Combined(parts, formula)}


def measures_of(dimension: str, classes: Sequence[str]) -> list[str]:
    """What the shares of classes are called: those of the action by their own names alone."""
    return list(classes) if dimension == ACTION else [f"{dimension}_{name}" for name in classes]


def _alike(sampled: pl.DataFrame, ids: pl.Series) -> Floats:
    """Share of the pairs of an item's judged answers that do the same; nan for fewer than two."""
    actions = sampled.drop_nulls("mode").group_by("item_id").agg("mode")
    order = pl.DataFrame({"item_id": ids}).join(
        actions, on="item_id", how="left", maintain_order="left"
    )
    return np.array(
        [
            paired_tests.pairwise_agreement([modes]).agreement.item() if modes else np.nan
            for modes in order["mode"].to_list()
        ]
    )


def panel_judgements(judgements: Sequence[pl.DataFrame], classed: Collection[str]) -> pl.DataFrame:
    """The judgements of all judges as one: mean ratings, and the class that most of them name.

    There is no verdict where a judge has none, and no class where no single one has the most
    voices.

    Args:
        judgements: of the judges, tables of `verdicts.JUDGEMENT`.
        classed: the dimensions in which answers are of classes.
    """
    keys = ["item_id", "variant", "repeat", "dimension"]
    several = pl.concat(judgements).group_by(keys, maintain_order=True)
    read = (pl.col("status") == READ).all()
    most = pl.col("mode").mode()
    of_classes = pl.col("dimension").is_in(list(classed))
    table = several.agg(
        status=pl.when(read)
        .then(pl.lit(READ))
        .otherwise(pl.col("status").filter(pl.col("status") != READ).first()),
        value=pl.when(read).then(pl.col("value").mean()),
        mode=pl.when(read & of_classes.first() & (most.len() == 1)).then(most.first()),
        n_characters=pl.col("n_characters").first(),
        backend=pl.col("backend").drop_nulls().unique().sort().str.join("; ").replace("", None),
    )
    return table.with_columns(
        status=pl.when(of_classes & (pl.col("status") == READ) & pl.col("mode").is_null())
        .then(pl.lit("no_majority"))
        .otherwise("status")
    )


class Assessment:
    """Assesses the cells of one judge, model and task against their baseline."""

    def __init__(
        self,
        place: Mapping[str, str],
        view: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        items: pl.DataFrame,
        baseline: str,
    ) -> None:
        """Prepare.

        Args:
            place: `judge`, `model` and `task`.
            view: what `judged` needs of the task and the judge, with `context` and `dataset`.
            settings: the statistics'.
            items: the data set.
            baseline: id of the baseline persona.
        """
        self._place = {**place, **{key: view[key] for key in ("context", "dataset")}}
        self._view, self._settings, self._items = view, settings, items
        self._baseline = baseline

    def assess(self, judgements: Mapping[str, pl.DataFrame]) -> tuple[Rows, Rows]:
        """Rows of `JUDGED` and of `CONTRASTS`; persona → its judgements."""
        view = self._view
        theirs = judged(by_wording(judgements[self._baseline])["main"], self._items, view)
        draws = Draws.of(theirs.clusters, self._settings)
        groups = groups_of(theirs.item_ids, self._items, view)
        of_baseline = {
            name: (theirs.among(inside), self._measure(theirs.among(inside), draws.among(inside)))
            for name, inside in groups.items()
        }
        rows: Rows = []
        contrasts: Rows = []
        for persona, table in judgements.items():
            for variant, wording in by_wording(table).items():
                this = judged(wording, self._items, view)
                if this.item_ids != theirs.item_ids:
                    raise ValueError("a contrast needs the same items on both sides")
                for category, inside in groups.items():
                    part = this.among(inside)
                    mine = self._measure(part, draws.among(inside))
                    about = {**self._place, "persona": persona, "variant": variant}
                    about |= {"category": category}
                    rows += [about | row for row in measure_rows(part, mine)]
                    if persona != self._baseline:
                        sides = (part, of_baseline[category][0])
                        values = (mine, of_baseline[category][1])
                        contrasts += [
                            about | row for row in contrast_rows(sides, values, self._settings)
                        ]
        return rows, contrasts

    def variance(self, judgements: Mapping[str, pl.DataFrame]) -> Rows:
        """Rows of `JUDGED_VARIANCE`, the baseline left out; persona → its judgements."""
        wordings = {
            (persona, variant): judged(wording, self._items, self._view)
            for persona, table in judgements.items()
            if persona != self._baseline
            for variant, wording in by_wording(table).items()
        }
        ids = next((one.item_ids for one in wordings.values()), [])
        values = {key: one.values for key, one in wordings.items()}
        place = {key: self._place[key] for key in ("judge", "model", "task")}
        return [place | row for row in variance_rows(values, ids, self._settings)]

    def _measure(self, this: Judged, draws: Draws) -> Resampled:
        return draws.measure(this.points)


def groups_of(
    item_ids: Sequence[str], items: pl.DataFrame, view: Mapping[str, Any]
) -> dict[str, NDArray[np.bool_]]:
    """All items, the kind's own groups, and categories: name → mask of shape (items,).

    Args:
        item_ids: of the answers, in their order.
        items: the data set.
        view: as of `judged`.
    """
    groups = {ALL: np.ones(len(item_ids), dtype=bool)}
    order = pl.DataFrame({"item_id": item_ids}).join(
        items, on="item_id", how="left", maintain_order="left"
    )
    if base.has(view["kind"], "judged"):
        own = base.load(view["kind"], "judged")
        groups |= own.groups(order, view) if hasattr(own, "groups") else {}
    if "category" in order.columns:
        groups |= {name: (order["category"] == name).to_numpy() for name in view["categories"]}
    return {name: inside for name, inside in groups.items() if inside.any()}


def measure_rows(this: Judged, measures: Resampled) -> Rows:
    """What is measured of judged answers, from `metric` on as in `JUDGED`."""
    rows: Rows = []
    for name in measures.point:
        rows.append(
            {
                "metric": name,
                "backend": this.backend,
                "n": this.n_of(name),
                "n_unjudged": this.n_invalid,
                **measured(name, _share(name, this)[0], measures),
            }
        )
    return rows


def contrast_rows(
    sides: tuple[Judged, Judged],
    values: tuple[Resampled, Resampled],
    settings: Mapping[str, Any],
) -> Rows:
    """Differences of two sets of judged answers to the same items, as rows of `CONTRAST`.

    Args:
        sides: the answers, and those that they are compared with.
        values: the measures of both, by the same draws.
        settings: the statistics'.
    """
    this, baseline = sides
    difference = values[0] - values[1]
    rows: Rows = []
    for name in difference.point:
        about = {
            "metric": name,
            "backend": this.backend,
            "n": this.n_of(name),
            "n_baseline": baseline.n_of(name),
            "n_invalid": this.n_invalid,
            "n_invalid_baseline": baseline.n_invalid,
            "n_changed": this.changed(baseline),
        }
        mine, theirs = _share(name, this, baseline)
        if mine.n:
            row = contrasting.contrast(name, (mine, theirs), difference, values, settings)
            rows.append(about | row)
    return rows


def _share(name: str, *sides: Judged) -> tuple[Judged, ...]:
    """A share of some items is one of those that have a value on all sides."""
    if any(name not in side.mean_shares for side in sides):
        return sides
    shares = [side.means[name] for side in sides]
    known = np.asarray(~np.isnan(shares).any(axis=0))
    return tuple(
        replace(side.among(known), hits={name: share[known] == 1})
        for side, share in zip(sides, shares, strict=True)
    )


def with_holm(contrasts: pl.DataFrame) -> pl.DataFrame:
    """Add `p_holm`: adjusted over all metrics and personas of a judge, model and task.

    Tests of the main wordings on all questions. The length of the answers is no test, and of a
    rubric's two scores the published one is.
    """
    keys = ["judge", "model", "task", "persona", "metric"]
    tested = contrasts.filter(
        (pl.col("variant") == "main")
        & (pl.col("category") == ALL)
        & ~pl.col("metric").is_in([LENGTH, RUBRIC_EXPECTED])
        & pl.col("p").is_not_null()
    )
    adjusted = [
        part.select(*keys, p_holm=pl.Series(holm(part["p"].to_numpy()), dtype=pl.Float64))
        for part in tested.partition_by("judge", "model", "task", maintain_order=True)
    ]
    empty = tested.select(*keys, p_holm="p").clear()
    main = (pl.col("variant") == "main") & (pl.col("category") == ALL)
    joined = contrasts.join(
        pl.concat([empty, *adjusted]), on=keys, how="left", maintain_order="left"
    )
    return joined.with_columns(p_holm=pl.when(main).then("p_holm"))
