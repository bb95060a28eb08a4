"""What the summary says of a coin."""

from __future__ import annotations

from collections.abc import Iterator

from ...words import Section, Settings, Tables, named, rows_of
from ..labelled import words as labelled


def _heads(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    for row in rows_of(tables, "sides", side="heads", variant="main"):
        yield f"- {named(settings, row['persona'])}: {row['n_answered']} times heads."


SECTIONS: tuple[Section, ...] = (
    *labelled.SECTIONS,
    ("How often is it heads?", ("sides",), _heads),
)
