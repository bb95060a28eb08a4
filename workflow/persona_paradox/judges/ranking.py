"""Rankings of the personas, and win matrices, of what judges or clinicians prefer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..measures import bradley_terry, statistics
from ..measures.answers import number
from ..measures.bradley_terry import Comparisons
from ..measures.resampling import Draws, Resampled
from ..names import ALL
from .verdicts import READ

Rows = list[dict[str, Any]]
Settings = Mapping[str, Any]

PAIRWISE, LISTWISE = "pairwise", "listwise"

ABOUT = {"judge": pl.String, "model": pl.String, "task": pl.String, "category": pl.String}
_INTERVALS = ("strength", "rank", "strength_controlled", "rank_controlled")
_EQUAL = 9  # decimals of a difference of probabilities that is none
RANKING = (
    ABOUT
    | {
        "method": pl.String,
        "persona": pl.String,
        "n_questions": pl.Int64,
        "n_pairs": pl.Int64,
        "n_ties": pl.Int64,
        "n_inconsistent": pl.Int64,
        "n_unjudged": pl.Int64,
    }
    | {f"{name}{end}": pl.Float64 for name in _INTERVALS for end in ("", "_low", "_high")}
    | {"usable": pl.Boolean}
)
WINS = ABOUT | {
    "persona": pl.String,
    "other": pl.String,
    "n": pl.Int64,
    "n_won": pl.Int64,
    "n_tied": pl.Int64,
    "n_lost": pl.Int64,
    "n_inconsistent": pl.Int64,
    "n_unjudged": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "usable": pl.Boolean,
}


def panel_preferences(preferences: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The preferences of all judges as one: that of most of those who have one.

    A judge's tie has no voice, and it is a tie where there are as many voices for either. There is
    no outcome where a judge has none. It is consistent where the verdicts of all judges are.
    """
    keys = ["item_id", "first", "second"]
    several = pl.concat(preferences).group_by(keys, maintain_order=True)
    read = pl.col("outcome").is_not_null().all()
    mean = pl.col("outcome").mean()
    return several.agg(
        status=pl.when(read)
        .then(pl.lit(READ))
        .otherwise(pl.col("status").filter(pl.col("outcome").is_null()).first()),
        outcome=pl.when(read).then(
            pl.when(mean > 0.5).then(1.0).when(mean < 0.5).then(0.0).otherwise(0.5)
        ),
        # Of pairs without a preference nothing is said; they are counted as unjudged.
        consistent=pl.when(read).then(pl.col("consistent").all()),
        length_difference=pl.col("length_difference").first(),
    )


class Questions:
    """The questions of a task: their order, their categories and their draws."""

    def __init__(
        self,
        item_ids: Sequence[str],
        items: pl.DataFrame,
        categories: Sequence[str],
        cluster: str | None,
        settings: Settings,
    ) -> None:
        """Prepare.

        Args:
            item_ids: of all questions that were answered.
            items: the data set.
            categories: ids of the categories, in their order.
            cluster: column of the data set that names an item's cluster, if any.
            settings: the statistics'.
        """
        self.ids = sorted(item_ids)
        order = pl.DataFrame({"item_id": self.ids}).join(
            items, on="item_id", how="left", maintain_order="left"
        )
        known = order[cluster].cast(pl.String) if cluster else pl.Series([None] * len(self.ids))
        table = pl.DataFrame({"item_id": self.ids, "cluster": known})
        self.draws = Draws.of(statistics.clusters_of(table), settings)
        self.groups: dict[str, NDArray[np.bool_]] = {ALL: np.ones(len(self.ids), dtype=bool)}
        if "category" in order.columns:
            found = {name: (order["category"] == name).to_numpy() for name in categories}
            self.groups |= {name: inside for name, inside in found.items() if inside.any()}

    def among(self, category: str) -> tuple[list[str], Draws]:
        """Ids and draws of the questions of a category."""
        inside = self.groups[category]
        ids = [id_ for id_, chosen in zip(self.ids, inside, strict=True) if chosen]
        return ids, self.draws.among(inside)


def rankings(
    preferences: pl.DataFrame, personas: Sequence[str], questions: Questions
) -> tuple[Rows, Rows]:
    """Bradley–Terry rankings and win matrices, over all questions and by category.

    Args:
        preferences: table of `verdicts.PREFERENCE`, of every two personas or of some; no row of
            `WINS` is about two that were not compared.
        personas: ids.
        questions: of the task.

    Returns:
        Rows of `RANKING` and of `WINS`, without judge, model, task and `usable`.
    """
    ranking: Rows = []
    wins: Rows = []
    for category in questions.groups:
        ids, draws = questions.among(category)
        asked = preferences.filter(pl.col("item_id").is_in(ids))
        decided = asked.drop_nulls("outcome")
        comparisons = comparisons_of(decided, personas, ids)
        measures = partial(bradley_terry.measures, comparisons, personas)
        about = {"category": category, "method": PAIRWISE}
        ranking += [about | row for row in _ranked(draws.measure(measures), asked, personas)]
        wins += [
            {"category": category, **row} for row in _wins(asked, comparisons, personas, draws)
        ]
    return ranking, wins


