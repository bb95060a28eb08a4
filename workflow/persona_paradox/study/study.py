"""The study: its settings, and the files of every id it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any, cast

from ..figures.catalogue import figures
from ..kinds import base
from ..names import ALL, READ, REASONING, THOUGHTS
from ..specs import (
    AdapterSpec,
    DatasetSpec,
    FormSpec,
    JudgeSpec,
    ModelSpec,
    PersonaSpec,
    Settings,
    TaskSpec,
)
from .cells import Cell
from .conditions import MARK, base_of, plain
from .factor_sets import factor_sets
from .features import FEATURES
from .products import (
    ARM_TABLES,
    CLINICIAN_TABLES,
    DECOMPOSED_TABLES,
    IDENTIFICATION_TABLES,
    MEASURED_TABLES,
    STUDY_TABLES,
    SURVIVAL_TABLES,
    TRUST_TABLES,
    asked_tables,
    judged_tables,
)
from .raters import raters
from .relations import related
from .rubrics import asks_criteria_alone, criteria_tasks
from .training import Training, run_from
from .turns import chains, rounds


@dataclass(frozen=True)
class Study:
    """A checked study: settings and the files of every id it names.

    Ids with `@` are derived from what other files declare; see `conditions`.

    Attributes:
        forms: what clinicians read, `answers` or `reasoning` → the form they fill in.
        titles: `contexts`, `groups` (of personas) and `families` (of models) → id → title.
        training: what adapters are trained on, which is neither measured nor shown.
    """

    settings: Settings
    models: dict[str, ModelSpec]
    tasks: dict[str, TaskSpec]
    personas: dict[str, PersonaSpec]
    datasets: dict[str, DatasetSpec]
    judges: dict[str, JudgeSpec] = field(default_factory=dict)
    judge_models: dict[str, ModelSpec] = field(default_factory=dict)
    forms: dict[str, FormSpec] = field(default_factory=dict)
    persona_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    titles: dict[str, dict[str, str]] = field(default_factory=dict)
    base_models: dict[str, ModelSpec] = field(default_factory=dict)
    adapters: dict[str, AdapterSpec] = field(default_factory=dict)
    base_tasks: dict[str, TaskSpec] = field(default_factory=dict)
    arm_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: Training = field(default_factory=Training)

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of models, in the order of the study."""
        return [Cell(m, t, p) for t in self.tasks for m in self.models for p in self.personas]

    @cached_property
    def asked_tasks(self) -> dict[str, TaskSpec]:
        """The tasks, and the rounds before the last one of those with turns; see `turns`."""
        return cast(dict[str, TaskSpec], {**self.tasks, **rounds(self.tasks)})

    @cached_property
    def known_tasks(self) -> dict[str, TaskSpec]:
        """The tasks that are asked, and those that adapters are trained on."""
        return {**self.asked_tasks, **self.training.tasks}

    @cached_property
    def known_models(self) -> dict[str, ModelSpec]:
        """The models that answer and judge, also those whose answers adapters are trained on."""
        return self.training.models | self.all_models

    @cached_property
    def before(self) -> dict[str, str]:
        """Every round behind an answer → the one whose answers it goes on behind."""
        return {
            later: one for chain in chains(self.tasks).values() for one, later in pairwise(chain)
        }

    @cached_property
    def asked_cells(self) -> list[Cell]:
        """The cells of all rounds, the later ones behind the earlier."""
        by_turns = sorted(
            self.asked_tasks, key=lambda id_: len(self.asked_tasks[id_].get("turns", []))
        )
        return [Cell(m, t, p) for t in by_turns for m in self.models for p in self.personas]

    def prompts_of(self, model: str, task: str) -> str:
        """Folder of the chats that a task is asked by: of a turn, behind the model's answers."""
        return f"results/turns/{model}/{task}" if task in self.before else f"results/prompts/{task}"

    def kind(self, task: str) -> str:
        """The kind of a task, a folder of `kinds`."""
        kind: str = self.known_tasks[task]["kind"]
        return kind

    def traits(self, task: str) -> base.Traits:
        """What a task's kind is like."""
        return base.traits(self.kind(task))

    def spec(self, task: str) -> base.Spec:
        """What `spec.py` of a task's kind says."""
        return base.spec(self.kind(task))

    def strata(self, task: str) -> Mapping[str, str]:
        """Id → title of the strata of a task's data set."""
        return self.spec(task).strata(self.dataset_of(task))

    def kind_of(self, dataset: str) -> str:
        """The kind of the tasks that name a data set; all are of one, see `load_study`."""
        kinds = {base_of(task["dataset"]): task["kind"] for task in self.known_tasks.values()}
        kind: str = kinds[base_of(dataset)]
        return kind

    def dataset_of(self, task: str) -> DatasetSpec:
        """The data set of a task."""
        return (self.datasets | self.training.datasets)[self.known_tasks[task]["dataset"]]

    def tasks_with(self, trait: base.Trait) -> dict[str, TaskSpec]:
        """The tasks whose kind has a trait, such as `free_text`."""
        return {t: task for t, task in self.tasks.items() if getattr(self.traits(t), trait)}

    def tasks_having(self, module: str) -> dict[str, TaskSpec]:
        """The tasks whose kind has a module, such as `scoring`."""
        return {t: task for t, task in self.tasks.items() if base.has(task["kind"], module)}

    def cells_with(self, trait: base.Trait) -> list[Cell]:
        """The cells of models in the tasks whose kind has a trait."""
        tasks = self.tasks_with(trait)
        return [cell for cell in self.cells if cell.task in tasks]

    def cells_having(self, module: str) -> list[Cell]:
        """The cells of models in the tasks whose kind has a module."""
        tasks = self.tasks_having(module)
        return [cell for cell in self.cells if cell.task in tasks]

    @cached_property
    def calibrated_tasks(self) -> list[str]:
        """Ids of the tasks whose scores have the probabilities of labels, and so a calibration."""
        scored = self.tasks_having("scoring")
        return [task for task in self.tasks_with("labels") if task in scored]

    @cached_property
    def kinds(self) -> list[str]:
        """The kinds of the study's tasks, sorted."""
        return sorted({task["kind"] for task in self.tasks.values()})

    @cached_property
    def rationale_tasks(self) -> list[str]:
        """Ids of the tasks in which the model reasons before it answers."""
        return [id_ for id_ in self.tasks if self.reasons(id_)]

    def reasons(self, task: str) -> bool:
        """Whether the model reasons before it answers."""
        return self.known_tasks[task].get("rationale") is not None

    def read_tasks(self, reads: str) -> list[str]:
        """Ids of the tasks of which `ANSWERS`, `REASONING` before them or `THOUGHTS` are read."""
        if reads == REASONING:
            return self.rationale_tasks
        if reads == THOUGHTS:
            return list(self.tasks) if self.thinking_models else []
        return list(self.tasks_with("free_text"))

    def judged_cells(self, judge: str, *, kin: bool = False) -> list[Cell]:
        """The cells whose answers a judge reads; its family only if asked to, or `kin`."""
        spec = self.judges[judge]
        tasks = self.read_tasks(spec["reads"])
        if asks_criteria_alone(spec):
            tasks = criteria_tasks(self, tasks)
        family = self.all_models[spec["model"]]["family"]
        return [
            cell
            for cell in self.cells
            if cell.task in tasks
            and (spec["reads"] != THOUGHTS or cell.model in self.thinking_models)
            and (kin or spec["own_family"] or self.models[cell.model]["family"] != family)
        ]

    @cached_property
    def long_chains(self) -> dict[str, list[str]]:
        """Tasks with several turns → their rounds, the task itself the last; see `turns`."""
        return {id_: chain for id_, chain in chains(self.tasks).items() if len(chain) > 2}

    @cached_property
    def followed(self) -> list[tuple[str | None, str, str]]:
        """Judge (None: the key), model and task of conversations that are followed; see `rounds`.

        Judges follow them whose file says so, and the key does where items have a right answer.
        """
        judges = [judge for judge, spec in self.judges.items() if spec["rounds"]]
        found = [(judge, c.model, c.task) for judge in judges for c in self.judged_cells(judge)]
        scored = [c for c in self.cells_having("scoring") if self.traits(c.task).reference]
        places = [*found, *((None, c.model, c.task) for c in scored)]
        return list(dict.fromkeys(place for place in places if place[2] in self.long_chains))

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
        """What clinicians read, and so which form they fill in → ids of the tasks."""
        found = {reads: self.read_tasks(reads) for reads in READ}
        return {reads: tasks for reads, tasks in found.items() if tasks}

    @property
    def shown_cells(self) -> list[Cell]:
        """The cells whose answers clinicians may see."""
        personas = self.personas_of(self.settings["clinicians"]["groups"])
        # Nobody rates the answers to changed cases.
        tasks = {task for ids in self.form_tasks.values() for task in plain(ids)}
        return [c for c in self.cells if c.task in tasks and c.persona in personas]

    def ids_of(self, kind: str) -> list[str]:
        """The `contexts`, `groups` or `families` of a study, in which order it comes upon them."""
        found = {
            "contexts": (self.dataset_of(task)["context"] for task in self.tasks),
            "groups": (persona["group"] for persona in self.personas.values()),
            "families": (model["family"] for model in self.all_models.values()),
        }
        return list(dict.fromkeys(found[kind]))

    @cached_property
    def all_models(self) -> dict[str, ModelSpec]:
        """The models that answer and those that judge."""
        return self.models | self.judge_models

    @cached_property
    def measured_kinds(self) -> list[str]:
        """The kinds of the study's tasks that have measures, sorted."""
        return [kind for kind in self.kinds if base.has(kind, "measures")]

    @property
    def measured_cells(self) -> list[Cell]:
        """The cells of models and of raters that are measured."""
        tasks = self.tasks_having("measures")
        return [cell for cell in (*self.cells, *self.rater_cells) if cell.task in tasks]

    @cached_property
    def cell_tables(self) -> list[str]:
        """Ids of the tables of cells: those of every kind, and of the study's kinds."""
        own = dict.fromkeys(id_ for kind in self.measured_kinds for id_ in base.tables(kind))
        return [*MEASURED_TABLES, *STUDY_TABLES, *own] if self.measured_kinds else []

    @cached_property
    def possible_tables(self) -> list[str]:
        """Ids of the tables that the study has the answers for."""
        measured = self.cells_having("measures")
        return [
            *self.cell_tables,
            *(DECOMPOSED_TABLES if any(self.traits(c.task).reference for c in measured) else ()),
            *(ARM_TABLES if self.compared_arms else ()),
            *asked_tables(self),
            *(SURVIVAL_TABLES if self.followed else ()),
            *judged_tables(self),
            *(IDENTIFICATION_TABLES if self.has("identification") else ()),
            *(CLINICIAN_TABLES if self.forms else ()),
            "delivery",
            *(("thoughts",) if self.thinking_models else ()),
        ]

    @cached_property
    def factor_sets(self) -> dict[str, dict[str, Any]]:
        """What is asked of the factors of the study's persona sets."""
        return factor_sets(self.personas, self.persona_sets)

    @cached_property
    def factor_tasks(self) -> list[str]:
        """Ids of the tasks in which factors are told apart; an arm's items are its base's."""
        tasks = plain(self.tasks_having("measures")) if self.factor_sets else []
        return [task for task in tasks if self.traits(task).reference]

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
            if (
                judged or figure.only_with if figure.kind is None else self.tasks_shown(figure.kind)
            )
            and (figure.only_with is None or self.has(figure.only_with))
        ]

    def relations(self, task: str) -> dict[str, dict[str, str]]:
        """Persona → what the subjects of a task's items are to it, where it says so."""
        return related(self.personas, self.dataset_of(task))

    def has(self, what: str) -> bool:
        """Whether the study has what a figure is only drawn with, one of `FEATURES`.

        Raises:
            ValueError: a figure asks for something else.
        """
        if what not in FEATURES:
            raise ValueError(f"no study has {what!r}")
        return FEATURES[what](self)

    def tasks_shown(self, kind: str) -> list[str]:
        """Ids of the tasks in a kind's figures; what kinds share shows all that have labels."""
        own = [id_ for id_, task in self.tasks.items() if task["kind"] == kind]
        return own if kind in base.kinds() else list(self.tasks_with("labels"))

    @cached_property
    def paired_tasks(self) -> list[str]:
        """Ids of the arms whose answers are measured against those to the unchanged items."""
        return [
            id_
            for id_, task in self.tasks.items()
            if "arm" in task and base_of(id_) in self.tasks and base.has(task["kind"], "pairs")
        ]

    @cached_property
    def compared_arms(self) -> dict[str, list[str]]:
        """Tasks whose arms are put beside each other → ids of these arms.

        Those that say what they are about: a class of an attribute, or an identity.
        """
        found: dict[str, list[str]] = {}
        for id_ in self.paired_tasks:
            about = self.tasks[id_]["arm"].get("about", {})
            if {"attribute", "class"} <= {*about} or "identity" in about:
                found.setdefault(base_of(id_), []).append(id_)
        return found

    @property
    def rater_cells(self) -> list[Cell]:
        """The cells of human raters and of the bag of words, one for each task; see `raters`."""
        return [Cell(*place) for place in raters(self)]

    @cached_property
    def verbalized_tasks(self) -> list[str]:
        """Ids of the tasks that ask how sure the model is."""
        return [id_ for id_, task in self.tasks.items() if task.get("verbalized") is not None]

    @cached_property
    def identified_personas(self) -> list[str]:
        """Ids of the personas that are named among others, in the study's order."""
        asked, baseline = self.settings["identification"], self.settings["baseline"]
        groups = asked["groups"] if asked else []
        return [
            id_
            for id_, spec in self.personas.items()
            if spec["group"] in groups and id_ != baseline
        ]

    @cached_property
    def identified_tasks(self) -> list[str]:
        """Ids of the tasks before and behind which the model is asked who it is."""
        asked = self.settings["identification"]
        return [id_ for id_ in self.tasks if asked and id_ in asked["tasks"]]

    @cached_property
    def naming_judges(self) -> list[str]:
        """Ids of the judges that name the persona of an answer."""
        return [id_ for id_ in self.active_judges if self.judges[id_]["personas"] is not None]

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

    @cached_property
    def changed_datasets(self) -> list[str]:
        """Ids of the data sets of arms, which are made of others."""
        return [id_ for id_, dataset in self.datasets.items() if "arm" in dataset]

    @cached_property
    def read_datasets(self) -> list[str]:
        """Ids of the data sets that are read from a source."""
        read = [id_ for id_ in self.datasets if id_ not in self.changed_datasets]
        return [*read, *self.training.datasets]

    def limit_of(self, task: str) -> int | None:
        """Most items of a task; an arm has those of its base, and training takes all."""
        if task in self.training.tasks:
            return None
        limit: int | None = self.settings["limits"].get(base_of(task), self.settings["limit"])
        return limit

    @property
    def written_models(self) -> dict[str, ModelSpec]:
        """The models that have a file of their own: those of the study, and bases of the others."""
        known = self.all_models | self.base_models
        return {id_: known[id_] for id_ in plain(known)}

    @cached_property
    def whole_models(self) -> list[str]:
        """Ids of the models whose weights are brought to this machine."""
        return [id_ for id_ in self.written_models if id_ not in self.servers]

    @cached_property
    def derived_models(self) -> list[str]:
        """Ids of the models that are another one with an adapter."""
        return [id_ for id_ in self.all_models if MARK in id_]

    def files_of(self, model: str) -> list[str]:
        """The files that the engine runs a model from: weights, and an adapter if it has one."""
        return run_from(model, self.known_models)

    @property
    def data_dir(self) -> str | None:
        """Folder that `{data_dir}` stands for; the study's own key wins over the environment."""
        value: str | None = self.settings["data_dir"] or os.environ.get("PERSONA_DATA_DIR")
        return value

    def texts(self, persona: str) -> dict[str, str]:
        """The wordings of a persona that the study runs: variant → sentence."""
        texts: dict[str, str] = self.personas[persona]["texts"]
        return texts if self.settings["variants"] == "all" else {"main": texts["main"]}
