"""Which options an answer gives that should name all right ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...prompting.thinking import behind_thoughts
from ..labelled.labels import AMBIGUOUS, EMPTY, LABEL, MISSING, NO_ANSWER, STATED, THOUGHT, UNCLEAR
from ..labelled.plain_text import lines_of, plain

# "A", "(A)", "A and C", "A, C and D", "ACD", "A/C", "A & C".
_LETTER = r"[*\"'“”‘’(\[]*[A-J][*\"'“”‘’)\]]*"
_JOIN = r"(?: ?[,;/&+] ?(?:and )?| and )"
_RUN = rf"{_LETTER}(?:{_JOIN}{_LETTER})*|[*(\[]*[A-J]{{2,10}}[*)\]]*"
# Behind a run: nothing, a mark of punctuation, or what is said of it.
_END = r"(?=$|[.:;,!?)\t–—-]|\n| (?:are|is|because|as|since|only)(?!\w))(?!['’]\w)"
_CUE = re.compile(
    r"(?i:\b(?:answers?|options?|choices?|letters?|selection)\b[^:\n.]{0,40}?(?::|\b(?:is|are)\b))"
    rf"[^\w\n(\[]{{0,6}}(?:(?i:options?|letters?|both)[ :]{{1,2}})?(?P<run>{_RUN}){_END}"
)
_OPEN = re.compile(rf"[^\w\n(\[]{{0,6}}(?P<run>{_RUN}){_END}")
_EITHER = re.compile(r"(?<![\w'’])[A-J][)\]*]* or [*(\[]*[A-J](?![\w'’])")
_AT_END = re.compile(rf"(?<![\w'’])(?:{_RUN})(?: ?[,;/&+]| and)? ?$")
_ANY = re.compile(r"(?<![\w'’])[A-J](?![\w'’])")


def parse_set(
    text: str | None, marks: Sequence[str], cut: bool = False
) -> tuple[list[str] | None, str]:
    """The options that an answer gives, and how they were found.

    A statement ("The answers are A and C", the last one) beats what the answer begins with ("A,
    C", or lines that each begin with an option: "A. rest\\nC. water").

    Args:
        text: what the model wrote; None where it gave no answer at all.
        marks: the labels that the item has, capital letters in the order in which they were shown.
        cut: whether the text ends where its longest length ended it. Of letters at its end it is
            then not known whether more would have followed.

    Returns:
        Labels in this order and `label` or `stated`; or None and `no_option` (a letter that the
        item does not have), `ambiguous` ("A or C"), `unclear` (a letter, but nowhere where it
        counts, or a list that was cut), `missing`, `empty`, `thought` or `no_answer`, as for a
        single label.
    """
    if text is None or not text.strip():
        return None, NO_ANSWER if text is None else EMPTY
    said = behind_thoughts(text)
    if said is None or not said.strip():
        return None, THOUGHT if said is None else EMPTY
    return _set(lines_of(plain(said)), marks, cut)


def _set(lines: Sequence[str], marks: Sequence[str], cut: bool) -> tuple[list[str] | None, str]:
    """`parse_set` of the lines that stand behind thoughts."""
    if cut and lines and _AT_END.search(lines[-1]):
        return None, UNCLEAR
    stated = [match["run"] for line in lines for match in _CUE.finditer(line)]
    if stated:
        return _known(stated[-1], marks, STATED)
    if any(_EITHER.search(line) for line in lines):
        return None, AMBIGUOUS
    begun = list(_opening(lines))
    if begun:
        return _known("".join(begun), marks, LABEL)
    return None, UNCLEAR if any(_ANY.search(line) for line in lines) else MISSING


def _opening(lines: Sequence[str]) -> Iterator[str]:
    """The letters that the lines begin with, up to the first line that begins otherwise."""
    for line in lines:
        match = _OPEN.match(line)
        if match is None:
            return
        yield match["run"]


def _known(run: str, marks: Sequence[str], status: str) -> tuple[list[str] | None, str]:
    letters = set(re.findall(r"[A-J]", re.sub(r"\band\b", "", run)))
    if not letters <= set(marks):
        return None, "no_option"
    return [mark for mark in marks if mark in letters], status
