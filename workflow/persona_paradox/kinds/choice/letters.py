"""The letters by which options are called: the first option in the file is A."""

from __future__ import annotations

from collections.abc import Iterable

LETTERS = "ABCDEFGHIJ"

# Options that an item may have.
FEWEST, MOST = 2, len(LETTERS)


def written(places: Iterable[int]) -> str:
    """Options, by their places in the file, as letters: 0 and 2 are AC."""
    return "".join(LETTERS[place] for place in sorted(set(places)))


def places(letters: str) -> list[int]:
    """The places of options that are written as letters."""
    return [LETTERS.index(letter) for letter in letters]
