"""The question asks for what is not right: its key is every other option."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items
from ..options import check_options, letters_of, places_of, speaks_of_others

_MOST = (
    r"likely|appropriate|common|probable|accurate|effective|important|suitable|consistent"
    r"|helpful|useful|specific|sensitive|concerning"
)
# What is turned with its verb; `{}` is what stands before the verb, such as “best”.
_VERBS = {
    "caused": "did not {}cause",
    "explains": "does not {}explain",
    "accounts": "does not {}account",
    "underlies": "does not {}underlie",
    "led": "did not {}lead",
    "contributed": "did not {}contribute",
    "gives": "does not {}give",
    "comes": "does not {}come",
    "helps": "does not {}help",
    "shows": "does not {}show",
    "improves": "does not {}improve",
    "settles": "does not {}settle",
    "excludes": "does not {}exclude",
    "reverses": "does not {}reverse",
    "raises": "does not {}raise",
    "lowers": "does not {}lower",
    "slows": "does not {}slow",
    "describes": "does not {}describe",
    "supports": "does not {}support",
    "suggests": "does not {}suggest",
}
_VERB = rf"(?P<verb>{'|'.join(_VERBS)})\b"
_PARTICIPLES = (
    "given|treated|done|preferred|aimed|arranged|used|tried|chosen|begun|advised|offered|needed"
    "|required|excluded|found|seen|expected|associated|increased|decreased|caused|involved"
    "|responsible|characterized|elevated"
)
# Behind a verb whose subject follows it a “not” would stand wrong.
_NO_SUBJECT = r"(?! (?:you|we|it|they|he|she|the|this|these|that|an?|his|her|their|your)\b)"
# What asks for the right option, and what then asks for the others; the first of them behind
# “which” or “what” counts.
_TURNED: tuple[tuple[re.Pattern[str], str | None], ...] = (
    (re.compile(rf"\b(is|are|was|were) ((?:the )?most (?:{_MOST}))\b"), r"\1 not \2"),
    (re.compile(r"\b(is|are|was|were) ((?:the )?best)\b"), r"\1 not \2"),
    (
        re.compile(
            r"\b(is|are) (the (?:next|first|initial|correct|right|recommended|preferred|main"
            r"|primary|usual))\b"
        ),
        r"\1 not \2",
    ),
    (
        re.compile(r"\b(is|are) (true|correct|right|recommended|indicated|contraindicated)\b"),
        r"\1 not \2",
    ),
    (re.compile(rf"\b(?P<how>most likely ){_VERB}"), None),
    (re.compile(rf"\b(would|will|should|could|may|might|must)\b{_NO_SUBJECT}"), r"\1 not"),
    (re.compile(rf"\bcan\b{_NO_SUBJECT}"), r"cannot"),
    (re.compile(rf"\b(is|are|was|were) ((?:{_PARTICIPLES})\b)"), r"\1 not \2"),
    (re.compile(rf"\b(?P<how>best |most likely )?{_VERB}"), None),
)
# Of these, those that may also stand in front of “which”.
_N_BEFORE = 5
_NEGATED = re.compile(r"\b(?:not|except|least|never|false|incorrect|cannot)\b|n't\b", re.IGNORECASE)
# Where a sentence before the last one ends, and where a question begins to ask.
_END = re.compile(r"[.?!:][\"'”’)]*\s")
_ASKS = (
    re.compile(r"\bwhich of (?:the|these)\b", re.IGNORECASE),
    re.compile(r"\b(?:which|what)\b", re.IGNORECASE),
)


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put a “not” into the question; see `changes`.

    Args:
        items: of the base's data set, with `options`.
        arm: no keys of its own.

    Returns:
        The items; the key is every letter that was not right.
    """
    del arm
    check_options(items, "invert")

    def inverted(row: dict[str, Any]) -> dict[str, Any] | str:
        case = row["case"]
        start = max((end.end() for end in _END.finditer(case.rstrip())), default=0)
        asked = case[start:]
        if _NEGATED.search(asked):
            return "the question has a negation of its own"
        if speaks_of_others(row["options"]):
            return "an option speaks of others"
        left = set(range(len(row["options"]))) - {*places_of(row["reference"])}
        if not left:
            return "every option is right"
        turned = _turned(asked)
        if turned is None:
            return "the question has none of the words that can be turned"
        begins, ends, now = turned
        return {
            "case": case[:start] + asked[:begins] + now + asked[ends:],
            "reference": letters_of(left),
            "change": f"{asked[begins:ends]} → {now}",
        }

    return changed_items(items, inverted)


def _turned(asked: str) -> tuple[int, int, str] | None:
    """Where the words of a question that are turned begin and end, and what they become."""
    ways = [(_TURNED[:_N_BEFORE], 0)]
    if asks := _ASKS[0].search(asked) or _ASKS[1].search(asked):
        ways.insert(0, (_TURNED, asks.start()))
    for patterns, start in ways:
        found = [(pattern.search(asked, start), by) for pattern, by in patterns]
        # The first verb is that of the question; others are of clauses behind it.
        if matches := [(match, by) for match, by in found if match is not None]:
            match, by = min(matches, key=lambda one: one[0].start())
            if by is None:
                return *match.span(), _VERBS[match["verb"]].format(match["how"] or "")
            return *match.span(), match.expand(by)
    return None
