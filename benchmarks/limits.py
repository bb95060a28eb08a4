"""The engine under the clock, and the raw speed of its own context: the physical limit."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import llama_cpp
from workload import Workload

from persona_paradox.engine.decoding import Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.running import Question
from persona_paradox.engine.sampler import Sampler

LARGE = 512  # tokens of a call at which prompt speed no longer grows
STEPS = 24  # raw ones that are timed
SAMPLED = 12  # calls of the mixture


class Clock:
    """Where the time of an engine goes, while the block lasts.

    Attributes:
        seconds: what was done → time it took, without what it called that is counted by itself.
        calls: what was done → how often.
        total: seconds of the block.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_labels = False
        self._open: list[float] = []
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.total = 0.0

    def __enter__(self) -> Clock:
        """Put the clock between the engine and its own functions."""
        engine: Any = self._engine
        self._choose = Sampler.choose
        decode, labels = engine._decode, engine._label_logprobs

        def kind_of(batch: Any) -> str:
            if batch is engine._step:
                return "steps"
            return "label forms" if self._in_labels else "prompts"

        def timed_labels(*arguments: Any) -> Any:
            self._in_labels = True
            try:
                return labels(*arguments)
            finally:
                self._in_labels = False

        engine._decode = self._timed(decode, kind_of)
        engine._logits = self._timed(engine._logits, lambda *_: "copies of logits")
        engine._label_logprobs = self._timed(timed_labels, lambda *_: "label sums")
        engine._read = self._timed(engine._read, lambda *_: "reading")
        Sampler.choose = self._timed(self._choose, lambda *_: "choice of tokens")  # type: ignore[method-assign]
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it out again."""
        self.total = time.perf_counter() - self._started
        Sampler.choose = self._choose  # type: ignore[method-assign]
        for name in ("_decode", "_logits", "_label_logprobs", "_read"):
            delattr(self._engine, name)  # the class's own function shows again

    def _timed(self, function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            # The sampler's function is the class's: its first argument is the sampler.
            what = name(*arguments)
            self._open.append(0.0)
            started = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent = time.perf_counter() - started
                self.seconds[what] += spent - self._open.pop()
                self.calls[what] += 1
                if self._open:
                    self._open[-1] += spent

        return call


class Run:
    """What one run of the engine took.

    Attributes:
        clock: the time, and where it went.
        prompt_tokens: tokens of prompts (and of label forms) that were computed.
        answer_tokens: rows of steps that belonged to an answer.
        n_copied: prompts that were copied to a stream, because their answer took steps.
        n_tokens: tokens of the answers; the first of each comes from its prompt, without a step.
    """

    def __init__(
        self, engine: Engine, questions: Sequence[Question], labels: Sequence[str]
    ) -> None:
        forget(engine)
        before = dict(engine.computed)
        forms = engine.vocabulary.label_forms(labels) if labels else ()
        with Clock(engine) as self.clock:
            answers = [answer for _, answer in engine.generate(questions, forms)]
        if len(answers) != len(questions) or any(answer.text is None for answer in answers):
            raise RuntimeError("a question was not answered")
        self.n_tokens = sum(answer.n_tokens for answer in answers)
        self.n_copied = sum(answer.n_tokens > 0 for answer in answers)
        self.prompt_tokens = engine.computed["prompt"] - before["prompt"]
        self.answer_tokens = engine.computed["answer"] - before["answer"]

    @property
    def generating(self) -> float:
        """Seconds that did not go into prompts and their labels."""
        reading = ("prompts", "label forms", "label sums", "reading")
        return self.clock.total - sum(self.clock.seconds[what] for what in reading)


def forget(engine: Engine) -> None:
    """Make an engine forget what it read."""
    llama_cpp.llama_memory_clear(engine._memory, False)
    engine._held = ()


def score(engine: Engine, load: Workload) -> Run:
    """Label log-probabilities of all triage prompts."""
    nothing = Decoding(max_tokens=0)
    return Run(engine, [Question(chat.prompt, nothing) for chat in load.triage], load.labels)


def explain(engine: Engine, load: Workload) -> Run:
    """Free text to all prompts that ask for it."""
    greedy = Decoding(max_tokens=load.max_tokens)
    return Run(engine, [Question(chat.prompt, greedy) for chat in load.explain], ())


class Raw:
    """`llama_decode` on an engine's context with nothing around it.

    Args:
        engine: whose context is used; it forgets what it holds.
        load: the workload, which the calls imitate.
        seconds: time that a measurement of prompt speed takes, at least.
    """

    def __init__(self, engine: Engine, load: Workload, seconds: float) -> None:
        self._engine: Any = engine
        self._seconds = seconds
        prompts = [chat.prompt for chat in load.triage]
        self._tokens = [token for prompt in prompts for token in prompt.tokens]
        # The calls that make up nearly all of the work: length and place of the last pieces.
        calls = sorted((len(p.pieces[-1]), len(p) - len(p.pieces[-1])) for p in prompts)
        self._usual = calls[len(calls) // 2]
        mixture = [calls[(2 * i + 1) * len(calls) // (2 * SAMPLED)] for i in range(SAMPLED)]
        self._mixture = sorted(mixture, key=lambda call: -call[1])  # each begins in the one before
        # Steps are measured amid the longest answers to prompts of the usual length.
        asked = _median(len(chat.prompt) for chat in load.explain)
        self._amid = asked + max(0, (load.max_tokens - STEPS) // 2)

    def prompt_speed(self) -> float:
        """Prompt tokens/s: the better of the piece in the middle and of large calls."""
        return max(self._prompt(*self._usual), self._prompt(LARGE, 0))

    def mixed_speed(self) -> float:
        """Prompt tokens/s in calls of all the lengths that occur, at the places where they do.

        Calls whose context just fits a multiple of 256 cells are the fastest, and the one in the
        middle may be such a call.
        """
        forget(self._engine)
        self._decode(self._mixture[0][1], 0)
        started = time.perf_counter()
        for count, position in self._mixture:
            llama_cpp.llama_memory_seq_rm(self._engine._memory, 0, position, -1)
            self._decode(count, position)
        spent = time.perf_counter() - started
        forget(self._engine)
        return sum(count for count, _ in self._mixture) / spent

    def _prompt(self, count: int, position: int) -> float:
        """Tokens/s of calls of `count` tokens, each at `position` of stream 0."""
        forget(self._engine)
        if position:
            self._decode(position, 0)
        done, started, spent = 0, time.perf_counter(), 0.0
        while spent < self._seconds:
            llama_cpp.llama_memory_seq_rm(self._engine._memory, 0, position, -1)
            self._decode(count, position)
            done += count
            spent = time.perf_counter() - started
        forget(self._engine)
        return done / spent

    def step_seconds(self) -> float:
        """Seconds of a step of which every row is part of an answer."""
        self._fill(copies=True)
        batch, rows = self._engine._step, len(self._engine._streams)
        started = 0.0
        for step in range(STEPS + 1):
            if step == 1:  # the first one copies the streams
                started = time.perf_counter()
            batch.token[:], batch.position[:] = self._tokens[step : step + rows], self._amid + step
            self._call(batch.raw)
        spent = time.perf_counter() - started
        forget(self._engine)
        return spent / STEPS

    def copy_seconds(self) -> float:
        """Seconds by which a prompt's copy to a stream delays the next call."""
        differences = []
        for _ in range(3):
            spent = []
            for copies in (False, True):
                self._fill(copies)
                started = time.perf_counter()
                self._decode(1, self._amid)
                spent.append(time.perf_counter() - started)
            differences.append((spent[1] - spent[0]) / len(self._engine._streams))
        forget(self._engine)
        return max(0.0, statistics.median(differences))

    def _fill(self, copies: bool) -> None:
        """Fill stream 0, and the others with copies, which llama.cpp makes in its next call."""
        forget(self._engine)
        self._decode(self._amid, 0)
        for stream in self._engine._streams if copies else ():
            llama_cpp.llama_memory_seq_cp(self._engine._memory, 0, stream, -1, -1)

    def _decode(self, count: int, position: int) -> None:
        batch = self._engine._reading.use(count)
        batch.token[:count] = self._tokens[:count]
        batch.position[:count] = range(position, position + count)
        batch.logits[: count - 1], batch.logits[count - 1] = 0, 1
        self._call(batch.raw)

    def _call(self, batch: Any) -> None:
        if llama_cpp.llama_decode(self._engine._context, batch):
            raise RuntimeError("llama_decode failed")
        llama_cpp.llama_synchronize(self._engine._context)


def _median(lengths: Iterable[int]) -> int:
    return int(statistics.median(lengths))
