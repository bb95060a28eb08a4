"""Groups of items by what their subject is to a persona: in its field, next to it, or off it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..names import ALL, NOT_RECORDED, RELATION, RELATIONS, SUBJECT


def relation_of(relations: Mapping[str, str], group: str) -> str | None:
    """What the items of a subject are to a persona; None where nothing is said of them.

    Args:
        relations: of the persona: group, or `all` for those not named → relation.
        group: of the subgroup `subject`.
    """
    return None if group == NOT_RECORDED else relations.get(group, relations.get(ALL))


def relations_of(relations: Mapping[str, str], subjects: pl.Series) -> pl.Series:
    """The same for the subject of every item."""
    values = [relation_of(relations, one) for one in subjects]
    return pl.Series(RELATION, values, dtype=pl.Enum(RELATIONS))


def column(relations: Mapping[str, str], subgroup: str, group: str) -> str | None:
    """What the items of a group of a subgroup are to a persona, as tables say it."""
    if subgroup == RELATION:
        return group
    return relation_of(relations, group) if subgroup == SUBJECT else None
