"""Policies: which persona is asked about an item, and how many answers that takes.

A policy is fitted to some items whose outcomes it sees, and the rule that it becomes is given
others without theirs. Where several choices are worth the same, the first persona is taken, which
is the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .cases import CONTEXT, TASK, Asked, Floats, Ints, Outcomes

# Of a smaller group the best persona is that of all items, and of fewer items no router is learned;
# our own bound.
FEWEST_OF_GROUP = 10
# Shares of the items that a threshold may send on.
_SENT_ON = np.linspace(0, 1, 11)
# A rate this close above its limit is at it.
_ROUNDING = 1e-9

FIXED, BEST_SINGLE, ORACLE = "fixed", "best_single", "oracle"


class Chosen(NamedTuple):
    """The persona whose answer is taken, and the number of answers asked for; shape (items,)."""

    persona: Ints
    calls: Ints


class Rule(NamedTuple):
    """A fitted policy.

    Attributes:
        choose: what it does with items.
        said: the same in words, with ids.
    """

    choose: Callable[[Asked], Chosen]
    said: str


@dataclass(frozen=True)
class Policy:
    """A way to choose among personas.

    Attributes:
        id: of the policy.
        by: what it is told apart by: a persona, or a dimension of groups.
        fit: the rule by outcomes of other items, and the greatest rate of harm (None: any).
        learns: whether the rule depends on these outcomes.
    """

    id: str
    by: str | None
    fit: Callable[[Asked, Outcomes, float | None], Rule]
    learns: bool = True


def best(right: Floats, harm: Floats, n_harm: Any, at_most: float | None) -> int:
    """The choice with the most right answers of those whose rate of harm is at most as it may be.

    Where there is none, the one with the least harm.

    Args:
        right: number of right answers of every choice, shape (choices,).
        harm: number of harmful ones.
        n_harm: number of answers that could be.
        at_most: greatest rate of harm.
    """
    if at_most is None or not np.any(n_harm):
        return int(np.argmax(right))
    allowed = harm <= at_most * n_harm + _ROUNDING
    if allowed.any():
        return int(np.argmax(np.where(allowed, right, -np.inf)))
    return int(np.lexsort((-right, harm))[0])


def _single(outcomes: Outcomes, at_most: float | None) -> int:
    """The best persona of all items."""
    known = ~np.isnan(outcomes.harm[:, 0])
    right, harm = outcomes.right.sum(axis=0), outcomes.harm[known].sum(axis=0)
    return best(right.astype(np.float64), harm, known.sum(), at_most)


def once(persona: Ints) -> Chosen:
    """A choice for which nobody else is asked."""
    return Chosen(persona, np.ones(len(persona), dtype=np.int64))


def fixed(personas: Sequence[str], number: int) -> Policy:
    """One persona for all items."""

    def choose(asked: Asked) -> Chosen:
        return once(np.full(len(asked.labels), number))

    return Policy(FIXED, personas[number], lambda *_: Rule(choose, personas[number]), False)


def best_single(personas: Sequence[str]) -> Policy:
    """The best persona."""

    def fit(_: Asked, outcomes: Outcomes, at_most: float | None) -> Rule:
        number = _single(outcomes, at_most)
        return Rule(lambda asked: once(np.full(len(asked.labels), number)), personas[number])

    return Policy(BEST_SINGLE, None, fit)


def by_group(personas: Sequence[str], id_: str, dimension: str) -> Policy:
    """The best persona of every group; that of all items where a group is small, or new."""

    def fit(seen: Asked, outcomes: Outcomes, at_most: float | None) -> Rule:
        fallback = _single(outcomes, at_most)
        chosen = {}
        for group in np.unique(seen.groups[dimension]):
            here = seen.groups[dimension] == group
            if here.sum() >= FEWEST_OF_GROUP:
                chosen[str(group)] = _single(outcomes.among(here), at_most)

        def choose(asked: Asked) -> Chosen:
            groups = asked.groups[dimension]
            return once(np.array([chosen.get(str(one), fallback) for one in groups], np.int64))

        said = [f"{group}: {personas[one]}" for group, one in chosen.items()]
        return Rule(choose, "; ".join([*said, f"else {personas[fallback]}"]))

    return Policy(id_, None if dimension in (TASK, CONTEXT) else dimension, fit)


def on_confidence(personas: Sequence[str], id_: str, first: int, others: Sequence[int]) -> Policy:
    """A first persona, and another one where its confidence is low.

    Below which confidence, and which of `others`, is fitted. An answer without a confidence is
    one of low confidence.
    """

    def fit(seen: Asked, outcomes: Outcomes, at_most: float | None) -> Rule:
        sure = _sure(seen, first)
        bounds = np.concatenate([[-np.inf], np.quantile(sure, _SENT_ON[1:-1]), [np.inf]])
        # Shape (thresholds, items): whether an item is sent on.
        sent = (sure < bounds[:, None]).astype(np.float64)
        right = outcomes.right.astype(np.float64)
        known = ~np.isnan(outcomes.harm[:, 0])
        harm = np.where(known[:, None], outcomes.harm, 0.0)
        kept = 1 - sent
        totals = [
            (kept @ values[:, [first]] + sent @ values[:, list(others)]).ravel()
            for values in (right, harm)
        ]
        place = best(totals[0], totals[1], known.sum(), at_most)
        bound, other = bounds[place // len(others)], others[place % len(others)]

        def choose(asked: Asked) -> Chosen:
            low = _sure(asked, first) < bound
            return Chosen(np.where(low, other, first), 1 + low.astype(np.int64))

        if bound == -np.inf:
            return Rule(choose, personas[first])
        if bound == np.inf:
            return Rule(choose, f"{personas[first]}, then {personas[other]} always")
        return Rule(choose, f"{personas[first]}, below {bound:.3f} {personas[other]}")

    return Policy(id_, None, fit)


def _sure(asked: Asked, persona: int) -> Floats:
    return np.nan_to_num(asked.confidence[:, persona], nan=0.0)


def on_flags(personas: Sequence[str], lean: int, cautious: int) -> Policy:
    """A lean persona, and a cautious one where the case holds a word of the list."""

    def choose(asked: Asked) -> Chosen:
        return once(np.where(asked.flagged, cautious, lean))

    said = f"{personas[lean]}, on a flag {personas[cautious]}"
    return Policy("escalate_on_flags", None, lambda *_: Rule(choose, said), False)


def on_disagreement(personas: Sequence[str], lean: int, second: int, cautious: int) -> Policy:
    """A lean persona, and a cautious one where a second persona answers otherwise."""

    def choose(asked: Asked) -> Chosen:
        differ = asked.labels[:, lean] != asked.labels[:, second]
        return Chosen(np.where(differ, cautious, lean), 2 + differ.astype(np.int64))

    said = f"{personas[lean]}, where {personas[second]} differs {personas[cautious]}"
    return Policy("escalate_on_disagreement", None, lambda *_: Rule(choose, said), False)


def majority(personas: Sequence[str]) -> Policy:
    """The label that most personas answer; of several the likelier, then the first one."""

    def choose(asked: Asked) -> Chosen:
        # Half, so that no probability outweighs an answer.
        return _voted(asked, votes(asked) + _mean_probability(asked) / 2)

    said = f"all {len(personas)} personas"
    return Policy("majority", None, lambda *_: Rule(choose, said), False)


def mean_probability(personas: Sequence[str]) -> Policy:
    """The label of the largest mean probability, of those that some persona answers."""

    def choose(asked: Asked) -> Chosen:
        return _voted(asked, np.where(votes(asked) > 0, 1 + _mean_probability(asked), 0.0))

    said = f"all {len(personas)} personas"
    return Policy("mean_probability", None, lambda *_: Rule(choose, said), False)


def votes(asked: Asked) -> Floats:
    """How many personas answer every label, shape (items, labels)."""
    n_labels = max(asked.probabilities.shape[2], int(asked.labels.max(initial=0)) + 1)
    each = asked.labels[:, :, None] == np.arange(n_labels)
    return np.asarray(each.sum(axis=1), dtype=np.float64)


def _mean_probability(asked: Asked) -> Floats:
    """Mean over the personas that have probabilities, 0 where none has; shape (items, labels)."""
    known = ~np.isnan(asked.probabilities)
    sums = np.where(known, asked.probabilities, 0.0).sum(axis=1)
    means = sums / np.maximum(known.sum(axis=1), 1)
    return np.pad(means, ((0, 0), (0, votes(asked).shape[1] - means.shape[1])))


def _voted(asked: Asked, score: Floats) -> Chosen:
    """The answer of the first persona that gives the label with the highest score."""
    # Where all answers are invalid, that of the baseline.
    persona = np.argmax(asked.labels == score.argmax(axis=1)[:, None], axis=1)
    return Chosen(persona, np.full(len(persona), asked.labels.shape[1]))


def oracle(outcomes: Outcomes) -> Chosen:
    """For every item a persona that is right, else one that does no harm: what no rule can pass."""
    worth = 2.0 * outcomes.right - np.nan_to_num(outcomes.harm, nan=0.0)
    return once(worth.argmax(axis=1))


def policies(
    personas: Sequence[str],
    asked: Asked,
    escalation: Mapping[str, Any] | None,
    learned: Policy | None,
) -> list[Policy]:
    """All policies that these items allow, but the oracle.

    Args:
        personas: ids, the baseline first.
        asked: all items.
        escalation: ids of personas `lean`, `cautious` and perhaps `second`, and the `flags`.
        learned: the router.
    """
    found = [fixed(personas, number) for number in range(len(personas))]
    found.append(best_single(personas))
    parts = {name: _partition(groups) for name, groups in asked.groups.items()}
    if len(set(parts[TASK])) > 1:
        found.append(by_group(personas, "by_task", TASK))
    if len(set(parts[CONTEXT])) > 1 and parts[CONTEXT] != parts[TASK]:
        found.append(by_group(personas, "by_context", CONTEXT))
    found += [
        by_group(personas, "by_subgroup", name)
        for name, part in parts.items()
        if name not in (TASK, CONTEXT) and len(set(part)) > 1
    ]
    has_confidence = [bool((~np.isnan(one)).any()) for one in asked.confidence.T]
    if has_confidence[0]:
        found.append(on_confidence(personas, "on_confidence", 0, range(1, len(personas))))
    if escalation is not None:
        lean, cautious = (personas.index(escalation[key]) for key in ("lean", "cautious"))
        if escalation["flags"]:
            found.append(on_flags(personas, lean, cautious))
        if escalation["second"] is not None:
            second = personas.index(escalation["second"])
            found.append(on_disagreement(personas, lean, second, cautious))
        if has_confidence[lean]:
            found.append(on_confidence(personas, "escalate_on_confidence", lean, [cautious]))
    if learned is not None:
        found.append(learned)
    found.append(majority(personas))
    if any(has_confidence):
        found.append(mean_probability(personas))
    return found


def _partition(groups: Any) -> list[int]:
    """Groups by numbers, in the order in which they come: equal for equal partitions."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(str(one), len(numbers)) for one in groups]
