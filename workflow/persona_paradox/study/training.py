"""What the adapters of a study are trained on, which is no part of what it measures.

A data set's file says which of its items are kept for training (key `training`): they are the data
set `dataset@training`, about which `task@training` asks as the task does. An adapter's file names
the task and the personas behind whose sentences it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..data.split import TRAINING
from ..errors import InputError
from ..specs import DatasetSpec, JudgeSpec, ModelSpec, PersonaSpec, TaskSpec
from .cells import Cell
from .conditions import MARK, MOST_CHARACTERS, personas_of, split

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
    """

    files: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    datasets: dict[str, DatasetSpec] = field(default_factory=dict)
    personas: dict[str, PersonaSpec] = field(default_factory=dict)
    models: dict[str, ModelSpec] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    taught: dict[str, list[Taught]] = field(default_factory=dict)
    judged: dict[str, list[Judged]] = field(default_factory=dict)

    @property
    def judged_cells(self) -> list[Cell]:
        """The cells whose answers are judged, each once."""
        return list(dict.fromkeys(one.cell for some in self.judged.values() for one in some))

    @property
    def all_cells(self) -> list[Cell]:
        """The cells of all adapters, each once."""
        return list(dict.fromkeys(cell for id_ in self.cells for cell in self.cells_of(id_)))

    @property
    def judges(self) -> dict[str, JudgeSpec]:
        """The judges of answers."""
        return cast(dict[str, JudgeSpec], self.files.get("judges", {}))

    def cells_of(self, adapter: str) -> list[Cell]:
        """The cells that an adapter is trained on."""
        taught = [one.cell for one in self.taught[adapter]]
        judged = [one.cell for one in self.judged[adapter]]
        return list(dict.fromkeys([*self.cells[adapter], *taught, *judged]))

    def before(self, adapter: str) -> set[str]:
        """Ids of the adapters whose answers or verdicts an adapter is trained on."""
        named = {one.cell.model for one in self.judged[adapter]}
        named |= {self.judges[one.judge]["model"] for one in self.judged[adapter]}
        return {split(model)[1] for model in named if MARK in model}


def source_of(adapter: Mapping[str, Any]) -> dict[str, Any]:
    """Where the file of an adapter comes from.

    One that is trained has the source of its `product` where there is one, and else one of a kind
    of its own, `TRAINED`.
    """
    if "training" not in adapter:
        return dict(adapter["source"])
    product = adapter.get("product")
    return {"kind": TRAINED} if product is None else {"kind": "path", **product}


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


def files_with(adapters: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The files of examples that adapters name, each with the adapter's id."""
    return [(id_, p["file"]) for id_, one in adapters.items() for p in parts_with(one, "file")]


def of_training(id_: str) -> str:
    """What is made of a task or a data set for training."""
    return f"{id_}{MARK}{TRAINING}"


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
    for id_, adapter in adapters.items():
        if "training" not in adapter:
            continue
        cells[id_], taught[id_], judged[id_] = [], [], []
        named_by = f"config/adapters/{id_}.yaml: key `personas`"
        for part in asking_parts(adapter):
            task = of_training(part["task"])
            tasks.setdefault(task, _task(part["task"], files["tasks"][part["task"]]))
            dataset = files["tasks"][part["task"]]["dataset"]
            datasets.setdefault(of_training(dataset), files["datasets"][dataset])
            chosen = personas_of(
                part["personas"], files["personas"], files["persona_sets"], named_by
            )
            personas |= chosen
            found = [Cell(answering(adapter, part), task, persona) for persona in chosen]
            if "judge" in part:
                judged[id_] += [Judged(one, part["judge"], part["rule"]) for one in found]
            elif "behaviour" in part:
                taught[id_] += [Taught(one, part["behaviour"]) for one in found]
            else:
                cells[id_] += found
    return Training(
        dict(files),
        cast(dict[str, TaskSpec], tasks),
        cast(dict[str, DatasetSpec], datasets),
        cast(dict[str, PersonaSpec], personas),
        cast(dict[str, ModelSpec], dict(models)),
        {id_: list(dict.fromkeys(found)) for id_, found in cells.items()},
        {id_: list(dict.fromkeys(found)) for id_, found in taught.items()},
        {id_: list(dict.fromkeys(found)) for id_, found in judged.items()},
    )


def _task(id_: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """A task about the items that are kept for training."""
    dataset = of_training(task["dataset"])
    if max(len(dataset), len(of_training(id_))) > MOST_CHARACTERS:
        raise InputError(
            f"config/tasks/{id_}.yaml: its id or that of its data set is too long for "
            f"{of_training('…')}, which has at most {MOST_CHARACTERS} characters; rename it"
        )
    left = {key: value for key, value in task.items() if key not in _LEFT}
    return {**left, "title": f"{task['title']}, training", "dataset": dataset, "null_cases": []}


def split_of(id_: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The share and the seed of a data set's training split.

    Raises:
        InputError: it has none.
    """
    if "training" not in dataset:
        raise InputError(
            f"config/datasets/{id_}.yaml: an adapter is trained on this data set, but no items of "
            "it are kept for training; write key `training` with the `share` of them"
        )
    split: Mapping[str, Any] = dataset["training"]
    # 1 and 1.0 are one share.
    return {"share": float(split["share"]), "seed": split["seed"]}


def of_cycle(id_: str, adapter: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The adapter of one cycle, as if it had a file of its own.

    Args:
        id_: of the file with key `cycles`.
        adapter: content of that file.
        number: of the cycle, from 1.

    Raises:
        InputError: there are fewer cycles.
    """
    name = f"config/adapters/{id_}.yaml"
    n = adapter["training"]["cycles"]
    if not 1 <= number <= n:
        raise InputError(
            f"{name}: key `training.cycles` is {n}, so that there is no {id_}_{number}; use one of "
            f"{', '.join(f'{id_}_{one}' for one in range(1, n + 1))}, or raise the key"
        )
    before = adapter["base"] if number == 1 else f"{adapter['base']}{MARK}{id_}_{number - 1}"
    data = [
        {**part, "answers": {"model": before, **part["answers"]}} if "answers" in part else part
        for part in adapter["training"]["data"]
    ]
    training = {key: value for key, value in adapter["training"].items() if key != "cycles"}
    return {
        **{key: value for key, value in adapter.items() if key != "product"},
        "title": f"{adapter['title']}, cycle {number}",
        "training": training | {"data": data},
    }
