"""How many turns an answer holds before it gives way: survival over the rounds of a conversation.

Time is the number of the turn behind the first answer, 1 on. An item is in the curve where its
first answer holds: it does not go along with the request, or is right. Its event is the first turn
whose answer does not hold. Where an answer cannot be judged the item is censored: it counts up to
the turn before, and no more, since what it did there nobody knows. So is one that has no further
turn, and one that holds to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri
from statsmodels.duration.survfunc import SurvfuncRight

from ..measures.answers import number
from ..measures.resampling import Draws, Resampled
from ..measures.statistics import wilson
from .holding import GAVE_WAY, HOLDS, UNKNOWN

Rows = list[dict[str, Any]]
Floats = NDArray[np.float64]

HELD = "turns_held"

PLACE = {
    "judge": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "context": pl.String,
    "dataset": pl.String,
}
SURVIVAL = PLACE | {
    "turn": pl.Int64,
    "n_at_risk": pl.Int64,
    "n_events": pl.Int64,
    "n_censored": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
TURNS_HELD = PLACE | {
    "n_turns": pl.Int64,
    "n_items": pl.Int64,
    "n_gave_way_at_once": pl.Int64,
    "n_unjudged_at_once": pl.Int64,
    "n": pl.Int64,
    "n_events": pl.Int64,
    "n_unjudged": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n_both": pl.Int64,
    "value_of_both": pl.Float64,
    "baseline_value": pl.Float64,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
}


@dataclass(frozen=True)
class Held:
    """What became of the items of a cell.

    Attributes:
        first: what the first answer does, one of the states of `holding`, shape (items,).
        time: of an item that holds at first: the turn at which it gave way, or the last turn that
            is known to hold; 0 for others. Shape (items,).
        event: whether it gave way there, shape (items,).
        turns: number of turns.
    """

    first: NDArray[np.int64]
    time: NDArray[np.int64]
    event: NDArray[np.bool_]
    turns: int

    @classmethod
    def of(cls, states: NDArray[np.int64]) -> Held:
        """From the states of the answers of all rounds, shape (rounds, items), the first first."""
        turns = len(states) - 1
        going = states[0] == HOLDS
        time = np.zeros(states.shape[1], dtype=np.int64)
        event = np.zeros(states.shape[1], dtype=bool)
        for turn, state in enumerate(states[1:], start=1):
            time[going & (state != UNKNOWN)] = turn
            event |= going & (state == GAVE_WAY)
            going &= state == HOLDS
        return cls(states[0], time, event, turns)

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Which items hold at first, and so are in the curve: a mask of shape (items,)."""
        return np.asarray(self.first == HOLDS)

    def among(self, items: NDArray[np.bool_]) -> Held:
        """The same of some of the items."""
        return Held(self.first[items], self.time[items], self.event[items], self.turns)

    def restricted_mean(self, counts: NDArray[Any] | None = None) -> dict[str, Any]:
        """Mean number of turns held, of the sample or of every draw of shape (draws, items)."""
        one = np.ones((1, len(self.time))) if counts is None else np.asarray(counts, np.float64)
        means = product_limit(self, one).sum(axis=1)
        return {HELD: float(means[0]) if counts is None else means}


def product_limit(held: Held, counts: Floats) -> Floats:
    """The Kaplan–Meier estimate for items that count several times (Kaplan and Meier 1958).

    Args:
        held: items that all hold at first.
        counts: how often every draw takes every item, shape (draws, items).

    Returns:
        Shape (draws, turns): the share that holds at every turn and all before; nan from where
        nobody is left to be watched, unless all that were have given way.
    """
    share = np.ones(len(counts))
    found = np.empty((len(counts), held.turns))
    for turn in range(1, held.turns + 1):
        at_risk = counts @ (held.time >= turn)
        events = counts @ ((held.time == turn) & held.event)
        hazard = np.divide(events, at_risk, out=np.full(len(counts), np.nan), where=at_risk > 0)
        # Who has given way stays so, whoever is watched.
        share = np.where(share == 0, 0.0, share * (1 - hazard))
        found[:, turn - 1] = share
    return found


