"""The text of an answer in the one form in which labels are looked for."""

from __future__ import annotations

import re
import string
import unicodedata

from .cues import ABROAD, HEAD, HEADER, START

_SNAKE = re.compile(r"(?<=[^\W\d_]{2})_(?=[^\W\d_]{2})")  # "pain_level"
_MARKUP = re.compile(r"<[/|]?[A-Za-z][^<>\n]{0,40}>|\\[A-Za-z]{1,20}\{|_")
_HYPHEN = re.compile(r"(?<=[^\W\d]{3})-(?=\d)")  # "ESI-3", but not "B-12"
WORD = re.compile(r"\w")

# Scripts without blanks between words, and what they put behind a label that is an answer.
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_GLUED = re.compile(rf"(?<=[{UNSPACED}])(?=[A-Za-z0-9])")
_COPULA = re.compile(
    r"(?<=[A-Z0-9])(?:[级級类類]|등급)?(?:です|である|だ|입니다|이다|이에요|예요)?(?![\w])"
)
# Boxes before a label, which may be crossed or not.
_CROSSED = re.compile(r"(?:\[[xX✓✔]\]|\([xX✓✔]\)|[☑☒])(?= ?\W{0,3}(?:[A-Z]|\d{1,3})(?!\w))")
_UNCROSSED = re.compile(r"(?:\[ ?\]|\( ?\)|[☐□⬜])(?= ?\W{0,3}(?:[A-Z]|\d{1,3})(?!\w))")
_OR = re.compile(
    r"(?<=[A-Za-z0-9]) ?(?:或者?|和|与|與|及|还是|還是|または|か|또는) ?"
    r"(?=[A-Za-z0-9](?![A-Za-z0-9]))"
)
# Full-width forms of ASCII, and the blank of that width.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

# An answer in lower case: behind a colon ("answer: c"), or first with a mark ("b) routine care").
_SMALL = re.compile(
    rf"(?:(?i:{START}(?:{HEAD})[\"'”’*)\] ]{{0,4}}[:：=→]|{ABROAD})[^\w\n]{{0,8}}"
    r"(?P<stated>[a-z])(?=[\s).,:;!\"'”’*\]}]|$)(?!\.\w)"
    r"(?! (?!(?:because|as|since|due to|based on)(?!\w))\w)"
    r"|\A[^\w\n]*(?P<first>[a-z])(?:\)|\.(?= \D))(?=\W{0,4}\w))"
)
# Other small letters that may be labels, but for articles and what else a word follows.
_SMALL_OTHERS = re.compile(r"(?<![\w'’.&/-])[a-z](?![\w'’&/-])(?!\.\w)(?! \w)")


def plain(text: str) -> str:
    """A text whose labels are those of ASCII where they are plainly meant.

    "\\boxed{" is the statement that it is, and so is a crossed box before it. Digits of all
    scripts and full-width forms are those of ASCII, and a label has a blank before it in scripts
    without blanks. Letters that look alike are not touched, nor are other signs for numbers.
    """
    text = text.replace("\\boxed{", " the answer: ")
    text = _UNCROSSED.sub(" not ", _CROSSED.sub("; the answer: ", text))
    if not text.isascii():
        text = text.translate(_HALF_WIDTH)
        text = "".join(
            c if c.isascii() or not c.isdecimal() else str(unicodedata.decimal(c)) for c in text
        )
        text = _GLUED.sub(" ", _OR.sub(" or ", _COPULA.sub("", text)))
    return text


def with_capital(text: str) -> str:
    """A text with its answer as a capital letter, where it has one small letter as its answer."""
    found = list(_SMALL.finditer(text))
    letters = {match["stated"] or match["first"] for match in found}
    if len(letters) != 1 or not letters.issuperset(_SMALL_OTHERS.findall(text)):
        return text
    for match in found:
        at = match.start(match.lastgroup or 0)
        text = f"{text[:at]}{text[at].upper()}{text[at + 1 :]}"
    return text


def lines_of(text: str) -> list[str]:
    """The lines of a text that have a word.

    There is one blank between words, all markup is asterisks, and a header stands on the line of
    its answer, with a tab between them.
    """
    text = _HYPHEN.sub(" ", _MARKUP.sub("*", _SNAKE.sub(" ", text)))
    lines: list[str] = []
    header = ""
    for raw in re.split(r"[\r\n]+", text):
        line = " ".join(raw.split())
        if not WORD.search(line):
            continue
        is_header = bool(HEADER.search(line))
        if header and not is_header:
            lines[-1] = f"{header}:\t{line}"
        else:
            lines.append(line)
        header = line.rstrip(string.punctuation + " ") if is_header else ""
    return lines
