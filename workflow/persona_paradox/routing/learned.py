"""A router that is learned: which persona gains most, from what is known before it is asked.

It is loaded where policies are valued and nowhere else: scikit-learn takes long to import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

from .cases import Asked, Floats, Outcomes
from .policies import FEWEST_OF_GROUP, Chosen, Policy, Rule, best, once

# From hardly any shrinkage to nothing but the mean of all items, which is the best single persona.
_ALPHAS = np.logspace(-1, 5, 13)
# What a harmful answer may cost, in right ones.
_PRICES = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 1e6])


def ridge() -> Any:
    """Least squares with a penalty by leave-one-out, for all personas at once."""
    return RidgeCV(alphas=_ALPHAS)


def learned(personas: Sequence[str], estimator: Callable[[], Any] = ridge) -> Policy:
    """The persona of the largest predicted gain over the baseline; the baseline where none gains.

    Of fewer than `FEWEST_OF_GROUP` items nothing is learned: it is the baseline.

    The features are of the item and of the baseline's answer, so that the baseline is asked
    first, and any other persona is a second call. Where harm is limited, it has the least of some
    prices at which the rule keeps to the limit on the items it is fitted to; at none, that of the
    least harm.

    Args:
        personas: ids, the baseline first.
        estimator: makes a regressor of scikit-learn for several targets.
    """

    def fit(seen: Asked, outcomes: Outcomes, at_most: float | None) -> Rule:
        if len(seen.features) < FEWEST_OF_GROUP:
            return Rule(lambda asked: once(np.zeros(len(asked.features), np.int64)), personas[0])
        mean, spread = _scale(seen.features)
        known = ~np.isnan(outcomes.harm[:, 0])
        harm = np.where(known[:, None], outcomes.harm, 0.0)
        targets = np.hstack([_gains(outcomes.right.astype(np.float64)), _gains(harm)])
        model = estimator().fit(_scaled(seen.features, mean, spread), targets)

        def worth(asked: Asked, price: float) -> Floats:
            """Predicted gain of every persona, net of its harm; 0 for the baseline."""
            found = model.predict(_scaled(asked.features, mean, spread))
            right, harmful = np.split(found.reshape(len(asked.features), -1), 2, axis=1)
            return np.hstack([np.zeros((len(right), 1)), right - price * harmful])

        price = 0.0
        if at_most is not None and known.any():
            chosen = [worth(seen, one).argmax(axis=1) for one in _PRICES]
            rows = np.arange(len(harm))
            harms = np.array([harm[rows, one].sum() for one in chosen])
            # The least price that is enough.
            price = _PRICES[best(-_PRICES, harms, known.sum(), at_most)]

        def choose(asked: Asked) -> Chosen:
            persona = worth(asked, float(price)).argmax(axis=1)
            return Chosen(persona, 1 + (persona != 0).astype(np.int64))

        return Rule(choose, _said(choose(seen), personas))

    return Policy("learned", None, fit)


def _gains(values: Floats) -> Floats:
    return values[:, 1:] - values[:, [0]]


def _scale(features: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of every feature, where it is known."""
    known = ~np.isnan(features)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0.0).sum(axis=0) / n
    spread = np.sqrt((np.where(known, features - mean, 0.0) ** 2).sum(axis=0) / n)
    return mean, np.where(spread > 0, spread, 1.0)


def _scaled(features: Floats, mean: Floats, spread: Floats) -> Floats:
    """In standard deviations; what is not known is at the mean."""
    return np.nan_to_num((features - mean) / spread, nan=0.0)


def _said(chosen: Chosen, personas: Sequence[str]) -> str:
    """How often each persona is chosen."""
    shares = np.bincount(chosen.persona, minlength=len(personas)) / len(chosen.persona)
    order = np.argsort(-shares, kind="stable")
    return "; ".join(f"{personas[i]} {100 * shares[i]:.0f}%" for i in order if shares[i])
