"""What few studies have: figures that are only drawn with it name it in `only_with`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cycles import families
from .products import RUBRIC_TABLES
from .raters import rated_tasks
from .tuning import tuned_tasks
from .turns import read_in_turns

# Name → whether a study has it.
FEATURES: dict[str, Callable[[Any], bool]] = {
    # Of tasks that have scores and stand beside them.
    "arms": lambda study: bool(study.paired_tasks),
    # Those of `compared_arms` whose labels have an order.
    "arms_of_levels": lambda study: any(study.traits(id_).ordered for id_ in study.compared_arms),
    "conversations": lambda study: bool(study.followed),
    "relations": lambda study: any(study.relations(task) for task in study.tasks),
    "factors": lambda study: bool(study.factor_tasks),
    "tuning": lambda study: bool(tuned_tasks(study)),
    "cycles": lambda study: bool(families(study)),
    "routing": lambda study: study.settings["routing"] is not None,
    "conformal": lambda study: study.settings["conformal"] is not None,
    "distribution": lambda study: bool(rated_tasks(study)),
    "readings": lambda study: study.settings["readings"] is not None,
    "drift": lambda study: bool(read_in_turns(study)),
    "steering": lambda study: any("steering" in one for one in study.personas.values()),
    "identification": lambda study: bool(study.identified_tasks or study.naming_judges),
    "rubrics": lambda study: {*RUBRIC_TABLES} <= {*study.possible_tables},
}
