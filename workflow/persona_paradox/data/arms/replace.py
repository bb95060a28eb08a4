"""Words of the case replaced by others, all at once, so that two may change places."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import polars as pl

from ...errors import InputError
from ..changes import filled, with_cases

# How Python writes what a group of a pattern found.
_GROUP = re.compile(r"\\(\d+|g<\w+>)")

# Of the processor, for one case: a pattern may need longer than anyone waits.
SECONDS = 2.0


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Replace what each of `pairs` finds; see `changes`.

    Args:
        items: of the base's data set.
        arm: `pairs`, each of `find` (a text, whose places are filled from columns) or `pattern` (a
            regular expression), and `with`.

    Returns:
        The items; `change` says what was replaced by what.
    """
    for number, pair in enumerate(arm["pairs"]):
        if "pattern" in pair and (group := _GROUP.search(pair["with"])):
            raise InputError(
                f"key `pairs.{number}.with` holds {group[0]}, which would stand in the case as it "
                "is: groups of a pattern are not filled in; write the words themselves"
            )
    patterns = [_pattern(number, pair) for number, pair in enumerate(arm["pairs"])]

    def replaced(row: dict[str, Any]) -> tuple[str, str] | str:
        found = []
        for number, (pair, pattern) in enumerate(zip(arm["pairs"], patterns, strict=True)):
            key = f"pairs.{number}"
            text = filled(pair["find"], row, f"{key}.find") if "find" in pair else None
            by = filled(pair["with"], row, f"{key}.with")
            if by is not None and (text or pattern):
                found.append((re.compile(re.escape(text)) if text else pattern, by))
        with _limited(row["item_id"]):
            case, done = _at_once(row["case"], found)
        if not done:
            return "the case has nothing that key `pairs` finds"
        if not case.strip():
            return "nothing of the case would be left"
        return case, "; ".join(done)

    return with_cases(items, replaced)


def _at_once(case: str, found: list[tuple[re.Pattern[str] | None, str]]) -> tuple[str, list[str]]:
    """The case with the leftmost match of any pair replaced, and so on; what was replaced.

    A match of no characters is none: behind it the pattern is looked for on.
    """
    parts: list[str] = []
    done: list[str] = []
    at = 0
    while True:
        matches = [
            (match.start(), number, match, by)
            for number, (pattern, by) in enumerate(found)
            if pattern is not None
            and (match := next((one for one in pattern.finditer(case, at) if one[0]), None))
        ]
        if not matches:
            return "".join(parts) + case[at:], list(dict.fromkeys(done))
        start, _, match, by = min(matches, key=lambda one: one[:2])
        parts += [case[at:start], by]
        done.append(f"{match[0]} → {by}")
        at = match.end()


def _pattern(number: int, pair: Mapping[str, str]) -> re.Pattern[str] | None:
    if "pattern" not in pair:
        return None
    try:
        return re.compile(pair["pattern"])
    except re.error as error:
        raise InputError(
            f"key `pairs.{number}.pattern` is no regular expression ({error}); mend it"
        ) from error


@contextmanager
def _limited(item: str) -> Iterator[None]:
    """Give up on a pattern that takes too long."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise InputError(
            f"key `pairs` has a pattern that needs more than {SECONDS:g} s for item {item}; write "
            "it without a repetition inside a repetition, such as (a+)+"
        )

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
