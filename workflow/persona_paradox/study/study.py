"""The study: its settings, and the files of every id it names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from ..figures.catalogue import figures
from ..files import sources_of
from ..names import ALL, HUMAN, RATIONALE, SAFETY, TRIAGE
from .products import (
    CELL_TABLES,
    CLINICIAN_TABLES,
    DECOMPOSED_TABLES,
    JUDGED_TABLES,
    TRUST_TABLES,
)


@dataclass(frozen=True)
class Cell:
    """One model (or `human`) under one persona (or rater) in one task."""

    model: str
    task: str
    persona: str

    @property
    def path(self) -> str:
        """Path of the cell's files below the folder of a stage, without suffix."""
        return f"{self.model}/{self.task}/{self.persona}"


@dataclass(frozen=True)
class Study:
    """A checked study: settings and the files of every id it names.

    Ids with `@` are derived from what other files declare; see `conditions`.
    """

    settings: dict[str, Any]
    models: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    personas: dict[str, dict[str, Any]]
    datasets: dict[str, dict[str, Any]]
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)
    judge_models: dict[str, dict[str, Any]] = field(default_factory=dict)
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    persona_sets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of models, in the order of the study."""
        return [Cell(m, t, p) for t in self.tasks for m in self.models for p in self.personas]

    def tasks_of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The tasks of a kind, `TRIAGE` or `SAFETY`."""
        return {id_: task for id_, task in self.tasks.items() if task["kind"] == kind}

    def cells_of(self, kind: str) -> list[Cell]:
        """The cells of models in the tasks of a kind."""
        return [cell for cell in self.cells if self.tasks[cell.task]["kind"] == kind]

    @cached_property
    def rationale_tasks(self) -> list[str]:
        """Ids of the tasks in which the model reasons before it answers."""
        return [id_ for id_, task in self.tasks_of(TRIAGE).items() if task["rationale"] is not None]

    def judged_cells(self, judge: str) -> list[Cell]:
        """The cells whose answers a judge reads; its own family's only where it is asked to."""
        spec = self.judges[judge]
        tasks = self.rationale_tasks if spec["kind"] == RATIONALE else self.tasks_of(SAFETY)
        family = self.all_models[spec["model"]]["family"]
        return [
            cell
            for cell in self.cells
            if cell.task in tasks
            and (spec["own_family"] or self.models[cell.model]["family"] != family)
        ]

    @cached_property
    def active_judges(self) -> list[str]:
        """Ids of the judges that have something to judge."""
        return [id_ for id_ in self.judges if self.judged_cells(id_)]

    @cached_property
    def ranked(self) -> list[str]:
        """Ids of the personas whose answers are compared with each other, sorted."""
        return self.personas_of(self.settings["rankings"]["groups"])

    @cached_property
    def ranked_pairs(self) -> list[tuple[str, str]]:
        """Every two personas whose answers are compared in pairs, each pair sorted."""
        pairs = list(combinations(self.ranked, 2))
        if self.settings["rankings"]["pairs"] == "all":
            return pairs
        return [pair for pair in pairs if self.settings["baseline"] in pair]

    def personas_of(self, groups: list[str]) -> list[str]:
        """Ids of the personas of some groups, and of the baseline, sorted."""
        baseline = self.settings["baseline"]
        return sorted(
            id_
            for id_, persona in self.personas.items()
            if id_ == baseline or persona["group"] in groups
        )

    @property
    def form_tasks(self) -> dict[str, list[str]]:
        """Form → ids of the tasks whose answers clinicians may see on it."""
        return forms_of(self.tasks)

    @property
    def shown_cells(self) -> list[Cell]:
        """The cells whose answers clinicians may see."""
        personas = self.personas_of(self.settings["clinicians"]["groups"])
        tasks = {task for ids in self.form_tasks.values() for task in ids}
        return [c for c in self.cells if c.task in tasks and c.persona in personas]

    @cached_property
    def all_models(self) -> dict[str, dict[str, Any]]:
        """The models that answer and those that judge."""
        return self.models | self.judge_models

    @cached_property
    def possible_tables(self) -> list[str]:
        """Ids of the tables that the study has the answers for."""
        return [
            *((*CELL_TABLES, *DECOMPOSED_TABLES) if self.tasks_of(TRIAGE) else ()),
            *(JUDGED_TABLES if self.active_judges else ()),
            *(CLINICIAN_TABLES if self.forms else ()),
            "delivery",
            *(("thoughts",) if self.thinking_models else ()),
        ]

    @cached_property
    def tables(self) -> list[str]:
        """Ids of the tables that are asked for, and of those that say whether to trust them."""
        wanted = self.settings["tables"]
        return [
            id_
            for id_ in self.possible_tables
            if wanted == ALL or id_ in wanted or id_ in TRUST_TABLES
        ]

    @cached_property
    def possible_figures(self) -> list[str]:
        """Ids of the figures that the study has tables for."""
        judged = bool(self.active_judges or self.forms)
        return [
            id_
            for id_, figure in figures().items()
            if (judged if figure.kind is None else self.tasks_of(figure.kind))
        ]

    @property
    def human_cells(self) -> list[Cell]:
        """The cells of human raters: one for each rater of each task's data set."""
        return [
            Cell(HUMAN, task, rater["id"])
            for task, spec in self.tasks_of(TRIAGE).items()
            for rater in self.datasets[spec["dataset"]]["columns"]["human"]
        ]

    @cached_property
    def verbalized_tasks(self) -> list[str]:
        """Ids of the tasks that ask how sure the model is."""
        triage = self.tasks_of(TRIAGE)
        return [id_ for id_, task in triage.items() if task["verbalized"] is not None]

    @cached_property
    def servers(self) -> list[str]:
        """Ids of the models that a server runs."""
        models = self.all_models
        return [id_ for id_, model in models.items() if model["source"]["kind"] == "server"]

    @cached_property
    def thinking_models(self) -> list[str]:
        """Ids of the models that think before they answer; as a judge none does."""
        return [id_ for id_, model in self.models.items() if model["thinking"]["think"]]

    @cached_property
    def local_models(self) -> list[str]:
        """Ids of the models that run on this machine."""
        return [id_ for id_ in self.all_models if id_ not in self.servers]

    @property
    def data_dir(self) -> str | None:
        """Folder that `{data_dir}` stands for; the study's own key wins over the environment."""
        value: str | None = self.settings["data_dir"] or os.environ.get("PERSONA_DATA_DIR")
        return value

    def texts(self, persona: str) -> dict[str, str]:
        """The wordings of a persona that the study runs: variant → sentence."""
        texts: dict[str, str] = self.personas[persona]["texts"]
        return texts if self.settings["variants"] == "all" else {"main": texts["main"]}


def forms_of(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Form → ids of the tasks that it asks about; none where there are no such tasks."""
    found: dict[str, list[str]] = {}
    for id_, task in tasks.items():
        if task["kind"] == SAFETY:
            found.setdefault(SAFETY, []).append(id_)
        elif task["rationale"] is not None:
            found.setdefault(RATIONALE, []).append(id_)
    return found


def levels_of(study: Study, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The levels of a triage task's data set, the most urgent first."""
    levels: list[dict[str, Any]] = study.datasets[task["dataset"]]["levels"]
    return levels


def sources_of_study(study: Study) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every source of a study: `datasets` or `models`, the id, and the source."""
    for kind, specs in (("datasets", study.datasets), ("models", study.all_models)):
        for id_, spec in specs.items():
            for source in sources_of(spec):
                yield kind, id_, source
