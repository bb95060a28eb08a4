"""What an OpenAI-compatible endpoint returns, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .decoding import LENGTH

ROUNDING = 1e-3  # by which a log-probability may lie above 0

# Parts of the messages by which llama_cpp.server, llama-server, vLLM and SGLang refuse a prompt
# that does not fit their window.
TOO_LONG_SIGNS = (
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context size",
    "context window",
    "maximum model length",
)


@dataclass(frozen=True)
class Completion:
    """What an endpoint returned, whatever its format.

    Attributes:
        text: the answer as the endpoint cut it.
        finish_reason: `stop` or `length`.
        tokens: text and log-probability of the tokens; empty where none are listed.
        first: log-probabilities of the likeliest tokens at the answer position, by text; empty
            where they are not listed.
        count: tokens by the endpoint's own count, None where it does not say.
    """

    text: str
    finish_reason: str
    tokens: tuple[tuple[str, float], ...]
    first: Mapping[str, float]
    count: int | None


class Unusable(Exception):
    """An answer that is not what it should be; says what is wrong."""


class TooLong(Exception):
    """The prompt and its answer do not fit the endpoint's window."""


def model_names(listed: Any) -> list[str]:
    """Names in the answer to /models; none where it is no such list."""
    data = listed.get("data") if isinstance(listed, Mapping) else None
    models = data if isinstance(data, list) else []
    return [str(model["id"]) for model in models if isinstance(model, Mapping) and "id" in model]


def completion_of(body: Any) -> Completion:
    """What a completion says."""
    choice = body["choices"][0]
    listed = choice.get("logprobs") or {}
    try:
        tokens, first = _logprobs(listed)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Unusable("its `logprobs` are of no known form") from error
    if not isinstance(text := choice["text"], str):
        raise Unusable(f"its `text` is {json.dumps(text)[:100]}, not a text")
    count = (body.get("usage") or {}).get("completion_tokens")
    if not (count is None or isinstance(count, int)):
        raise Unusable(f"its `completion_tokens` is {json.dumps(count)[:100]}, not a number")
    return Completion(
        text=text,
        finish_reason=str(choice["finish_reason"]),
        tokens=tuple(tokens),
        first=first,
        count=count,
    )


def _logprobs(found: Mapping[str, Any]) -> tuple[list[tuple[str, float]], dict[str, float]]:
    """Tokens of an answer, and the likeliest at its first position, from either format."""
    if "content" in found:  # llama-server: as in chats
        entries = found["content"] or []
        tokens = [_listed(entry["token"], entry["logprob"]) for entry in entries]
        top = [(t["token"], t["logprob"]) for e in entries[:1] for t in e["top_logprobs"]]
    else:  # as in OpenAI's own completions: llama_cpp.server, vLLM
        texts, values = found.get("tokens") or [], found.get("token_logprobs") or []
        tokens = [_listed(text, value) for text, value in zip(texts, values, strict=True)]
        top = [pair for listed in (found.get("top_logprobs") or [])[:1] for pair in listed.items()]
    first: dict[str, float] = {}
    for text, logprob in (_listed(*pair) for pair in top):
        # Tokens of one text: the likelier is the one that the tokenizer makes of that text.
        first[text] = max(logprob, first.get(text, -np.inf))
    if tokens and tokens[0][0] not in first:
        # llama-server left the first token out, and this is a later position.
        first = {}
    return tokens, first


def _listed(text: Any, logprob: Any) -> tuple[str, float]:
    """A listed token and its log-probability, which may be minus infinity but no other non-number.

    Raises:
        Unusable: they are none.
    """
    number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
    # A little above 0 is rounding; NaN is below nothing.
    if not isinstance(text, str) or not number or not logprob <= ROUNDING:
        raise Unusable(
            f"token {json.dumps(text)[:100]} has the log-probability {json.dumps(logprob)[:100]}"
        )
    return text, float(logprob)


def sum_forms(first: Mapping[str, float], labels: Sequence[str]) -> tuple[float, ...] | None:
    """Log-sum-exp over the forms of each label, shape (labels,); None where nothing is listed."""
    if not first:
        return None
    return tuple(
        float(np.logaddexp.reduce([first.get(lead + label, -np.inf) for lead in ("", " ", "\n")]))
        for label in labels
    )


def of_answer(
    tokens: Sequence[tuple[str, float]], text: str, finish_reason: str
) -> list[tuple[str, float]]:
    """The tokens that belong to an answer: without what ended it."""
    if finish_reason == LENGTH or not "".join(token for token, _ in tokens).startswith(text):
        return list(tokens)
    kept, start = [], 0
    for token, logprob in tokens:
        if start >= len(text):
            break
        kept.append((token, logprob))
        start += len(token)
    return kept
