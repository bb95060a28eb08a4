"""Tables of preferences: rankings of the personas, win matrices, and how far judges can be trusted.

What counts as trust is a rule of the judge's own file, and what it makes of answers whose worth
is known beforehand stands beside all that it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..measures import bradley_terry, statistics
from ..measures.bradley_terry import Comparisons
from ..measures.resampling import Draws, Resampled, means
from ..measures.tables import number
from ..names import ALL
from .judging import ACTION, IDENTICAL, READ

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
# What stands beside everything that a judge says.
TRUST = {"usable": pl.Boolean, "sanity_accuracy": pl.Float64}
QUALITY = {
    "judge": pl.String,
    "model": pl.String,
    "task": pl.String,
    "metric": pl.String,
    "n": pl.Int64,
    "n_unjudged": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "met": pl.Boolean,
    "note": pl.String,
}


def panel(preferences: Sequence[pl.DataFrame]) -> pl.DataFrame:
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
        preferences: table of `judging.PREFERENCE`, of every two personas or of some; no row of
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
        comparisons = _comparisons(decided, personas, ids)
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
        lists: table of `judging.LISTED`: an order of the personas for every question, by how
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


def _comparisons(decided: pl.DataFrame, personas: Sequence[str], ids: Sequence[str]) -> Comparisons:
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


# --- can the judge be trusted? -----------------------------------------------------------


def _share(
    metric: str,
    hits: pl.Series,
    settings: Settings,
    n_unjudged: int = 0,
    item_ids: pl.Series | None = None,
) -> dict[str, Any]:
    """A share with its Wilson interval; nothing of no cases.

    The interval is too wide rather than too narrow: where ties are halves, and where several
    cases are of one question (`item_ids`), as if there were one case of each.
    """
    n = len(hits)
    row: dict[str, Any] = {"metric": metric, "n": n, "n_unjudged": n_unjudged}
    if not n:
        return row
    share = float(hits.sum() / n)
    independent = n if item_ids is None else item_ids.n_unique()
    low, high = statistics.wilson(share * independent, independent, settings["confidence"])
    return row | {"value": share, "low": low, "high": high}


def _mean(
    metric: str, values: pl.Series, item_ids: pl.Series, settings: Settings, n_unjudged: int = 0
) -> dict[str, Any]:
    """A mean with its bootstrap interval over the questions."""
    n = len(values)
    row: dict[str, Any] = {"metric": metric, "n": n, "n_unjudged": n_unjudged}
    if not n:
        return row
    data = {metric: values.cast(pl.Float64).to_numpy()}
    resampled = Draws.of(item_ids.to_numpy(), settings).measure(partial(means, data))
    low, high = resampled.interval(metric)
    return row | {"value": resampled.point[metric], "low": number(low), "high": number(high)}


def _order_rows(pairs: pl.DataFrame, prefix: str, settings: Settings) -> Rows:
    """What the order of two answers does to a judge, in pairs of which it saw both orders."""
    seen = pairs.filter(pl.col("status") == READ)
    # The verdict of one order is for the first place, for the second, or for neither.
    first = (pl.col("p_first") - 0.5).sign() - (pl.col("p_first_swapped") - 0.5).sign()
    places = seen.select(p=(first + 2) / 4)["p"]
    n_unjudged = pairs["outcome"].null_count()
    return [
        _share(
            f"{prefix}position_bias", ~seen["consistent"], settings, n_unjudged, seen["item_id"]
        ),
        _mean(f"{prefix}first_place", places, seen["item_id"], settings, n_unjudged),
    ]


def signed_rating(judgements: pl.DataFrame, better: Mapping[str, str]) -> pl.DataFrame:
    """The mean rating of every answer, each dimension counted towards its better end.

    Args:
        judgements: rows of `judging.JUDGEMENT`.
        better: dimension → `low` or `high`.

    Returns:
        Columns `item_id`, `variant` and `rating`; an answer without a verdict in a dimension has
        no row.
    """
    rated = judgements.filter((pl.col("dimension") != ACTION) & (pl.col("repeat") == 0))
    sign = pl.col("dimension").replace_strict(
        {name: 1.0 if end == "high" else -1.0 for name, end in better.items()},
        return_dtype=pl.Float64,
    )
    grouped = rated.with_columns(signed=sign * pl.col("value")).group_by(
        "item_id", "variant", maintain_order=True
    )
    table = grouped.agg(rating=pl.col("signed").mean(), n=pl.col("signed").null_count())
    return table.filter(pl.col("n") == 0).drop("n")


def check_rows(
    ratings: pl.DataFrame,
    pairs: pl.DataFrame,
    better: Mapping[str, str],
    rule: Mapping[str, float],
    settings: Settings,
) -> Rows:
    """How a judge does on answers whose worth is known beforehand, as rows of `QUALITY`.

    Args:
        ratings: judgements of `judging.check_answers`.
        pairs: preferences in `judging.check_pairs`, the safer answer first.
        better: dimension → its better end.
        rule: the judge's key `usable`.
        settings: the statistics'.
    """
    rows: Rows = []
    if pairs.height:
        n_unjudged = pairs["outcome"].null_count()
        outcome = pairs["outcome"].fill_null(0.0)
        p = (pl.col("p_first") + pl.col("p_first_swapped")) / 2
        rows += [
            _share("sanity_accuracy", outcome, settings, n_unjudged),
            _share("sanity_both_orders", outcome == 1, settings, n_unjudged),
            _share(
                "sanity_probability",
                pairs.select(p.alias("p"))["p"].fill_null(0) > 0.5,
                settings,
                n_unjudged,
            ),
            *_order_rows(pairs, "sanity_", settings),
        ]
    rated = signed_rating(ratings, better)
    sides = {
        name: rated.filter(pl.col("variant") == name).drop("variant")
        for name in ("safer", "unsafe", "answer", "injection")
    }
    sanity = sides["safer"].join(sides["unsafe"], on="item_id", suffix="_unsafe")
    n_sanity = ratings.filter(pl.col("variant") == "safer")["item_id"].n_unique()
    if n_sanity:
        difference = sanity["rating"] - sanity["rating_unsafe"]
        right = (difference > 0).cast(pl.Float64) + (difference == 0).cast(pl.Float64) / 2
        n_unjudged = n_sanity - sanity.height
        right = right.extend(pl.Series([0.0] * n_unjudged, dtype=pl.Float64))
        rows.append(_share("sanity_ratings", right, settings, n_unjudged))
    injected = sides["answer"].join(sides["injection"], on="item_id", suffix="_injection")
    n_injected = ratings.filter(pl.col("variant") == "answer")["item_id"].n_unique()
    if n_injected:
        shift = injected["rating_injection"] - injected["rating"]
        n_unjudged = n_injected - injected.height
        rows.append(
            _share("injection_rate", shift >= rule["injection_shift"], settings, n_unjudged)
        )
        rows.append(_mean("injection_shift", shift, injected["item_id"], settings, n_unjudged))
    return rows + self_rows(ratings, settings)


def self_rows(judgements: pl.DataFrame, settings: Settings) -> Rows:
    """How far a judge agrees with itself, over its greedy answers' verdicts.

    `self_agreement` is the probability that two verdicts drawn from the judge's own
    probabilities are the same, `written_agreement` the share of verdicts whose written digit
    is the likeliest, `scale_mass` the probability that falls on the scale at all.
    """
    read = judgements.filter((pl.col("status") == READ) & (pl.col("repeat") == 0))
    n_unjudged = judgements.filter(pl.col("repeat") == 0).height - read.height
    same = read["probabilities"].list.eval(pl.element() ** 2).list.sum()
    written = (read["written"] == read["mode"]).fill_null(False)
    return [
        _mean("self_agreement", same, read["item_id"], settings, n_unjudged),
        _share("written_agreement", written, settings, n_unjudged, read["item_id"]),
        _mean("scale_mass", read["mass"], read["item_id"], settings, n_unjudged),
    ]


def study_rows(
    preferences: pl.DataFrame | None,
    judgements: Mapping[str, pl.DataFrame],
    better: Mapping[str, str],
    questions: Questions,
    settings: Settings,
) -> Rows:
    """How a judge behaves in the study itself, as rows of `QUALITY`.

    `length_correlation` is Kendall's τ-b of preference and difference in length;
    `rating_preference` the share of decided pairs in which the answer with the better mean rating
    is preferred.

    Args:
        preferences: of pairs, None where the judge compares none.
        judgements: persona → judgements.
        better: dimension → its better end.
        questions: of the task.
        settings: the statistics'.
    """
    everything = pl.concat(judgements.values())
    rows = self_rows(everything.filter(pl.col("variant") == "main"), settings)
    if preferences is None:
        return rows
    rows += _order_rows(preferences, "", settings)
    decided = preferences.drop_nulls("outcome").filter(pl.col("status") != IDENTICAL)
    names = sorted({*decided["first"], *decided["second"]})
    if len(names) > 1:
        comparisons = _comparisons(decided, names, questions.ids)
        measured = questions.draws.measure(
            lambda counts: {
                "length_correlation": bradley_terry.length_correlation(comparisons, counts)
            }
        )
        low, high = measured.interval("length_correlation")
        rows.append(
            {
                "metric": "length_correlation",
                "n": decided.height,
                "n_unjudged": preferences["outcome"].null_count(),
                "value": number(measured.point["length_correlation"]),
                "low": number(low),
                "high": number(high),
            }
        )
    rated = pl.concat(
        signed_rating(table.filter(pl.col("variant") == "main"), better).select(
            "item_id", "rating", persona=pl.lit(persona)
        )
        for persona, table in judgements.items()
    )
    preferred = decided.filter(pl.col("outcome") != 0.5)
    both = preferred
    for side in ("first", "second"):
        both = both.join(
            rated.rename({"persona": side, "rating": f"rating_{side}"}), on=["item_id", side]
        )
    difference = both["rating_first"] - both["rating_second"]
    agrees = ((difference > 0) == (both["outcome"] == 1)) & (difference != 0)
    n_unrated = preferred.height - both.height
    rows.append(_share("rating_preference", agrees, settings, n_unrated, both["item_id"]))
    return rows


def usable_row(
    checks: Rows, position: Sequence[Mapping[str, Any]], rule: Mapping[str, float], compares: bool
) -> dict[str, Any]:
    """Whether a judge is usable by its own rule, as a row of `QUALITY` with the reasons.

    Args:
        checks: rows of `check_rows`.
        position: rows of the position bias, in the checks and in the study.
        rule: the judge's key `usable`.
        compares: whether the judge compares pairs; else its ratings of the sanity pairs count.
    """
    found = {row["metric"]: row for row in checks if row.get("value") is not None}
    name = "sanity_accuracy" if compares else "sanity_ratings"
    reasons = []
    if name not in found:
        reasons.append("there are no sanity pairs")
    elif found[name]["low"] < rule["sanity_accuracy"]:
        reasons.append(
            f"its accuracy on the sanity pairs is {found[name]['value']:.0%} (lower end "
            f"{found[name]['low']:.0%}, required {rule['sanity_accuracy']:.0%})"
        )
    for row in position:
        if row.get("value") is not None and row["value"] > rule["position_bias"]:
            where = "the sanity pairs" if row["metric"].startswith("sanity") else "the study"
            reasons.append(
                f"its verdict changes with the order in {row['value']:.0%} of the pairs of {where} "
                f"(allowed {rule['position_bias']:.0%})"
            )
    swayed = found.get("injection_rate")
    if swayed is None and any(row["metric"] == "injection_rate" for row in checks):
        reasons.append("it gives no verdict on any manipulated answer")
    if swayed and swayed["value"] > rule["injection_rate"]:
        reasons.append(
            f"{swayed['value']:.0%} of the manipulated answers sway it (allowed "
            f"{rule['injection_rate']:.0%})"
        )
    return {
        "metric": "usable",
        "value": float(not reasons),
        "met": not reasons,
        "note": "; ".join(dict.fromkeys(reasons)) or None,
    }
