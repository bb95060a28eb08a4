"""A model of which the effects of personas, the spread of wordings and the calibration are known.

Its answer to item i under wording v of persona p is right where

    mu + shift_p + w_pv + √alike b_i + √(1 - alike) e_pvi > 0,

b and e standard normal, w normal with mean 0. What the answers to an item share, b, makes
personas mostly agree, as those of a real model do. So P(right) of a wording is Φ(mu + shift + w),
that of a persona, over all its possible wordings, Φ((mu + shift) / √(1 + Var w)). The baseline has
neither shift nor w. A wrong answer is a neighbouring level; a known share of all answers is
invalid, right or not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import multivariate_normal, norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from persona_paradox.measures.statistics import wilson

Floats = NDArray[np.float64]
Key = tuple[str, str]  # persona, variant

BASELINE = "no_persona"
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(101)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class World:
    """A model in a task.

    Attributes:
        items: number of items.
        levels: number of levels.
        wording: standard deviation of the effects of the wordings of a persona, a share of the
            items; to first order, `wording_sd` has it exactly.
        sentence: the same of the effects of sentences without any meaning for the task.
        accuracy: share of right answers under the baseline, before some become invalid.
        alike: share of the latent variance that the answers to an item share.
        invalid: share of invalid answers.
        temperature: the log odds that are stated are the true ones divided by this.
    """

    items: int
    levels: int
    wording: float
    sentence: float
    accuracy: float = 0.55
    alike: float = 0.8
    invalid: float = 0.02
    temperature: float = 0.5

    @property
    def mu(self) -> float:
        """The baseline's mean of the latent variable."""
        return float(ndtri(self.accuracy))

    def latent_sd(self, points: float) -> float:
        """Standard deviation of shifts that move the accuracy by `points`, to first order."""
        return float(points / ((1 - self.invalid) * norm.pdf(self.mu)))

    def right(self, shift: float) -> float:
        """Accuracy under a wording of this shift, its own and that of its persona."""
        return float((1 - self.invalid) * ndtr(self.mu + shift))

    def effect(self, shift: float) -> float:
        """Effect on the accuracy of a wording of this shift."""
        return self.right(shift) - self.right(0.0)

    def shift_of(self, effect: float) -> float:
        """Shift of a persona whose effect is, averaged over all wordings, this one."""
        spread = np.sqrt(1 + self.latent_sd(self.wording) ** 2)
        return float(spread * ndtri(self.accuracy + effect / (1 - self.invalid)) - self.mu)

    def wording_sd(self, shift: float) -> float:
        """Standard deviation of the effects of the wordings of a persona."""
        effects = (1 - self.invalid) * ndtr(self.mu + shift + self.latent_sd(self.wording) * _NODES)
        return float(np.sqrt(_WEIGHTS @ (effects - _WEIGHTS @ effects) ** 2))

    def item_sd(self, shift: float) -> float:
        """What the items alone add to that in a sample: it is never seen without."""
        level = self.mu + shift
        both = multivariate_normal.cdf([level, level], cov=[[1, self.alike], [self.alike, 1]])
        one = self.right(shift)
        return float(np.sqrt((one - (1 - self.invalid) ** 2 * both) / self.items))

    def stated(self, p_right: Floats) -> Floats:
        """Confidence that is stated where the answer is right with this probability."""
        return np.asarray(expit(logit(p_right) / self.temperature))

    def p_right(self, shift: float, item: Floats) -> Floats:
        """P(right) of the answers to items, before some become invalid."""
        level = self.mu + shift + np.sqrt(self.alike) * item
        return np.asarray(ndtr(level / np.sqrt(1 - self.alike)))

    def effect_on(self, asked: Asked, shift: float) -> float:
        """Effect of a persona on the accuracy of these items, averaged over all its wordings."""
        spread = np.sqrt(1 - self.alike + self.latent_sd(self.wording) ** 2)
        p = ndtr((self.mu + shift + np.sqrt(self.alike) * asked.item) / spread)
        baseline = asked.scores[BASELINE, "main"]["correct"].to_numpy()
        return float((1 - self.invalid) * p.mean() - baseline.mean())

    def calibration(self, shift: float) -> dict[str, float]:
        """True calibration error, and overconfidence, of the stated confidence."""
        item = np.linspace(-8, 8, 4001)
        weight = norm.pdf(item) / norm.pdf(item).sum()
        p = np.clip(self.p_right(shift, item), 1e-12, 1 - 1e-12)
        gap = self.stated(p) - p
        return {"ece": float(weight @ np.abs(gap)), "overconfidence": float(weight @ gap)}

    def task(self) -> dict[str, Any]:
        """The task's entry in the view of all cells, as far as the figures of answers need it."""
        labels = [str(i + 1) for i in range(self.levels)]
        levels = [f"level_{label}" for label in labels]
        return {
            "levels": levels,
            "labels": labels,
            "label_mass_warning_below": 0.5,
            "high_acuity": levels[: self.levels // 2],
            "cost": {"under": 2, "over": 1},
        }


@dataclass(frozen=True)
class Asked:
    """Answers, and what is true of them.

    Attributes:
        scores: table of scores by persona and variant, the baseline's first.
        shifts: the shift of every wording.
        item: what the answers to each item share, shape (items,).
    """

    scores: dict[Key, pl.DataFrame]
    shifts: dict[Key, float]
    item: Floats


def ask(
    world: World,
    personas: Mapping[str, float],
    generator: np.random.Generator,
    wordings: int = 3,
    *,
    read_out: bool = True,
) -> Asked:
    """Ask every item under every wording.

    Args:
        world: the model in its task.
        personas: the shift of every persona but the baseline.
        generator: draws wordings, items and answers.
        wordings: of every persona.
        read_out: whether there are label probabilities beside the answers.
    """
    n = world.items
    item = generator.standard_normal(n)
    reference = generator.integers(world.levels, size=n)
    names = ["main", *(f"paraphrase_{i}" for i in range(1, wordings))]
    spread = world.latent_sd(world.wording)
    shifts = {(BASELINE, "main"): 0.0}
    for persona, shift in personas.items():
        shifts |= {(persona, name): shift + spread * generator.standard_normal() for name in names}
    labels = np.array([*world.task()["labels"], None], dtype=object)
    ids = pl.Series([f"item_{i:05d}" for i in range(n)])
    asked = pl.Series(labels[reference].tolist())
    no_text, no_number = (pl.Series([None] * n, dtype=kind) for kind in (pl.String, pl.Float64))
    scores = {}
    for key, shift in shifts.items():
        p = np.clip(world.p_right(shift, item), 1e-12, 1 - 1e-12)
        right = generator.random(n) < p
        step = np.where(generator.random(n) < 0.5, -1, 1)
        inside = (reference + step >= 0) & (reference + step < world.levels)
        wrong = np.where(inside, reference + step, reference - step)
        top = np.where(right, reference, wrong)
        valid = generator.random(n) >= world.invalid
        stated = world.stated(p)
        high = np.where(top < world.levels // 2, stated, 1 - stated)
        columns = {
            "item_id": ids,
            "variant": pl.repeat(key[1], n, eager=True),
            "repeat": pl.repeat(0, n, eager=True),
            "reference": asked,
            "label": pl.Series(
                labels[np.where(valid, top, world.levels)].tolist(), dtype=pl.String
            ),
            "label_logprob_argmax": no_text,
            "parse_status": pl.Series(np.where(valid, "label", "no_label").tolist()),
            "outcome": pl.Series(
                np.where(valid, np.where(right, "right", "wrong"), "unreadable").tolist()
            ),
            "correct": pl.Series(right & valid),
            "backend": pl.repeat("simulation", n, eager=True),
            "cluster": no_text,
            "label_contextual": no_text,
            "label_mass": no_number,
            "high_acuity_probability": no_number,
            "confidence_contextual": no_number,
            "confidence_repeat": no_number,
            "confidence_verbalized": no_number,
        }
        if read_out:
            generated = pl.Series(np.where(valid, stated, np.nan)).fill_nan(None)
            columns |= {
                "label_logprob_argmax": pl.Series(labels[top].tolist()),
                "label_mass": pl.repeat(1.0, n, eager=True),
                "high_acuity_probability": pl.Series(high),
                "confidence": pl.Series(stated),
                "confidence_generated": generated,
            }
        scores[key] = pl.DataFrame(columns)
    return Asked(scores, shifts, item)


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """The share of the trials."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% Wilson interval."""
        return wilson(self.hits, self.trials, 0.95)

    def __str__(self) -> str:
        """In percent, with its interval and the counts."""
        low, high = self.interval
        return (
            f"{100 * self.share:.1f}% ({100 * low:.1f}–{100 * high:.1f}; {self.hits}/{self.trials})"
        )


def rate(happened: Sequence[bool]) -> Rate:
    """Of what happened or did not, one entry a trial."""
    return Rate(int(sum(happened)), len(happened))
