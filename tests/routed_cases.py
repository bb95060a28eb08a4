"""Items with answers of several personas, made up or drawn from a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from persona_paradox.routing.cases import CONTEXT, TASK, Asked, Cases, Outcomes
from persona_paradox.routing.valuing import SCHEMA, policy_rows, with_holm

NAMES = ["no_persona", "ed_nurse", "ed_physician", "layperson", "bridge_engineer", "poet"]
SETTINGS: dict[str, Any] = {
    "draws": 200,
    "seed": 5,
    "interval": "percentile",
    "confidence": 0.95,
    "power": 0.8,
    "margins": {},
}


def escalation() -> dict[str, Any]:
    """Personas of all kinds of escalation."""
    return {"lean": NAMES[0], "cautious": NAMES[1], "second": NAMES[2], "flags": ["pain"]}


def cases(*, labels: Any, reference: Any, probabilities: Any = None, **more: Any) -> Cases:
    """Cases by their labels; half of the items in task `a`, half in `b`."""
    n, n_personas = labels.shape
    if probabilities is None:
        n_labels = int(labels.max()) + 1
        probabilities = np.full((n, n_personas, n_labels), 0.4 / max(n_labels - 1, 1))
        np.put_along_axis(probabilities, labels[:, :, None], 0.6, axis=2)
    task = np.where(np.arange(n) % 2 == 0, "a", "b")
    given = {
        "confidence": probabilities.max(axis=2),
        "groups": {TASK: task, CONTEXT: task},
        "flagged": np.arange(n) % 5 == 0,
        "features": np.arange(n)[:, None] % 2.0,
    } | more
    return Cases(
        Asked(labels=labels, probabilities=probabilities, **given),
        Outcomes(
            right=labels == reference[:, None],
            harm=(labels > reference[:, None]).astype(float),
            cost=np.where(labels < 0, np.nan, np.abs(labels - reference[:, None])),
        ),
        labels < 0,
        np.arange(n).astype(str),
    )


def studied(
    seed: int, n: int, *, helps: float = 0.0, alike: float = 0.0, chances: bool = False
) -> Any:
    """A study whose truth is known: every persona is right with probability one half.

    Args:
        seed: of the generator.
        n: number of items.
        helps: by how much persona 1 is better in task `b` and worse in task `a`.
        alike: share of the items on which all personas have the same luck.
        chances: whether the probabilities of being right are returned too.
    """
    generator = np.random.default_rng(seed)
    p = np.full((n, len(NAMES)), 0.5)
    p[:, 1] += np.where(np.arange(n) % 2 == 1, helps, -helps)
    luck = generator.random((n, len(NAMES)))
    same = generator.random((n, 1)) < alike
    right = np.where(same, luck[:, [0]], luck) < p
    reference = generator.integers(2, size=n)
    labels = np.where(right, reference[:, None], 1 - reference[:, None])
    of = cases(
        labels=labels,
        reference=reference,
        confidence=generator.uniform(0.5, 1, size=p.shape),
        features=np.column_stack([np.arange(n) % 2, generator.normal(size=(n, 3))]),
    )
    return (of, p) if chances else of


def table_of(of: Cases, policies: Any, at_most: float | None = None, **more: Any) -> pl.DataFrame:
    """The table of policies of one model."""
    limit = None if at_most is None else {"metric": "under_triage_rate", "at_most": at_most}
    asked = {"folds": 5, "constraint": limit}
    rows = [
        {"model": "tiny", "origin": "teaching"} | row
        for row in policy_rows(of, policies, asked, SETTINGS, **more)
    ]
    return with_holm(pl.DataFrame(rows, schema=SCHEMA))
