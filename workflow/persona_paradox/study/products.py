"""What a study can make: the ids of its tables."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..kinds import base
from .cycles import CYCLE_TABLES
from .rubrics import rubric_cells
from .tuning import TUNING_TABLES

# What is measured of every model and task, besides the tables of a kind's own.
MEASURED_TABLES = (
    *("measures", "cells", "contrasts", "spread", "calibration", "reliability", "risk_coverage"),
    "subgroups",
)
# Tables of all cells that no model and task alone can make.
STUDY_TABLES = ("robustness",)
DECOMPOSED_TABLES = ("variance", "interaction")
# Of tasks whose arms say what they are about.
ARM_TABLES = ("arm_attributes",)
FACTOR_TABLES = ("factors",)
# Of studies that ask which persona to take, and when.
ROUTING_TABLES = ("policies",)
# Of tasks whose items several raters rated, and of studies that ask for sets of labels.
AMBIGUITY_TABLES = ("ambiguity",)
CONFORMAL_TABLES = ("conformal",)
# Of studies whose personas are named.
IDENTIFICATION_TABLES = ("identification", "identification_confusion", "identification_variance")
# Of studies that read the residual stream.
AXIS_TABLES = ("axis", "persona_space", "axis_effects")
# And that have personas who are a push or a cap.
STEERING_TABLES = ("steering",)
# Of tasks with several turns.
SURVIVAL_TABLES = ("survival", "turns_held")
JUDGED_TABLES = ("judgements", "judgement_contrasts", "rankings", "wins", "judges")
# Where a persona's wordings are judged beside each other.
WORDING_TABLES = ("judgement_variance",)
# Where a judge holds answers against the criteria of their items.
RUBRIC_TABLES = ("rubrics",)
CLINICIAN_TABLES = ("clinicians", "clinician_rankings", "agreement")

# What says whether the other tables can be trusted: it is never left out.
TRUST_TABLES = ("judges", "delivery", "thoughts")


def asked_tables(study: Any) -> list[str]:
    """Ids of the tables of what few studies have: factors, tuning, policies, raters who differ …"""
    return [
        *(FACTOR_TABLES if study.factor_tasks else ()),
        *(TUNING_TABLES if study.has("tuning") else ()),
        *(CYCLE_TABLES if study.has("cycles") else ()),
        *(ROUTING_TABLES if study.has("routing") else ()),
        *(AMBIGUITY_TABLES if study.has("distribution") else ()),
        *(AXIS_TABLES if study.has("readings") else ()),
        *(STEERING_TABLES if study.has("steering") else ()),
        *(CONFORMAL_TABLES if study.has("conformal") else ()),
    ]


def several_wordings(study: Any) -> bool:
    """Whether some persona of a study is run in more than one wording."""
    return any(len(study.texts(persona)) > 1 for persona in study.personas)


def judged_tables(study: Any) -> list[str]:
    """Ids of the tables that a study's judges leave."""
    judges = study.active_judges
    rubrics = any(rubric_cells(study, judge) for judge in judges)
    return [
        *(JUDGED_TABLES if judges else ()),
        *(WORDING_TABLES if judges and several_wordings(study) else ()),
        *(RUBRIC_TABLES if rubrics else ()),
    ]


def all_tables() -> list[str]:
    """Ids of the tables of any study, those of the kinds' own among them.

    Raises:
        InputError: a table of a kind has the id of one that every kind has.
    """
    found = [*MEASURED_TABLES, *STUDY_TABLES]
    others = [*DECOMPOSED_TABLES, *ARM_TABLES, *FACTOR_TABLES, *TUNING_TABLES, *ROUTING_TABLES]
    others += [*AMBIGUITY_TABLES, *CONFORMAL_TABLES, *AXIS_TABLES, *STEERING_TABLES, *CYCLE_TABLES]
    others += [*SURVIVAL_TABLES, *IDENTIFICATION_TABLES, *JUDGED_TABLES, *WORDING_TABLES]
    others += [*RUBRIC_TABLES, *CLINICIAN_TABLES, *TRUST_TABLES]
    of_others = {*found, *others}
    for kind in base.kinds():
        for id_ in base.tables(kind):
            if id_ in of_others:
                raise InputError(
                    f"workflow/persona_paradox/kinds/{kind}/tables/{id_}.py: every study has a "
                    f"table {id_} already; rename this one"
                )
            base.about(kind, id_)
            found.append(id_)
    return list(dict.fromkeys([*found, *others]))
