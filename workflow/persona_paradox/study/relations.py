"""What a persona's field is to the subject of an item: in it, next to it, or off it.

A persona says it of the groups of the subgroup `subject`, which a data set may declare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..names import ALL, RELATION, SUBJECT
from .conditions import file_of, listed


def related(
    personas: Mapping[str, Mapping[str, Any]], dataset: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Persona → its relations, of the personas that have some; none without subjects."""
    if not any(group["id"] == SUBJECT for group in dataset.get("subgroups", [])):
        return {}
    return {id_: one["relations"] for id_, one in personas.items() if "relations" in one}


def check_relations(
    personas: Mapping[str, Mapping[str, Any]],
    datasets: Mapping[str, Mapping[str, Any]],
    files: Iterable[Path],
    read: Callable[[Path, str], dict[str, Any]],
) -> None:
    """Check that relations name groups of items that there are.

    A persona stands in many studies: what it names need not be of a data set of this one.

    Args:
        personas: of the study.
        datasets: of the study.
        files: of all data sets.
        read: reads such a file, whose name in errors is the second argument.

    Raises:
        InputError: a relation names no group of any data set, or a data set has a subgroup of the
            id that tables give to relations.
    """
    having = {id_: one["relations"] for id_, one in personas.items() if "relations" in one}
    if not having:
        return
    for id_, dataset in datasets.items():
        if any(group["id"] == RELATION for group in dataset.get("subgroups", [])):
            raise InputError(
                f"{file_of('datasets', id_)}: key `subgroups` has the id {RELATION!r}, which is "
                "what tables call the relation of a persona to an item; rename it"
            )
    known = {ALL}
    for path in files:
        content = read(path, f"config/datasets/{path.name}")
        for group in content.get("subgroups", []):
            if group["id"] == SUBJECT:
                known |= set(group.get("values", {}).values())
    for id_, relations in having.items():
        for group in relations:
            if group not in known:
                raise InputError(
                    f"{file_of('personas', id_)}: key `relations` of {id_} names {group!r}, which "
                    f"no data set lists in `values` of its subgroup {SUBJECT!r}; use "
                    f"{listed(sorted(known))}"
                )
