"""What the adapters of a study are trained on, which is no part of what it measures.

A data set's file says which of its items are kept for training (key `training`): they are the data
set `dataset@training`, about which `task@training` asks as the task does. An adapter's file names
the task and the personas behind whose sentences it is asked. So it is with the items by which one
of several candidates is chosen: `dataset@validation` and `task@validation`; see `cycles`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..data.split import TRAINING, VALIDATION, kept
from ..errors import InputError
from ..specs import DatasetSpec, JudgeSpec, ModelSpec, PersonaSpec, TaskSpec
from .cells import Cell
from .conditions import MARK, MOST_CHARACTERS, personas_of, split
from .cycles import file_of_adapter, is_of_validated

# Where the file of an adapter lies that is trained here, and what a study calls such a source.
FOLDER, TRAINED = "resources/adapters", "training"

# Keys of a task that say nothing of its prompts, or ask for more than one answer.
_LEFT = ("arms", "arm_sets", "verbalized")

# Kinds of files of the configuration that training data name.
FILES = ("tasks", "datasets", "personas", "persona_sets", "judges", "models", "adapters")


@dataclass(frozen=True)
class Judged:
    """A cell whose answers are training data, and what says what they are worth."""

    cell: Cell
    judge: str
    rule: str


@dataclass(frozen=True)
class Taught:
    """A cell whose prompts are training data, with the answers of a behaviour behind them."""

    cell: Cell
    behaviour: str


@dataclass(frozen=True)
class Validation:
    """By which answers one of the candidates of a cycle is chosen.

    Attributes:
        before: id of the model that a candidate must be better than.
        candidates: ids of the models that are its base with a candidate, in their order.
        judged: the cells whose answers are compared, those of `before` first.
        stop: when none goes on, key `validation.stop` of the adapter's file.
        seed: of the bootstrap draws.
    """

    before: str
    candidates: list[str]
    judged: list[Judged]
    stop: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Training:
    """What adapters are trained on.

    Attributes:
        files: one of `FILES` → id → content, of all that training data name, as it is written;
            of adapters those whose answers are training data, or that judge them.
        tasks: `task@training` → task about the items that are kept for training.
        datasets: `dataset@training` → data set of these.
        personas: id → persona.
        models: id → model that answers or judges, derived ones too.
        cells: adapter → the cells of its base whose prompts are training data, with references
            behind them, in the order of its file.
        taught: adapter → the cells of its base behind whose prompts a behaviour is taught.
        judged: adapter → the cells whose answers are training data.
        validated: adapter that is chosen → by what.
        after: adapter of a cycle that a validator chooses in, or a candidate of it → the one that
            it is where all stopped before.
    """

    files: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    datasets: dict[str, DatasetSpec] = field(default_factory=dict)
    personas: dict[str, PersonaSpec] = field(default_factory=dict)
    models: dict[str, ModelSpec] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    taught: dict[str, list[Taught]] = field(default_factory=dict)
    judged: dict[str, list[Judged]] = field(default_factory=dict)
    validated: dict[str, Validation] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    @property
    def adapters(self) -> list[str]:
        """Ids of the adapters that are trained or chosen."""
        return [*self.cells, *self.validated]

    @property
    def judged_cells(self) -> list[Cell]:
        """The cells whose answers are judged, each once."""
        validated = [one.judged for one in self.validated.values()]
        several = [*self.judged.values(), *validated]
        return list(dict.fromkeys(one.cell for some in several for one in some))

    @property
    def all_cells(self) -> list[Cell]:
        """The cells of all adapters, each once."""
        return list(dict.fromkeys(cell for id_ in self.adapters for cell in self.cells_of(id_)))

    @property
    def judges(self) -> dict[str, JudgeSpec]:
        """The judges of answers."""
        return cast(dict[str, JudgeSpec], self.files.get("judges", {}))

    @property
    def tested(self) -> list[str]:
        """Ids of the judges that must be usable for candidates to go on."""
        asked = [one for one in self.validated.values() if one.stop["unusable_judge"]]
        return list(dict.fromkeys(one.judged[0].judge for one in asked))

    def judged_of(self, adapter: str) -> list[Judged]:
        """The cells whose judged answers an adapter is trained on, or chosen by."""
        by = self.validated.get(adapter)
        return self.judged[adapter] if by is None else by.judged

    def cells_of(self, adapter: str) -> list[Cell]:
        """The cells that an adapter is trained on, or chosen by."""
        taught = [one.cell for one in self.taught.get(adapter, ())]
        judged = [one.cell for one in self.judged_of(adapter)]
        return list(dict.fromkeys([*self.cells.get(adapter, ()), *taught, *judged]))

    def before(self, adapter: str) -> set[str]:
        """Ids of the adapters whose answers or verdicts an adapter rests on."""
        judged = self.judged_of(adapter)
        named = {one.cell.model for one in judged}
        named |= {self.judges[one.judge]["model"] for one in judged}
        before = {self.after[adapter]} if adapter in self.after else set()
        return before | {split(model)[1] for model in named if MARK in model}


def source_of(adapter: Mapping[str, Any]) -> dict[str, Any]:
    """Where the file of an adapter comes from.

    One that is trained has the source of its `product` where there is one, and else one of a kind
    of its own, `TRAINED`.
    """
    if not is_made(adapter):
        return dict(adapter["source"])
    product = adapter.get("product")
    return {"kind": TRAINED} if product is None else {"kind": "path", **product}


def is_made(adapter: Mapping[str, Any]) -> bool:
    """Whether the file of an adapter says how it is trained, or of which it is chosen."""
    return "training" in adapter or VALIDATION in adapter


def is_trained(adapter: Mapping[str, Any]) -> bool:
    """Whether the file of an adapter is made here, and not taken from somewhere."""
    return bool(source_of(adapter)["kind"] == TRAINED)


def run_from(model: str, models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The files that a model runs from: weights, and an adapter if it has one.

    Args:
        model: its id.
        models: id → model, for every derived one.
    """
    base, part = split(model)
    files = [f"resources/models/{base}/model.gguf"]
    if part:
        here = is_trained(models[model]["adapter"])
        folder = f"{FOLDER}/{part}" if here else f"resources/models/{model}"
        files.append(f"{folder}/adapter.gguf")
    return files


