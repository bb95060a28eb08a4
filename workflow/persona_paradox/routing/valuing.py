"""What policies are worth on items that they did not see, against those that they did.

Items are split into folds, and each fold is decided by what was fitted to the others. The answers
that a policy takes are then compared as those of two personas are: paired, by the bootstrap and
McNemar's test. The folds of a policy that learns share most of what it learned from, so that their
means vary together, and more than the items tell: its bootstrap draws are spread around the point
by the factor of Nadeau and Bengio (2003). Nothing is fitted again in a draw, for two reasons: a
draw repeats items, so that what is learned from it comes from some 63 of 100 and is worth less;
and simulated studies of what this does would take hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from ..measures import contrasts, statistics
from ..measures.answers import measured, number
from ..measures.resampling import ROUNDING, Draws, Resampled, means
from .cases import TASK, Bools, Cases
from .policies import BEST_SINGLE, FIXED, ORACLE, Chosen, Policy, Rule, oracle

RIGHT, HARM, COST = "accuracy", "harm", "cost"

_INTERVAL = ("", "_low", "_high")
SCHEMA = {
    "model": pl.String,
    "origin": pl.String,
    "policy": pl.String,
    "by": pl.String,
    "rule": pl.String,
    "backend": pl.String,
    "n_items": pl.Int64,
    "n_clusters": pl.Int64,
    "n_invalid": pl.Int64,
    "calls": pl.Float64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "value_in_sample": pl.Float64,
    **{f"gain{end}": pl.Float64 for end in (*_INTERVAL, "_p", "_p_holm")},
    **{f"regret{end}": pl.Float64 for end in (*_INTERVAL, "_p", "_p_holm")},
    **{f"oracle_regret{end}": pl.Float64 for end in _INTERVAL},
    "constraint": pl.String,
    "at_most": pl.Float64,
    "n_constrained": pl.Int64,
    **{f"rate{end}": pl.Float64 for end in _INTERVAL},
    "holds": pl.Float64,
    "n_cost": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in ("cost", "cost_change") for end in _INTERVAL},
}


@dataclass(frozen=True)
class Valued:
    """The answers that a policy takes, as `measures` asks for them (`measures.answers.Answers`).

    Attributes:
        hits: name of a share → whether an item counts in it, shape (items,).
        invalid: whether an answer cannot be read.
        clusters: of the items.
        clustered: whether a data set declares clusters.
        backend: what answered.
    """

    hits: dict[str, Bools]
    invalid: Bools
    clusters: NDArray[np.str_]
    clustered: bool
    backend: str

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.invalid)

    @property
    def n_invalid(self) -> int:
        """Number of invalid answers."""
        return int(self.invalid.sum())

    def measured(self, draws: Draws) -> Resampled:
        """The shares, with their draws."""
        return draws.measure(partial(means, self.hits))


@dataclass(frozen=True)
class Answered:
    """The cases, and what else is the same under every policy: see `policy_rows`."""

    cases: Cases
    clustered: bool
    backend: str

    def under(self, chosen: Chosen) -> Valued:
        """The answers that a policy takes."""
        place = np.arange(len(chosen.persona)), chosen.persona
        hits = {RIGHT: self.cases.outcomes.right[place]}
        return self._valued(hits, self.cases.invalid[place], self.cases.clusters)

    def harm_under(self, chosen: Chosen) -> tuple[Valued, Bools]:
        """The same of the items that have the limited rate, and which items these are."""
        place = np.arange(len(chosen.persona)), chosen.persona
        harm = self.cases.outcomes.harm[place]
        known = ~np.isnan(harm)
        hits = {HARM: harm[known] > 0}
        invalid = self.cases.invalid[place][known]
        return self._valued(hits, invalid, self.cases.clusters[known]), known

    def cost_under(self, chosen: Chosen, draws: Draws) -> tuple[int, Resampled | None]:
        """How many of these answers have a cost, and their mean; None where none has."""
        cost = self.cases.outcomes.cost[np.arange(len(chosen.persona)), chosen.persona]
        known = ~np.isnan(cost)
        if not known.any():
            return 0, None
        return int(known.sum()), draws.among(known).measure(partial(means, {COST: cost[known]}))

    def _valued(self, hits: dict[str, Bools], invalid: Bools, clusters: NDArray[np.str_]) -> Valued:
        return Valued(hits, invalid, clusters, self.clustered, self.backend)


def folds_of(cases: Cases, folds: int, seed: int) -> NDArray[np.intp]:
    """Fold of every item: whole clusters at random, the items of every task spread evenly.

    Args:
        cases: the items.
        folds: number of folds; of fewer clusters each is one.
        seed: seed of the generator (PCG64).

    Returns:
        Shape (items,), from 0.
    """
    number = statistics.numbered(cases.clusters)
    n_clusters = int(number.max()) + 1
    first = np.unique(number, return_index=True)[1]
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(n_clusters)
    # By the task of a cluster's first item, in random order within it.
    order = np.lexsort((shuffled, cases.asked.groups[TASK][first]))
    fold = np.empty(n_clusters, dtype=np.intp)
    fold[order] = np.arange(n_clusters) % min(folds, n_clusters)
    return fold[number]


def cross_fitted(
    policy: Policy, cases: Cases, fold: NDArray[np.intp], at_most: float | None
) -> Chosen:
    """What a policy does with every item, fitted to the other folds."""
    persona = np.empty(len(fold), dtype=np.int64)
    calls = np.empty(len(fold), dtype=np.int64)
    for one in np.unique(fold):
        inside = fold == one
        seen = cases.among(~inside)
        rule = policy.fit(seen.asked, seen.outcomes, at_most)
        persona[inside], calls[inside] = rule.choose(cases.asked.among(inside))
    return Chosen(persona, calls)


def in_sample(policy: Policy, cases: Cases, at_most: float | None) -> tuple[Rule, Chosen]:
    """The rule that is fitted to all items, and what it does with them."""
    rule = policy.fit(cases.asked, cases.outcomes, at_most)
    return rule, rule.choose(cases.asked)


def policy_rows(
    cases: Cases,
    policies: Sequence[Policy],
    asked: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    clustered: bool = False,
    backend: str = "",
) -> Iterator[dict[str, Any]]:
    """What every policy and the oracle are worth: rows by the names of `SCHEMA`.

    Of items of one cluster there are none.

    Args:
        cases: the items.
        policies: those of `policies.policies`, of which the first is the baseline for all.
        asked: `folds`, and `constraint`, None or `metric` and `at_most`.
        settings: the statistics'.
        clustered: whether a data set declares clusters.
        backend: what answered.
    """
    limit = asked["constraint"] or {"metric": None, "at_most": None}
    answered = Answered(cases, clustered, backend)
    draws = Draws.of(cases.clusters, settings)
    fold = folds_of(cases, asked["folds"], settings["seed"])
    if np.unique(fold).size < 2:
        # There is no item to learn from that is not in it.
        return
    more = spread_of(np.unique(fold).size)

    # In sample, and out of it.
    found: list[tuple[Policy, str | None, Chosen, Chosen]] = []
    for policy in policies:
        rule, seen = in_sample(policy, cases, limit["at_most"])
        unseen = cross_fitted(policy, cases, fold, limit["at_most"]) if policy.learns else seen
        found.append((policy, rule.said, seen, unseen))
    best = oracle(cases.outcomes)
    bound = Policy(ORACLE, None, lambda *_: Rule(lambda _: best, ""), learns=False)
    found.append((bound, None, best, best))
    worth = [answered.under(chosen) for _, _, _, chosen in found]
    resampled = [one.measured(draws) for one in worth]
    cost = [answered.cost_under(chosen, draws) for _, _, _, chosen in found]
    single = next(place for place, one in enumerate(found) if one[0].id == BEST_SINGLE)

    def compared(name: str, this: int, other: int) -> dict[str, Any]:
        """A paired difference of two policies, with its interval and its p."""
        learns = found[this][0].learns or found[other][0].learns
        difference = widened(resampled[this] - resampled[other], more if learns else 1.0)
        point = difference.point[RIGHT]
        p = contrasts.paired(RIGHT, worth[this], worth[other], settings)["p"]
        error = float(np.std(difference.drawn[RIGHT], ddof=1))
        if learns and p is not None and error > 0:
            p = max(p, float(2 * ndtr(-abs(point) / error)))
        ends = (point, *difference.interval(RIGHT))
        return {
            **{f"{name}{end}": number(one) for end, one in zip(_INTERVAL, ends, strict=True)},
            f"{name}_p": p,
        }

    for place, (policy, said, seen, chosen) in enumerate(found):
        of, wide = worth[place], more if policy.learns else 1.0
        row: dict[str, Any] = {
            "policy": policy.id,
            "by": policy.by,
            "rule": said,
            "backend": backend,
            "n_items": of.n,
            "n_clusters": np.unique(cases.clusters).size,
            "n_invalid": of.n_invalid,
            "calls": float(chosen.calls.mean()),
            **_share(RIGHT, of, resampled[place], wide),
            "value_in_sample": float(answered.under(seen).hits[RIGHT].mean()),
            **compared("gain", place, 0),
            **compared("regret", single, place),
            **compared("oracle_regret", len(found) - 1, place),
        }
        row.pop("oracle_regret_p")
        # Of themselves, and of what no rule can pass, there is no test.
        if policy.id == ORACLE or place == 0:
            row["gain_p"] = None
        if policy.id in (ORACLE, BEST_SINGLE, FIXED):
            row["regret_p"] = None
        row |= _limited(limit, answered.harm_under(chosen), draws, wide)
        yield row | _costed(cost[place], cost[0], wide)


def spread_of(folds: int) -> float:
    """By how much the spread of a cross-validated mean exceeds that of its items.

    The variance of J means, of shares of the items with n₂ tested and n₁ learned from, is taken
    as (1 / J + n₂ / n₁) times that of one, and not as 1 / J (Nadeau and Bengio 2003); of K folds
    J = K and n₂ / n₁ = 1 / (K - 1).
    """
    return float(np.sqrt(1 + folds / (folds - 1)))


def widened(resampled: Resampled, factor: float) -> Resampled:
    """The same numbers, with their draws so much further from them."""

    def moved(drawn: Mapping[Any, Any]) -> dict[Any, Any]:
        return {
            name: resampled.point[name] + factor * (values - resampled.point[name])
            for name, values in drawn.items()
        }

    return replace(resampled, drawn=moved(resampled.drawn), left_out=moved(resampled.left_out))


def _share(name: str, valued: Valued, resampled: Resampled, factor: float) -> dict[str, Any]:
    """A share with its interval: `value`, `low`, `high`; of a policy that learns the wider one."""
    row = measured(name, valued, resampled)
    if factor > 1:
        for end, bound in zip(("low", "high"), (0.0, 1.0), strict=True):
            here, point = row[end], row["value"]
            if here is not None and point is not None:
                far = point + factor * (here - point)
                row[end] = max(far, bound) if end == "low" else min(far, bound)
    return row


def _limited(
    limit: Mapping[str, Any], harmed: tuple[Valued, Bools], draws: Draws, factor: float
) -> dict[str, Any]:
    """The limited rate, and the share of draws in which it is at most as it may be."""
    row: dict[str, Any] = {"constraint": limit["metric"], "at_most": limit["at_most"]}
    valued, known = harmed
    if limit["metric"] is None or not known.any():
        return row
    resampled = valued.measured(draws.among(known))
    rate = _share(HARM, valued, resampled, factor)
    drawn = widened(resampled, factor).drawn[HARM]
    drawn = drawn[~np.isnan(drawn)]
    return row | {
        "n_constrained": valued.n,
        **{f"rate{end}": rate[key] for end, key in zip(_INTERVAL, rate, strict=True)},
        "holds": float((drawn <= limit["at_most"] + ROUNDING).mean()),
    }


def _costed(
    this: tuple[int, Resampled | None], baseline: tuple[int, Resampled | None], factor: float
) -> dict[str, Any]:
    """The mean cost, and by how much it is above the baseline's, each of its own valid answers."""
    n, mine = this
    row: dict[str, Any] = {"n_cost": n}
    if mine is None:
        return row
    found = {"cost": mine}
    if baseline[1] is not None and this is not baseline:
        found["cost_change"] = mine - baseline[1]
    for name, values in found.items():
        wider = widened(values, factor)
        ends = (wider.point[COST], *wider.interval(COST))
        row |= {f"{name}{end}": number(one) for end, one in zip(_INTERVAL, ends, strict=True)}
    if row["cost_low"] is not None:
        row["cost_low"] = max(row["cost_low"], 0.0)
    return row


def with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Add both `p_holm`: adjusted over the policies of all models, of either comparison."""
    return table.with_columns(
        pl.Series(
            f"{name}_p_holm", statistics.holm(table[f"{name}_p"].fill_null(np.nan).to_numpy())
        ).fill_nan(None)
        for name in ("gain", "regret")
    )
