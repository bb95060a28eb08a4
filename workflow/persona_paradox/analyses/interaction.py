"""Whether the effect of a persona depends on the context: logistic regression clustered by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.special import expit

from . import gee
from .gee import EXTREME, Estimate, Floats, Linear, minus


@dataclass(frozen=True)
class PersonaEffect:
    """The effect of a persona in a context, or how far two contexts differ in it.

    Attributes:
        model: the language model; None for all models together.
        persona: the persona, against the baseline.
        context: where.
        versus: None for the effect in `context`; a context for the interaction, the effect in
            `context` minus the effect there.
        n_items: items of `context`, and of `versus`.
        n_answers: answers under the persona and under the baseline to these items.
        log_odds: effect on the log odds of a right answer; None where there is a reason.
        points: effect on the probability of a right answer, in percentage points, at the models
            at hand in equal parts; None where there is a reason.
        reason: why there is no estimate; None where there is one.
    """

    model: str | None
    persona: str
    context: str
    versus: str | None
    n_items: int
    n_answers: int
    log_odds: Estimate | None
    points: Estimate | None
    reason: str | None


def persona_by_context(
    rows: pl.DataFrame, *, baseline: str, reference_context: str, confidence: float
) -> list[PersonaEffect]:
    """Estimate the effect of every persona in every context, and the interaction of the two.

    Generalized estimating equations (Liang and Zeger 1986), from statsmodels: logistic, correct
    ~ persona × context, and + model where there are several, the answers to an item being one
    cluster with exchangeable correlation, whichever persona, wording and model gave them. The
    covariance is the sandwich with the correction of Mancl and DeRouen (2001) for few clusters.

    Beside the log odds stand differences in percentage points: the mean over models of the
    predicted probability under the persona minus that under the baseline (average marginal
    effects), with standard errors by the delta method. The two scales need not agree: an effect
    of equal points is one of unequal log odds where the baselines differ.

    Each model is fitted alone; where there are several, all are fitted together as well.

    Args:
        rows: one row per answer, columns `item_id`, `model`, `persona`, `context` and `correct`
            (boolean). Equal `item_id` is the same cluster, in different contexts too. Several
            wordings of a persona are several answers.
        baseline: the persona that the others are compared with.
        reference_context: the context that the others are compared with.
        confidence: coverage of the intervals, for example 0.95.

    Returns:
        For every model, and then for all, for every persona: its effect in every context, the
        reference first, then the interaction of every other context. A row says in `reason`
        why it has no estimate: an empty cell, fewer than two items, a cell in which all answers
        or none are right (its log odds are infinite), a persona whose right answers differ
        from the baseline's by the same share for every item (no variance to judge by), or a fit
        that failed. A persona without a cell is left out of the fit, which goes on for the others.

    Raises:
        ValueError: the baseline or the reference context is not in `rows`.
    """
    if baseline not in rows["persona"] or reference_context not in rows["context"]:
        raise ValueError(f"no answers of {baseline} or in {reference_context}")
    models = rows["model"].unique().sort().to_list()
    scopes: list[str | None] = [*models, None] if len(models) > 1 else list(models)
    contexts = _first(reference_context, rows["context"].unique().sort().to_list())
    personas = _first(baseline, rows["persona"].unique().sort().to_list())
    return [
        effect
        for scope in scopes
        for effect in _effects(
            rows if scope is None else rows.filter(pl.col("model") == scope),
            scope,
            personas,
            contexts,
            confidence,
        )
    ]


def _first(label: str, labels: Sequence[str]) -> list[str]:
    return [label, *(other for other in labels if other != label)]


def _effects(
    rows: pl.DataFrame,
    model: str | None,
    personas: list[str],
    contexts: list[str],
    confidence: float,
) -> list[PersonaEffect]:
    """The rows of one model or of all."""
    baseline = personas[0]
    why_not = {
        (persona, context): _cell_reason(rows, persona, context)
        or _cell_reason(rows, baseline, context)
        or _pair_reason(rows, persona, baseline, context)
        for persona in personas[1:]
        for context in contexts
    }
    fitted = [p for p in personas[1:] if not any(why_not[p, c] for c in contexts)]
    fit = _fitted(rows, [baseline, *fitted], contexts) if fitted else "nothing to fit"
    places: list[tuple[str, str | None]] = [(context, None) for context in contexts]
    places += [(context, contexts[0]) for context in contexts[1:]]
    effects = []
    for persona in personas[1:]:
        # The fit is of all contexts at once: what is wrong in one is wrong for the persona.
        reasons = [reason for c in contexts if (reason := why_not[persona, c])]
        reason = reasons[0] if reasons else fit if isinstance(fit, str) else None
        pair = rows.filter(pl.col("persona").is_in([persona, baseline]))
        for context, versus in places:
            at = pair.filter(pl.col("context").is_in([context, versus or context]))
            effect = PersonaEffect(
                model=model,
                persona=persona,
                context=context,
                versus=versus,
                n_items=at["item_id"].n_unique(),
                n_answers=at.height,
                log_odds=None,
                points=None,
                reason=reason,
            )
            if reason is None and isinstance(fit, _Fit):
                log_odds, points = fit.effect(persona, context, versus, confidence)
                effect = replace(effect, log_odds=log_odds, points=points)
            effects.append(effect)
    return effects


def _cell_reason(rows: pl.DataFrame, persona: str, context: str) -> str | None:
    """Why the log odds of a cell cannot be estimated, or None."""
    cell = rows.filter(persona=persona, context=context)
    if cell.is_empty():
        return f"no answers of {persona} in {context}"
    if cell["item_id"].n_unique() < 2:
        return f"fewer than two items in {context}"
    if cell["correct"].all():
        return f"all answers of {persona} in {context} are right"
    if not cell["correct"].any():
        return f"no answer of {persona} in {context} is right"
    return None


def _pair_reason(rows: pl.DataFrame, persona: str, baseline: str, context: str) -> str | None:
    """Why the difference of two cells has no standard error, or None."""

    def share(of: str) -> pl.DataFrame:
        return (
            rows.filter(persona=of, context=context)
            .group_by("item_id")
            .agg(pl.col("correct").mean())
        )

    both = share(persona).join(share(baseline), on="item_id", how="full", suffix="_baseline")
    difference = both["correct"] - both["correct_baseline"]
    # An item that one of the two was not asked has no difference.
    if difference.null_count() == 0 and np.ptp(difference.to_numpy()) < EXTREME:
        return f"{persona} and {baseline} differ by the same share on every item in {context}"
    return None


@dataclass(frozen=True)
class _Fit:
    """A fit of one coefficient per persona and context, and one per model but the first.

    Attributes:
        personas: the baseline first.
        contexts: the reference first.
        models: all of them.
        coefficients: shape (personas × contexts + models - 1,).
        covariance: theirs.
    """

    personas: list[str]
    contexts: list[str]
    models: list[str]
    coefficients: Floats
    covariance: Floats

    def effect(
        self, persona: str, context: str, versus: str | None, confidence: float
    ) -> tuple[Estimate, Estimate]:
        """Log odds and percentage points of one row."""
        log_odds, points = self._contrast(persona, context)
        if versus is not None:
            there = self._contrast(persona, versus)
            log_odds, points = minus(log_odds, there[0]), minus(points, there[1])
        fit = gee.Fit(self.coefficients, self.covariance)
        return fit.estimate(log_odds, confidence), fit.estimate(points, confidence)

    def _contrast(self, persona: str, context: str) -> tuple[Linear, Linear]:
        """The effect of a persona in a context, on both scales."""
        scales = []
        for who in (persona, self.personas[0]):
            k = len(self.models)
            design = _design(self, [who] * k, [context] * k, self.models)
            p = expit(design @ self.coefficients)
            log_odds = (float((design @ self.coefficients).mean()), design.mean(axis=0))
            points = (100 * float(p.mean()), 100 * (p * (1 - p)) @ design / k)
            scales.append((log_odds, points))
        (log_odds, points), (log_odds_baseline, points_baseline) = scales
        return minus(log_odds, log_odds_baseline), minus(points, points_baseline)


def _design(
    fit: _Fit, persona: Sequence[str], context: Sequence[str], model: Sequence[str]
) -> Floats:
    """Design matrix, shape (answers, coefficients)."""
    cells = len(fit.personas) * len(fit.contexts)
    cell = [
        fit.personas.index(p) * len(fit.contexts) + fit.contexts.index(c)
        for p, c in zip(persona, context, strict=True)
    ]
    which = [fit.models.index(m) for m in model]
    return np.hstack([np.eye(cells)[cell], np.eye(len(fit.models))[which][:, 1:]])


def _fitted(rows: pl.DataFrame, personas: list[str], contexts: list[str]) -> _Fit | str:
    """The fit, or why there is none."""
    rows = rows.filter(pl.col("persona").is_in(personas))
    models = rows["model"].unique().sort().to_list()
    for model in models:
        answers = rows.filter(model=model)["correct"]
        if answers.n_unique() < 2:
            return f"all answers of {model} are {'right' if answers[0] else 'wrong'}"
    empty = _Fit(personas, contexts, models, np.empty(0), np.empty((0, 0)))
    design = _design(empty, *(rows[c].to_list() for c in ("persona", "context", "model")))
    clusters = rows["item_id"].rank("dense").to_numpy()
    correct = rows["correct"].cast(pl.Float64).to_numpy()
    found = gee.fit(correct, design, clusters)
    if isinstance(found, str):
        return found
    if (np.diag(found.covariance) <= 0).any():
        return "the covariance of the fit is not defined"
    return replace(empty, coefficients=found.coefficients, covariance=found.covariance)
