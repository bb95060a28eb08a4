"""What a kind of task is: a folder beside this file, of modules with fixed names.

The name of the folder is the kind's id, and there is no register: whoever adds a folder adds a
kind. A module is loaded where it is needed and by its name, so that an edited kind runs its own
jobs again and no others; a rule that loads one names its code among its inputs (`code` in
common.smk), and a test holds these names against what the interpreter really loads.

- `task.schema.yaml`, `dataset.schema.yaml`: the keys of the kind's files. Required.
- `spec.py`: `TRAITS`, `check` and `views`. Required. It is read when Snakemake starts, so it
  imports nothing heavy.
- `items.py`: `columns`, what is kept of an item beside its case.
- `prompting.py`: `fields`, what the places of the user's message are filled with; else `{case}`.
- `scoring.py`: `SCHEMA` and `score`, what an answer says, one row per answer.
- `measures.py`: `METRICS` and `answers`, the numbers of a cell.
- `tables/<id>.py` with `<id>.yaml`: a table of the kind's own.
- `figures/<id>.py` with `<id>.yaml`: a drawing.
- `words.py`: `SECTIONS` of the summary.
- `cells.py`: how the report shows an answer; else as text.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Traits:
    """What a kind is like, for whoever need not know which it is.

    Attributes:
        labels: an answer is one of a fixed set of labels, whose probabilities are read.
        ordered: the labels have an order.
        reference: items have a right answer.
        free_text: judges, clinicians and lexicons may read the answer.
        stratum: column of the items by which a sample is drawn.
    """

    labels: bool
    ordered: bool
    reference: bool
    free_text: bool
    stratum: str


@dataclass(frozen=True)
class Metric:
    """A number that is measured of a cell.

    Attributes:
        id: its name in tables.
        title: what figures call it.
        unit: of the value.
        better: which values are better; None where neither are.
        contrast: how two cells are compared: `paired` shares by McNemar's test, `resampled`
            values by the bootstrap, `none` not at all.
        definition: in Markdown.
        own: whether the definition is this project's own.
        source: who defined it.
    """

    id: str
    title: str
    unit: Literal["share", "points", "levels", "nats", "score"]
    better: Literal["high", "low"] | None
    contrast: Literal["paired", "resampled", "none"]
    definition: str
    own: bool = False
    source: str = ""


def kinds() -> list[str]:
    """Ids of all kinds, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/spec.py"))


def has(kind: str, module: str) -> bool:
    """Whether a kind has a module."""
    return (FOLDER / kind / f"{module}.py").is_file()


def load(kind: str, module: str) -> ModuleType:
    """A module of a kind, by its name, such as `spec`."""
    return importlib.import_module(f"{__package__}.{kind}.{module}")
