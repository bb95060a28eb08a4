"""What a kind of task is: a folder beside this file, of modules with fixed names.

The name of the folder is the kind's id, and there is no register: whoever adds a folder with a
`task.schema.yaml` adds a kind. A module is loaded where it is needed and by its name, so that an
edited kind runs its own jobs again and no others; a rule that loads one names its code among its
inputs (`code` in common.smk), and a test holds these names against what the interpreter really
loads.

- `task.schema.yaml`, `dataset.schema.yaml`: the keys of the kind's files. Required.
- `spec.py`: see `Spec`. Required. It is read when Snakemake starts, so it imports nothing heavy.
- `items.py`: `columns`, what is kept of an item beside its case; and perhaps `rows`, the items that
  the rows of a file become, where they are not one each.
- `prompting.py`: `fields`, what the places of the user's message are filled with besides `{case}`;
  `PLACES` of `spec.py` then names them all. And perhaps `null_fields`, the same for cases without
  content, to which all items are given as well. What they need of the configuration is in the
  task's view of its prompts: `prompted` of `spec.py`, where a kind has it.
- `scoring.py`: `SCHEMA` and `score`, what an answer says, one row per answer.
- `training.py`: `completions(items, view)`, what a model is trained to answer: the reference as the
  task calls it, or, of a kind whose `spec.py` has `TAUGHT`, the answer of that one of its
  behaviours which the adapter's file names. Of a kind without it nothing can be trained on.
- `preference.py`: `EVEN` and `scores(answers, rule)`, what every answer is worth by what a judge
  says it does, for adapters that are trained on judged answers; `EVEN` is neither good nor bad.
  And `refused_in_error(answers)`, whether one refuses what it should not.
- `measures.py`: `METRICS` and `answers`, the numbers of a cell (see `measures.answers.Scored`), and
  perhaps `COUNTS`, names of what is counted besides.
- `pairs.py`: `METRICS` and `pairs(this, before, items, view)`, the numbers of an arm's cell that
  its answers have against the same persona's to the unchanged items; `OUTCOMES` and
  `outcomes(this)`, what arms of one attribute are compared in; see `labelled.pairs`.
- `judged.py`: what follows from a judge's classes and from what the kind knows of its items:
  `METRICS`, of a `judged_metrics.py` beside it, which is read when Snakemake starts and imports
  nothing heavy; and `judged(modes, items, view) -> (hits, means)`: shares of all items, and numbers
  of some, nan where an item is not in them. `modes` has dimension → number of the class of every
  answer, 0 where it is unjudged; `items` are the data set's, in that order; `view` is the task's
  `measured` with the judge's `classes`. Of the means those are shares whose `METRICS` say
  `paired`. And perhaps `combined(modes, items, view)`, name → `measures.combined.Combined`, for
  numbers that are no means over items, such as an F1; and `groups(items, view)`, name → mask,
  further groups of items that tables tell apart in column `category`.
- `ruled.py`: `DIMENSION` and `modes(scores, classes)`, what the kind's rule says of answers in the
  classes of a judge's dimension, so that both are held against each other.
- `tables/<id>.py` with `<id>.yaml`: a table of the kind's own: `SCHEMA` and `rows`; `row_is` and
  `caption`.
- `figures/<id>.py` with `<id>.yaml`: a drawing.
- `words.py`: `SECTIONS` of the summary, and perhaps `OWN`, what is of this project's own
  definition.
- `cells.py`: how the report shows an answer; else as text.

What is outside this folder names no kind. It asks for what a kind is like, or has:

- `traits(kind).ordered`; of a study `STUDY.traits(task)`, `STUDY.tasks_with("free_text")`,
  `STUDY.cells_with("labels")`;
- `has(kind, "scoring")`; of a study `STUDY.tasks_having("scoring")`, `STUDY.cells_having(…)`;
- `load(kind, "measures").METRICS`: the module itself.

Of a task's keys outside its kind's own, `rationale` and `verbalized` are met everywhere, where a
kind's schema has them: `STUDY.rationale_tasks`, `STUDY.verbalized_tasks`. So is `turns`: a task
that has some is asked in rounds (`STUDY.asked_tasks`, `STUDY.before`; see `study/turns.py`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

from ..errors import InputError
from ..own_yaml import own_yaml

FOLDER = Path(__file__).parent

# What every kind has.
REQUIRED = ("task.schema.yaml", "dataset.schema.yaml", "spec.py")


@dataclass(frozen=True)
class Traits:
    """What a kind is like, for whoever need not know which it is.

    Attributes:
        labels: an answer is one of a fixed set of labels, whose probabilities are read.
        ordered: the labels have an order.
        reference: items have a right answer.
        free_text: judges, clinicians and lexicons may read the answer.
        stratum: column of the items by which a sample is drawn.
        evenly: a sample has as many items of one stratum as of another, as far as there are some;
            else each has its share.
    """

    labels: bool
    ordered: bool
    reference: bool
    free_text: bool
    stratum: str
    evenly: bool = False


Trait = Literal["labels", "ordered", "reference", "free_text"]


class Spec(Protocol):
    """What `spec.py` of a kind has.

    Attributes:
        TRAITS: what the kind is like.
        COLUMNS: the columns of its items besides those of every kind, which no kept column may
            take the place of.
    """

    TRAITS: Traits
    COLUMNS: tuple[str, ...]

    def check(self, name: str, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
        """See that a task fits its data set; `name` is the task's file, in errors."""

    def check_dataset(self, name: str, dataset: Mapping[str, Any]) -> None:
        """See that the keys of a data set fit each other; `name` is its file, in errors."""

    def reading(self, dataset: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `items.columns` needs besides `columns`; goes into the view of the data set."""

    def strata(self, dataset: Mapping[str, Any]) -> Mapping[str, str]:
        """Id → title of the strata, in their order; key `limit_keeps` may name them."""

    def views(
        self,
        id_: str,
        task: Mapping[str, Any],
        dataset: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> Iterator[tuple[str, Any]]:
        """Views `read_out/{id_}`, `decoding/{id_}` and those of the kind's own modules."""

    def measured(self, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the numbers of the task's cells need; goes into view `cells`."""

    def shown(self, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> Mapping[str, Any]:
        """What figures and summary say of the task; goes into view `figures`."""


def kinds() -> list[str]:
    """Ids of all kinds, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/task.schema.yaml"))


def check_whole(kind: str) -> None:
    """See that a kind has what every kind has.

    Raises:
        InputError: a file is missing.
    """
    for name in REQUIRED:
        if not (FOLDER / kind / name).is_file():
            raise InputError(
                f"workflow/persona_paradox/kinds/{kind} lacks {name}, which every kind has; add "
                "it, or take the folder out"
            )


def has(kind: str, module: str) -> bool:
    """Whether a kind has a module."""
    return (FOLDER / kind / f"{module}.py").is_file()


def tables(kind: str) -> list[str]:
    """Ids of the tables of a kind's own, sorted."""
    return sorted(path.stem for path in (FOLDER / kind / "tables").glob("[!_]*.py"))


def about(kind: str, table: str) -> dict[str, str]:
    """What the file of a table says of it: `row_is`, and a `caption`.

    Raises:
        InputError: there is no such file, or it says something else.
    """
    path = FOLDER / kind / "tables" / f"{table}.yaml"
    found = own_yaml(path) if path.is_file() else None
    if not isinstance(found, dict) or set(found) != {"row_is", "caption"}:
        raise InputError(
            f"workflow/persona_paradox/kinds/{kind}/tables/{table}.yaml must be there, beside what "
            "makes the table, and have the keys `row_is` and `caption` and no others; write it"
        )
    return found


def load(kind: str, module: str) -> ModuleType:
    """A module of a kind, by its name, such as `scoring`."""
    return importlib.import_module(f"{__package__}.{kind}.{module}")


def spec(kind: str) -> Spec:
    """What a kind's `spec.py` says."""
    return cast(Spec, load(kind, "spec"))


def prompted(
    task: Mapping[str, Any], dataset: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What a kind adds to the view of a task's prompts: `prompted` of its `spec.py`, if any."""
    own = getattr(spec(task["kind"]), "prompted", None)
    return {} if own is None else dict(own(task, dataset, settings))


def places(kind: str) -> Sequence[str]:
    """The places that a user's message may have: `PLACES` of the kind's `spec.py`, else `case`."""
    return cast(Sequence[str], getattr(spec(kind), "PLACES", ("case",)))


def taught(kind: str) -> Sequence[str]:
    """The behaviours that adapters may learn: `TAUGHT` of the kind's `spec.py`, else none."""
    return cast(Sequence[str], getattr(spec(kind), "TAUGHT", ()))


def traits(kind: str) -> Traits:
    """What a kind is like."""
    return spec(kind).TRAITS


def classes(task: Mapping[str, Any], dataset: Mapping[str, Any]) -> Sequence[str]:
    """The classes of which one is the right answer to every item; none where there are no such."""
    own = spec(task["kind"])
    said = own.measured(task, dataset) if own.TRAITS.labels and own.TRAITS.reference else {}
    return cast(Sequence[str], said.get("levels", ()))


def answers(
    task: Mapping[str, Any], dataset: Mapping[str, Any], settings: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What a task calls its answers, for a rule of arms that names one.

    Returns:
        Of fixed classes `levels`, their `labels` and `titles`, in one order; of options the
        `labels`, in the order in which they are shown, and perhaps the `order_seed` of that; of
        free text nothing.
    """
    if not traits(task["kind"]).labels:
        return {}
    own, said = prompted(task, dataset, settings), spec(task["kind"]).measured(task, dataset)
    if "levels" in said:
        titles = spec(task["kind"]).shown(task, dataset)["levels"]
        return {"levels": said["levels"], "labels": said["labels"], "titles": titles}
    return {key: own[key] for key in ("labels", "order_seed") if key in own}
