"""Scores: what an answer says, and whether it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.items import is_null_case
from ...engine.decoding import LENGTH
from ...names import REFUSED, RIGHT, UNREADABLE, WRONG
from ...prompting.thinking import behind_thoughts
from ...scorers.refusals import refuses
from .contextual import contextual
from .labels import parse_label

# Which answer a score is of, of every kind of task; its first columns.
ANSWER: dict[str, Any] = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
}
# And its last ones in a kind whose answers have no labels.
ORIGIN: dict[str, Any] = dict.fromkeys(("cluster", "finish_reason", "backend"), pl.String)
SCHEMA: dict[str, Any] = {
    **ANSWER,
    "reference": pl.String,
    "label": pl.String,
    "label_logprob_argmax": pl.String,
    "parse_status": pl.String,
    "outcome": pl.String,
    "correct": pl.Boolean,
    "confidence": pl.Float64,
    "confidence_generated": pl.Float64,
    "entropy": pl.Float64,
    "margin": pl.Float64,
    "label_probabilities": pl.List(pl.Float64),
    "label_contextual": pl.String,
    "confidence_contextual": pl.Float64,
    "confidence_repeat": pl.Float64,
    "confidence_verbalized": pl.Float64,
    "cluster": pl.String,
    "label_mass": pl.Float64,
    "finish_reason": pl.String,
    "backend": pl.String,
}


def score(
    responses: pl.DataFrame,
    items: pl.DataFrame,
    scoring: Mapping[str, Any],
    verbalized: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Score every answer of a cell.

    Args:
        responses: columns of a response; `label_logprob` in the order of the task's labels.
        items: columns `item_id`, `reference` (level) and the one that `scoring` has as `cluster`.
        scoring: the task's view: `labels` (label and level), `levels` in their order, and perhaps
            `cluster`, the column that names an item's cluster, and `header`, the line behind which
            an answer with reasoning gives its label.
        verbalized: table of `verbalized.SCHEMA`; None where no confidence was asked for.

    Returns:
        A table of `SCHEMA`, one row per answer to an item; null cases are no items. `reference`,
        `label` and `label_logprob_argmax` are labels of the task; `outcome` is one of
        `names.OUTCOMES`, `refused` by the published phrases where there is no label; entropy is in
        nats; probabilities are a softmax over the labels, and `label_probabilities` are in the
        order of the levels.
        `label_contextual` and its confidence are after contextual calibration by the null
        cases of the same wording. Greedy answers (`repeat` 0) alone have `confidence_repeat`, the
        share of the sampled answers to the same prompt that give the same label, and
        `confidence_verbalized`.
    """
    labels = [entry["label"] for entry in scoring["labels"]]
    label_of = {entry["level"]: entry["label"] for entry in scoring["labels"]}
    order = [labels.index(label_of[level]) for level in scoring["levels"]]
    reference_of = dict(items.select("item_id", "reference").iter_rows())
    cluster_of = clusters(items, scoring.get("cluster"))
    prior_of = priors(responses)
    rows = []
    for row in responses.filter(~is_null_case()).iter_rows(named=True):
        reference = label_of[reference_of[row["item_id"]]]
        text = concluded(row["text"], scoring.get("header"))
        label, status = parse_label(text, labels, row["finish_reason"] == LENGTH)
        rows.append(
            {
                **{key: row[key] for key in ("item_id", "prompt_id", "variant", "repeat")},
                "reference": reference,
                "label": label,
                "parse_status": status,
                "outcome": outcome(label, reference, text),
                "correct": label == reference,
                "cluster": cluster_of.get(row["item_id"]),
                "label_mass": row["label_mass"],
                "finish_reason": row["finish_reason"],
                "backend": row["backend"],
                **confidence_of(row["label_logprob"], label, labels, order),
                **contextual_of(row["label_logprob"], prior_of.get(row["variant"]), labels),
            }
        )
    return with_verbalized(with_repeat(pl.DataFrame(rows, schema=SCHEMA)), verbalized)


def concluded(text: str | None, header: str | None) -> str | None:
    """What stands behind the header that ends the reasoning, the first one of its kind.

    A human rater's answer has none. A header inside a thought ends nothing: it is all one text.
    """
    if text is None or header is None:
        return text
    before, found, said = text.partition(header)
    return said if found and behind_thoughts(before + found) is not None else text


