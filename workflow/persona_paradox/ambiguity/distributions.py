"""How a model's probabilities of levels stand to what several raters say of the same cases.

Where raters differ, a case has no one right level, but a distribution over them. Cross-entropy is
linear in it, so that few raters make it more variable and not larger; its least value is the
entropy of the raters. The entropy of few raters is too small, and the squared distance to them
too large, by the same for every persona. The disagreement of two raters is not biased by their
number (Simpson 1949).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..kinds.labelled.measures import Chosen
from ..kinds.labelled.pairs import at, probabilities
from ..measures import contrasts, statistics
from ..measures.answers import measured, number
from ..measures.resampling import Draws, means

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Of all items that are rated: those of which all raters say the same, and the others.
ALL, CONSENSUS, AMBIGUOUS = "all", "consensus", "ambiguous"
_CLIP = 1e-12
ACCURACY = "accuracy"

# Metric → what it is, in words; the accuracy is that of `cells`.
METRICS = {
    "accuracy": "accuracy",
    "rater_agreement": "agreement with a rater",
    "cross_entropy": "cross-entropy",
    "brier": "Brier score",
    "entropy_model": "entropy of the model",
    "entropy_raters": "entropy of the raters",
    "entropy_gap": "entropy of the model minus that of the raters",
    "disagreement_model": "disagreement of two draws from the model",
    "disagreement_raters": "disagreement of two raters",
    "disagreement_gap": "the former minus the latter",
}
# Whether the model is more concentrated than the raters; the first is not biased by few of them.
GAPS = ("disagreement_gap", "entropy_gap")
# What a model cannot change.
OF_RATERS = ("entropy_raters", "disagreement_raters")

_PLACE = ("model", "task", "context", "dataset", "persona")
SCHEMA = {
    **dict.fromkeys((*_PLACE, "items", "metric", "backend"), pl.String),
    **dict.fromkeys(("n", "n_rated", "n_invalid"), pl.Int64),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "n_paired": pl.Int64,
    **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm"), pl.Float64),
}


@dataclass(frozen=True)
class Raters:
    """What raters say of the items.

    Attributes:
        shares: of the raters who gave a level, shape (items, levels); nan where an item is not
            rated.
        n: number of raters of an item, nan where it is unknown; shape (items,).
    """

    shares: Floats
    n: Floats

    @property
    def rated(self) -> Bools:
        """Which items are rated, shape (items,)."""
        return ~np.isnan(self.shares[:, 0])

    @property
    def groups(self) -> dict[str, Bools]:
        """The items of `ALL`, `CONSENSUS` and `AMBIGUOUS`."""
        # A share that was written with few digits is hardly ever exactly 1.
        alike = self.rated & (np.nan_to_num(self.shares).max(axis=1) > 1 - 1e-6)
        return {ALL: self.rated, CONSENSUS: alike, AMBIGUOUS: self.rated & ~alike}


def raters_of(items: pl.DataFrame, ids: pl.Series, levels: Sequence[str]) -> Raters:
    """What raters say of some items.

    Args:
        items: the data set.
        ids: of the items.
        levels: of the data set, in their order.
    """
    asked = ids.to_frame("item_id").join(items, on="item_id", how="left", maintain_order="left")
    shares = [asked[f"share_{level}"].cast(pl.Float64).fill_null(np.nan) for level in levels]
    n = asked["n_raters"].cast(pl.Float64).fill_null(np.nan)
    return Raters(np.column_stack([one.to_numpy() for one in shares]), n.to_numpy())


def entropy(p: Floats) -> Floats:
    """Shannon's, in nats, over the last axis."""
    found: Floats = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)
    return found