def listwise(lists: pl.DataFrame, personas: Sequence[str], questions: Questions) -> Rows:
    """The ranking by lists, as rows of `RANKING` without judge, model, task and `usable`.

    Args:
        lists: table of `verdicts.LISTED`: an order of the personas for every question, by how
            likely each is called the best.
        personas: ids.
        questions: of the task.
    """
    rows: Rows = []
    for category in questions.groups:
        ids, draws = questions.among(category)
        asked = lists.filter(pl.col("item_id").is_in(ids))
        read = asked.drop_nulls("p")
        n = read["item_id"].n_unique()
        about = {"category": category, "method": LISTWISE, "n_questions": n}
        about |= {"n_unjudged": asked["item_id"].n_unique() - n}
        resampled = None
        if n:
            comparisons = _listed(read, personas, ids)
            resampled = draws.measure(partial(bradley_terry.measures, comparisons, personas))
        for persona in personas:
            found = {} if resampled is None else _intervals(resampled, persona)
            rows.append({**about, "persona": persona, **found})
    return rows


def _listed(read: pl.DataFrame, personas: Sequence[str], ids: Sequence[str]) -> Comparisons:
    """Every two personas of every list: the likelier one wins, and equally likely ones tie.

    Were one of these put first, a judge that looks at places alone would seem to rank them.
    """
    table = read.pivot(on="name", index="item_id", values="p", maintain_order=True)
    place = {id_: i for i, id_ in enumerate(ids)}
    p = table.select(personas).to_numpy()
    first, second = np.triu_indices(len(personas), 1)
    ahead = np.sign(np.round(p[:, first] - p[:, second], _EQUAL))
    return Comparisons(
        players=len(personas),
        first=np.tile(first, len(p)),
        second=np.tile(second, len(p)),
        outcome=((ahead + 1) / 2).ravel(),
        item=np.repeat([place[id_] for id_ in table["item_id"]], len(first)),
    )


def comparisons_of(
    decided: pl.DataFrame, personas: Sequence[str], ids: Sequence[str]
) -> Comparisons:
    """Preferences as comparisons of numbered personas about numbered questions."""
    number_of = {name: i for i, name in enumerate(personas)}
    place = {id_: i for i, id_ in enumerate(ids)}
    length = decided["length_difference"]
    return Comparisons(
        players=len(personas),
        first=np.array([number_of[name] for name in decided["first"]], dtype=np.intp),
        second=np.array([number_of[name] for name in decided["second"]], dtype=np.intp),
        outcome=decided["outcome"].to_numpy(),
        item=np.array([place[id_] for id_ in decided["item_id"]], dtype=np.intp),
        # Two equal answers have the same length; nobody counted where there is none at all.
        length_difference=length.fill_null(0).to_numpy().astype(np.float64)
        if length.count()
        else None,
    )


def _intervals(resampled: Resampled, persona: str) -> dict[str, float | None]:
    row: dict[str, float | None] = {}
    for name in _INTERVALS:
        key = name, persona
        if key in resampled.point:
            low, high = resampled.interval(key)
            row |= {name: number(resampled.point[key])}
            row |= {f"{name}_low": number(low), f"{name}_high": number(high)}
    return row


def _ranked(resampled: Resampled, asked: pl.DataFrame, personas: Sequence[str]) -> Rows:
    rows: Rows = []
    for persona in personas:
        own = asked.filter((pl.col("first") == persona) | (pl.col("second") == persona))
        decided = own.drop_nulls("outcome")
        rows.append(
            {
                "persona": persona,
                "n_questions": decided["item_id"].n_unique(),
                "n_pairs": decided.height,
                **_counts(own),
                # Of no comparison there is but the prior.
                **(_intervals(resampled, persona) if decided.height else {}),
            }
        )
    return rows


def _counts(pairs: pl.DataFrame) -> dict[str, int]:
    return {
        "n_ties": pairs.filter(pl.col("outcome") == 0.5).height,
        "n_inconsistent": pairs.filter(~pl.col("consistent")).height,
        "n_unjudged": pairs["outcome"].null_count(),
    }


def _wins(
    asked: pl.DataFrame, comparisons: Comparisons, personas: Sequence[str], draws: Draws
) -> Rows:
    def shares(counts: NDArray[Any] | None) -> dict[tuple[int, int], Any]:
        matrix = bradley_terry.win_matrix(*bradley_terry.aggregate(comparisons, counts))
        return {(i, j): matrix[..., i, j] for i in range(n) for j in range(n) if i != j}

    n = len(personas)
    resampled = draws.measure(shares)
    rows: Rows = []
    for i, j in combinations(range(n), 2):
        names = [pl.lit(personas[i]), pl.lit(personas[j])]
        pairs = asked.filter(
            ((pl.col("first") == names[0]) & (pl.col("second") == names[1]))
            | ((pl.col("first") == names[1]) & (pl.col("second") == names[0]))
        )
        if pairs.is_empty():
            continue
        for a, b in ((i, j), (j, i)):
            is_first = pl.col("first") == personas[a]
            outcome = pl.when(is_first).then("outcome").otherwise(1 - pl.col("outcome"))
            won = pairs.select(outcome.alias("won")).drop_nulls()["won"]
            low, high = resampled.interval((a, b))
            counts = _counts(pairs)
            rows.append(
                {
                    "persona": personas[a],
                    "other": personas[b],
                    "n": len(won),
                    "n_won": int((won == 1).sum()),
                    "n_tied": counts["n_ties"],
                    "n_lost": int((won == 0).sum()),
                    "n_inconsistent": counts["n_inconsistent"],
                    "n_unjudged": counts["n_unjudged"],
                    "share": number(resampled.point[a, b]),
                    "low": number(low),
                    "high": number(high),
                }
            )
    return rows