def parts_with(adapter: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The parts of an adapter's training data that have a key; none where it is not trained."""
    for part in adapter.get("training", {"data": ()})["data"]:
        if key in part:
            yield part


def validating(adapter: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """For each model whose answers choose among candidates, what is asked; `model` names it.

    None where no candidates are compared.
    """
    about = adapter.get(VALIDATION)
    if about is None:
        return []
    candidates = [f"{adapter['base']}{MARK}{one}" for one in about["candidates"]]
    keys = ("task", "personas", "judge", "rule")
    asked = {key: about[key] for key in keys}
    return [asked | {"model": model} for model in (about["before"], *candidates)]


def files_with(adapters: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The files of examples that adapters name, each with the adapter's id."""
    return [(id_, p["file"]) for id_, one in adapters.items() for p in parts_with(one, "file")]


def of_training(id_: str, side: str = TRAINING) -> str:
    """What is made of a task or a data set for training, or for validation."""
    return f"{id_}{MARK}{side}"


def asking_parts(adapter: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of an adapter's training data that ask a task: for references, or for answers."""
    answers = [part["answers"] for part in parts_with(adapter, "answers")]
    return [*parts_with(adapter, "task"), *answers]


def answering(adapter: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """Id of the model that is asked in a part of an adapter's training data."""
    return str(part.get("model", adapter["base"]))


def training_of(
    adapters: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, dict[str, dict[str, Any]]],
    models: Mapping[str, Any],
) -> Training:
    """What adapters are trained on.

    Args:
        adapters: id → content of its file.
        files: as `Training.files` has them.
        models: as `Training.models` has them.

    Raises:
        InputError: an id is too long, or names nothing.
    """
    tasks: dict[str, Any] = {}
    datasets: dict[str, Any] = {}
    personas: dict[str, Any] = {}
    cells: dict[str, list[Cell]] = {}
    taught: dict[str, list[Taught]] = {}
    judged: dict[str, list[Judged]] = {}
    validated: dict[str, Validation] = {}
    after: dict[str, str] = {}

    def asked(id_: str, part: Mapping[str, Any], side: str) -> list[Cell]:
        """The cells of a part, whose task, data set and personas are taken in."""
        task = of_training(part["task"], side)
        tasks.setdefault(task, _task(part["task"], files["tasks"][part["task"]], side))
        dataset = files["tasks"][part["task"]]["dataset"]
        datasets.setdefault(of_training(dataset, side), files["datasets"][dataset])
        named_by = f"{file_of_adapter(id_, adapters[id_])}: key `personas`"
        chosen = personas_of(part["personas"], files["personas"], files["persona_sets"], named_by)
        personas.update(chosen)
        return [Cell(answering(adapters[id_], part), task, persona) for persona in chosen]

    for id_, adapter in adapters.items():
        if "training" in adapter:
            cells[id_], taught[id_], judged[id_] = [], [], []
        for part in asking_parts(adapter):
            found = asked(id_, part, TRAINING)
            if "judge" in part:
                judged[id_] += [Judged(one, part["judge"], part["rule"]) for one in found]
            elif "behaviour" in part:
                taught[id_] += [Taught(one, part["behaviour"]) for one in found]
            else:
                cells[id_] += found
        if parts := validating(adapter):
            before, *candidates = (part["model"] for part in parts)
            compared = [
                Judged(cell, part["judge"], part["rule"])
                for part in parts
                for cell in asked(id_, part, VALIDATION)
            ]
            about = adapter[VALIDATION]
            validated[id_] = Validation(before, candidates, compared, about["stop"], about["seed"])
        if is_of_validated(adapter) and adapter["cycle"]["before"] is not None:
            after[id_] = adapter["cycle"]["before"]
    return Training(
        dict(files),
        cast(dict[str, TaskSpec], tasks),
        cast(dict[str, DatasetSpec], datasets),
        cast(dict[str, PersonaSpec], personas),
        cast(dict[str, ModelSpec], dict(models)),
        {id_: list(dict.fromkeys(found)) for id_, found in cells.items()},
        {id_: list(dict.fromkeys(found)) for id_, found in taught.items()},
        {id_: list(dict.fromkeys(found)) for id_, found in judged.items()},
        validated,
        after,
    )


def _task(id_: str, task: Mapping[str, Any], side: str) -> dict[str, Any]:
    """A task about the items that are kept for training, or for validation."""
    dataset = of_training(task["dataset"], side)
    if max(len(dataset), len(of_training(id_, side))) > MOST_CHARACTERS:
        raise InputError(
            f"config/tasks/{id_}.yaml: its id or that of its data set is too long for "
            f"{of_training('…', side)}, which has at most {MOST_CHARACTERS} characters; rename it"
        )
    left = {key: value for key, value in task.items() if key not in _LEFT}
    return {**left, "title": f"{task['title']}, {side}", "dataset": dataset, "null_cases": []}


def split_of(id_: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The shares and the seed of a data set's training split.

    Raises:
        InputError: it has none, or keeps more than all items.
    """
    if "training" not in dataset:
        raise InputError(
            f"config/datasets/{id_}.yaml: an adapter is trained on this data set, but no items of "
            "it are kept for training; write key `training` with the `share` of them"
        )
    split: Mapping[str, Any] = dataset["training"]
    # 1 and 1.0 are one share.
    found = {"share": float(split["share"]), "seed": split["seed"]}
    if VALIDATION in split:
        found[VALIDATION] = float(split[VALIDATION])
    if kept(found) > 1:
        raise InputError(
            f"config/datasets/{id_}.yaml: keys `training.share` and `training.{VALIDATION}` keep "
            f"{kept(found):g} of the items together, which is more than all; lower one of them"
        )
    return found