def outcome(
    label: str | None, reference: str, text: str | None, options: Sequence[str] = ()
) -> str:
    """Of four; an answer with a label is not asked whether it refuses.

    Args:
        label: that was read, if any.
        reference: the right one.
        text: what was said behind the reasoning.
        options: texts of the item's options, of which "none of the above" may be one.
    """
    if label is not None:
        return RIGHT if label == reference else WRONG
    said = None if text is None else behind_thoughts(text)
    return REFUSED if said is not None and refuses(said, options) else UNREADABLE


def clusters(items: pl.DataFrame, column: str | None) -> dict[str, str | None]:
    """The cluster of every item, as text; of none where there are no clusters."""
    if column is None:
        return {}
    return dict(zip(items["item_id"], items[column].cast(pl.String), strict=True))


def known(logprob: Sequence[float] | None) -> TypeGuard[Sequence[float]]:
    """Whether there are log-probabilities of labels."""
    # Among the tokens that a server lists there may be no label at all.
    return logprob is not None and max(logprob) > -np.inf


def priors(responses: pl.DataFrame) -> dict[str, list[Sequence[float]]]:
    """Label log-probabilities of the null cases of every wording that has a usable prior.

    A null case that was not run is left out. There is no prior where a label has no probability
    in any of them, as with a server that does not list it: nothing can be divided by 0.
    """
    found: dict[str, list[Sequence[float]]] = {}
    for variant, logprob in (
        responses.filter(is_null_case()).select("variant", "label_logprob").iter_rows()
    ):
        if known(logprob):
            found.setdefault(variant, []).append(logprob)
    return {v: prior for v, prior in found.items() if np.isfinite(np.max(prior, axis=0)).all()}


def contextual_of(
    logprob: Sequence[float] | None, prior: Sequence[Sequence[float]] | None, labels: Sequence[str]
) -> dict[str, Any]:
    """What the label probabilities say without the habit of the model; nothing without a prior."""
    if prior is None or not known(logprob):
        return {}
    (log_p,) = contextual([logprob], prior)
    return {
        # The first of equal labels, in the task's order.
        "label_contextual": labels[int(np.argmax(log_p))],
        "confidence_contextual": float(np.exp(log_p.max())),
    }


def with_repeat(scores: pl.DataFrame) -> pl.DataFrame:
    """Fill `confidence_repeat`; a sampled answer without a label agrees with none."""
    prompt = ("item_id", "variant")
    greedy = pl.col("label").filter(pl.col("repeat") == 0).first().over(prompt)
    same = (pl.col("label") == greedy).fill_null(False)
    scores = scores.with_columns(same=same)
    share = pl.col("same").filter(pl.col("repeat") > 0).mean().over(prompt)
    own = (pl.col("repeat") == 0) & pl.col("label").is_not_null()
    return scores.with_columns(confidence_repeat=pl.when(own).then(share)).drop("same")


def with_verbalized(scores: pl.DataFrame, verbalized: pl.DataFrame | None) -> pl.DataFrame:
    """Fill `confidence_verbalized`."""
    if verbalized is None:
        return scores
    stated = verbalized.select("item_id", "variant", "confidence", repeat=pl.lit(0, dtype=pl.Int64))
    keys = ["item_id", "variant", "repeat"]
    joined = scores.join(stated, on=keys, how="left", maintain_order="left", suffix="_stated")
    return joined.with_columns(confidence_verbalized="confidence_stated").drop("confidence_stated")


def probabilities(logprob: Sequence[float] | None) -> NDArray[np.float64] | None:
    """Softmax over the labels, shape (labels,); None where there are no log-probabilities."""
    if not known(logprob):
        return None
    values = np.asarray(logprob)
    p: NDArray[np.float64] = np.exp(values - np.logaddexp.reduce(values))
    return p


def confidence_of(
    logprob: Sequence[float] | None,
    label: str | None,
    labels: Sequence[str],
    order: Sequence[int],
) -> dict[str, Any]:
    """What the label probabilities say; nothing where there are none."""
    if not known(logprob):
        return {}
    values = np.asarray(logprob)
    log_p = values - np.logaddexp.reduce(values)
    p = np.exp(log_p)
    first, second = np.sort(p)[::-1][:2]
    return {
        # The first of equal labels, in the task's order.
        "label_logprob_argmax": labels[int(np.argmax(values))],
        "confidence": float(first),
        "confidence_generated": None if label is None else float(p[labels.index(label)]),
        "entropy": float(-(p * np.where(p > 0, log_p, 0.0)).sum()),
        "margin": float(first - second),
        "label_probabilities": p[list(order)].tolist(),
    }
