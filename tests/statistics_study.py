"""A study of triage with all that is computed and drawn: wordings, controls, clusters, groups."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import Project, small_study
from studies import shared

from persona_paradox.measures.recalibration import METHODS

PERSONAS = (
    "no_persona",
    "ed_nurse",
    "ed_physician",
    "bridge_engineer",
    "pastry_chef",
    "neutral_sentence",
)
CONTROLS = PERSONAS[3:]
FAMILY = ["accuracy", "smooth_ece_top_label"]
ITEMS = 20
# Markup of captions (reStructuredText) and of pages.
MARKED_UP = "*a* `b <javascript:c>`_ |d| <b>e</b> {{ f }} :raw:`g` h_ \\i"


def statistics_study(factory: pytest.TempPathFactory) -> Project:
    """The study, all of which has run; its title is `MARKED_UP`. Not to be changed."""

    def declare(dataset: dict) -> None:
        dataset["columns"]["cluster"] = "sex"

    def build(path: Path) -> None:
        project = small_study(
            path,
            title=MARKED_UP,
            personas=[*PERSONAS],
            variants="all",
            limit=ITEMS,
            limit_keeps=["esi_1"],
            recalibrations=[*METHODS],
            figures="all",
            statistics={"draws": 300, "family": {"metrics": FAMILY}, "too_few_below": 5},
        )
        project.edit("config/datasets/teaching_primary.yaml", declare)
        project.run("--cores", "1")

    return shared(factory, "statistics", build)
