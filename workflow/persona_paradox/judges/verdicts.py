"""What the verdicts of judges say.

A judge answers with one digit. Its verdict is read from the probabilities of the digits at the
place of the first one, so that none is lost to parsing: a rating is the expected value on its
scale, a preference the likelier of two. A preference that changes with the order in which two
answers are shown is a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..identification.options import in_study_order, order_of
from ..kinds.labelled.labels import parse_label
from .chats import EMPTY, IDENTICAL, NO_ANSWER, Asked, Rows, unseen

READ = "read"
NO_PROBABILITY = "no_probability"

JUDGEMENT: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
    "dimension": pl.String,
    "status": pl.String,
    "value": pl.Float64,
    "mode": pl.Int64,
    "entropy": pl.Float64,
    "probabilities": pl.List(pl.Float64),
    "mass": pl.Float64,
    "written": pl.Int64,
    "rationale": pl.String,
    "n_characters": pl.Int64,
    "response_key": pl.String,
    "backend": pl.String,
}
PREFERENCE = {
    "item_id": pl.String,
    "first": pl.String,
    "second": pl.String,
    "status": pl.String,
    "p_first": pl.Float64,
    "p_first_swapped": pl.Float64,
    "outcome": pl.Float64,
    "consistent": pl.Boolean,
    "mass": pl.Float64,
    "length_difference": pl.Int64,
    "backend": pl.String,
}

LISTED = {"item_id": pl.String, "name": pl.String, "status": pl.String, "p": pl.Float64}


def digits(verdict: Mapping[str, Any], n: int) -> tuple[NDArray[np.float64] | None, float | None]:
    """Probabilities of the digits 1 to n, shape (n,), and the probability that they have at all.

    None where the judge was not asked, or where a server lists none of them.
    """
    logprob = verdict["label_logprob"]
    if logprob is None or max(logprob[:n]) == -np.inf:
        return None, None
    values = np.asarray(logprob[:n], dtype=np.float64)
    total = np.logaddexp.reduce(values)
    return np.exp(values - total), float(np.exp(total))


def judgements(
    answers: pl.DataFrame,
    chats: pl.DataFrame,
    verdicts: pl.DataFrame,
    judge: Mapping[str, Any],
    *,
    asked: Asked = "all",
) -> pl.DataFrame:
    """The ratings of a cell's answers.

    Args:
        answers: as for `rating_chats`.
        chats: what `rating_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        judge: view of the verdicts: `scale`, `better` (dimension → end) and `classes`
            (dimension → classes), of which the action is one; perhaps `labels`, the words that
            the judge replies with in the place of digits, or `identification`, where letters
            stand for personas in an order of every item's own.
        asked: what the chats ask for.

    Returns:
        A table of `JUDGEMENT`, one row per answer and dimension. `value` is the expected
        rating, 1 to `scale`; of classes there is the likeliest (`mode`) alone. `entropy` is in
        nats, `mass` the probability that falls on the scale at all, `written` the digit that the
        judge wrote, or the number of its word. Where `status` is not `read` it says why there is
        no verdict: the answer is `empty` or was not given (`no_answer`), it does not fit the
        judge's window with the rubric (`prompt_too_long`), it spells a control token of the judge
        (`control_tokens`), or no digit has a probability (`no_probability`).
    """
    both = chats.select("item_id", "variant", "repeat", "dimension", "n_characters").hstack(
        verdicts.select(pl.exclude("item_id", "variant", "repeat", "prompt_id"))
    )
    found = {
        (row["item_id"], row["variant"], row["repeat"], row["dimension"]): row
        for row in both.iter_rows(named=True)
    }
    classed = judge["classes"] if asked != "ratings" else {}
    rated = judge["better"] if asked != "classes" else {}
    naming = judge.get("identification")
    rows: Rows = []
    keys = ("item_id", "variant", "repeat")
    for row in answers.iter_rows(named=True):
        about = {key: row[key] for key in keys}
        for dimension in (*rated, *classed):
            ordered = dimension not in classed
            n = judge["scale"] if ordered else len(classed[dimension])
            verdict = found.get((*about.values(), dimension))
            labels = judge.get("labels") or [str(number) for number in range(1, 10)]
            if naming and verdict:
                verdict = _in_study_order(verdict, naming)
            judged = _judgement(row, verdict, n, labels, ordered=ordered)
            rows.append({**about, "dimension": dimension, **judged})
    return pl.DataFrame(rows, schema=JUDGEMENT)


def _in_study_order(verdict: Mapping[str, Any], naming: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict by letters as one by the numbers of the options, from 1 on in the study's order."""
    item_id, logprob = verdict["item_id"], verdict["label_logprob"]
    if logprob is not None:
        logprob = in_study_order(logprob, item_id, naming)
    letter, _ = parse_label(verdict["text"], naming["labels"])
    place = None if letter is None else naming["labels"].index(letter)
    written = None if place is None else order_of(item_id, naming)[place] + 1
    return {**verdict, "label_logprob": logprob, "written": written}


def _judgement(
    answer: Mapping[str, Any],
    verdict: Mapping[str, Any] | None,
    n: int,
    labels: Sequence[str],
    *,
    ordered: bool,
) -> dict[str, Any]:
    if verdict is None:
        text = answer["text"]
        return {
            "status": NO_ANSWER if text is None else EMPTY,
            "n_characters": None if text is None else len(text),
        }
    kept = {key: verdict[key] for key in ("n_characters", "response_key", "backend")}
    if verdict["text"] is None:
        return {**kept, "status": verdict["finish_reason"]}
    p, mass = digits(verdict, n)
    written = verdict["text"].strip()
    number, label = next(
        (each for each in enumerate(labels, start=1) if written.startswith(each[1])), (None, "")
    )
    kept |= {
        # A letter was read already.
        "written": verdict.get("written", number),
        "rationale": written.removeprefix(label).lstrip() or None,
    }
    if p is None:
        return {**kept, "status": NO_PROBABILITY}
    return {
        **kept,
        "status": READ,
        "value": float(p @ np.arange(1, n + 1)) if ordered else None,
        "mode": int(np.argmax(p)) + 1,
        "entropy": float(-(p * np.log(np.where(p > 0, p, 1.0))).sum()),
        "probabilities": p.tolist(),
        "mass": mass,
    }


def preferences(
    pairs: pl.DataFrame, chats: pl.DataFrame, verdicts: pl.DataFrame, names: tuple[str, str]
) -> pl.DataFrame:
    """What a judge prefers in every pair.

    Args:
        pairs: as for `pair_chats`.
        chats: what `pair_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        names: what `text` and `text_other` are called.

    Returns:
        A table of `PREFERENCE`, one row per pair. `p_first` is the probability that the first is
        preferred where it is shown first, `p_first_swapped` where it is shown second; `outcome`
        is 1 for the first, 0 for the second, and 0.5 for a tie; `consistent` says whether
        both orders agree. Pairs with `status` `identical` are ties unseen; with any other than
        `read` there is no outcome.
    """
    both = chats.select("item_id", "swapped", "length_difference").hstack(
        verdicts.select(pl.exclude("item_id", "variant", "prompt_id"))
    )
    found = {(row["item_id"], row["swapped"]): row for row in both.iter_rows(named=True)}
    rows: Rows = []
    for row in pairs.iter_rows(named=True):
        about = {"item_id": row["item_id"], "first": names[0], "second": names[1]}
        reason = unseen(row)
        if reason is not None:
            outcome = 0.5 if reason == IDENTICAL else None
            rows.append({**about, "status": reason, "outcome": outcome})
            continue
        orders = [found[row["item_id"], swapped] for swapped in (False, True)]
        rows.append({**about, **_preference(orders)})
    return pl.DataFrame(rows, schema=PREFERENCE)


def _preference(orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {key: orders[0][key] for key in ("length_difference", "backend")}
    for verdict in orders:
        if verdict["text"] is None:
            return {**about, "status": verdict["finish_reason"]}
    (p, mass), (p_swapped, mass_swapped) = (digits(verdict, 2) for verdict in orders)
    if p is None or p_swapped is None or mass is None or mass_swapped is None:
        return {**about, "status": NO_PROBABILITY}
    choices = (_choice(p[0], p[1]), _choice(p_swapped[1], p_swapped[0]))
    consistent = choices[0] == choices[1]
    return {
        **about,
        "status": READ,
        "p_first": float(p[0]),
        "p_first_swapped": float(p_swapped[1]),
        "outcome": choices[0] if consistent else 0.5,
        "consistent": consistent,
        "mass": (mass + mass_swapped) / 2,
    }


def _choice(p: float, p_other: float) -> float:
    """1 for the first of two, 0 for the second, 0.5 where they are equally likely."""
    return 0.5 if p == p_other else float(p > p_other)


def list_preferences(
    lists: pl.DataFrame, chats: pl.DataFrame, verdicts: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """How likely each answer is called the best, over all rotations of the list.

    Args:
        lists: as for `list_chats`.
        chats: what `list_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        names: what the answers are called, in their order.

    Returns:
        A table of `LISTED`, one row per question and answer. `p` is the mean probability over
        the rotations, which show every answer once in every place; it is null, and `status` says
        why, where a rotation was not judged, or where an answer of the list says nothing.
    """
    both = chats.select("item_id", "rotation").hstack(
        verdicts.select("text", "finish_reason", "label_logprob")
    )
    rotations: dict[str, Rows] = {}
    for row in both.iter_rows(named=True):
        rotations.setdefault(row["item_id"], []).append(row)
    rows: Rows = []
    for row in lists.iter_rows(named=True):
        p: NDArray[np.float64] | None = None
        if row["item_id"] in rotations:
            status, p = _best(rotations[row["item_id"]], len(names))
        else:
            status = NO_ANSWER if None in row["texts"] else EMPTY
        about = {"item_id": row["item_id"], "status": status}
        for i, name in enumerate(names):
            rows.append({**about, "name": name, "p": None if p is None else float(p[i])})
    return pl.DataFrame(rows, schema=LISTED)


def _best(rotations: Rows, n: int) -> tuple[str, NDArray[np.float64] | None]:
    """Status of a list, and the mean probability of each of its `n` answers to be the best."""
    total = np.zeros(n)
    for row in rotations:
        if row["text"] is None:
            return row["finish_reason"], None
        p, _ = digits(row, n)
        if p is None:
            return NO_PROBABILITY, None
        # Rotation r shows answer r first.
        total += np.roll(p, row["rotation"])
    return READ, total / n
