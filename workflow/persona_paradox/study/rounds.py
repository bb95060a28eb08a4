"""The rounds of conversations that are followed, and what a judge is asked about these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..names import ACTION, ACTIONS, THOUGHTS
from .cells import Cell
from .study import Study


def rounds_of(study: Study, judge: str | None) -> list[Cell]:
    """The cells of rounds before the last: what a judge reads of them, or what is scored (None)."""
    return [
        Cell(model, one, persona)
        for by, model, task in study.followed
        if by == judge
        for one in study.long_chains[task]
        if one not in study.tasks
        for persona in study.personas
    ]


def with_rounds(
    judge: str, views: Iterable[tuple[str, Any]], study: Study
) -> Iterator[tuple[str, Any]]:
    """The views of a judge, with what a judge of thoughts reads, and the same about a round.

    About a round it is asked what the answer does, and no more.

    Args:
        judge: its id.
        views: `judges/{judge}`, what it is asked, `verdicts/{judge}`, how that is read, and others.
        study: that it judges for.
    """
    of_thoughts = study.judges[judge]["reads"] == THOUGHTS
    of_rounds = bool(rounds_of(study, judge))
    action = {ACTION: list(ACTIONS)}
    for name, view in views:
        asked = name == f"judges/{judge}"
        # Only where it is not as it always was, so that verdicts that were given stay.
        yield name, {**view, "reads": THOUGHTS} if asked and of_thoughts else view
        if asked and of_rounds:
            kept = {key: view[key] for key in ("instruction", "user", "pairs", "list")}
            question = {ACTION: view["questions"][ACTION]}
            yield f"judges_of_rounds/{judge}", {**kept, "questions": question}
        elif name == f"verdicts/{judge}" and of_rounds:
            yield f"verdicts_of_rounds/{judge}", {**view, "better": {}, "classes": action}


def thought_tasks(study: Study) -> list[str]:
    """Ids of the tasks whose thoughts a judge reads."""
    judges = [id_ for id_, judge in study.judges.items() if judge["reads"] == THOUGHTS]
    return list(dict.fromkeys(c.task for id_ in judges for c in study.judged_cells(id_)))
