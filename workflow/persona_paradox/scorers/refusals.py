"""Whether a text refuses or abstains, by the phrases of `refusals.yaml`. The rule is our own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..own_yaml import own_yaml

RULE = Path(__file__).with_suffix(".yaml")

# What is quoted is said by somebody else.
_QUOTED = re.compile(r"[\"“”„«][^\"“”„«»]*[\"“”»]|(?<!\w)'[^']{3,}'(?!\w)")
# Where a sentence ends, and a clause in it: before a word that goes on with something else.
_SENTENCES = re.compile(r"[.!?…]+(?=\s|$)|\n+")
_GOES_ON = re.compile(r"\s*(?:[;:]|,? (?:but|however|yet|still),?(?= )|, (?=so |and so ))\s*")
_SHORTEST_ANSWER = 2


@cache
def _rule() -> dict[str, re.Pattern[str]]:
    """The phrases of every key, as one pattern each."""
    given: dict[str, Any] = own_yaml(RULE)
    words = {key: f"(?:{'|'.join(given[key])})" for key in ("who", "not", "do", "about")}
    found = {}
    for key in given.keys() - words.keys():
        phrases = []
        for phrase in given[key]:
            # Contractions stand behind the subject without a blank.
            text = phrase.replace(" {not}", r"\s?{not}")
            for name, value in words.items():
                text = text.replace("{" + name + "}", value)
            phrases.append(f"(?:{text})")
        found[key] = re.compile(rf"(?<![\w'])(?:{'|'.join(phrases)})")
    return found


def refuses(text: str, options: Sequence[str] = ()) -> bool:
    """Whether a text refuses or abstains, and does not go on to answer.

    Args:
        text: what was said, in English.
        options: texts of what may be chosen; "none of the above" is an answer where one of them
            says so.
    """
    rule = _rule()
    keys = ["refuses", "abstains"]
    if not any(rule["none"].search(_plain(option)) for option in options):
        keys.append("none")
    declined = False
    for sentence in _SENTENCES.split(_plain(text)):
        for place, clause in enumerate(_GOES_ON.split(sentence)):
            if any(rule[key].search(clause) for key in keys):
                declined = True
            elif declined and _answers(clause, goes_on=place > 0):
                declined = False
    return declined


def _answers(clause: str, goes_on: bool) -> bool:
    """Whether a clause behind a refusal answers all the same."""
    rule = _rule()
    if len(clause.split()) < _SHORTEST_ANSWER:
        return False
    if rule["refers"].match(clause.strip()) and not rule["soon"].search(clause):
        return False
    return goes_on or rule["answers"].match(clause.strip()) is not None


def _plain(text: str) -> str:
    """In lower case, with straight apostrophes, a line for each paragraph, without quotes."""
    straight = text.lower().replace("’", "'").replace("‘", "'")
    unquoted = _QUOTED.sub(" ", straight)
    # A text that is quoted as a whole is said.
    said = unquoted if re.search(r"\w", unquoted) else straight.strip("\"“”„«»' ")
    return "\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", said))
