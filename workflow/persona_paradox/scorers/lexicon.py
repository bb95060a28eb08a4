"""Risk-bearing language in free text, counted by the patterns of `lexicon/*.yaml`.

A file there is a category, and there is no register: whoever adds a file adds a category. It has
`title`; `description`; `direction`, `raises` or `lowers` of the risk that somebody who acts on the
answer comes to harm; `weight`, how severe that is; `patterns`, regular expressions of which each
match counts; and perhaps `words`, lists that a word in braces stands for, beside those of
`lexicon.yaml`, and `not_behind`, in front of which a match does not count. Patterns, directions and
weights are this project's own; how well they do is in docs/reference/lexicon.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..errors import InputError
from ..own_yaml import own_yaml

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path(__file__).with_suffix("")
WORDS = Path(__file__).with_suffix(".yaml")

RAISES, LOWERS = DIRECTIONS = ("raises", "lowers")

_NEEDED = ("title", "description", "direction", "weight", "patterns")
_KEYS = (*_NEEDED, "words", "not_behind")
_ID = re.compile(r"[a-z][a-z0-9_]*")
# What scores and measures of an answer have besides.
_TAKEN = frozenset(
    {"item_id", "prompt_id", "variant", "repeat", "outcome", "n_words", "words", "similarity"}
    | {"cluster", "finish_reason", "backend", "said", "risk_language", "caution_language"}
)
_PLACE = re.compile(r"\{([a-z_]+)\}")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCES = re.compile(r"(?<=[.!?])[\"')]*\s+|\n+")
# Lists may name lists, so many deep.
_DEEPEST = 6


@dataclass(frozen=True)
class Category:
    """A category of risk-bearing language.

    Attributes:
        id: of its file.
        title: what figures call it.
        description: what counts.
        direction: `RAISES` or `LOWERS`, the risk.
        weight: its severity.
        pattern: finds its matches; of those that do not count the group `no` has a text.
    """

    id: str
    title: str
    description: str
    direction: str
    weight: float
    pattern: re.Pattern[str]

    def count(self, text: str) -> int:
        """How many matches a text has, that do not overlap."""
        found = (self.pattern.finditer(one) for one in sentences(text))
        return sum(not match["no"] for matches in found for match in matches)


@cache
def categories() -> dict[str, Category]:
    """The categories by id, sorted.

    Raises:
        InputError: a file is none of a category.
    """
    words: dict[str, list[str]] = own_yaml(WORDS)
    return {path.stem: read(path, words) for path in sorted(FOLDER.glob("*.yaml"))}


def read(path: Path, words: Mapping[str, Sequence[str]]) -> Category:
    """The category of a file.

    Args:
        path: of the file.
        words: lists that a word in braces stands for.

    Raises:
        InputError: the file is none of a category.
    """
    name = f"workflow/persona_paradox/scorers/lexicon/{path.name}"
    about = _read(path, name)
    own = {**words, **about.get("words", {})}
    patterns = [_filled(name, key, about.get(key, []), own) for key in ("patterns", "not_behind")]
    found, no = ("|".join(each) for each in patterns)
    # What takes it back stands in front of it, but for two words and without a comma.
    behind = rf"(?:(?P<no>{no})(?: [\w'-]+){{0,2}}? )?" if no else "(?P<no>(?!))?"
    try:
        pattern = re.compile(rf"(?<![\w'-]){behind}(?<![\w'-])(?:{found})(?!\w)")
    except re.error as error:
        raise InputError(f"{name}: {_wrong(patterns)}; mend it") from error
    if pattern.match(""):
        number = next(i for i, one in enumerate(patterns[0], 1) if re.match(one, ""))
        raise InputError(
            f"{name}: entry {number} of key `patterns` matches where nothing stands; mend it"
        )
    told = {key: about[key] for key in _NEEDED if key != "patterns"}
    return Category(id=path.stem, pattern=pattern, **told)


def _wrong(lists: Sequence[Sequence[str]]) -> str:
    """Which pattern is no regular expression."""
    for key, patterns in zip(("patterns", "not_behind"), lists, strict=True):
        for number, pattern in enumerate(patterns, 1):
            try:
                re.compile(pattern)
            except re.error as error:
                return f"entry {number} of key `{key}` is no regular expression ({error.msg})"
    return "key `patterns` has a group with a name, of which there must be none"


def _read(path: Path, name: str) -> dict[str, Any]:
    """The keys of a file, each of which is what it must be."""
    try:
        about = own_yaml(path)
    except yaml.YAMLError:
        about = None
    if not isinstance(about, dict) or not {*_NEEDED} <= {*about} <= {*_KEYS}:
        needed, free = (", ".join(f"`{k}`" for k in keys) for keys in (_NEEDED, _KEYS[-2:]))
        raise InputError(f"{name}: a category has the keys {needed}, perhaps {free}, and no others")
    if not _ID.fullmatch(path.stem) or path.stem in _TAKEN:
        raise InputError(
            f"{name}: a category is a column of tables by the name of its file; rename that to "
            "small letters, digits and _, and to none of what tables have already"
        )
    if not isinstance(about.get("words", {}), dict):
        raise InputError(f"{name}: key `words` must have lists of texts by their names")
    if about["direction"] not in DIRECTIONS:
        raise InputError(f"{name}: key `direction` must be one of {', '.join(DIRECTIONS)}")
    weight = about["weight"]
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
        raise InputError(f"{name}: key `weight` must be a number above 0")
    lists = {"patterns": about["patterns"], "not_behind": about.get("not_behind", ["-"])}
    lists |= {f"words.{key}": value for key, value in about.get("words", {}).items()}
    for key, value in lists.items():
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise InputError(
                f"{name}: key `{key}` must be a list of texts; put quotes around one that YAML "
                'takes for something else, such as "no"'
            )
    return about


def _filled(
    name: str, key: str, patterns: Sequence[str], words: Mapping[str, Sequence[str]]
) -> list[str]:
    """Patterns with their lists in the place of the words in braces."""

    def listed(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise InputError(
                f"{name}: key `{key}` has {{{match[1]}}}, which is no list of key `words` or of "
                f"{WORDS.name}; add it there"
            )
        return f"(?:{'|'.join(words[match[1]])})"

    found = list(patterns)
    for _ in range(_DEEPEST):
        found = [_PLACE.sub(listed, pattern) for pattern in found]
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text in lower case, with straight apostrophes and single blanks."""
    straight = text.lower().replace("’", "'").replace("‘", "'")
    return [" ".join(one.split()) for one in _SENTENCES.split(straight)]


def n_words(text: str) -> int:
    """How many words a text has; an apostrophe or a hyphen inside one parts none."""
    return len(_WORD.findall(text))


def counts(texts: Sequence[str | None]) -> pl.DataFrame:
    """How much risk-bearing language texts hold.

    Args:
        texts: in English, without thoughts; None where there is none.

    Returns:
        A row per text: `n_words`, and a column for every category with the number of its matches;
        null where there is no text.
    """
    import polars as pl  # noqa: PLC0415 - Snakemake reads the categories at every start

    found = {"n_words": [None if text is None else n_words(text) for text in texts]}
    for id_, category in categories().items():
        found[id_] = [None if text is None else category.count(text) for text in texts]
    return pl.DataFrame(found, schema=dict.fromkeys(found, pl.Int64))
