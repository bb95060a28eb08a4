"""Rules of arms: modules of `data/arms`, each with the keys of its arms in a schema beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..own_yaml import own_yaml
from ..schema import check_schema

RULES = Path(__file__).parents[1] / "data/arms"


def rules() -> list[str]:
    """Names of all rules, sorted."""
    return sorted(path.stem for path in RULES.glob("[!_]*.py"))


def check_rule(arm: dict[str, Any], where: str) -> None:
    """Check the keys of an arm by the schema of its rule, and write defaults into it.

    Args:
        arm: its keys.
        where: the file and the arm, in errors.

    Raises:
        InputError: the rule is unknown, or a key is not as it must be.
    """
    if arm["rule"] not in rules():
        raise InputError(
            f"{where} has the rule {arm['rule']!r}, which is none; use one of "
            f"{', '.join(rules())}, or add a module to workflow/persona_paradox/data/arms"
        )
    if not (RULES / f"{arm['rule']}.schema.yaml").is_file():
        raise InputError(
            f"workflow/persona_paradox/data/arms/{arm['rule']}.py: nothing says what keys an "
            f"arm of this rule has; write {arm['rule']}.schema.yaml beside it"
        )
    check_schema(arm, f"arms/{arm['rule']}", where)


def names_answers(arm: Mapping[str, Any]) -> bool:
    """Whether the rule of an arm must know what a task calls its answers.

    It must where its schema has the key `x-answers`, and the arm the key `names`.
    """
    return "names" in arm and _may_name(arm["rule"])


@cache
def _may_name(rule: str) -> bool:
    schema = own_yaml(RULES / f"{rule}.schema.yaml")
    return bool(schema.get("x-answers", False))
