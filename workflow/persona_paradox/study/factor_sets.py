"""The sets of personas of a study whose factors can be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from .conditions import MARK, split


def factor_sets(
    personas: Mapping[str, Mapping[str, Any]], sets: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What is asked of the factors of a study's persona sets.

    A set with one factor alone is told of by the contrasts of its personas with the baseline: it
    is here only where it has an order of levels (key `trends`).

    Args:
        personas: id → persona, as `conditions.personas_of` gives them.
        sets: id → content of its file.

    Returns:
        Set → its `title`; `personas`, id → the level of every factor, in the order of `factors`:
        `id`, and of its `levels` that are asked `id` and `title`; `trends`: `id`, `title`,
        `factor`, and `levels`, the least first.
    """
    found = {}
    for set_, content in sets.items():
        here = {
            id_: {factor: level["level"] for factor, level in persona["factors"].items()}
            for id_, persona in personas.items()
            if MARK in id_ and split(id_)[0] == set_
        }
        factors = [_factor(factor, levels, here) for factor, levels in content["factors"].items()]
        asked = {factor["id"]: {level["id"] for level in factor["levels"]} for factor in factors}
        trends = [
            {"id": id_, "title": id_.replace("_", " "), **trend}
            for id_, trend in content["trends"].items()
            if len(asked[trend["factor"]].intersection(trend["levels"])) > 1
        ]
        varied = [factor for factor in factors if len(factor["levels"]) > 1]
        if len(varied) > 1 or (varied and trends):
            found[set_] = {
                "title": content["title"],
                "personas": here,
                "factors": factors,
                "trends": trends,
            }
    return found


def _factor(
    factor: str, levels: Mapping[str, Any], personas: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """A factor with its levels that are asked."""
    asked = {levels_[factor] for levels_ in personas.values()}
    titled = [
        {
            "id": id_,
            "title": id_.replace("_", " ")
            if isinstance(about, str)
            else about.get("title", id_.replace("_", " ")),
        }
        for id_, about in levels.items()
        if id_ in asked
    ]
    return {"id": factor, "levels": titled}


def check_trends(name: str, content: Mapping[str, Any]) -> None:
    """Check that the orders of a set name its factors and their levels; `name` is its file.

    Raises:
        InputError: one does not.
    """
    for id_, trend in content["trends"].items():
        factors = content["factors"]
        if trend["factor"] not in factors:
            raise InputError(
                f"{name}: key `trends.{id_}.factor` is {trend['factor']!r}, which key `factors` "
                f"does not have; use one of {', '.join(factors)}"
            )
        for level in trend["levels"]:
            if level not in factors[trend["factor"]]:
                raise InputError(
                    f"{name}: key `trends.{id_}.levels` names {level!r}, which is no level of "
                    f"{trend['factor']}; use some of {', '.join(factors[trend['factor']])}"
                )
