"""Core words of the case in a cipher, every letter moved on in the alphabet (Caesar's)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import polars as pl

from ...errors import InputError
from ..changes import framed, with_cases
from ..orders import shuffled

# A word of letters from A to Z, with apostrophes inside; not a part of a longer one.
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]+(?:['’][A-Za-z]+)*(?![^\W_])")

# Letters that a core word has at least.
LETTERS = 5

# Words of so many letters that carry the grammar of a sentence rather than its content.
_WORDS = """
about above across after again against almost along already although always among another
anybody anyone anything anyway anywhere aren't around because become before behind being below
beneath beside besides between beyond could couldn't didn't doesn't during either enough every
everybody everyone everything everywhere except hadn't hasn't haven't hence herself himself
however indeed inside instead itself might mightn't mustn't myself neither never nobody nothing
nowhere often other others otherwise ought ourselves outside perhaps quite rather really shall
shan't she'll should shouldn't since somebody someone something sometimes somewhere still that's
their theirs themselves there there's therefore these they'd they'll they're they've thing
things those though through throughout together toward towards under unless until wasn't weren't
what's whatever when's whenever where where's wherever whether which while whoever whole whose
within without would wouldn't you'll you're you've yours yourself yourselves
"""
FUNCTION_WORDS = frozenset(_WORDS.split())


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Encipher core words of every case; see `changes`.

    A core word has `LETTERS` letters or more and is none of `FUNCTION_WORDS`. Without a tagger this
    is what is nearest to nouns, verbs and adjectives. Words are taken in an order that is drawn for
    the item, each at every place where it stands, until they are a `share` of all places of core
    words. Capitals stay capitals; whatever is no letter from A to Z stays.

    Args:
        items: of the base's data set, whose cases are texts.
        arm: `share`, above 0 and at most 1; `shift`, by how many places of the alphabet a letter
            moves on; `text`, with the place `{case}` of the enciphered case; `seed`.

    Returns:
        The items; `change` lists the words that are enciphered, in the order of the case.

    Raises:
        InputError: the cases are made of fields, whose names would be enciphered as well.
    """
    if "fields" in arm["case"]:
        raise InputError(
            "key `rule` is 'cipher', but the data set makes its cases of fields, whose names would "
            "be enciphered; use it with a data set that has key `columns.case.column`"
        )

    def enciphered(row: dict[str, Any]) -> tuple[str, str] | str:
        case = row["case"]
        core = [word for match in _WORD.finditer(case) if _is_core(word := match[0])]
        if not core:
            return f"the case has no core word of {LETTERS} letters or more"
        taken = _taken([word.lower() for word in core], row["item_id"], arm)
        case = _WORD.sub(
            lambda match: moved(match[0], arm["shift"]) if match[0].lower() in taken else match[0],
            case,
        )
        said = dict.fromkeys(word for word in core if word.lower() in taken)
        whole = framed(arm["text"], row, case, "text")
        return "a column of key `text` is empty" if whole is None else (whole, ", ".join(said))

    return with_cases(items, enciphered)


def moved(word: str, shift: int) -> str:
    """A word with every letter from A to Z moved on; behind Z comes A again."""
    table = {
        ord(letter): alphabet[(place + shift) % len(alphabet)]
        for alphabet in (ascii_lowercase, ascii_uppercase)
        for place, letter in enumerate(alphabet)
    }
    return word.translate(table)


def _is_core(word: str) -> bool:
    plain = word.replace("’", "'").lower()
    return sum(map(str.isalpha, plain)) >= LETTERS and plain not in FUNCTION_WORDS


def _taken(core: list[str], item_id: str, arm: Mapping[str, Any]) -> set[str]:
    """The core words that are enciphered; `core` has each as often as it stands in the case."""
    words = list(dict.fromkeys(core))
    taken: set[str] = set()
    places = 0
    for number in shuffled(item_id, len(words), arm["seed"]):
        if places >= arm["share"] * len(core):
            break
        taken.add(words[number])
        places += core.count(words[number])
    return taken
