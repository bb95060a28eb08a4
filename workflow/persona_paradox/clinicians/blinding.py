"""What tells where an answer comes from, so that clinicians do not read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any


def identifying(
    personas: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    others: Iterable[str] = (),
) -> list[str]:
    """The strings that would tell where an answer comes from, sorted.

    Args:
        personas: id → content of the persona's file.
        models: id → content of the model's file.
        others: ids of other conditions. Everyday words do not belong here: every string is
            masked wherever it stands.

    Returns:
        Ids, titles and sentences, whom a sentence makes of the reader ("Emergency Department
        Nurse"), roles and what fills the places of a persona set, of more than one word ("none"
        and "assistant" are everyday words), and families and bare names of models ("SmolLM").
    """
    found = {*personas, *models, *others}
    for persona in personas.values():
        texts = [text for text in persona["texts"].values() if text]
        found |= {persona["title"], *texts, *(_ADDRESS.sub("", text) for text in texts)}
        levels = [level["text"] for level in persona.get("factors", {}).values()]
        roles = [persona.get("role", ""), *(_ARTICLE.sub("", text) for text in levels)]
        found |= {role for role in roles if len(_WORD.findall(role)) > 1}
    for model in models.values():
        names = {model["title"], model["title"].partition(" (")[0], model["family"]}
        found |= names | {bare[0] for bare in map(_NAME.match, names) if bare}
    return sorted(found)


_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[A-Za-z]{4,}")
_ARTICLE = re.compile(r"^(an?|the) ", re.IGNORECASE)
_ADDRESS = re.compile(r"^(you are|you work as|act as) (an?|the) ", re.IGNORECASE)

# "As a doctor, I ...", "I, as a doctor, ...", "I am a doctor and ...", "In my role as a doctor":
# the group stays, the rest of the match is masked.
OF_ITSELF = re.compile(
    r"(?i:\b(as (?:an?|your) )[^,.;:!?\n]{1,80}?)(?=, (?:I|[Mm]y|[Ww]e)\b)"
    r"|\b(As (?:an?|your) )[^,.;:!?\n]{1,80}?(?= I\b)"
    r"|\b(I, as (?:an?|your) )[^,.;:!?\n]{1,80}?(?=,)"
    r"|\b(I(?: am|['’]m| have been|['’]ve been| work as| act as)"
    r"(?:(?: (?:not|just|only|also|still|really|actually|simply))* (?:an?|your)| the) )"
    r"(?!\d)[^,.;:!?\n]{1,200}?"
    r"(?=[,.;:!?\n]|$| (?:and|but|so|who|that|which)\b)"
    r"|\b([Mm]y (?:capacity|career|experience|job|opinion|role|time|training|work|years)"
    r" as (?:an?|your) )[^,.;:!?\n]{1,80}?(?=[,.;:!?\n]|$| I\b)"
)


def unblinded(text: str, strings: Iterable[str]) -> list[str]:
    """What of `strings` stands in a text, as it is written there.

    Case does not matter, words may be parted by up to three other characters, and a plural s may
    follow: `ed_nurse` is found in "ED nurses" but not in "experienced nurse".
    """
    return [match[0] for match in pattern(tuple(strings)).finditer(text)]


@lru_cache(maxsize=8)
def pattern(strings: tuple[str, ...]) -> re.Pattern[str]:
    """What finds `strings` in a text."""
    worded = [words for words in map(_WORD.findall, strings) if words]
    # The longest first: a part of it must not be taken alone.
    forms = sorted({r"[\W_]{1,3}".join(words) for words in worded}, key=lambda f: (-len(f), f))
    any_of = "|".join(forms) or r"(?!)"
    return re.compile(rf"(?<![^\W_])(?:{any_of})(?:['’]?s)?(?![^\W_])", re.IGNORECASE)
