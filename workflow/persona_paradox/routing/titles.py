"""What policies are called."""

from __future__ import annotations

from ..words import Row, Settings, named, plain
from .policies import FIXED

TITLES = {
    "best_single": "Best single persona",
    "by_task": "Best persona of each task",
    "by_context": "Best persona of each context",
    "by_subgroup": "Best persona by",
    "on_confidence": "Another one if unsure",
    "escalate_on_flags": "Escalate on flags",
    "escalate_on_disagreement": "Escalate on disagreement",
    "escalate_on_confidence": "Escalate if unsure",
    "learned": "Learned router",
    "majority": "Majority of all",
    "mean_probability": "Mean probability of all",
    "oracle": "Oracle",
}
RATES = {
    "under_triage_rate": "under-triage",
    "over_triage_rate": "over-triage",
    "invalid_rate": "invalid answers",
    "refused_rate": "refusals",
    "unreadable_rate": "unreadable answers",
}
ORIGINS = {"teaching": "teaching cases", "real": "real cases"}


def title_of(row: Row, settings: Settings) -> str:
    """A policy: of one persona for all items, that persona."""
    if row["policy"] == FIXED:
        return named(settings, row["by"])
    title = TITLES[row["policy"]]
    return title if row["by"] is None else f"{title} {plain(row['by'])}"


def origin_of(origin: str) -> str:
    """The items of an origin."""
    return ORIGINS.get(origin, plain(origin))
