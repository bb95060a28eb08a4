"""How an answer is decoded and what comes of it, for every backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# finish_reason of an answer
STOP = "stop"
LENGTH = "length"
TOO_LONG = "prompt_too_long"
CONTROL_TOKENS = "control_tokens"
# A chat cannot go on behind an answer that there is not.
NO_ANSWER = "no_answer"


@dataclass(frozen=True)
class Decoding:
    """How an answer is produced.

    The temperature is applied first, then `min_p`, then `top_p`.

    Attributes:
        max_tokens: most tokens of an answer; 0 reads the labels only.
        temperature: 0 is greedy: the likeliest token, of equals the one with the lowest id.
        top_p: the smallest set of likeliest tokens with at least this probability is drawn from.
        min_p: tokens below this share of the likeliest token's probability are not drawn.
        stop: strings that end an answer; neither they nor what follows is part of it.
        grammar: GBNF grammar that the answer follows, None for any answer.
        token_logprobs: whether the log-probabilities of the produced tokens are kept.
        close: what ends the thought that the prompt has opened, None where it has opened none.
            Like a string of `stop`, but control tokens count as what they are called.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    token_logprobs: bool = False
    close: str | None = None

    @property
    def ends(self) -> tuple[str, ...]:
        """All strings that end an answer."""
        return self.stop if self.close is None else (*self.stop, self.close)

    def describe(self) -> dict[str, Any]:
        """What tells answers apart; answers that are no thoughts know nothing of them."""
        found = asdict(self)
        if self.close is None:
            del found["close"]
        return found


@dataclass(frozen=True)
class Answer:
    """What a model makes of one prompt.

    Attributes:
        text: the answer; None where the prompt was not run.
        finish_reason: `stop` (the model ended it, or a stop string or mark), `length`,
            `prompt_too_long`, `control_tokens` or `no_answer`.
        n_tokens: tokens of the answer, without the one that ends it.
        label_logprob: natural logarithm of the probability of every label at the answer
            position, summed over its forms, in the order of the labels; None where there are no
            labels or the prompt was not run.
        token_logprob: natural logarithm of the probability of each token of the answer before
            temperature, top-p, min-p and grammar, shape (n_tokens,); None where not asked for.
    """

    text: str | None
    finish_reason: str
    n_tokens: int
    label_logprob: tuple[float, ...] | None = None
    token_logprob: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Wanted:
    """One answer of a cell: to which prompt, how decoded, and under which key.

    Attributes:
        row: row of the deliveries.
        repeat: 0 is the greedy answer, 1 and on are sampled.
        decoding: how it is produced.
        key: SHA-256 of everything the answer depends on.
    """

    row: Mapping[str, Any]
    repeat: int
    decoding: Decoding
    key: str

    @property
    def seed(self) -> int:
        """Seed of this answer's draws, 32 bits, from its key."""
        return int(self.key[:8], 16)


def grammar_of(view: Mapping[str, Any]) -> str | None:
    """The GBNF grammar of a task's keys `grammar` or `json_schema`, None for neither."""
    if view["json_schema"] is not None:
        from llama_cpp.llama_grammar import json_schema_to_gbnf  # noqa: PLC0415 - rarely needed

        grammar: str = json_schema_to_gbnf(view["json_schema"])
        return grammar
    given: str | None = view["grammar"]
    return given


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Natural logarithm of the softmax, in double precision. Shape: that of `logits`."""
    wide = logits.astype(np.float64)
    wide -= wide.max()
    result: NDArray[np.float64] = wide - np.log(np.exp(wide).sum())
    return result
