"""What tuning does to personas: their effects, flips and spread in a base and in a tuned model.

All of it is paired by item: the same items, and the same bootstrap draws, on all four sides of an
effect before and after (persona and baseline, base and tuned model). Definitions are this project's
own and stand in config/README.md, section "Tuning".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..measures.answers import Scored, measured, number
from ..measures.arms import Side
from ..measures.contrasts import contrast, difference_row
from ..measures.metric import Metric
from ..measures.resampling import Draws, Resampled, means
from ..measures.robustness import draws_without_noise, paraphrase_spread, without_noise
from ..measures.statistics import holm, percentile_interval
from ..names import ALL

# What a row is about: the effect of a persona; the change by tuning under one persona; answers
# that differ from the baseline's; how far the personas are apart.
EFFECT, CHANGE, FLIPS, SPREAD = MEASURES = ("effect", "change", "flips", "spread")

_PLACES = ("model", "base", "adapter", "task", "context", "dataset", "persona")
SCHEMA = {
    **dict.fromkeys(_PLACES, pl.String),
    "trained_with": pl.String,
    "in_training": pl.Boolean,
    **dict.fromkeys(("measure", "metric", "backend"), pl.String),
    **dict.fromkeys(("n", "n_personas", "n_invalid_before", "n_invalid_after"), pl.Int64),
    **dict.fromkeys(("n_invalid_baseline_before", "n_invalid_baseline_after"), pl.Int64),
    **{f"{side}{end}": pl.Float64 for side in ("before", "after") for end in ("", "_low", "_high")},
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
    **dict.fromkeys(("n_gained", "n_lost"), pl.Int64),
    "test": pl.String,
    "p": pl.Float64,
    "in_family": pl.Boolean,
    "p_holm": pl.Float64,
}


@dataclass(frozen=True)
class Pair:
    """The answers of one persona in the main wording, of the base and of the tuned model."""

    before: Side
    after: Side

    @classmethod
    def of(cls, before: Scored, after: Scored, draws: Draws) -> Pair:
        """Measure both.

        Raises:
            ValueError: they are to other items.
        """
        if not before.item_ids.equals(after.item_ids):
            raise ValueError("a base and a tuned model need the same items")
        return cls(*(Side(one, draws.measure(one.points)) for one in (before, after)))

    @property
    def sides(self) -> tuple[Side, Side]:
        """The base's, and the tuned model's."""
        return self.before, self.after


@dataclass(frozen=True)
class _Flipped:
    """Which answers differ from the baseline's, as `answers.Answers`."""

    hits: Mapping[str, NDArray[np.bool_]]
    of: Scored

    @property
    def n(self) -> int:
        return self.of.n

    @property
    def n_invalid(self) -> int:
        return self.of.n_invalid

    @property
    def backend(self) -> str:
        return self.of.backend

    @property
    def clustered(self) -> bool:
        return self.of.clustered

    @property
    def clusters(self) -> NDArray[Any]:
        return self.of.clusters


