"""Whether the effects of personas go beyond wording and beyond any sentence: rows of tables.

Definitions are this project's own and stand in config/README.md, section "Robust effects".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from .answers import number
from .contrasts import full_metric
from .control_test import judge, mean_p
from .paired_tests import robust
from .statistics import percentile_interval

CONTROL = "control"

# Metric → (persona, variant) → effect, and the effect in every bootstrap draw, shape (draws,).
Drawn = dict[str, dict[tuple[str, str], tuple[float, NDArray[Any]]]]

ROBUSTNESS = {
    "backend": pl.String,
    "metric": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    "n_invalid_baseline": pl.Int64,
    "effect": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "equivalent": pl.Boolean,
    "verdict": pl.String,
    "p_mean": pl.Float64,
    "p_control": pl.Float64,
    "p_robust": pl.Float64,
    "p_robust_normal": pl.Float64,
    "beyond_low": pl.Float64,
    "beyond_high": pl.Float64,
    "verdict_intervals": pl.String,
    **{
        f"{kind}_{name}": pl.Float64
        for kind in ("wording", "control")
        for name in ("mean", "sd", "min", "max", "low", "high")
    },
    "n_wordings": pl.Int64,
    "n_controls": pl.Int64,
}

SPREAD = {
    "backend": pl.String,
    "metric": pl.String,
    "kind": pl.String,
    "n": pl.Int64,
    "n_invalid": pl.Int64,
    "n_sets": pl.Int64,
    "n_effects": pl.Int64,
    "sd_observed": pl.Float64,
    "sd": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "smallest": pl.Float64,
    "largest": pl.Float64,
}


def robustness_rows(
    contrasts: pl.DataFrame, groups: Mapping[str, str], alpha: float
) -> list[dict[str, Any]]:
    """Verdicts on the personas of one model and task.

    Args:
        contrasts: their contrasts in the metrics of the family, with `p_holm`.
        groups: group of every persona; the effects of `control` are what others must exceed.
        alpha: level of the tests.

    Returns:
        For every metric, one row of `ROBUSTNESS`, with `persona`, for every persona that is no
        control and whose main wording belongs to the family.
    """
    rows = []
    contrasts = contrasts.with_columns(metric=full_metric())
    for (metric,), table in contrasts.group_by("metric", maintain_order=True):
        wordings = {
            persona: _values(part["difference"])
            for (persona,), part in table.group_by("persona", maintain_order=True)
        }
        controls = [wordings[p] for p in wordings if groups[p] == CONTROL]
        judged = table.filter(
            (pl.col("variant") == "main")
            & pl.col("in_family")
            & (pl.col("persona").replace_strict(groups) != CONTROL)
        )
        tested = zip(judged["persona"], _values(judged["p_mean"]), strict=True)
        verdicts = judge([(wordings[name], p) for name, p in tested], controls, alpha)
        for row, verdict in zip(judged.iter_rows(named=True), verdicts, strict=True):
            of_persona = table.filter(pl.col("persona") == row["persona"])
            others = of_persona.filter(pl.col("variant") != "main")
            found = robust(
                _known(row["difference"]),
                (_known(row["low"]), _known(row["high"])),
                _values(others["difference"]),
                [float(effects.mean()) for effects in controls],
                p_adjusted=row["p_holm"],
                alpha=alpha,
                family=judged.height,
            )
            copied = ("persona", "backend", "n", "n_invalid", "n_invalid_baseline")
            rows.append(
                {
                    **{key: row[key] for key in (*copied, "low", "high", "p", "p_holm")},
                    "metric": metric,
                    "effect": row["difference"],
                    "equivalent": row["equivalent"],
                    "verdict": verdict.verdict,
                    "p_mean": number(verdict.p_mean),
                    "p_control": number(verdict.p_control),
                    "p_robust": number(verdict.p_robust),
                    "p_robust_normal": number(verdict.p_robust_normal),
                    "beyond_low": number(verdict.low),
                    "beyond_high": number(verdict.high),
                    "verdict_intervals": found.verdict,
                    **_described("wording", found.wordings),
                    "wording_low": number(found.wording_low),
                    "wording_high": number(found.wording_high),
                    **_described("control", found.controls),
                    "control_low": number(found.control_low),
                    "control_high": number(found.control_high),
                    "n_wordings": found.wordings.n,
                    "n_controls": found.controls.n,
                }
            )
    return rows


def _values(column: pl.Series) -> NDArray[np.float64]:
    """A column with nan for null."""
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _described(kind: str, spread: Any) -> dict[str, float | None]:
    return {
        f"{kind}_mean": number(spread.mean),
        f"{kind}_sd": number(spread.sd),
        f"{kind}_min": number(spread.low),
        f"{kind}_max": number(spread.high),
    }


def p_over_wordings(drawn: Drawn, least_p: float) -> dict[tuple[str, str], float]:
    """Metric, persona → p of its effect averaged over its wordings, by `mean_p`.

    Args:
        drawn: metric → (persona, variant) → effect, and the effect in every bootstrap draw.
        least_p: smallest p that so few items or clusters can show.
    """
    found = {}
    for metric, effects in drawn.items():
        of: dict[str, list[tuple[float, NDArray[Any]]]] = {}
        for (persona, _), effect in effects.items():
            of.setdefault(persona, []).append(effect)
        for persona, several in of.items():
            mean = float(np.mean([point for point, _ in several]))
            draws = np.mean([draw for _, draw in several], axis=0, dtype=np.float64)
            found[metric, persona] = mean_p(mean, float(np.std(draws, ddof=1)), least_p)
    return found


def paraphrase_spread(effects: Sequence[ArrayLike]) -> Any:
    """Pooled standard deviation of the effects of wordings within their personas.

    Args:
        effects: of every persona with several wordings, shape (wordings, ...).

    Returns:
        Shape (...): the root of the variances (divisor k - 1) weighted with k - 1; nan without any.
    """
    arrays = [np.asarray(e, dtype=np.float64) for e in effects if len(np.asarray(e)) > 1]
    if not arrays:
        return np.nan
    freedom = sum(len(a) - 1 for a in arrays)
    return np.sqrt(sum(a.var(axis=0, ddof=1) * (len(a) - 1) for a in arrays) / freedom)


def without_noise(sd: Any, drawn: Any, confidence: float) -> tuple[float, float, float]:
    """A spread without the noise of the items, and its bounds; see `spread_rows`."""
    if not np.isfinite(sd):
        return np.nan, np.nan, np.nan
    variances = np.asarray(drawn, dtype=np.float64) ** 2
    low, high = percentile_interval(variances, confidence)
    if high > 0 and np.isclose(low, high):
        # One item or cluster, drawn again and again.
        low = high = np.array(np.nan)
    found = 2 * float(sd) ** 2 - np.array([np.nanmean(variances), float(high), float(low)])
    corrected, lower, upper = np.sqrt(np.maximum(found, 0.0)).tolist()
    return corrected, lower, upper


def draws_without_noise(sd: Any, drawn: Any) -> NDArray[np.float64]:
    """Draws of a spread without the noise of the items, shape (draws,): √max(0, s*² − 2 noise).

    A draw has that noise twice, its own and the sample's: on the mean over draws s*² is above s² by
    what s² is above the true spread. With s² = `sd`² the noise is mean s*² − s².
    """
    if not np.isfinite(sd):
        return np.full(np.shape(drawn), np.nan)
    variances = np.asarray(drawn, dtype=np.float64) ** 2
    noise = np.nanmean(variances) - float(sd) ** 2
    return np.asarray(np.sqrt(np.maximum(variances - 2 * noise, 0.0)))


def spread_rows(
    drawn: Mapping[tuple[str, str], tuple[float, NDArray[Any]]],
    groups: Mapping[str, str],
    confidence: float,
) -> list[dict[str, Any]]:
    """Spread of wordings and of controls in one metric, model and task.

    Args:
        drawn: (persona, variant) → effect, and the effect in every bootstrap draw, shape (draws,).
        groups: group of every persona.
        confidence: of the bootstrap interval.

    Returns:
        Rows of `SPREAD` without what is the same for all of them. The noise of the items spreads
        effects too, and bootstrap draws add it once more: with s² the observed variance and s*²
        that of the draws, `sd` is the root of 2 s² - mean s*², which is without it, and its
        bounds those of the basic bootstrap interval, 2 s² - the quantiles of s*² (Davison and
        Hinkley 1997, section 5.2); what is below 0 counts as 0, so that bounds of 0 and 0 say that
        there is no more spread than the items' noise, not that there is none. The interval is about
        other items, not about other wordings or controls; there is none of one item or cluster.
    """
    wordings: dict[str, list[tuple[float, NDArray[Any]]]] = {}
    for (persona, _), effect in drawn.items():
        wordings.setdefault(persona, []).append(effect)
    several = {persona: effects for persona, effects in wordings.items() if len(effects) > 1}
    controls = {p: effects for p, effects in wordings.items() if groups[p] == CONTROL}
    point = {p: np.array([e[0] for e in effects]) for p, effects in wordings.items()}
    draws = {p: np.array([e[1] for e in effects]) for p, effects in wordings.items()}
    kinds = {
        "paraphrase": ([point[p] for p in several], [draws[p] for p in several]),
        "control": (
            [np.array([point[p].mean() for p in controls])],
            [np.array([draws[p].mean(axis=0) for p in controls])],
        ),
    }
    rows = []
    for kind, (points, drawn_points) in kinds.items():
        every = np.concatenate([p for p in points]) if points else np.empty(0)
        sd = paraphrase_spread(points)
        corrected, low, high = without_noise(sd, paraphrase_spread(drawn_points), confidence)
        rows.append(
            {
                "kind": kind,
                "n_sets": len([p for p in points if len(p) > 1]),
                "n_effects": every.size,
                "sd_observed": number(sd),
                "sd": number(corrected),
                "low": number(low),
                "high": number(high),
                "smallest": number(every.min()) if every.size else None,
                "largest": number(every.max()) if every.size else None,
            }
        )
    return rows
