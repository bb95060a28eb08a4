"""Responses: one row per answer, from a model or from a human rater."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..files import canonical_json, sha256_bytes
from ..names import HUMAN, NULL_CASE, OK
from .decoding import Answer, Decoding, Wanted, grammar_of
from .store import Store

log = logging.getLogger("persona_paradox")

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
    "text": pl.String,
    "finish_reason": pl.String,
    "n_prompt_tokens": pl.Int64,
    "n_tokens": pl.Int64,
    "label_logprob": pl.List(pl.Float64),
    "label_mass": pl.Float64,
    "token_logprob": pl.List(pl.Float64),
    "thought": pl.String,
    "n_thought_tokens": pl.Int64,
    "thought_cut": pl.Boolean,
    "persona_delivered": pl.Boolean,
    "system_role": pl.String,
    "prompt_sha256": pl.String,
    "response_key": pl.String,
    "backend": pl.String,
}

REPORT_EVERY_S = 10.0

# What answered: the engine, bit-reproducible; a server, which is not; a human rater.
LOCAL = "llama.cpp"
SERVER = "server"

# What a row says of the prompt that it answers.
ABOUT = (
    *("item_id", "prompt_id", "variant", "n_prompt_tokens", "persona_delivered", "system_role"),
    *("prompt_sha256", "repeat", "response_key"),
)

# Parquet metadata of answers: what their keys' fingerprint is the SHA-256 of, as JSON.
FINGERPRINT = "fingerprint"


@dataclass(frozen=True)
class Request:
    """What is asked of every prompt of a cell.

    Attributes:
        labels: the task's labels, in its order.
        greedy: decoding of the greedy answer.
        sampled: decoding of the sampled answers.
        repeats: number of sampled answers.
        paraphrases: whether paraphrases have sampled answers too.
        seed: the study's; sampled answers depend on it.
        fingerprint: the backend's, which stands for weights and machine.
    """

    labels: tuple[str, ...]
    greedy: Decoding
    sampled: Decoding
    repeats: int
    paraphrases: bool
    seed: int
    fingerprint: str

    @classmethod
    def of(cls, view: Mapping[str, Any], fingerprint: str) -> Request:
        """From the view of a task's decoding."""
        shared = {
            "max_tokens": view["max_tokens"],
            "stop": tuple(view["stop"]),
            "grammar": grammar_of(view),
            "token_logprobs": view["token_logprobs"],
        }
        drawn = {key: view["sampled"][key] for key in ("temperature", "top_p", "min_p")}
        return cls(
            labels=tuple(view["labels"]),
            greedy=Decoding(**shared),
            sampled=Decoding(**shared, **drawn),
            repeats=view["sampled"]["answers"],
            paraphrases=view["sampled"]["wordings"] == "all",
            seed=view["seed"],
            fingerprint=fingerprint,
        )

    @property
    def scope(self) -> str:
        """What the keys of a model's and a task's answers have in common, 32 digits."""
        parts = {"fingerprint": self.fingerprint, "labels": self.labels}
        return sha256_bytes(canonical_json(parts).encode())[:32]

    def wanted(self, delivered: pl.DataFrame) -> list[Wanted]:
        """The answers of a cell, in the order of its rows, the greedy one of each row first.

        A row that goes on behind an earlier answer, which has a `repeat`, gets one answer. No
        answers are sampled to null cases: they are there for their label probabilities.
        """
        return [
            self._one(row, repeat)
            for row in delivered.iter_rows(named=True)
            for repeat in self._repeats(row)
        ]

    def _repeats(self, row: Mapping[str, Any]) -> Iterable[int]:
        if (step := row["repeat"]) is not None:
            # Behind a step that was drawn, what is drawn at all is drawn once.
            return [step if self.repeats else 0]
        sampled = self.paraphrases or row["variant"] == "main"
        null_case = row["item_id"].startswith(NULL_CASE)
        return range((self.repeats if sampled and not null_case else 0) + 1)

    def _one(self, row: Mapping[str, Any], repeat: int) -> Wanted:
        decoding = replace(self.sampled if repeat else self.greedy, close=row["thought_close"])
        parts = {
            "fingerprint": self.fingerprint,
            "labels": self.labels,
            "decoding": decoding.describe(),
            "prompt": row["pieces"] or row["text"],
            "repeat": repeat,
            "seed": self.seed if repeat else None,
        }
        return Wanted(row, repeat, decoding, sha256_bytes(canonical_json(parts).encode()))