def values_of(p: Floats, answer: NDArray[np.int64], raters: Raters) -> dict[str, Floats]:
    """Metric → its value of every item, shape (items,), nan where an item has none.

    - `rater_agreement`: share of the item's raters who gave the model's answer; 0 where that is
      invalid.
    - `cross_entropy`: -Σ q(k) log p(k) in nats, q the raters' shares and p the model's
      probabilities, of at least 1e-12.
    - `brier`: Σ (p(k) - q(k))², 0 to 2 (Brier 1950, with q in the place of what happened).
    - `entropy_…`: -Σ p(k) log p(k), and the same of q.
    - `disagreement_model`: 1 - Σ p(k)², the probability that two answers drawn from the model
      differ; `disagreement_raters`: share of the pairs of raters who differ (Simpson 1949),
      defined where their number is known.
    - `…_gap`: the model's minus the raters', negative where the model is the more concentrated.

    Args:
        p: probabilities of the levels, shape (items, levels); nan where they are unknown.
        answer: number of the level that was answered, -1 where it is invalid; shape (items,).
        raters: of these items.
    """
    q, n = raters.shares, raters.n
    agree = np.where(raters.rated, np.nan_to_num(at(q, answer), nan=0.0), np.nan)
    pairs = n * (n - 1)
    equal = np.sum((q * n[:, None]) * (q * n[:, None] - 1), axis=1)
    share = np.divide(equal, pairs, out=np.full(len(n), np.nan), where=pairs > 0)
    found = {
        "rater_agreement": agree,
        "cross_entropy": -np.sum(q * np.log(np.maximum(p, _CLIP)), axis=1),
        "brier": np.sum((p - q) ** 2, axis=1),
        "entropy_model": entropy(p),
        "entropy_raters": entropy(q),
        "disagreement_model": 1 - np.sum(p**2, axis=1),
        "disagreement_raters": 1 - share,
    }
    for gap in GAPS:
        name = gap.removesuffix("_gap")
        found[gap] = found[f"{name}_model"] - found[f"{name}_raters"]
    return found


def ambiguity_rows(
    answers: Mapping[str, Chosen],
    raters: Raters,
    settings: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """What the personas' answers are to the raters': rows by the names of `SCHEMA`.

    Args:
        answers: persona → its answers to the items, the baseline's first.
        raters: of these items.
        settings: the statistics'.
    """
    baseline = next(iter(answers.values()))
    draws = Draws.of(baseline.clusters, settings)
    values = {
        persona: values_of(probabilities(cell), cell.answer, raters)
        for persona, cell in answers.items()
    }
    of_baseline = values[next(iter(answers))]
    for persona, cell in answers.items():
        for group, inside in raters.groups.items():
            if not inside.any():
                continue
            about = {
                "persona": persona,
                "items": group,
                "backend": cell.backend,
                "n_rated": int(inside.sum()),
            }
            yield about | _accuracy((cell, baseline), inside, draws, settings)
            for metric, mine in values[persona].items():
                known = inside & ~np.isnan(mine)
                if known.any():
                    row = about | {"metric": metric} | _mean(mine, cell, known, draws)
                    if cell is not baseline and metric not in OF_RATERS:
                        both = known & ~np.isnan(of_baseline[metric])
                        row |= _difference(mine - of_baseline[metric], both, draws)
                    yield row


def _mean(values: Floats, cell: Chosen, known: Bools, draws: Draws) -> dict[str, Any]:
    """The mean over some items, with its bootstrap interval."""
    found = draws.among(known).measure(partial(means, {"": values[known]}))
    low, high = found.interval("")
    return {
        "n": int(known.sum()),
        "n_invalid": cell.among(known).n_invalid,
        "value": number(found.point[""]),
        "low": number(low),
        "high": number(high),
    }


def _difference(values: Floats, both: Bools, draws: Draws) -> dict[str, Any]:
    """The mean of paired differences from the baseline."""
    row: dict[str, Any] = {"n_paired": int(both.sum())}
    if not both.any():
        return row
    found = draws.among(both).measure(partial(means, {"": values[both]}))
    low, high = found.interval("")
    return row | {
        "difference": number(found.point[""]),
        "difference_low": number(low),
        "difference_high": number(high),
        "p": number(found.p_zero("")),
    }


def _accuracy(
    sides: tuple[Chosen, Chosen], inside: Bools, draws: Draws, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Share of right answers to some items, by the reference."""
    mine, theirs = (side.among(inside) for side in sides)
    among = draws.among(inside)
    values = [among.measure(partial(means, {ACCURACY: s.hits[ACCURACY]})) for s in (mine, theirs)]
    row = {
        "metric": ACCURACY,
        "n": mine.n,
        "n_invalid": mine.n_invalid,
        **measured(ACCURACY, mine, values[0]),
    }
    if sides[0] is sides[1]:
        return row
    difference = values[0] - values[1]
    low, high = difference.interval(ACCURACY)
    return row | {
        "n_paired": mine.n,
        "difference": number(difference.point[ACCURACY]),
        "difference_low": number(low),
        "difference_high": number(high),
        "p": contrasts.paired(ACCURACY, mine, theirs, settings)["p"],
    }


def with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Add `p_holm`: adjusted over all personas, models and tasks, each metric and group apart."""
    return table.with_columns(
        pl.col("p")
        .map_batches(
            lambda p: pl.Series(statistics.holm(p.fill_null(np.nan).to_numpy())),
            return_dtype=pl.Float64,
        )
        .over("items", "metric")
        .fill_nan(None)
        .alias("p_holm")
    )
