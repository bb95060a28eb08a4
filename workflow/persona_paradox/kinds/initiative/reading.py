"""Whether an answer names a planted problem, by the phrases of `reading.yaml`. The rule is our own.

The planted field must be named together with a sign of a problem, in one clause; or, of a
contradiction, both sides in one sentence with a word that holds them against each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...own_yaml import own_yaml
from ...prompting.thinking import behind_thoughts
from ...scorers.refusals import refuses
from .problems import ANSWERS, NAMES, RAISES, REFUSED, UNREADABLE

RULE = Path(__file__).with_suffix(".yaml")

# Why an answer is invalid; else it is read.
READ, NO_ANSWER, THOUGHT, EMPTY = "read", "no_answer", "thought", "empty"

_SENTENCES = re.compile(r"(?<=[.!?…])\s+|\n+|;\s+")
_CLAUSES = re.compile(r",? (?:but|however|whereas|although|though|while|yet)\b,? ?|, (?:so|and) ")
_OPENING = re.compile(r"^\W*(?:yes|no|ok|okay|sure|certainly)\b[,.:;!]\s*")
# What a clause begins with that speaks of the one before.
_BACK = re.compile(r"(?:this|these|that|those|it|they|which|both)\b")
_LEAST_WORDS = 3


@dataclass(frozen=True)
class Found:
    """What an answer does.

    Attributes:
        names: whether it names the planted problem.
        raises: whether it raises one that is not there.
        status: `read`, or why it is invalid.
        outcome: one word of `problems`.
    """

    names: bool
    raises: bool
    status: str
    outcome: str


def read(
    text: str | None,
    *,
    names: Sequence[str],
    beside: Sequence[str],
    planted: bool,
    omitted: bool,
) -> Found:
    """Read an answer.

    Args:
        text: what was said, in English; None without an answer.
        names: words that name the field of the pair's problem.
        beside: words that name what it contradicts, if anything.
        planted: whether the problem stands in this case.
        omitted: whether it is an omission.
    """
    said = None if text is None else behind_thoughts(text)
    if said is None:
        return Found(False, False, NO_ANSWER if text is None else THOUGHT, UNREADABLE)
    named, raised, vague = _problems(said, (names, beside), planted=planted, omitted=omitted)
    if named or raised:
        return Found(named, raised, READ, NAMES if named else RAISES)
    if refuses(said):
        found = Found(False, False, REFUSED, REFUSED)
    elif vague and not planted:
        found = Found(False, True, READ, RAISES)
    elif len(re.findall(r"[^\W\d_]+", said)) < _LEAST_WORDS:
        found = Found(False, False, EMPTY, UNREADABLE)
    else:
        found = Found(False, False, READ, ANSWERS)
    return found


def _problems(
    text: str, words: tuple[Sequence[str], Sequence[str]], *, planted: bool, omitted: bool
) -> tuple[bool, bool, bool]:
    """Whether the planted problem is named, another one is raised, and some problem, vaguely."""
    rule = _rule()
    names, beside = words
    field, other, side = _words(names), _words(beside), _words([*names, *beside])
    named = raised = vague = False
    before = ""
    for sentence in _SENTENCES.split(_plain(text)):
        spoken = _OPENING.sub("", sentence)
        if planted and beside and rule["contrasts"].search(spoken) and _both(field, other, spoken):
            named = True
            continue
        asked = spoken.rstrip().endswith("?") and rule["questions"].match(spoken) is not None
        for part in _CLAUSES.split(spoken):
            # “These cannot both be true” is about what stands in front of it.
            clause = f"{before} {part}" if _BACK.match(part) else part
            before = part
            if planted and _asks(clause, omitted=omitted) and field.search(clause):
                named = True
            elif not (asked or _claims(clause)) or (asked and _asks_all(clause)):
                continue
            elif planted and side.search(clause):
                named = True
            elif side.search(clause) or rule["fields"].search(clause):
                raised = True
            elif rule["generic"].search(clause):
                vague = vague or not asked
    return named, raised, vague


def _both(field: re.Pattern[str], other: re.Pattern[str], sentence: str) -> bool:
    """Whether both sides of a contradiction stand in a sentence, in different words."""
    mine = {match.span() for match in field.finditer(sentence)}
    return any(match.span() not in mine for match in other.finditer(sentence)) and bool(mine)


def _claims(clause: str) -> bool:
    """Whether a clause says that something is not as it should be."""
    rule = _rule()
    if rule["clinical"].search(clause):
        return False
    if rule["says"].search(clause):
        return True
    return any(not _denied(clause[: match.start()]) for match in rule["claims"].finditer(clause))


def _denied(before: str) -> bool:
    """Whether what stands in front of a claim takes it back."""
    rule = _rule()
    if rule["denies"].search(before):
        return True
    return bool(rule["denies_near"].search(" ".join(before.split()[-_near() :])))


def _asks(clause: str, *, omitted: bool) -> bool:
    """Whether a clause asks for a datum, or for it once more."""
    return bool(_rule()["asks" if omitted else "repeats"].search(clause))


def _asks_all(clause: str) -> bool:
    """Whether a question is about anything at all, as the user's own is."""
    return bool(_rule()["denies"].search(clause))


@cache
def _given() -> dict[str, Any]:
    given: dict[str, Any] = own_yaml(RULE)
    return given


def _near() -> int:
    return int(_given()["near"])


@cache
def _rule() -> dict[str, re.Pattern[str]]:
    """The phrases of every key, as one pattern each."""
    return {
        key: re.compile(
            rf"(?<![\w'])(?:{'|'.join(value) if isinstance(value, list) else value})"
            # Parts of words are no words.
            + ("" if key in _OPEN else r"(?!\w)")
        )
        for key, value in _given().items()
        if not isinstance(value, int)
    }


# Phrases that say themselves where a word ends.
_OPEN = ("says", "claims", "asks", "repeats")


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    each = "|".join(re.escape(word.lower()) for word in words)
    return re.compile(rf"(?<![\w.])(?:{each})(?![\w])" if words else r"(?!)")


def _words(words: Sequence[str]) -> re.Pattern[str]:
    return _pattern(tuple(words))


def _plain(text: str) -> str:
    """In lower case, with straight apostrophes, single blanks, and `not` for its short form."""
    straight = text.lower().replace("’", "'").replace("‘", "'")
    straight = re.sub(r"(?<=[a-z])n't\b", " not", straight).replace("ca not", "cannot")
    return "\n".join(" ".join(line.split()) for line in straight.splitlines())
