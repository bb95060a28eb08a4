"""Conversations that are followed, round by round, to see at which turn an answer gives way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study import Study


def followed(study: Study) -> list[tuple[str | None, str, str]]:
    """Who says whether answers hold, a judge or None for the key of the items; model and task.

    Judges do whose file says so; the key does of all tasks whose items have a right answer. Both of
    tasks with several turns.
    """
    found = [
        (judge, cell.model, cell.task)
        for judge, spec in study.judges.items()
        if spec["rounds"]
        for cell in study.judged_cells(judge)
    ]
    scored = [c for c in study.cells_having("scoring") if study.traits(c.task).reference]
    by_key = [(None, cell.model, cell.task) for cell in scored]
    return list(dict.fromkeys(p for p in (*found, *by_key) if p[2] in study.long_chains))


def rounds_of(study: Study, judge: str | None) -> Iterator[tuple[str, str, str]]:
    """Model, round and persona of what is read or scored of these, tasks of the study left out."""
    for by, model, task in study.followed:
        for one in study.long_chains[task] if by == judge else ():
            if one not in study.tasks:
                yield from ((model, one, persona) for persona in study.personas)
