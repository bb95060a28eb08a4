"""The engine: answers of a GGUF model that are a pure function of their inputs.

Built on the low-level interface of llama-cpp-python, because the high-level one cannot
fix what changes bits. Five rules make an answer independent of everything but its prompt and
its decoding:

- A prompt is always decoded in the same calls, one for each of its pieces, and the pieces
  depend on the prompt alone. (A token that all label forms of newline and label begin with is
  read in the last call.) A piece that the prompt before has in common is kept in memory, which
  saves its time and changes nothing. (Sharing the longest common prefix instead would cut
  prompts at places that depend on their neighbours, and short pieces take other kernels.)
- Answers are generated side by side, each in a stream of its own, in steps that always have the
  same number of rows: rows without an answer are padded. So the companions of an answer do not
  change the shape of any sum, nor does the moment when it begins.
- Flash attention is off. On CPUs its single-token kernel splits long contexts over the
  threads, so that results change with their number; without it they do not.
- Kernels for AMX are off (`vocabulary.weights_parameters` says why).
- What is drawn is drawn with a seed of the answer's own.
"""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import Closing
from .adapters import Adapter, load_adapter, use_adapters
from .decoding import TOO_LONG, Answer, Decoding, Wanted, log_softmax
from .residual import ResidualStream, depth_to_layer, unread
from .running import Batch, Forms, Logits, Question, Running
from .settings import MICRO_BATCH, Settings, cards
from .steering import Steering, check_moves
from .vocabulary import Prompt, Vocabulary, load, reason, start_llama, weights_parameters

log = logging.getLogger("persona_paradox")

# Tokens of a text that are read in one call, each with its logits.
READ_TOGETHER = 64


@dataclass(frozen=True)
class Behind:
    """What a model makes of a text behind a prompt.

    Attributes:
        logprobs: natural logarithm of the probability of each of its tokens, shape (tokens,).
        stream: layer → the residual stream at its tokens, shape (tokens, width of the model).
    """

    logprobs: NDArray[np.float64]
    stream: Mapping[int, NDArray[np.float32]]


