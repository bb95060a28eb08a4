"""What a study's judges cost, told before they run: chats by their number, and tokens as a bound.

The number of chats follows from the configuration and the items. Tokens are not known before the
answers are: a token is taken as `CHARACTERS` characters of text, and an answer as long as the
task lets it be. What questions on one answer share is counted once, as the engine reads it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..kinds.asking import RATIONALE_TOKENS
from ..names import THOUGHTS
from ..study.cells import Cell
from ..study.conditions import base_of
from ..study.identification import identification_view
from ..study.inventory import lists, ranks
from ..study.judge_views import DIGIT_TOKENS, WORD_TOKENS, labels_of
from ..study.rounds import rounds_of
from ..study.rubrics import rubric_cells
from ..study.study import Study

# Characters of a token of English text: what is said to be about four rests on no tokenizer.
CHARACTERS = 4


@dataclass
class Price:
    """What a judge is asked.

    Attributes:
        chats: what about → number of chats.
        prompt_tokens: at most about as many are read, shared text once.
        written_tokens: at most as many are generated.
        unknown: data sets whose items are not known yet, and are in none of the numbers.
    """

    chats: dict[str, int] = field(default_factory=dict)
    prompt_tokens: float = 0.0
    written_tokens: int = 0
    unknown: list[str] = field(default_factory=list)

    def add(self, about: str, chats: int, read: float, written: int) -> None:
        """Add chats with as many tokens that are read in all, and written in each."""
        if chats:
            self.chats[about] = self.chats.get(about, 0) + chats
            self.prompt_tokens += read
            self.written_tokens += chats * written


def prices(study: Study, root: Path, resources: Path) -> dict[str, Price]:
    """Judge → what it is asked in a study.

    Args:
        study: the study.
        root: folder of the project.
        resources: folder of prepared data sets; where there is none yet, bundled ones are read.
    """

    # By its name: Snakemake, which tells the price at its start, loads no tables before.
    items_of = import_module(f"{__package__}.priced_items").asked

    @cache
    def asked(task: str) -> Any:
        return items_of(task, study, root, resources)

    found = {}
    for judge in study.active_judges:
        price = found[judge] = Price()
        _add_checks(price, study.judges[judge], study, root)
        places = set()
        for cell in (*study.judged_cells(judge), *rounds_of(study, judge)):
            if (items := asked(cell.task)) is None:
                dataset = base_of(study.asked_tasks[cell.task]["dataset"])
                price.unknown = sorted({*price.unknown, dataset})
                continue
            _add_cell(price, judge, cell, items, study)
            if cell.task in study.tasks and (cell.model, cell.task) not in places:
                places.add((cell.model, cell.task))
                _add_comparisons(price, judge, cell.task, items, study)
    return found


def told(
    study: Study, root: Path, resources: Path, judges: Collection[str] | None = None
) -> Iterator[str]:
    """The same in a sentence for every judge, or for some, with what it rests on.

    Nothing of a file that cannot be read: the job that needs it says so.
    """
    if judges is None:
        judges = study.active_judges
    if not judges:
        # Items need not be read, nor what reads them loaded.
        return
    try:
        found = prices(study, root, resources)
    except InputError:
        return
    for judge, price in found.items():
        if judge not in judges:
            continue
        parts = ", ".join(f"{n:,} {about}" for about, n in price.chats.items())
        yield (
            f"judge {judge}: at most {sum(price.chats.values()):,} chats"
            + (f" ({parts})" if parts else "")
            + f", at most about {rounded(price.prompt_tokens)} tokens to read and "
            f"{rounded(price.written_tokens)} to write; a token is taken as {CHARACTERS} "
            "characters, an answer as long as its task allows, and text that questions on one "
            "answer share is counted once"
            + (
                f"; not counted: {', '.join(dict.fromkeys(price.unknown))}, whose items are not "
                "there yet (`snakemake download` with this study brings them)"
                if price.unknown
                else ""
            )
        )


def rounded(number: float) -> str:
    """Two leading digits of a number: it is known no better."""
    whole = round(number)
    return f"{round(whole, 2 - len(str(whole))):,}" if whole > 99 else str(whole)


def answers_to_an_item(cell: Cell, study: Study) -> int:
    """Answers to an item in a cell: of every wording, drawn ones among them."""
    drawn = study.asked_tasks[cell.task]["decoding"]["sampled"]
    wordings = len(study.texts(cell.persona))
    return wordings + drawn["answers"] * (wordings if drawn["wordings"] == "all" else 1)


def _longest(task: str, judge: str, study: Study) -> int:
    """Most tokens of what a judge reads of a model in a task."""
    spec = study.asked_tasks[task]
    if study.judges[judge]["reads"] == THOUGHTS:
        thoughts = [study.models[id_]["thinking"]["max_tokens"] for id_ in study.thinking_models]
        return max(thoughts) + int(spec["decoding"]["max_tokens"]) * len(spec.get("turns", ()))
    if spec.get("rationale") is not None:
        return int((spec["rationale"] or {}).get("max_tokens", RATIONALE_TOKENS))
    return int(spec["decoding"]["max_tokens"]) * (1 + len(spec.get("turns", ())))


def _add_cell(price: Price, judge: str, cell: Cell, asked: Any, study: Study) -> None:
    """The questions on single answers."""
    spec: Mapping[str, Any] = study.judges[judge]
    questions = [spec["action"]["question"]] if spec["action"] else []
    # Of a round before the last nothing else is asked.
    if cell.task in study.tasks:
        questions += [one["question"] for one in (*spec["ratings"], *spec["classes"])]
        questions += _naming(spec, study)
    n, written = asked.n * answers_to_an_item(cell, study), _written(spec)
    task = study.asked_tasks[cell.task]
    around = len(spec["instruction"]) + len(spec["user"]) + len(task["user"]) + asked.question
    shared = around / CHARACTERS + _longest(cell.task, judge, study)
    own = sum(map(len, questions)) / CHARACTERS
    price.add("on answers", n * len(questions), n * (shared + own), written)
    if cell in rubric_cells(study, judge):
        per_item, length = asked.criteria
        each = (len(spec["criteria"]["question"]) + length) / CHARACTERS
        read = n * (shared + per_item * each)
        price.add("on criteria", round(n * per_item), read, written)


def _naming(spec: Mapping[str, Any], study: Study) -> list[str]:
    """The question on whose answer it is, with its options, of a judge that names personas."""
    if not spec["personas"]:
        return []
    options = [f"A. {one['title']}" for one in identification_view(study)["options"]]
    return ["\n".join([spec["personas"]["question"], *options])]


def _add_comparisons(price: Price, judge: str, task: str, asked: Any, study: Study) -> None:
    """The pairs in both orders, and the lists in every rotation, of one model."""
    spec: Mapping[str, Any] = study.judges[judge]
    longest = _longest(task, judge, study)
    before = len(spec["instruction"]) + len(study.asked_tasks[task]["user"]) + asked.question
    if ranks(study, judge):
        pairs = asked.n * len(study.ranked_pairs)
        around = (len(spec["pairs"]["user"]) + len(spec["pairs"]["question"])) / CHARACTERS
        read = pairs * (before / CHARACTERS + 2 * (around + 2 * longest))
        price.add("on pairs", 2 * pairs, read, _written(spec))
    if lists(study, judge):
        k = len(study.ranked)
        around = len(spec["list"]["user"]) + k * len(spec["list"]["answer"])
        around += len(spec["list"]["question"])
        read = asked.n * (before / CHARACTERS + k * (around / CHARACTERS + k * longest))
        price.add("on lists", asked.n * k, read, _written(spec))


def _add_checks(price: Price, spec: Mapping[str, Any], study: Study, root: Path) -> None:
    """The answers of known worth, which are short: each is read as a whole for every chat."""
    rated, compared = len(spec["ratings"]), spec["pairs"] is not None
    naming = _naming(spec, study)
    for path, times in (
        (spec["sanity"], 2 * rated + 2 * compared),
        (spec["injections"], 2 * rated),
        ((spec["criteria"] or {}).get("sanity"), 2),
        (spec["sanity_classes"], len(spec["classes"]) + (spec["action"] is not None)),
        (spec["authors"], len(naming)),
    ):
        rows = _rows(root / path) if path else []
        if path and path == spec["authors"]:
            rows = [row for row in rows if row.get("persona") in study.personas]
        around = len(spec["instruction"]) + sum(map(len, naming))
        read = sum(around + sum(map(len, row.values())) for row in rows) / CHARACTERS
        price.add("of its tests", times * len(rows), times * read, _written(spec))


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file of known answers; none where it cannot be read, which a rule says."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = [*csv.reader(file)] or [[]]
            return [dict(zip(head, row, strict=False)) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _written(spec: Mapping[str, Any]) -> int:
    """Most tokens of a verdict."""
    room = WORD_TOKENS if labels_of(spec) else DIGIT_TOKENS
    return room + int(spec["rationale_tokens"])
