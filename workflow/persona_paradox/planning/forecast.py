"""What a study would take: answers, tokens, time and room, from its configuration and its items.

Tokens are not known before they are there. A token is taken as `CHARACTERS` characters of text; an
answer that is a label as `LABEL_TOKENS`, another one as long as its task lets it be. What prompts
of a persona share is counted once, as the engine reads it. What judges read `judges.price` counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..judges.price import CHARACTERS, answers_to_an_item, prices
from ..judges.priced_items import Asked, asked
from ..study.cells import Cell
from ..study.conditions import base_of, split
from ..study.inventory import answered, steps
from ..study.readings import read_cells
from ..study.study import Study
from .speeds import GB, Tokens

# Measured: 2.2 on 909 prompts of KTAS (docs/scaling.md).
LABEL_TOKENS = 3
# Bytes of an answer in all its files and in the store, and of a cell's draws and records (ibid.).
ANSWER_BYTES, CELL_BYTES = 104 + 135 + 72 + 311, 400_000 + 5 * 10_900
# Seconds of a processor for what is not answers: a cell (benchmarks/README.md), a figure.
CELL_SECONDS, FIGURE_SECONDS = 2.2, 2.7
# What is written around a further question, in tokens.
QUESTION = 40
# Bytes of a parameter, by what a title says of its format.
_BYTES = {"Q2": 0.4, "Q3": 0.49, "Q4": 0.61, "Q5": 0.71, "Q6": 0.82, "Q8": 1.07, "F16": 2.0}


@dataclass
class Part:
    """What one model does in a study.

    Attributes:
        answers: number of answers.
        tokens: of all of them.
        size: bytes of the weights as they run; None where they are not known.
        assumed: whether the size is what the title says, no file's.
    """

    answers: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    size: float | None = None
    assumed: bool = False


@dataclass
class Forecast:
    """What a study would take.

    Attributes:
        models: model → its part, judges' questions among them.
        cells: number of cells, of all rounds.
        done: how many of them have their answers.
        unknown: data sets whose items are not known, and are in no number.
        figures: number of figures.
        items: task → number of items.
    """

    models: dict[str, Part]
    cells: int = 0
    done: int = 0
    unknown: list[str] = field(default_factory=list)
    figures: int = 0
    items: dict[str, int] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        """Answers of all models, and of judges."""
        return sum(part.answers for part in self.models.values())

    @property
    def disk(self) -> float:
        """Bytes of results and store, without weights."""
        return self.answers * ANSWER_BYTES + self.cells * CELL_BYTES

    @property
    def other_seconds(self) -> float:
        """Seconds of a processor for all that is not answers."""
        return self.cells * CELL_SECONDS + self.figures * FIGURE_SECONDS


def forecast(study: Study, root: Path, resources: Path) -> Forecast:
    """What a study would take, whatever of it is there.

    Args:
        study: the study.
        root: folder that paths of bundled files start from.
        resources: folder of prepared models and data sets.
    """

    @cache
    def items_of(task: str) -> Asked | None:
        return asked(task, study, root, resources / "datasets", judged=False)

    found = Forecast({model: Part() for model in study.all_models})
    found.figures = len(study.possible_figures)
    if isinstance(wanted := study.settings["figures"], list):
        found.figures = len(wanted)
    read = {*read_cells(study)}
    for cell in study.asked_cells:
        found.cells += 1
        found.done += (root / f"results/responses/{cell.path}.parquet").is_file()
        if (items := items_of(cell.task)) is None:
            found.unknown.append(base_of(study.asked_tasks[cell.task]["dataset"]))
            continue
        found.items[cell.task] = items.n
        part = found.models[cell.model]
        answers, tokens = _cell(cell, items, study)
        part.answers += answers
        part.tokens += tokens
        if cell in read:
            # Prompts and answers are read once more, with the stream.
            part.tokens += Tokens(tokens.read + tokens.written)
    for judge, price in prices(study, root, resources / "datasets").items():
        part = found.models[study.judges[judge]["model"]]
        part.answers += sum(price.chats.values())
        part.tokens += Tokens(price.prompt_tokens, price.written_tokens)
    found.unknown = sorted({*found.unknown})
    for model, part in found.models.items():
        part.size, part.assumed = _size(model, study, resources)
    return found


def stages(study: Study) -> dict[str, int]:
    """Stage → number of files of answers, of those that a study rests on."""
    found: dict[str, int] = {}
    for file in answered(study):
        stage = file.path.split("/")[1]
        found[stage] = found.get(stage, 0) + 1
    return found


def _cell(cell: Cell, items: Asked, study: Study) -> tuple[int, Tokens]:
    """Answers and tokens of a cell."""
    task: Mapping[str, Any] = study.asked_tasks[cell.task]
    wordings = study.texts(cell.persona)
    drawn = answers_to_an_item(cell, study)
    nulls = len(task.get("null_cases", ())) * len(wordings)
    n = items.n * drawn + nulls
    # The persona and the instruction are read once for a wording, the case once for its answers.
    shared = sum(map(len, wordings.values())) + len(wordings) * len(task.get("instruction", ""))
    around = len(task["user"]) + len(task.get("answer_prefix", "")) + items.question
    tokens = Tokens((shared + items.n * len(wordings) * around) / CHARACTERS)
    most = int(task["decoding"]["max_tokens"])
    labels = study.traits(cell.task).labels
    written = min(most, LABEL_TOKENS) if labels else most
    later = len(steps(study, cell.model, cell.task)) - 1
    if cell.model in study.thinking_models:
        written += int(study.models[cell.model]["thinking"]["max_tokens"])
    if study.reasons(cell.task):
        written += int((task["rationale"] or {}).get("max_tokens", 0))
    # What was thought, reasoned or said before is read again.
    tokens += Tokens((written + QUESTION) * later, written).times(n)
    if cell.task in study.before:
        tokens += Tokens(2 * QUESTION + most).times(n)
    asked_after = (cell.task in study.verbalized_tasks) + 2 * (cell.task in study.identified_tasks)
    tokens += Tokens(QUESTION + written, LABEL_TOKENS).times(asked_after * items.n * len(wordings))
    return n + asked_after * items.n * len(wordings), tokens


def _size(model: str, study: Study, resources: Path) -> tuple[float | None, bool]:
    """Bytes of a model's weights as they run, and whether that is what its title says."""
    spec = study.known_models[model]
    if spec["source"]["kind"] == "server":
        return None, False
    manifest = resources / f"models/{split(model)[0]}/manifest.json"
    if manifest.is_file():
        return float(json.loads(manifest.read_bytes())["size"]), False
    title = (study.base_models | study.all_models).get(split(model)[0], spec)["title"]
    named = re.search(r"(\d+(?:\.\d+)?)\s?([BM])\b", title)
    if named is None:
        return None, False
    parameters = float(named[1]) * (GB if named[2] == "B" else GB / 1000)
    written = re.search(r"\b(Q\d|F16)", title)
    # Without a format in its title a model is small, and runs as F16.
    return parameters * _BYTES.get(written[1] if written else "F16", 2.0), True