# Takes the answers that are missing; yields (index, answer) in the order in which they end.
Ask = Callable[[Sequence[Wanted]], Iterator[tuple[int, Answer]]]


def respond(
    delivered: pl.DataFrame, request: Request, backend: str, *, ask: Ask, store: Store, name: str
) -> pl.DataFrame:
    """The answers of a cell: from the store where it has them, else from the backend.

    Args:
        delivered: table of `delivery.SCHEMA`.
        request: what is asked of every prompt.
        backend: `LOCAL` or `SERVER`.
        ask: is called only if answers are missing; each is stored when it ends.
        store: of the request's scope.
        name: the cell in the log.

    Returns:
        A table of `SCHEMA`. A prompt that does not fit the window, that spells a control token of
        the model or that would go on behind no answer stays as rows without text, whose
        `finish_reason` says so.
    """
    wanted = request.wanted(delivered)
    run = [one for one in wanted if one.row["status"] == OK]
    answers = store.find({one.key for one in run})
    # Equal prompts have equal keys: each is asked once.
    missing = list({one.key: one for one in run if one.key not in answers}.values())
    log.info("%s: %d of %d answers from the store", name, len(run) - len(missing), len(run))
    if missing:
        progress = _Progress(name, len(missing))
        for index, answer in ask(missing):
            value = asdict(answer)
            store.put(missing[index].key, value)
            answers[missing[index].key] = value
            progress.one_more(answer)
    rows = [_row(one, _not_run(one) or answers[one.key], backend) for one in wanted]
    return pl.DataFrame(rows, schema=SCHEMA)


def _not_run(one: Wanted) -> dict[str, Any] | None:
    """What stands for the answer to a prompt that was not run; None where it was."""
    status = one.row["status"]
    return None if status == OK else asdict(Answer(None, status, 0))


def about(one: Wanted) -> dict[str, Any]:
    """What the row of an answer says of its prompt: the columns `ABOUT`."""
    return {
        **{name: one.row[name] for name in ABOUT if name in one.row},
        "repeat": one.repeat,
        "response_key": one.key,
    }


def _row(one: Wanted, answer: Mapping[str, Any], backend: str) -> dict[str, Any]:
    mass = label_mass(answer["label_logprob"])
    return {**about(one), **answer, "label_mass": mass, "backend": backend}


def label_mass(label_logprob: Sequence[float] | None) -> float | None:
    """Probability that falls on labels at all."""
    if not label_logprob:
        return None
    return float(np.exp(np.logaddexp.reduce(label_logprob)))


class _Progress:
    """Logs every few seconds how far a cell is."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._started = self._reported = time.monotonic()
        self._done = self._tokens = 0

    def one_more(self, answer: Answer) -> None:
        self._done += 1
        self._tokens += answer.n_tokens
        now = time.monotonic()
        if now - self._reported < REPORT_EVERY_S and self._done < self._total:
            return
        self._reported = now
        seconds = max(now - self._started, 1e-9)
        log.info(
            "%s: %d of %d answers computed, %.1f answers/s, %.0f tokens/s generated, %.0f s left",
            self._name,
            self._done,
            self._total,
            self._done / seconds,
            self._tokens / seconds,
            seconds / self._done * (self._total - self._done),
        )


def engine_of(path: Path) -> dict[str, Any] | None:
    """What computed a file of answers, as `Settings.describe` has it; None where none did."""
    text = pl.read_parquet_metadata(path).get(FINGERPRINT)
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def human_responses(
    items: pl.DataFrame, rater: str, label_of_level: dict[str, str]
) -> pl.DataFrame:
    """A rater's levels as answers, so that they pass through the same scoring as a model's."""
    rows: list[dict[str, Any]] = [
        {
            "item_id": item_id,
            "prompt_id": None,
            "variant": "main",
            "repeat": 0,
            "text": label_of_level[level],
            "finish_reason": "human",
            "backend": HUMAN,
        }
        for item_id, level in items.select("item_id", f"human_{rater}").iter_rows()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)
