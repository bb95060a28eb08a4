"""Responses: one row per answer, from a model or from a human rater."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from .chat import ChatTemplate
from .engine import CONTROL_TOKENS, Answer, Engine
from .errors import InputError
from .files import canonical_json, sha256_bytes

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
    "persona_delivered": pl.Boolean,
    "system_role": pl.String,
    "prompt_sha256": pl.String,
    "response_key": pl.String,
}

REPORT_EVERY_S = 10.0


@dataclass(frozen=True)
class Request:
    """What is asked of every prompt of a cell.

    Attributes:
        labels: the task's labels, in its order.
        answer_prefix: text that the answer is forced to begin with.
        max_tokens: most tokens of an answer.
        fingerprint: the engine's, which stands for weights and machine.
    """

    labels: Sequence[str]
    answer_prefix: str
    max_tokens: int
    fingerprint: str

    def key(self, tokens: Sequence[int], repeat: int) -> str:
        """SHA-256 of everything an answer depends on; greedy answers have no seed."""
        parts = {**asdict(self), "tokens": list(tokens), "temperature": 0, "repeat": repeat}
        return sha256_bytes(canonical_json(parts).encode())


def answer_all(
    engine: Engine, template: ChatTemplate, prompts: pl.DataFrame, request: Request, name: str
) -> pl.DataFrame:
    """Answer every prompt, in order, and log the progress.

    Returns:
        A table of `SCHEMA`. A prompt that does not fit the window or that spells a control token
        of the model stays as a row without text, whose `finish_reason` says so.

    Raises:
        InputError: the chat template does not deliver the system text of a prompt.
    """
    forms = engine.label_forms(request.labels)
    rows = []
    started = reported = time.monotonic()
    tokens_done = 0
    for done, row in enumerate(prompts.iter_rows(named=True), start=1):
        chat = template.render(row["system"], row["user"], request.answer_prefix)
        if not (chat.delivered and row["persona"] in chat.prefix):
            raise InputError(
                f"{name}: the chat template does not deliver the persona and the task to item "
                f"{row['item_id']} word for word; use another build of the model"
            )
        prompt = engine.prompt(chat.prefix, chat.rest)
        if engine.has_control_tokens(row["system"]) or engine.has_control_tokens(row["user"]):
            answer = Answer(None, CONTROL_TOKENS, 0, None)
        else:
            answer = engine.answer(prompt, forms, request.max_tokens)
        rows.append(
            {
                "item_id": row["item_id"],
                "prompt_id": row["prompt_id"],
                "variant": row["variant"],
                "repeat": 0,
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "n_prompt_tokens": len(prompt.tokens),
                "n_tokens": answer.n_tokens,
                "label_logprob": answer.label_logprob,
                "label_mass": _mass(answer),
                "persona_delivered": chat.delivered,
                "system_role": chat.system_role,
                "prompt_sha256": sha256_bytes(chat.text.encode()),
                "response_key": request.key(prompt.tokens, repeat=0),
            }
        )
        tokens_done += len(prompt.tokens) + answer.n_tokens
        now = time.monotonic()
        if now - reported >= REPORT_EVERY_S or done == prompts.height:
            reported = now
            _report(name, done, prompts.height, tokens_done, now - started)
    return pl.DataFrame(rows, schema=SCHEMA)


def _mass(answer: Answer) -> float | None:
    """Probability that falls on labels at all."""
    if answer.label_logprob is None:
        return None
    return float(np.exp(np.logaddexp.reduce(answer.label_logprob)))


def _report(name: str, done: int, total: int, tokens: int, seconds: float) -> None:
    left = seconds / done * (total - done)
    log.info(
        "%s: %d of %d answers, %.0f tokens/s, %.0f s left",
        name,
        done,
        total,
        tokens / max(seconds, 1e-9),
        left,
    )


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
        }
        for item_id, level in items.select("item_id", f"human_{rater}").iter_rows()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)
