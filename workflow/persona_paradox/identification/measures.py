"""How well personas are named: shares, probabilities, and whom each is taken for.

A persona that is no option (the baseline, a control) is named rightly as none of them. The mean
over all personas gives every option the same weight, so that whoever always names the same one is
right in 1 of k (balanced accuracy, Brodersen et al. 2010).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..analyses.variance import VARIANCE, variance_rows
from ..measures import contrasts as contrasting
from ..measures import statistics
from ..measures.answers import measured
from ..measures.resampling import Draws, Resampled, means
from ..names import AFTER, ALL, BEFORE, WHEN
from .options import right_option

Rows = list[dict[str, Any]]
Floats = NDArray[np.float64]
Settings = Mapping[str, Any]

ACCURACY, P_RIGHT, BRIER = "identification_accuracy", "p_right", "identification_brier"
UNNAMED, WRITTEN, MASS = "unnamed_rate", "written_rate", "letter_mass"
# Of which the mean over all personas is told, and the change from before a task to behind it.
COMPARED = (ACCURACY, P_RIGHT, BRIER)
METRICS = (*COMPARED, UNNAMED, WRITTEN, MASS)

# What stands in the place of a time, or of a judge: behind minus before.
CHANGE = "change"

PLACE = {
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "variant": pl.String,
    "source": pl.String,
}
IDENTIFICATION = PLACE | {
    "metric": pl.String,
    "backend": pl.String,
    "n": pl.Int64,
    "n_unnamed": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "chance": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "usable": pl.Boolean,
}
CONFUSION = PLACE | {
    "named": pl.String,
    "backend": pl.String,
    "n": pl.Int64,
    "count": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "usable": pl.Boolean,
}
IDENTIFICATION_VARIANCE = {
    "model": pl.String,
    "task": pl.String,
    "named_by": pl.String,
    **VARIANCE,
    "usable": pl.Boolean,
}


@dataclass(frozen=True)
class Named:
    """Who is named for every item of a cell in one wording, in the order of the items' ids.

    Attributes:
        item_ids: ids of the items.
        backend: what answered.
        cluster: of every item, null for none.
        options: ids of the options.
        right: number of the right one.
        named: number of the one that is named, -1 for nobody. Shape (items,).
        probabilities: of the options, nan where nobody is named. Shape (items, options).
        more: other means, shape (items,) each, nan where an item has none.
    """

    item_ids: list[str]
    backend: str
    cluster: pl.Series
    options: list[str]
    right: int
    named: NDArray[np.int64]
    probabilities: Floats
    more: Mapping[str, Floats]

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    @property
    def n_invalid(self) -> int:
        """Number of items for which nobody is named."""
        return int((self.named < 0).sum())

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

    @property
    def hits(self) -> dict[str, NDArray[np.bool_]]:
        """Shares of all items: right, nobody, and every option."""
        return {
            ACCURACY: self.named == self.right,
            UNNAMED: self.named < 0,
            **{_name(id_): self.named == number for number, id_ in enumerate(self.options)},
        }

    @property
    def means(self) -> dict[str, Floats]:
        """Probability of the right option, Brier score over all options, and more."""
        p = self.probabilities
        right = np.arange(len(self.options)) == self.right
        return {P_RIGHT: p[:, self.right], BRIER: ((p - right) ** 2).sum(axis=1), **self.more}

    def points(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """All measures: numbers of the sample, or arrays of shape (draws,)."""
        return means(self.hits, counts) | known_means(self.means, counts)


def _name(option: str | None) -> str:
    """What the share of an option is called; of nobody, None, that of the unnamed."""
    return UNNAMED if option is None else f"named {option}"


def known_means(values: Mapping[str, Floats], counts: NDArray[Any] | None) -> dict[str, Any]:
    """Means over the items that have a value, each of shape (items,); none where no item has."""
    found: dict[str, Any] = {}
    for name, one in values.items():
        known = ~np.isnan(one)
        if known.any():
            drawn = counts if counts is None or known.all() else counts[:, known]
            found |= means({name: one[known]}, drawn)
    return found


def named_of(
    rows: pl.DataFrame, items: pl.DataFrame, persona: str, view: Mapping[str, Any], cluster: Any
) -> Named:
    """Who is named, of one wording.

    Args:
        rows: `item_id`, `named` (id of an option), `probabilities`, `backend`, and perhaps
            `written` and `mass`.
        items: the data set, with the column `cluster` if it is not null.
        persona: id of the one that answered.
        view: of the identified cells: `options`.
        cluster: column of the items, or None.
    """
    options = [one["id"] for one in view["options"]]
    ordered = rows.sort("item_id")
    ids = ordered["item_id"].to_list()
    clusters = pl.Series([None] * len(ids), dtype=pl.String)
    if cluster:
        of_items = dict(items.select("item_id", pl.col(cluster).cast(pl.String)).iter_rows())
        clusters = pl.Series([of_items.get(id_) for id_ in ids], dtype=pl.String)
    nothing = [np.nan] * len(options)
    named = [-1 if one is None else options.index(one) for one in ordered["named"]]
    more: dict[str, Floats] = {}
    if "written" in ordered.columns:
        same = (ordered["written"] == ordered["named"]).fill_null(False).cast(pl.Float64)
        more[WRITTEN] = np.where(np.array(named) < 0, np.nan, same.to_numpy())
    if "mass" in ordered.columns:
        more[MASS] = ordered["mass"].fill_null(np.nan).to_numpy()
    return Named(
        item_ids=ids,
        backend="; ".join(sorted(ordered["backend"].drop_nulls().unique())),
        cluster=clusters,
        options=options,
        right=options.index(right_option(persona, view)),
        named=np.array(named, dtype=np.int64),
        probabilities=np.array(
            [nothing if p is None else p for p in ordered["probabilities"]], dtype=np.float64
        ).reshape(len(ids), len(options)),
        more=more,
    )


def identification_rows(
    cells: Mapping[str, Mapping[str, Named]], settings: Settings
) -> tuple[Rows, Rows]:
    """Rows of `IDENTIFICATION` and of `CONFUSION`, without their place but for persona and source.

    Args:
        cells: source (`before`, `after`, a judge) → persona → who is named, all of one model,
            task and wording.
        settings: the statistics'.
    """
    rows: Rows = []
    confusion: Rows = []
    for source, of_source in cells.items():
        for persona, this in of_source.items():
            about = {"persona": persona, "source": source, "backend": this.backend}
            resampled = Draws.of(this.clusters, settings).measure(this.points)
            rows += [about | row for row in _rows(this, resampled)]
            confusion += [about | row for row in _confusion(this, resampled)]
        rows += [{"source": source} | row for row in _over_all(of_source, settings)]
    if set(WHEN) <= set(cells):
        rows += _changes(cells[BEFORE], cells[AFTER], settings)
    return rows, confusion


def variance(
    cells: Mapping[str, Mapping[str, Mapping[str, Named]]], baseline: str, settings: Settings
) -> Iterator[dict[str, Any]]:
    """Rows of `IDENTIFICATION_VARIANCE`, without their place; the baseline is left out.

    Args:
        cells: wording → source → persona → who is named, of one model and task.
        baseline: id of the baseline persona.
        settings: the statistics'.
    """
    by_source: dict[str, dict[tuple[str, str], Named]] = {}
    for variant, sources in cells.items():
        for source, of_source in sources.items():
            for persona, this in of_source.items():
                if persona != baseline:
                    by_source.setdefault(source, {})[persona, variant] = this
    for source, wordings in by_source.items():
        values = {
            key: {ACCURACY: this.hits[ACCURACY].astype(np.float64), P_RIGHT: this.means[P_RIGHT]}
            for key, this in wordings.items()
        }
        ids = next(iter(wordings.values())).item_ids
        for row in variance_rows(values, ids, settings):
            yield {"named_by": source} | row


def chance_of(metric: str, k: int) -> float | None:
    """What a uniform guess among `k` options reaches; None where that has no meaning."""
    return {ACCURACY: 1 / k, P_RIGHT: 1 / k, BRIER: 1 - 1 / k}.get(metric)


def _rows(this: Named, resampled: Resampled) -> Rows:
    return [
        {
            "metric": metric,
            "n": this.n if metric in this.hits else int((~np.isnan(this.means[metric])).sum()),
            "n_unnamed": this.n_invalid,
            "chance": chance_of(metric, len(this.options)),
            **measured(metric, this, resampled),
        }
        for metric in METRICS
        if metric in resampled.point
    ]


def _confusion(this: Named, resampled: Resampled) -> Rows:
    return [
        {
            "named": id_,
            "n": this.n,
            "count": int(this.hits[_name(id_)].sum()),
            **measured(_name(id_), this, resampled),
        }
        for id_ in (*this.options, None)
    ]


def _balanced(cells: Mapping[str, Named]) -> dict[str, Floats]:
    """Values of every item on the mean over the personas, each option with the same weight."""
    by_option: dict[int, list[Named]] = {}
    for this in cells.values():
        by_option.setdefault(this.right, []).append(this)

    def values(this: Named, metric: str) -> Floats:
        hits, others = this.hits, this.means
        return hits[metric].astype(np.float64) if metric in hits else others[metric]

    return {
        metric: np.mean(
            [np.mean([values(t, metric) for t in same], axis=0) for same in by_option.values()],
            axis=0,
        )
        for metric in COMPARED
    }


def _over_all(cells: Mapping[str, Named], settings: Settings) -> Rows:
    """The mean over all personas, whose items must be the same."""
    first = _alike(list(cells.values()))
    return _means_rows(first, _balanced(cells), cells, settings) if first else []


def _alike(cells: Sequence[Named]) -> Named | None:
    """The first of cells of which each option is right in some, on the same items; else None.

    A paraphrase has no baseline, and so no persona that is rightly none of them.
    """
    first = cells[0]
    whole = {one.right for one in cells} == set(range(len(first.options)))
    return first if whole and all(one.item_ids == first.item_ids for one in cells) else None


def _means_rows(
    first: Named, values: Mapping[str, Floats], cells: Mapping[str, Named], settings: Settings
) -> Rows:
    resampled = Draws.of(first.clusters, settings).measure(partial(known_means, values))
    return [
        {
            "persona": ALL,
            "metric": metric,
            "backend": first.backend,
            "n": int((~np.isnan(values[metric])).sum()),
            "n_unnamed": sum(one.n_invalid for one in cells.values()),
            "chance": chance_of(metric, len(first.options)),
            "value": resampled.point[metric],
            **_bounds(resampled, metric),
        }
        for metric in COMPARED
        if metric in resampled.point
    ]


def _bounds(resampled: Resampled, metric: str) -> dict[str, float | None]:
    low, high = resampled.interval(metric)
    return {"low": None, "high": None} if np.isnan(low) else {"low": low, "high": high}


def _changes(before: Mapping[str, Named], after: Mapping[str, Named], settings: Settings) -> Rows:
    """Behind the answers minus before the task, on the same items and orders of the options."""
    rows: Rows = []
    no_margins = {**settings, "margins": {}}
    for persona, this in after.items():
        sides = (this, before[persona])
        draws = Draws.of(this.clusters, settings)
        values = (draws.measure(this.points), draws.measure(sides[1].points))
        both = {
            name: np.where(np.isnan(sides[1].means[name]), np.nan, this.means[name])
            - sides[1].means[name]
            for name in (P_RIGHT, BRIER)
        }
        paired = draws.measure(partial(known_means, both))
        for metric in COMPARED:
            about = {"persona": persona, "source": CHANGE, "metric": metric}
            about |= {"backend": this.backend}
            if metric == ACCURACY:
                found = contrasting.contrast(
                    metric, sides, values[0] - values[1], values, no_margins
                )
                n = this.n
                row = {"value": found["difference"]}
                row |= {key: found[key] for key in ("low", "high", "p")}
            elif metric in paired.point:
                n = int((~np.isnan(both[metric])).sum())
                row = {"value": paired.point[metric], "p": paired.p_zero(metric)}
                row |= _bounds(paired, metric)
            else:
                continue
            unnamed = int(((this.named < 0) | (sides[1].named < 0)).sum())
            rows.append(about | {"n": n, "n_unnamed": unnamed} | row)
    return rows + _change_over_all(before, after, settings)


def _change_over_all(
    before: Mapping[str, Named], after: Mapping[str, Named], settings: Settings
) -> Rows:
    first = _alike([*before.values(), *after.values()])
    if first is None:
        return []
    then, now = _balanced(before), _balanced(after)
    values = {metric: now[metric] - then[metric] for metric in COMPARED}
    resampled = Draws.of(first.clusters, settings).measure(partial(known_means, values))
    cells = {**{f"{p} {BEFORE}": c for p, c in before.items()}, **after}
    rows = _means_rows(first, values, cells, settings)
    return [
        row | {"source": CHANGE, "chance": None, "p": resampled.p_zero(row["metric"])}
        for row in rows
    ]


def with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Adjust the tests of a model and task: changes of the accuracy, main wording, by persona."""
    keys = ["model", "task", "persona", "variant", "source", "metric"]
    tested = table.filter(
        (pl.col("source") == CHANGE)
        & (pl.col("metric") == ACCURACY)
        & (pl.col("variant") == "main")
        & (pl.col("persona") != ALL)
        & pl.col("p").is_not_null()
    )
    adjusted = [
        part.select(
            *keys, p_holm=pl.Series(statistics.holm(part["p"].to_numpy()), dtype=pl.Float64)
        )
        for part in tested.partition_by("model", "task", maintain_order=True)
    ]
    empty = tested.select(*keys, p_holm="p").clear()
    found = pl.concat([empty, *adjusted])
    return table.drop("p_holm").join(found, on=keys, how="left", maintain_order="left")
