"""Answers that are being written: one by one, and side by side in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from .decoding import LENGTH, STOP, Answer, Decoding, log_softmax
from .sampler import Sampler
from .vocabulary import Prompt, Vocabulary

Forms = Sequence[Sequence[tuple[int, ...]]]
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Question:
    """One answer that is wanted.

    Attributes:
        prompt: what the model reads.
        decoding: how the answer is produced.
        seed: of its draws, 32 bits; greedy answers have none.
    """

    prompt: Prompt
    decoding: Decoding
    seed: int = 0


class Running:
    """An answer that is being generated."""

    def __init__(
        self,
        index: int,
        question: Question,
        labels: tuple[float, ...] | None,
        vocabulary: Vocabulary,
        name: str,
    ) -> None:
        self.index = index
        self.tokens: list[int] = []
        self.position = len(question.prompt)
        self.sampler = Sampler(vocabulary, question.decoding, question.seed, name)
        self._decoding = question.decoding
        self._labels = labels
        self._vocabulary = vocabulary
        self._logprobs: list[float] = []
        self._spelled = b""
        self._text, self._finish_reason = "", ""

    def take(self, logits: Logits) -> bool:
        """Choose the next token; True where the answer has ended."""
        if len(self.tokens) == self._decoding.max_tokens:
            return self._end(LENGTH)
        token = self.sampler.choose(logits)
        if self._vocabulary.ends(token):
            return self._end(STOP)
        self.tokens.append(token)
        if self._decoding.token_logprobs:
            self._logprobs.append(float(log_softmax(logits)[token]))
        if self._closes(token):
            return self._end(STOP)
        if self._decoding.stop:
            text = self._vocabulary.text(self.tokens, special=False)
            found = [text.index(stop) for stop in self._decoding.stop if stop in text]
            if found:
                return self._end(STOP, min(found))
        return len(self.tokens) == self._decoding.max_tokens and self._end(LENGTH)

    def _closes(self, token: int) -> bool:
        """Whether a token ends a thought."""
        if self._decoding.close is None:
            return False
        # The end alone: a thought may have thousands of tokens.
        self._spelled += self._vocabulary.spelled(token)
        close = self._decoding.close.encode()
        return close in self._spelled[-len(close) - len(self._vocabulary.spelled(token)) :]

    def _end(self, finish_reason: str, cut: int | None = None) -> bool:
        if self._decoding.close is not None:
            self._text = self._vocabulary.text_before(self.tokens, self._decoding.close)
        else:
            self._text = self._vocabulary.text(self.tokens, special=False)[:cut]
        self._finish_reason = finish_reason
        self.sampler.close()
        return True

    def result(self) -> Answer:
        """The answer, after its end."""
        kept = tuple(self._logprobs) if self._decoding.token_logprobs else None
        return Answer(self._text, self._finish_reason, len(self.tokens), self._labels, kept)


class Batch:
    """Rows of a call of llama_decode, as arrays; kept between calls."""

    def __init__(self, size: int, streams: Sequence[int]) -> None:
        self.raw = llama_cpp.llama_batch_init(size, 0, 1)

        def array(pointer: Any) -> NDArray[Any]:
            return np.ctypeslib.as_array(pointer, shape=(size,))

        self.token = array(self.raw.token)
        self.position = array(self.raw.pos)
        self.logits = array(self.raw.logits)
        array(self.raw.n_seq_id)[:] = 1
        for row, stream in enumerate(streams):
            self.raw.seq_id[row][0] = stream

    def use(self, rows: int) -> Batch:
        """Take the first `rows` rows."""
        self.raw.n_tokens = rows
        return self

    def free(self) -> None:
        """Free what llama.cpp holds."""
        llama_cpp.llama_batch_free(self.raw)
