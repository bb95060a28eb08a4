"""Words that tell where an answer comes from, found in a text and masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")

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
