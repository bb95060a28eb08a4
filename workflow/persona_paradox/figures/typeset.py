"""Lines of text: how wide and high they are, and where they are broken."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

POINT_MM = 25.4 / 72
LEADING = 1.25  # from baseline to baseline, in type sizes
_CHARACTER = 0.55  # about the mean width of a character, in type sizes


@cache
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Width of a line of text."""
    if not text.strip():
        return 0.0
    outline = TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight))
    return float(np.max(outline.vertices[:, 0])) * POINT_MM


def wrap(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Break a text into lines of at most this width, a longer word between its characters."""

    def fits(words: Sequence[str]) -> bool:
        return width_of(" ".join(words), size, weight) <= width

    lines = []
    words = [part for word in text.split() for part in _parts(word, width, size, weight)]
    usual = _usual(width, size)
    while words:
        n = max(1, " ".join(words)[:usual].count(" "))
        while n < len(words) and fits(words[: n + 1]):
            n += 1
        while n > 1 and not fits(words[:n]):
            n -= 1
        lines.append(" ".join(words[:n]))
        words = words[n:]
    return "\n".join(lines)


def _usual(width: float, size: float) -> int:
    """About how many characters fit a line: it takes long to measure one, so begin with a guess."""
    return max(1, int(width / (_CHARACTER * size * POINT_MM)))


def _parts(word: str, width: float, size: float, weight: str) -> Iterator[str]:
    """A word, or its parts that fit a line: Chinese, Japanese and Thai have no blanks."""
    while (n := _fitting(word, width, size, weight)) < len(word):
        while n > 1 and _joined(word[n]):
            n -= 1
        yield word[:n]
        word = word[n:]
    yield word


def _fitting(word: str, width: float, size: float, weight: str) -> int:
    """How many of a word's characters fit a line, at least one."""

    def wide(n: int) -> float:
        return width_of(word[:n], size, weight)

    # A part is as wide as every shorter one, at least.
    most = _usual(width, size)
    while most < len(word) and wide(most) <= width:
        most *= 2
    most = min(most, len(word))
    if wide(most) <= width:
        return most
    return max(1, bisect_right(range(most), width, lo=1, key=wide) - 1)


def _joined(character: str) -> bool:
    """Whether a character belongs to the one in front of it, such as an accent."""
    return unicodedata.category(character)[0] == "M" or character in "\u200d\ufe0f"


def height_of(text: str, size: float) -> float:
    """Height of a text of one or more lines."""
    return (text.count("\n") + 1) * LEADING * size * POINT_MM
