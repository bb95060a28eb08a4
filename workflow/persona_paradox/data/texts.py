"""Texts put into a case, and the articles before what is put there."""

from __future__ import annotations

import re

# Where a sentence ends: behind its mark and what closes a quotation, before a blank.
_END = re.compile(r"[.!?]['\"”’)]*(?=\s)")

# Numbers that begin with a vowel when they are read aloud.
_VOWEL = re.compile(r"8\d*|11|18")


def put(case: str, text: str, at: str, separator: str) -> str | None:
    """A case with a text at an end, or behind its first or before its last sentence.

    Args:
        case: the text of the case.
        text: what is put there.
        at: `end`, `beginning`, `after_first_sentence` or `before_last_sentence`.
        separator: what stands between the two.

    Returns:
        The new case; None where it has one sentence, so that there is no such place.
    """
    if at == "end":
        return case.rstrip() + separator + text
    if at == "beginning":
        return text + separator + case.lstrip()
    ends = [match.end() for match in _END.finditer(case.rstrip())]
    if not ends:
        return None
    place = ends[0] if at == "after_first_sentence" else ends[-1]
    return case[:place] + separator + text + case[place:]


def with_article(before: str, number: str) -> str:
    """What stands before a number, its article made to fit: an 82-year-old, a 34-year-old."""
    return re.sub(
        r"\b([Aa])n?( +)$",
        lambda found: found[1] + ("n" if _VOWEL.fullmatch(number) else "") + found[2],
        before,
    )