def tuning_rows(
    answers: Mapping[str, tuple[Scored, Scored]],
    baseline: str,
    metrics: Sequence[Metric],
    settings: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """The rows of a base and a tuned model in one task, from `persona` on as in `SCHEMA`.

    Args:
        answers: persona → answers of the base and of the tuned model to the same items, in the main
            wording; the baseline among them.
        baseline: id of the baseline persona.
        metrics: the kind's.
        settings: the statistics'; differences here have no margins.
    """
    settings = {**settings, "margins": {}}
    draws = Draws.of(answers[baseline][0].clusters, settings)
    pairs = {persona: Pair.of(*both, draws) for persona, both in answers.items()}
    shown = [metric.id for metric in metrics if metric.contrast != "none"]
    for persona, pair in pairs.items():
        about = {"persona": persona, **_counted(pair, pairs[baseline])}
        if persona != baseline:
            for row in _effects(pair, pairs[baseline], shown, settings):
                yield about | row
            yield about | _flips(pair, pairs[baseline], draws, settings)
        for row in _changes(pair, shown, settings):
            yield about | row
    others = [pair for persona, pair in pairs.items() if persona != baseline]
    if others:
        about = {"persona": ALL, **_counted_all(pairs.values())}
        yield about | _mean_flips(others, pairs[baseline], draws, settings)
        for row in _spreads([*pairs.values()], shown, settings):
            yield about | row


def _counted(pair: Pair, baseline: Pair) -> dict[str, Any]:
    return {
        "backend": pair.after.answers.backend,
        "n": pair.after.answers.n,
        "n_personas": 1,
        "n_invalid_before": pair.before.answers.n_invalid,
        "n_invalid_after": pair.after.answers.n_invalid,
        "n_invalid_baseline_before": baseline.before.answers.n_invalid,
        "n_invalid_baseline_after": baseline.after.answers.n_invalid,
    }


def _counted_all(pairs: Any) -> dict[str, Any]:
    """Of all personas together, the baseline among them: invalid answers are added up."""
    every = list(pairs)
    return {
        "backend": every[0].after.answers.backend,
        "n": every[0].after.answers.n,
        "n_personas": len(every),
        "n_invalid_before": sum(pair.before.answers.n_invalid for pair in every),
        "n_invalid_after": sum(pair.after.answers.n_invalid for pair in every),
    }


def _ends(side: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A value with its interval, as the columns of a side."""
    return {side: row["value"], f"{side}_low": row["low"], f"{side}_high": row["high"]}


def _resampled(name: str, found: Resampled) -> dict[str, Any]:
    low, high = found.interval(name)
    return {"value": number(found.point[name]), "low": number(low), "high": number(high)}


# Of a row of a contrast, what rows here have of it as it is.
_KEPT = ("difference", "low", "high", "n_gained", "n_lost", "test", "p")


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in _KEPT if key in row}


def _effects(
    pair: Pair, baseline: Pair, shown: Sequence[str], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Persona minus baseline in both models, and the difference of these differences."""
    before, after = (
        mine.drawn - theirs.drawn for mine, theirs in zip(pair.sides, baseline.sides, strict=True)
    )
    difference = after - before
    for name in (one for one in shown if one in difference.point):
        row = difference_row(name, difference, (after, before), settings)
        ends = _ends("before", _resampled(name, before)) | _ends("after", _resampled(name, after))
        yield {"measure": EFFECT, "metric": name} | ends | _kept(row)


def _changes(
    pair: Pair, shown: Sequence[str], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Tuned model minus base, under the same persona."""
    before, after = pair.sides
    difference = after.drawn - before.drawn
    for name in (one for one in shown if one in difference.point):
        answers, values = (after.answers, before.answers), (after.drawn, before.drawn)
        row = contrast(name, answers, difference, values, settings)
        ends = _ends("before", measured(name, before.answers, before.drawn))
        ends |= _ends("after", measured(name, after.answers, after.drawn))
        yield {"measure": CHANGE, "metric": name} | ends | _kept(row)


_FLIP_RATE = "flip_rate"


def _flips(pair: Pair, baseline: Pair, draws: Draws, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Share of items whose answer is another than under the baseline, in both models."""
    before, after = (
        _Flipped({_FLIP_RATE: mine.answers.differs(theirs.answers)}, mine.answers)
        for mine, theirs in zip(pair.sides, baseline.sides, strict=True)
    )
    drawn = [draws.measure(partial(means, one.hits)) for one in (before, after)]
    values = drawn[1], drawn[0]
    row = contrast(_FLIP_RATE, (after, before), values[0] - values[1], values, settings)
    ends = _ends("before", measured(_FLIP_RATE, before, drawn[0]))
    ends |= _ends("after", measured(_FLIP_RATE, after, drawn[1]))
    return {"measure": FLIPS, "metric": _FLIP_RATE} | ends | _kept(row)


def _mean_flips(
    others: Sequence[Pair], baseline: Pair, draws: Draws, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The same on the mean over all personas but the baseline, by the bootstrap over items."""
    drawn = []
    for side in ("before", "after"):
        theirs: Scored = getattr(baseline, side).answers
        of_items = np.mean([getattr(p, side).answers.differs(theirs) for p in others], axis=0)
        drawn.append(draws.measure(partial(means, {_FLIP_RATE: of_items})))
    before, after = drawn
    row = difference_row(_FLIP_RATE, after - before, (after, before), settings)
    ends = _ends("before", _resampled(_FLIP_RATE, before))
    ends |= _ends("after", _resampled(_FLIP_RATE, after))
    return {"measure": FLIPS, "metric": _FLIP_RATE} | ends | _kept(row)


def _spreads(
    pairs: Sequence[Pair], shown: Sequence[str], settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Standard deviation over personas without the noise of the items; see `spread_rows`.

    The interval of the difference is the percentile one of the draws without that noise, which are
    the same on both sides.
    """
    sides = [[getattr(pair, side).drawn for pair in pairs] for side in ("before", "after")]
    for name in shown:
        if not all(name in one.point for side in sides for one in side):
            continue
        (before, was), (after, is_) = (_spread(name, side, settings) for side in sides)
        if None in (before["value"], after["value"]):
            continue
        row = {"measure": SPREAD, "metric": name, "difference": after["value"] - before["value"]}
        # None of one item or cluster, drawn again and again.
        if None not in (before["low"], after["low"]):
            low, high = percentile_interval(is_ - was, settings["confidence"])
            row |= {"low": number(low), "high": number(high)}
        yield row | _ends("before", before) | _ends("after", after)


def _spread(
    name: str, drawn: Sequence[Resampled], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The spread of a measure with its interval, and its draws without noise."""
    sd = paraphrase_spread([np.array([one.point[name] for one in drawn])])
    sds = paraphrase_spread([np.array([one.drawn[name] for one in drawn])])
    found = map(number, without_noise(sd, sds, settings["confidence"]))
    row = dict(zip(("value", "low", "high"), found, strict=True))
    return row, draws_without_noise(sd, sds)


def with_family(
    table: pl.DataFrame, family: Mapping[str, Any], groups: Mapping[str, str]
) -> pl.DataFrame:
    """Add `in_family` and `p_holm`: the tests of effects, a family of their own.

    Args:
        table: rows of `SCHEMA`, without both.
        family: `metrics` and `groups` of the statistics.
        groups: group of every persona.
    """
    chosen = [persona for persona, group in groups.items() if group in family["groups"]]
    inside = (
        (pl.col("measure") == EFFECT)
        & pl.col("metric").is_in(family["metrics"])
        & pl.col("persona").is_in(chosen)
        & pl.col("p").is_not_null()
    )
    table = table.with_columns(in_family=inside).with_row_index("row")
    tested = table.filter("in_family")
    adjusted = pl.Series(holm(tested["p"].to_numpy()), dtype=pl.Float64)
    found = tested.select("row", p_holm=adjusted)
    return table.drop("p_holm").join(found, on="row", how="left", maintain_order="left").drop("row")
