"""The engine: answers of a GGUF model that are a pure function of their inputs.

Built on the low-level interface of llama-cpp-python, because the high-level one cannot
fix what changes bits. Two rules make an answer independent of everything but its prompt:

- A prompt is always decoded in the same calls: the part before the user's words, then the
  rest. The first part is kept and shared by the prompts that follow, which saves its time
  and changes nothing: the calls, and so the order of every sum, stay the same. (Sharing the
  longest common prefix instead would split prompts at a place that depends on their
  neighbours, and one-token pieces take another kernel.)
- Flash attention is off. On CPUs its single-token kernel splits long contexts over the
  threads, so that results change with their number; without it they do not.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files import canonical_json, sha256_bytes

MICRO_BATCH = 512

# finish_reason of an answer
STOP = "stop"
LENGTH = "length"
TOO_LONG = "prompt_too_long"
CONTROL_TOKENS = "control_tokens"


@dataclass(frozen=True)
class Settings:
    """How the engine runs a model; everything here may change a bit, threads may not.

    Attributes:
        context: window in tokens.
        gpu_layers: layers on the GPU; 0 none, -1 all.
        main_gpu: the card that holds the model.
    """

    context: int
    gpu_layers: int = 0
    main_gpu: int = 0


@dataclass(frozen=True)
class Prompt:
    """A tokenized prompt in the two parts that are decoded one after the other."""

    prefix: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        """All tokens."""
        return self.prefix + self.rest


@dataclass(frozen=True)
class Answer:
    """What the model makes of one prompt.

    Attributes:
        text: the decoded answer; None where the prompt was not run.
        finish_reason: `stop`, `length`, `prompt_too_long` or `control_tokens`.
        n_tokens: tokens of the answer, without the one that ends it.
        label_logprob: natural logarithm of the probability of every label at the answer
            position, summed over its forms; None where the prompt was not run.
    """

    text: str | None
    finish_reason: str
    n_tokens: int
    label_logprob: tuple[float, ...] | None


def usable_cpus() -> int:
    """CPUs this process may use: affinity and cgroup quota, not what the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            return max(1, min(count or 1, int(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return count or 1


class Engine:
    """A loaded model with a context of its own.

    Args:
        model: GGUF file.
        settings: see `Settings`.
        threads: threads of the computation; capped at the CPUs the process may use.
        name: the model's file in errors.

    Raises:
        InputError: the file is no loadable model, it has no chat template, or the context
            does not fit the model or the memory.
    """

    def __init__(self, model: Path, settings: Settings, threads: int, name: str) -> None:
        self._name = name
        self.messages: list[str] = []
        _collect_log(self.messages)
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        # llama.cpp takes a number beyond the model's layers for "all".
        parameters.n_gpu_layers = 1_000_000 if settings.gpu_layers < 0 else settings.gpu_layers
        parameters.main_gpu = settings.main_gpu
        self._context = None
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(model), parameters)
        if not self._model:
            raise InputError(
                f"{name}: llama.cpp cannot load the model ({self._last_message()}); use another "
                "build of it, or a newer llama-cpp-python"
            )
        trained = llama_cpp.llama_model_n_ctx_train(self._model)
        if settings.context > trained:
            raise InputError(
                f"{name}: key `engine.context` is {settings.context}, but the model was trained "
                f"for {trained} tokens; use at most that"
            )
        self.context_size = settings.context
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._n_vocabulary = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self._context = self._new_context(settings, min(threads, usable_cpus()))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._shared: tuple[int, ...] = ()

    def _new_context(self, settings: Settings, threads: int) -> Any:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = settings.context
        parameters.n_batch = settings.context
        parameters.n_ubatch = min(MICRO_BATCH, settings.context)
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        # The whole window, also for models with a sliding one: a window that slid away cannot
        # be shared between prompts.
        parameters.swa_full = True
        parameters.no_perf = True
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise InputError(
                f"{self._name}: no memory for a context of {settings.context} tokens "
                f"({self._last_message()}); lower key `engine.context`"
            )
        return context

    def close(self) -> None:
        """Free the context and the model."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Engine:
        """Enter a block at whose end the engine is closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine."""
        self.close()

    def _last_message(self) -> str:
        lines = [line for line in self.messages if line]
        errors = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
        return (errors or lines or ["no reason given"])[-1 if not errors else 0]

    # --- what the model says of itself ---------------------------------------------------

    def metadata(self, key: str) -> str | None:
        """A value of the GGUF metadata, or None."""
        buffer = ctypes.create_string_buffer(1 << 20)
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return None if size < 0 else buffer.raw[:size].decode("utf-8", errors="replace")

    @property
    def chat_template(self) -> str:
        """The model's chat template.

        Raises:
            InputError: it has none.
        """
        template = self.metadata("tokenizer.chat_template")
        if not template:
            raise InputError(
                f"{self._name}: the model has no chat template, so it is no instruct model that "
                "takes personas; use an instruct build"
            )
        return template

    @property
    def bos(self) -> str:
        """Text of the beginning-of-sequence token, empty for none."""
        return self._token_text(llama_cpp.llama_vocab_bos(self._vocabulary))

    @property
    def eos(self) -> str:
        """Text of the end-of-sequence token, empty for none."""
        return self._token_text(llama_cpp.llama_vocab_eos(self._vocabulary))

    def _token_text(self, token: int) -> str:
        return "" if token < 0 else self._pieces([token], special=True).decode(errors="replace")

    def fingerprint(self, settings: Settings, weights_sha256: str) -> str:
        """SHA-256 of everything besides the prompt and the decoding that may change a bit.

        The version and build of llama.cpp, the features of the processor, the settings of the
        context, the weights. The number of threads is not part of it.
        """
        system = llama_cpp.llama_print_system_info().decode()
        features = re.sub(r"n_threads\S*\s*=\s*\d+|\|\s*$", "", system)
        return sha256_bytes(
            canonical_json(
                {
                    "llama_cpp_python": llama_cpp.__version__,
                    "features": features,
                    "context": settings.context,
                    "micro_batch": MICRO_BATCH,
                    "flash_attention": False,
                    "gpu_layers": settings.gpu_layers,
                    "weights": weights_sha256,
                }
            ).encode()
        )

    # --- tokens --------------------------------------------------------------------------

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Tokens of `text`; with `special`, control tokens are read as such."""
        data = text.encode()
        size = len(data) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(
            self._vocabulary, data, len(data), buffer, size, False, special
        )
        return list(buffer[:count])

    def has_control_tokens(self, text: str) -> bool:
        """Whether `text` spells a control token of the model, which it would be read as."""
        return self.tokenize(text, special=True) != self.tokenize(text, special=False)

    def prompt(self, prefix: str, rest: str) -> Prompt:
        """Tokenize a rendered chat.

        The beginning-of-sequence token is put in front where the model wants one and the
        template has not written it, never twice. The text is tokenized as a whole, as the model
        was trained; the parts are cut where both share their tokens.
        """
        tokens = self.tokenize(prefix + rest, special=True)
        bos = llama_cpp.llama_vocab_bos(self._vocabulary)
        wants_bos = llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        if wants_bos and bos >= 0 and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        cut = self._common_start(tokens, prefix, bos if wants_bos else -1)
        return Prompt(tuple(tokens[:cut]), tuple(tokens[cut:]))

    def _common_start(self, tokens: list[int], prefix: str, bos: int) -> int:
        start = self.tokenize(prefix, special=True)
        if bos >= 0 and start[:1] != [bos]:
            start.insert(0, bos)
        # The last token of the prefix may merge with the user's first word: leave it to the
        # rest, for every item alike.
        return sum(1 for _ in _while_equal(start[:-1], tokens[:-1]))

    def _pieces(self, tokens: Sequence[int], special: bool) -> bytes:
        pieces = []
        for token in tokens:
            size = 64
            while True:
                buffer = ctypes.create_string_buffer(size)
                count = llama_cpp.llama_token_to_piece(
                    self._vocabulary, token, buffer, size, 0, special
                )
                if count >= 0:
                    pieces.append(buffer.raw[:count])
                    break
                size = -count
        return b"".join(pieces)

    def label_forms(self, labels: Sequence[str]) -> list[list[tuple[int, ...]]]:
        """Token sequences that spell each label: `L`, ` L` and newline `L`, each sequence once.

        Raises:
            InputError: the tokenizer does not tell two labels apart, or one label begins another.
        """
        forms = [
            sorted({tuple(self.tokenize(lead + label, special=False)) for lead in ("", " ", "\n")})
            for label in labels
        ]
        owned = [(form, label) for label, own in zip(labels, forms, strict=True) for form in own]
        for form, label in owned:
            for other, other_label in owned:
                if label != other_label and other[: len(form)] == form:
                    raise InputError(
                        f"{self._name}: its tokenizer cannot tell label {label!r} from the start "
                        f"of label {other_label!r}; choose other labels in the task"
                    )
        return forms

    # --- computation ---------------------------------------------------------------------

    def answer(
        self, prompt: Prompt, forms: Sequence[Sequence[tuple[int, ...]]], max_tokens: int
    ) -> Answer:
        """Label log-probabilities at the end of the prompt, and the greedy answer.

        A prompt that does not leave room for the answer in the window is not run.
        """
        longest = max((len(form) for own in forms for form in own), default=0)
        if len(prompt.tokens) + max(max_tokens, longest) > self.context_size:
            return Answer(None, TOO_LONG, 0, None)
        position = len(prompt.tokens)
        logits = self._read(prompt)
        labels = self._label_logprobs(logits, prompt, forms)
        produced: list[int] = []
        reason = LENGTH
        while len(produced) < max_tokens:
            # The lowest id wins a tie.
            token = int(np.argmax(logits))
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                reason = STOP
                break
            produced.append(token)
            if len(produced) < max_tokens:
                logits = self._decode((token,), position)
                position += 1
        text = self._pieces(produced, special=False).decode("utf-8", errors="replace")
        return Answer(text, reason, len(produced), labels)

    def _read(self, prompt: Prompt) -> NDArray[np.float32]:
        """Decode a prompt in its two parts; the first is kept from the prompt before."""
        if prompt.prefix != self._shared or not self._cut(len(prompt.prefix)):
            llama_cpp.llama_memory_clear(self._memory, True)
            self._shared = prompt.prefix
            if prompt.prefix:
                self._decode(prompt.prefix, 0)
        return self._decode(prompt.rest, len(prompt.prefix))

    def _cut(self, position: int) -> bool:
        """Forget everything from `position` on; False where the model's memory cannot."""
        return bool(llama_cpp.llama_memory_seq_rm(self._memory, 0, position, -1))

    def _label_logprobs(
        self,
        logits: NDArray[np.float32],
        prompt: Prompt,
        forms: Sequence[Sequence[tuple[int, ...]]],
    ) -> tuple[float, ...]:
        """Log-sum-exp over the forms of each label, shape (labels,).

        Walks the tree of the forms depth first, and leaves the memory at the end of the prompt.
        """
        end = len(prompt.tokens)
        sequences = sorted({form for own in forms for form in own})
        logprob: dict[tuple[int, ...], float] = {}

        def walk(start: tuple[int, ...], so_far: float, at: NDArray[np.float64]) -> None:
            inside = [s for s in sequences if s[: len(start)] == start and len(s) > len(start)]
            for token in sorted({s[len(start)] for s in inside}):
                node = (*start, token)
                logprob[node] = so_far + float(at[token])
                if any(len(s) > len(node) and s[: len(node)] == node for s in inside):
                    below = self._decode((token,), end + len(start))
                    walk(node, logprob[node], _log_softmax(below))
                    if not self._cut(end + len(start)):
                        # A recurrent memory goes back only to its beginning.
                        self._read(prompt)
                        for i, earlier in enumerate(start):
                            self._decode((earlier,), end + i)

        walk((), 0.0, _log_softmax(logits))
        return tuple(float(np.logaddexp.reduce([logprob[form] for form in own])) for own in forms)

    def _decode(self, tokens: Sequence[int], position: int) -> NDArray[np.float32]:
        """Logits after the last of `tokens`, which begin at `position`. Shape: (vocabulary,)."""
        count = len(tokens)
        batch = llama_cpp.llama_batch_init(count, 0, 1)
        try:
            batch.n_tokens = count
            for i, token in enumerate(tokens):
                batch.token[i] = token
                batch.pos[i] = position + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = i == count - 1
            status = llama_cpp.llama_decode(self._context, batch)
        finally:
            llama_cpp.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"{self._name}: llama_decode failed with status {status}")
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, shape=(self._n_vocabulary,)).copy()


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    wide -= wide.max()
    result: NDArray[np.float64] = wide - np.log(np.exp(wide).sum())
    return result


def _while_equal(first: Sequence[int], second: Sequence[int]) -> Sequence[int]:
    equal = []
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        equal.append(a)
    return equal


# llama.cpp calls this as long as the process lives: it must not be collected.
_log_callback: Any = None


def _collect_log(messages: list[str]) -> None:
    """Send llama.cpp's messages to a list instead of the terminal."""
    global _log_callback  # noqa: PLW0603 - the callback is the process's, as in llama.cpp

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def collect(level: int, text: bytes, data: Any) -> None:
        messages.append(text.decode(errors="replace").rstrip("\n"))

    _log_callback = collect
    llama_cpp.llama_log_set(collect, ctypes.c_void_p())