def curve(held: Held, confidence: float) -> Rows:
    """The curve of items that all hold at first, a row per turn: columns of `SURVIVAL`.

    The share is Kaplan and Meier's. Its pointwise interval is log–log with Greenwood's variance
    (Kalbfleisch and Prentice 2002, section 1.4), which has none at 0 and 1: there it is Wilson's,
    of those that are at risk, or at 0 of those that gave way. Items count as independent.
    """
    fitted = SurvfuncRight(held.time, held.event.astype(int)) if held.event.any() else None
    rows: Rows = []
    share, error = 1.0, 0.0
    for turn in range(1, held.turns + 1):
        at_risk = int((held.time >= turn).sum())
        if fitted is not None and (at := np.flatnonzero(fitted.surv_times == turn)).size:
            share, error = (float(v[at[0]]) for v in (fitted.surv_prob, fitted.surv_prob_se))
        known = at_risk > 0 or share == 0
        ends = _interval(share, error, at_risk, int(held.event.sum()), confidence)
        rows.append(
            {
                "turn": turn,
                "n_at_risk": at_risk,
                "n_events": int((held.event & (held.time == turn)).sum()),
                "n_censored": int((~held.event & (held.time == turn)).sum()),
                "value": share if known else None,
                "low": number(ends[0]) if known else None,
                "high": number(ends[1]) if known else None,
            }
        )
    return rows


def _interval(
    share: float, error: float, at_risk: int, events: int, confidence: float
) -> tuple[float, float]:
    if share >= 1:
        return wilson(at_risk, at_risk, confidence)
    if share <= 0:
        return wilson(0, events, confidence)
    z = -ndtri((1 - confidence) / 2)
    width = z * error / (share * abs(np.log(share)))
    return float(share ** np.exp(width)), float(share ** np.exp(-width))


def held_rows(
    states: Mapping[str, NDArray[np.int64]],
    clusters: NDArray[Any],
    baseline: str,
    settings: Mapping[str, Any],
) -> tuple[Rows, Rows]:
    """The rows of one place: curves, and numbers of turns held against the baseline's.

    Args:
        states: persona → states of its answers, shape (rounds, items), of the same items.
        clusters: of every item, shape (items,).
        baseline: id of the persona that others are compared with.
        settings: the statistics'.

    Returns:
        Rows of `SURVIVAL` and of `TURNS_HELD`, without their place. The difference is of the items
        that hold at first under both personas, in paired draws: a persona that gives way at once
        would else be left with the easy ones.
    """
    draws = Draws.of(clusters, settings)
    all_held = {persona: Held.of(table) for persona, table in states.items()}
    curves: Rows = []
    means: Rows = []
    for persona, held in all_held.items():
        about = {"persona": persona}
        kept = held.among(held.holds)
        curves += [about | row for row in curve(kept, settings["confidence"])]
        row = about | _counted(held, kept) | _mean(held, held.holds, draws)
        if persona != baseline:
            row |= _difference(held, all_held[baseline], draws)
        means.append(row)
    return curves, means


def _counted(held: Held, kept: Held) -> dict[str, int]:
    return {
        "n_turns": held.turns,
        "n_items": len(held.first),
        "n_gave_way_at_once": int((held.first == GAVE_WAY).sum()),
        "n_unjudged_at_once": int((held.first == UNKNOWN).sum()),
        "n": len(kept.time),
        "n_events": int(kept.event.sum()),
        "n_unjudged": int((~kept.event & (kept.time < kept.turns)).sum()),
    }


def _measured(held: Held, items: NDArray[np.bool_], draws: Draws) -> Resampled:
    return draws.among(items).measure(held.among(items).restricted_mean)


def _mean(held: Held, items: NDArray[np.bool_], draws: Draws) -> dict[str, Any]:
    if not items.any():
        return {}
    found = _measured(held, items, draws)
    low, high = _ends(found)
    return {"value": number(found.point[HELD]), "low": low, "high": high}


def _ends(found: Resampled) -> tuple[float | None, float | None]:
    """The bootstrap interval; none of a number that is not defined, or the same in every draw."""
    if np.isnan(found.point[HELD]):
        return None, None
    low, high = found.interval(HELD)
    return (None, None) if np.isclose(low, high) else (number(low), number(high))


def _difference(held: Held, baseline: Held, draws: Draws) -> dict[str, Any]:
    both = held.holds & baseline.holds
    if not both.any():
        return {"n_both": 0}
    mine, theirs = (_measured(one, both, draws) for one in (held, baseline))
    found = mine - theirs
    low, high = _ends(found)
    return {
        "n_both": int(both.sum()),
        "value_of_both": number(mine.point[HELD]),
        "baseline_value": number(theirs.point[HELD]),
        "difference": number(found.point[HELD]),
        "difference_low": low,
        "difference_high": high,
        "p": number(found.p_zero(HELD)),
    }
