"""What an answer says: an option, or a set of options, by its letter in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.items import is_null_case
from ...engine.decoding import LENGTH
from ...engine.responses import label_mass
from ...names import RIGHT, WRONG
from ..labelled import scoring as labelled
from ..labelled.labels import MISSING, UNCLEAR, parse_label
from .letters import LETTERS, places, written
from .order import seed_of, shown
from .sets import parse_set

# A label that the item does not have.
NO_OPTION = "no_option"


def _schema() -> dict[str, Any]:
    """That of `labelled`, and what an order and several right options need, each behind its kin."""
    behind: dict[str, dict[str, Any]] = {
        "label": {"label_shown": pl.String, "shown_first": pl.String, "reference_shown": pl.String},
        "label_logprob_argmax": {"correct_logprob": pl.Boolean},
        "label_contextual": {"correct_contextual": pl.Boolean},
    }
    found: dict[str, Any] = {}
    for column, kind in labelled.SCHEMA.items():
        found[column] = kind
        found |= behind.get(column, {})
    return found | {"n_options": pl.Int64}


SCHEMA = _schema()


def score(
    responses: pl.DataFrame,
    items: pl.DataFrame,
    scoring: Mapping[str, Any],
    verbalized: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Score every answer of a cell.

    Args:
        responses: columns of a response; `label_logprob` in the order of the task's labels.
        items: `item_id`, `options`, `order`, `reference` and the one that `scoring` has as
            `cluster`.
        scoring: the task's view: `labels` as they are shown, `select`, and perhaps `order_seed`,
            `cluster` and `header`.
        verbalized: table of `verbalized.SCHEMA`; None where no confidence was asked for.

    Returns:
        A table of `SCHEMA`, one row per answer to an item; null cases are no items. `reference`,
        `label`, `label_logprob_argmax` and `label_contextual` are letters of the file's order,
        `label_shown` is what the model wrote; `shown_first` is the letter of the option that
        stood first, `reference_shown` has the shown labels of the right options. An answer is
        right where it is one of the right options; a set, where it is all of them. Probabilities,
        their mass and the contextual calibration are over the labels that the item has.
    """
    row_of = {row["item_id"]: row for row in items.iter_rows(named=True)}
    cluster_of = labelled.clusters(items, scoring.get("cluster"))
    several = scoring["select"] == "all"
    priors = {} if several else _priors(responses)
    rows = []
    for row in responses.filter(~is_null_case()).iter_rows(named=True):
        item = row_of[row["item_id"]]
        order = shown(item, seed_of(scoring))
        marks = scoring["labels"][: len(order)]
        mark_of = dict(zip(order, marks, strict=True))
        right = set(places(item["reference"]))
        text = labelled.concluded(row["text"], scoring.get("header"))
        cut = row["finish_reason"] == LENGTH
        read = parse_set(text, marks, cut) if several else _one(text, marks, scoring["labels"], cut)
        chosen, status = read
        answer = None if chosen is None else {order[marks.index(mark)] for mark in chosen}
        is_right = answer is not None and (answer == right if several else answer <= right)
        label = None if answer is None else written(answer)
        logprob = _of_options(row["label_logprob"], order)
        rows.append(
            {
                **{key: row[key] for key in ("item_id", "prompt_id", "variant", "repeat")},
                "reference": item["reference"],
                "label": label,
                "label_shown": None if chosen is None else "".join(chosen),
                "shown_first": LETTERS[order[0]],
                "reference_shown": "".join(mark_of[place] for place in order if place in right),
                "parse_status": status,
                "outcome": _outcome(label, is_right, text, item["options"]),
                "correct": is_right,
                "cluster": cluster_of.get(row["item_id"]),
                "label_mass": label_mass(logprob),
                "finish_reason": row["finish_reason"],
                "backend": row["backend"],
                "n_options": len(order),
                **_probable(logprob, label, right),
                **_contextual(logprob, priors.get(row["variant"]), order, right),
            }
        )
    table = pl.DataFrame(rows, schema=SCHEMA)
    return labelled.with_verbalized(labelled.with_repeat(table), verbalized)


def _one(
    text: str | None, marks: Sequence[str], labels: Sequence[str], cut: bool
) -> tuple[list[str] | None, str]:
    """The one label of an item that an answer gives, and how it was found.

    Args:
        text: what the model wrote.
        marks: the labels that the item has.
        labels: those of the task.
        cut: whether the text was cut at its longest.
    """
    mark, status = parse_label(text, marks, cut)
    if mark is not None:
        return [mark], status
    if status in (MISSING, UNCLEAR) and parse_label(text, labels, cut)[0] is not None:
        return None, NO_OPTION
    return None, status


def _outcome(label: str | None, is_right: bool, text: str | None, options: Sequence[str]) -> str:
    if label is None:
        return labelled.outcome(None, "", text, options)
    return RIGHT if is_right else WRONG


def _of_options(logprob: Sequence[float] | None, order: Sequence[int]) -> list[float] | None:
    """Log-probabilities of the item's options in the order of the file, shape (options,)."""
    if not logprob:
        return None
    found = [0.0] * len(order)
    for position, place in enumerate(order):
        found[place] = logprob[position]
    return found


def _probable(
    logprob: Sequence[float] | None, label: str | None, right: set[int]
) -> dict[str, Any]:
    """What the probabilities of the options say."""
    if logprob is None:
        return {}
    letters = LETTERS[: len(logprob)]
    found = labelled.confidence_of(logprob, label, letters, range(len(letters)))
    return found | _is_right("correct_logprob", found.get("label_logprob_argmax"), right)


def _contextual(
    logprob: Sequence[float] | None,
    prior: NDArray[np.float64] | None,
    order: Sequence[int],
    right: set[int],
) -> dict[str, Any]:
    """The same without the habit of the labels, which is one of places and not of options."""
    if logprob is None or prior is None:
        return {}
    of_places = prior[:, : len(order)]
    # A null case may have no probability at all, and a label none in any of them.
    of_places = of_places[np.isfinite(of_places).any(axis=1)]
    if not len(of_places) or not np.isfinite(of_places.max(axis=0)).all():
        return {}
    moved = np.empty_like(of_places)
    moved[:, list(order)] = of_places
    found = labelled.contextual_of(logprob, moved.tolist(), LETTERS[: len(order)])
    return found | _is_right("correct_contextual", found.get("label_contextual"), right)


def _is_right(name: str, letter: str | None, right: set[int]) -> dict[str, bool]:
    return {} if letter is None else {name: LETTERS.index(letter) in right}


def _priors(responses: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities of the task's labels behind the null cases of every wording."""
    null = responses.filter(is_null_case() & pl.col("label_logprob").is_not_null())
    return {
        str(variant): np.array(part["label_logprob"].to_list(), dtype=np.float64)
        for (variant,), part in null.group_by("variant", maintain_order=True)
    }