class Engine(Closing):
    """A loaded model with a context of its own.

    Args:
        model: GGUF file.
        settings: see `Settings`.
        threads: threads of the computation.
        name: the model's file in errors.
        adapters: what changes the model's weights.
        depths: shares of the model's layers behind which `read_behind` reads the residual stream.
        steering: what moves that stream, for every token.

    Attributes:
        vocabulary: the model's tokens.
        shares: whether the model's memory can go back, so that prompts share their pieces.
        layers: depth → the layer there, counted from 0.
        computed: tokens of prompts and of answers that were computed so far.

    Raises:
        InputError: the file is no loadable model, an adapter does not fit it, or the context does
            not fit the model or the memory.
    """

    def __init__(
        self,
        model: Path,
        settings: Settings,
        threads: int,
        name: str,
        adapters: Sequence[Adapter] = (),
        *,
        depths: Sequence[float] = (),
        steering: Steering | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._messages = start_llama()
        self._context = None
        self._model = self._load(model)
        self.vocabulary = Vocabulary(self._model, name)
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        if settings.context > trained:
            raise InputError(
                f"{name}: key `engine.context` is {settings.context}, but the model was trained "
                f"for {trained} tokens; use at most that"
            )
        n_layers = llama_cpp.llama_model_n_layer(self._model)
        self.layers = {depth: depth_to_layer(depth, n_layers) for depth in depths}
        width = llama_cpp.llama_model_n_embd(self._model)
        if steering is not None:
            steering.check(n_layers, width, name)
            kind = self.vocabulary.metadata("general.architecture")
            check_moves(self._model, steering, name, kind)
        caps = {} if steering is None else steering.caps
        read = sorted({*self.layers.values()})
        self._stream = ResidualStream(read, width, caps) if read or caps else None
        loaded = [load_adapter(self._model, a.path, self._messages, name) for a in adapters]
        self._context = self._new_context(threads)
        if steering is not None:
            steering.use(self._context, n_layers)
        if adapters:
            use_adapters(self._context, loaded, [adapter.scale for adapter in adapters])
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._reading = Batch(settings.context, [0] * settings.context)
        # Streams 1 to width hold answers; stream 0 holds the prompt that was read last.
        self._streams = range(1, settings.width + 1)
        self._step = Batch(settings.width, list(self._streams))
        self._step.use(settings.width).logits[:] = 1
        self._held: tuple[tuple[int, ...], ...] = ()
        self._held_ahead: int | None = None
        self._held_logits: Logits = np.empty((0, 0), dtype=np.float32)
        self._held_labels: tuple[Forms, tuple[float, ...]] | None = None
        self.computed = {"prompt": 0, "answer": 0}
        self.shares = not (
            llama_cpp.llama_model_is_recurrent(self._model)
            or llama_cpp.llama_model_is_hybrid(self._model)
        )
        if window := llama_cpp.llama_model_n_swa(self._model):
            log.info("%s: its sliding window of %d tokens is kept in full", name, window)
        if not self.shares:
            log.info(
                "%s: the model's memory is recurrent and cannot go back; every prompt is read "
                "from its beginning",
                name,
            )

    def _load(self, model: Path) -> Any:
        settings = self._settings
        parameters = weights_parameters()
        # llama.cpp takes a number beyond the model's layers for "all".
        parameters.n_gpu_layers = 1_000_000 if settings.gpu_layers < 0 else settings.gpu_layers
        parameters.main_gpu = settings.main_gpu
        if settings.gpu_layers and not cards():
            raise InputError(
                f"{self._name}: key `engine.gpu_layers` is {settings.gpu_layers}, but llama.cpp "
                "finds no graphics card; build it for one (README.md) or set the key to 0"
            )
        if settings.tensor_split:
            most = llama_cpp.llama_max_devices()
            if len(settings.tensor_split) > most:
                raise InputError(
                    f"{self._name}: key `engine.tensor_split` names {len(settings.tensor_split)} "
                    f"cards, but llama.cpp takes at most {most}; shorten it"
                )
            split = (ctypes.c_float * most)(*settings.tensor_split)
            parameters.tensor_split = split
        return load(model, parameters, self._messages, self._name)

    def _new_context(self, threads: int) -> Any:
        settings = self._settings
        streams = settings.width + 1
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = settings.context * streams
        parameters.n_batch = max(settings.context, settings.width)
        parameters.n_ubatch = min(MICRO_BATCH, parameters.n_batch)
        parameters.n_seq_max = streams
        parameters.kv_unified = False
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        # The whole window, also for models with a sliding one: a window that slid away cannot
        # be shared between prompts.
        parameters.swa_full = True
        # Built for cards, llama.cpp sends large calls there even of a model that has no layer on
        # one, of which the fingerprint would not know.
        parameters.op_offload = settings.gpu_layers != 0
        parameters.no_perf = True
        if self._stream is not None:
            parameters.cb_eval = self._stream.callback
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise InputError(
                f"{self._name}: no memory for {streams} windows of {settings.context} tokens "
                f"({reason(self._messages)}); lower key `engine.context` or `engine.width`"
            )
        return context

    def close(self) -> None:
        """Free the context, and the model with its adapters."""
        if self._context:
            self._reading.free()
            self._step.free()
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    # --- the two operations --------------------------------------------------------------

    def score(self, prompts: Sequence[Prompt], forms: Forms) -> Iterator[tuple[int, Answer]]:
        """Label log-probabilities at the end of every prompt, as (index, answer without text).

        The prompt may end anywhere: after the template's opening of the answer, after a forced
        header, after an answer that was generated before.
        """
        nothing = Decoding(max_tokens=0)
        yield from self.generate([Question(prompt, nothing) for prompt in prompts], forms)

    def generate(
        self, questions: Sequence[Question], forms: Forms = ()
    ) -> Iterator[tuple[int, Answer]]:
        """Answers, as (index of the question, answer), in the order in which they end.

        Args:
            questions: answers that are wanted; equal prompts are read once.
            forms: token sequences that spell each label (`Vocabulary.label_forms`), read at the
                end of every prompt.

        A prompt that does not leave room for its answer in the window is not run; its answer
        says so.
        """
        # Neighbours in this order share their pieces.
        waiting = deque(sorted(range(len(questions)), key=lambda i: questions[i].prompt.pieces))
        running: dict[int, Running] = {}
        try:
            while waiting or running:
                for stream in self._streams:
                    while waiting and stream not in running:
                        index = waiting.popleft()
                        started = self._start(index, questions[index], forms)
                        if isinstance(started, Answer):
                            yield index, started
                        else:
                            running[stream] = started
                            llama_cpp.llama_memory_seq_rm(self._memory, stream, -1, -1)
                            llama_cpp.llama_memory_seq_cp(self._memory, 0, stream, -1, -1)
                if running:
                    logits = self._advance(running)
                    for stream, answer in list(running.items()):
                        if answer.take(logits[stream]):
                            del running[stream]
                            yield answer.index, answer.result()
        finally:
            for answer in running.values():
                answer.sampler.close()

    def read(self, tokens: Sequence[int]) -> Logits:
        """Logits behind every token of a text, shape (tokens, vocabulary)."""
        self._held, self._held_labels = (), None
        llama_cpp.llama_memory_seq_rm(self._memory, 0, -1, -1)
        return self._decode_piece(tokens, 0, rows=len(tokens))

    def read_behind(self, prompt: Prompt, tokens: Sequence[int]) -> Behind:
        """What the model makes of a text that stands behind a prompt.

        A text is read in calls of at most `READ_TOGETHER` tokens, whatever was read before it.

        Raises:
            InputError: the model's residual stream cannot be read.
        """
        stream, position = self._stream, len(prompt)
        ahead = self._read(prompt)
        logprobs = []
        if stream is not None:
            stream.reading = True
        try:
            for start in range(0, len(tokens), READ_TOGETHER):
                part = tokens[start : start + READ_TOGETHER]
                logits = self._decode_piece(part, position + start, rows=len(part))
                for token, row in zip(part, (*ahead, *logits), strict=False):
                    logprobs.append(float(log_softmax(row)[token]))
                ahead = logits[-1:]
        finally:
            if not (self.shares and self._forget(position)):
                self._held = ()
            if stream is not None:
                stream.reading = False
        rows = {} if stream is None else stream.taken()
        for layer, own in rows.items():
            if len(own) != len(tokens):
                kind = self.vocabulary.metadata("general.architecture")
                raise unread(self._name, layer, kind)
        return Behind(np.array(logprobs), rows)

    def _start(self, index: int, question: Question, forms: Forms) -> Running | Answer:
        """Read a prompt and choose the first token; an `Answer` where that ends it."""
        longest = max((len(form) for own in forms for form in own), default=0)
        most = max(question.decoding.max_tokens, longest)
        if len(question.prompt) + most > self._settings.context:
            return Answer(None, TOO_LONG, 0)
        ahead = self._token_ahead(forms)
        logits = self._read(question.prompt, ahead)
        labels = self._labels_held(logits, question.prompt, forms, ahead) if forms else None
        answer = Running(index, question, labels, self.vocabulary, self._name)
        return answer.result() if answer.take(logits[0]) else answer

    def _advance(self, running: Mapping[int, Running]) -> dict[int, Logits]:
        """One token further in every running answer: stream → logits of shape (vocabulary,)."""
        batch = self._step
        for row, stream in enumerate(self._streams):
            answer = running.get(stream)
            if answer is None:
                # A padding row: any token, alone in its stream.
                llama_cpp.llama_memory_seq_rm(self._memory, stream, -1, -1)
                batch.token[row], batch.position[row] = 0, 0
            else:
                batch.token[row], batch.position[row] = answer.tokens[-1], answer.position
                answer.position += 1
        self._decode(batch)
        self.computed["answer"] += len(running)
        return {stream: self._logits(stream - 1) for stream in running}

    # --- prompts -------------------------------------------------------------------------

    def _token_ahead(self, forms: Forms) -> int | None:
        """A token that is worth reading in the same call as the end of the prompt.

        The forms of newline and label begin with one and the same token, and what follows it is
        wanted of every prompt: in a call of its own it would cost as much as ten others.
        """
        long = [form for own in forms for form in own if len(form) > 1]
        first = {form[0] for form in long}
        if not self.shares or len(first) != 1 or any(len(form) > 2 for form in long):
            return None
        return first.pop()

    def _read(self, prompt: Prompt, ahead: int | None = None) -> Logits:
        """Logits after a prompt, whose memory stream 0 then holds.

        Returns:
            Shape (1, vocabulary); with a token ahead (2, vocabulary), the second row behind it.
        """
        if (self._held, self._held_ahead) == (prompt.pieces, ahead):
            return self._held_logits
        self._held_labels = None
        common = 0
        # The last piece is decoded in any case, for its logits.
        for mine, held in zip(prompt.pieces[:-1], self._held, strict=False):
            if mine != held:
                break
            common += 1
        position = sum(len(piece) for piece in prompt.pieces[:common])
        if not (self.shares and self._forget(position)):
            llama_cpp.llama_memory_seq_rm(self._memory, 0, -1, -1)
            common = position = 0
        for piece in prompt.pieces[common:-1]:
            self._decode_piece(piece, position)
            position += len(piece)
        last = prompt.pieces[-1]
        if ahead is None:
            self._held_logits = self._decode_piece(last, position)
        else:
            self._held_logits = self._decode_piece((*last, ahead), position, rows=2)
            self._forget(len(prompt))
        self._held, self._held_ahead = prompt.pieces, ahead
        return self._held_logits

    def _forget(self, position: int) -> bool:
        """Forget stream 0 from `position` on; False where the model's memory cannot."""
        return bool(llama_cpp.llama_memory_seq_rm(self._memory, 0, position, -1))

    def _labels_held(
        self, logits: Logits, prompt: Prompt, forms: Forms, ahead: int | None
    ) -> tuple[float, ...]:
        """`_label_logprobs` of the prompt in stream 0: once for all answers to it."""
        if self._held_labels is None or self._held_labels[0] != forms:
            self._held_labels = forms, self._label_logprobs(logits, prompt, forms, ahead)
        return self._held_labels[1]

    def _label_logprobs(
        self, logits: Logits, prompt: Prompt, forms: Forms, ahead: int | None
    ) -> tuple[float, ...]:
        """Log-sum-exp over the forms of each label, shape (labels,).

        Walks the tree of the forms depth first, and leaves stream 0 at the end of the prompt.
        """
        end = len(prompt)
        sequences = sorted({form for own in forms for form in own})
        logprob: dict[tuple[int, ...], float] = {}

        def walk(start: tuple[int, ...], so_far: float, at: NDArray[np.float64]) -> None:
            inside = [s for s in sequences if s[: len(start)] == start and len(s) > len(start)]
            for token in sorted({s[len(start)] for s in inside}):
                node = (*start, token)
                logprob[node] = so_far + float(at[token])
                if not any(len(s) > len(node) and s[: len(node)] == node for s in inside):
                    continue
                if node == (ahead,):
                    walk(node, logprob[node], log_softmax(logits[1]))
                    continue
                below = self._decode_piece((token,), end + len(start))
                walk(node, logprob[node], log_softmax(below[0]))
                if not (self.shares and self._forget(end + len(start))):
                    # A recurrent memory goes back only to its beginning.
                    self._held = ()
                    self._read(prompt)
                    for i, earlier in enumerate(start):
                        self._decode_piece((earlier,), end + i)

        walk((), 0.0, log_softmax(logits[0]))
        return tuple(float(np.logaddexp.reduce([logprob[form] for form in own])) for own in forms)

    # --- calls of llama.cpp --------------------------------------------------------------

    def _decode_piece(self, tokens: Sequence[int], position: int, rows: int = 1) -> Logits:
        """Logits after the last `rows` of `tokens`, which begin at `position` of stream 0.

        Shape: (rows, vocabulary).
        """
        count = len(tokens)
        batch = self._reading.use(count)
        batch.token[:count] = tokens
        batch.position[:count] = np.arange(position, position + count)
        batch.logits[: count - rows] = 0
        batch.logits[count - rows : count] = 1
        self._decode(batch)
        self.computed["prompt"] += count
        return np.stack([self._logits(row) for row in range(count - rows, count)])

    def _decode(self, batch: Batch) -> None:
        status = llama_cpp.llama_decode(self._context, batch.raw)
        if self._stream is not None:
            self._stream.check()
        if status != 0:
            raise RuntimeError(f"{self._name}: llama_decode failed with status {status}")

    def _logits(self, row: int) -> Logits:
        """A row of the last call, shape (vocabulary,).

        Raises:
            InputError: the model gives no numbers, whatever they were to be read for.
        """
        pointer = llama_cpp.llama_get_logits_ith(self._context, row)
        logits: Logits = np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,)).copy()
        if not np.isfinite(logits).all():
            raise InputError(
                f"{self._name}: the model gives no numbers (NaN or infinite) for "
                f"{np.count_nonzero(~np.isfinite(logits))} of its {len(logits)} tokens, so that "
                "none of its answers can be trusted; use another build of it or other settings of "
                "key `engine`"
            )
        return logits


def ask_engine(
    engine: Engine, wanted: Sequence[Wanted], labels: Sequence[str]
) -> Iterator[tuple[int, Answer]]:
    """Answers to the prompts of a cell, as (index, answer) in the order in which they end."""
    questions = []
    for one in wanted:
        prompt = Prompt(tuple(tuple(piece) for piece in one.row["pieces"]))
        questions.append(Question(prompt, one.decoding, one.seed))
    yield from engine.generate(questions, engine.vocabulary.label_forms(labels))
