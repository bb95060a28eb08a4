"""Bootstrap intervals hold the truth as often as they say: simulated samples of a known model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from persona_paradox.kinds.triage import formulas as triage
from persona_paradox.measures.resampling import Draws, means

pytestmark = pytest.mark.simulation

SAMPLES, LEVELS, COST = 500, 3, (2.0, 1.0)
HIGH = np.array([True, False, False])
# An item's own part makes both personas right together; the second gains 10 points.
ALIKE, FIRST, SECOND = 0.7, 0.0, 0.25
SETTINGS: dict[str, Any] = {"draws": 1000, "confidence": 0.95}


def truth() -> dict[str, float]:
    """Figures of the whole population, in which every level is as frequent."""

    def table(p: float) -> np.ndarray:
        # A wrong answer is a neighbouring level.
        q = 1 - p
        return np.array([[p, q, 0, 0], [q / 2, p, q / 2, 0], [0, q, p, 0]]) / LEVELS

    first, second = ndtr(FIRST), ndtr(SECOND)
    kappa = triage.confusion_metrics(table(second), HIGH, *COST)["kappa_quadratic"]
    return {
        "accuracy": second,
        "accuracy difference": second - first,
        "kappa_quadratic": float(kappa),
    }


def coverage(n: int, interval: str) -> dict[str, float]:
    """Share of samples of `n` items of which the interval holds the truth."""
    generator = np.random.Generator(np.random.PCG64([2026, n]))
    true = truth()
    held = dict.fromkeys(true, 0)
    for _ in range(SAMPLES):
        reference = generator.integers(LEVELS, size=n)
        item = np.sqrt(ALIKE) * generator.standard_normal(n)
        noise = np.sqrt(1 - ALIKE) * generator.standard_normal((2, n))
        right = np.array([[FIRST], [SECOND]]) + item + noise > 0
        step = generator.choice([-1, 1], n)
        inside = (reference + step >= 0) & (reference + step < LEVELS)
        wrong = np.where(inside, reference + step, reference - step)
        answer = np.where(right[1], reference, wrong)

        def measure(counts: Any, answer=answer, reference=reference, right=right) -> Any:
            table = triage.confusion(reference, answer, LEVELS, counts)
            found = triage.confusion_metrics(table, HIGH, *COST)
            shares = means({"before": right[0], "after": right[1]}, counts)
            return {
                "accuracy": found["accuracy"],
                "kappa_quadratic": found["kappa_quadratic"],
                "accuracy difference": shares["after"] - shares["before"],
            }

        seed = int(generator.integers(2**32))
        settings = SETTINGS | {"seed": seed, "interval": interval}
        measured = Draws.of(np.arange(n), settings).measure(measure)
        for name, value in true.items():
            low, high = measured.interval(name)
            held[name] += low <= value <= high
    return {name: count / SAMPLES for name, count in held.items()}


# 500 samples of a true coverage of 95% lie within 93.1 and 96.9% in 95 of 100 cases.


@pytest.mark.parametrize(("interval", "n"), [("percentile", 45), ("percentile", 300), ("bca", 45)])
def test_intervals_of_95_percent_cover(interval, n):
    for name, share in coverage(n, interval).items():
        assert 0.92 <= share <= 0.98, name
