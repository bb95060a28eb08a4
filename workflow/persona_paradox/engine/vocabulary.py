"""Tokens of a GGUF model, read without its weights."""

from __future__ import annotations

import ctypes
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from ..errors import InputError

# A shorter piece of a prompt joins the next one: a call of its own would cost more than it shares.
SHORTEST_PIECE = 8

# What may stand between the end of a prompt and its label.
LEADS = ("", " ", "\n")

# Text that tokenizers do not join with what follows; of one of them that is true.
_BEFORE = ("(", "\n", ":", "**")

# As llama.cpp says it where it was built with them.
_AMX = "AMX_INT8 = 1"


@dataclass(frozen=True)
class Prompt:
    """A tokenized prompt in the pieces that are decoded one after the other.

    Where a prompt is cut depends on the prompt alone, never on its neighbours: the order of
    every sum in its computation is its own, whatever part of it is shared.
    """

    pieces: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        """Number of tokens."""
        return sum(len(piece) for piece in self.pieces)

    @property
    def tokens(self) -> tuple[int, ...]:
        """All tokens."""
        return tuple(token for piece in self.pieces for token in piece)


# llama.cpp calls this as long as the process lives: it must not be collected.
_log_callback: Any = None


def start_llama() -> deque[str]:
    """Start llama.cpp; returns where its last messages go instead of to the terminal."""
    global _log_callback  # noqa: PLW0603 - the callback is the process's, as in llama.cpp
    messages: deque[str] = deque(maxlen=200)

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def collect(level: int, text: bytes, data: Any) -> None:
        messages.append(text.decode(errors="replace").rstrip("\n"))

    _log_callback = collect
    llama_cpp.llama_log_set(collect, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    return messages


def reason(messages: deque[str]) -> str:
    """The message that best says why llama.cpp refused."""
    lines = [line for line in messages if line]
    errors = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
    return errors[0] if errors else (lines or ["no reason given"])[-1]


def features() -> str:
    """What llama.cpp was built with and uses of the processor or the cards; not the threads."""
    found = re.sub(r"n_threads\S*\s*=\s*\d+|\|\s*$", "", _system_info())
    return found.replace(_AMX, "AMX_INT8 = off")


def weights_parameters() -> Any:
    """llama.cpp's parameters for loading a model: its own, but never with its kernels for AMX.

    Intel's processors have AMX since Sapphire Rapids. GCC 12, for one, drops part of the tile
    configuration, so that the process dies at the first quantized weight (llama.cpp's issue 20824
    and pull request 26954, both open); and the F16 weights of the recurrent models in
    tests/unit/test_engine.py give NaN, or other answers with every load. The kernels belong to
    llama.cpp's extra buffers, which go with them.
    """
    parameters = llama_cpp.llama_model_default_params()
    parameters.use_extra_bufts = _AMX not in _system_info()
    return parameters


def _system_info() -> str:
    info: bytes = llama_cpp.llama_print_system_info()
    return info.decode()


# Parts of the messages by which llama.cpp refuses a model that is newer than itself.
_UNKNOWN = {
    "architecture": "(?:unknown|unsupported) model architecture: '([^']*)'",
    "tokenizer": "unknown (?:pre-)?tokenizer(?: type)?: '([^']*)'",
}


def load(model: Path, parameters: Any, messages: deque[str], name: str) -> Any:
    """llama.cpp's pointer to a model.

    Raises:
        InputError: the file is no loadable model.
    """
    pointer = llama_cpp.llama_model_load_from_file(os.fsencode(model), parameters)
    if not pointer:
        for what, unknown in _UNKNOWN.items():
            if found := re.search(unknown, " ".join(messages)):
                raise InputError(
                    f"{name}: llama-cpp-python {llama_cpp.__version__} does not know the model's "
                    f"{what}, {found[1]!r}; use a newer one that does, or another model"
                )
        raise InputError(
            f"{name}: llama.cpp cannot load the model ({reason(messages)}); use another build of "
            "it, or a newer llama-cpp-python"
        )
    return pointer


@contextmanager
def open_vocabulary(model: Path, name: str) -> Iterator[Vocabulary]:
    """The vocabulary of a GGUF file; its weights are not read.

    Raises:
        InputError: the file is no loadable model.
    """
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = True
    # Whoever reads tokens alone needs no card.
    parameters.n_gpu_layers = 0
    pointer = load(model, parameters, start_llama(), name)
    try:
        yield Vocabulary(pointer, name)
    finally:
        llama_cpp.llama_model_free(pointer)


class Vocabulary:
    """Tokenizer and metadata of a loaded model.

    Args:
        model: llama.cpp's pointer to the model, which must outlive this object.
        name: the model's file in errors.
    """

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._name = name
        self.pointer = llama_cpp.llama_model_get_vocab(model)
        self.size: int = llama_cpp.llama_vocab_n_tokens(self.pointer)
        wanted = llama_cpp.llama_vocab_get_add_bos(self.pointer)
        self.bos_token: int = llama_cpp.llama_vocab_bos(self.pointer)
        self.wanted_bos = self.bos_token if wanted and self.bos_token >= 0 else None

    def metadata(self, key: str) -> str | None:
        """A value of the GGUF metadata, or None.

        Raises:
            InputError: it is longer than 1 MiB.
        """
        buffer = ctypes.create_string_buffer(1 << 20)
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        if size >= len(buffer):
            raise InputError(
                f"{self._name}: the model's {key} is longer than {len(buffer)} bytes; use another "
                "build of the model"
            )
        return None if size < 0 else buffer.raw[:size].decode("utf-8", errors="replace")

    def check(self) -> None:
        """See that the model can be asked: it writes token by token, and has a chat template.

        Raises:
            InputError: it does not, or has none.
        """
        kind = self.metadata("general.architecture")
        for other, what in (
            (llama_cpp.llama_model_has_encoder, "has an encoder of its own for what it reads"),
            (llama_cpp.llama_model_is_diffusion, "writes all of an answer at once, by diffusion"),
        ):
            if other(self._model):
                raise InputError(
                    f"{self._name}: the model ({kind}) {what}, which the engine does not run; use "
                    "a causal language model, which writes token by token"
                )
        _ = self.chat_template

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
        return self._token_text(self.bos_token)

    @property
    def eos(self) -> str:
        """Text of the end-of-sequence token, empty for none."""
        return self._token_text(llama_cpp.llama_vocab_eos(self.pointer))

    def _token_text(self, token: int) -> str:
        return "" if token < 0 else self.text([token], special=True)

    def ends(self, token: int) -> bool:
        """Whether the model ends its turn with this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self.pointer, token))

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Tokens of `text`; with `special`, control tokens are read as such."""
        data = text.encode()
        size = len(data) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(
            self.pointer, data, len(data), buffer, size, False, special
        )
        return list(buffer[:count])

    def has_control_tokens(self, text: str) -> bool:
        """Whether `text` spells a control token of the model, which it would be read as."""
        return self.tokenize(text, special=True) != self.tokenize(text, special=False)

    def text(self, tokens: Sequence[int], special: bool) -> str:
        """Text of `tokens`; control tokens are left out unless `special`."""
        pieces = (self._bytes(token, special) for token in tokens)
        return b"".join(pieces).decode("utf-8", errors="replace")

    def text_before(self, tokens: Sequence[int], mark: str) -> str:
        """Text of `tokens` in front of a mark, all of it where there is none.

        Control tokens count in the mark, and are left out of the text.
        """
        end = b"".join(self.spelled(token) for token in tokens).find(mark.encode())
        text, left = b"", end
        for token in tokens:
            whole = end < 0 or len(self.spelled(token)) <= left
            text += self._bytes(token, special=False) if whole else self.spelled(token)[:left]
            if not whole:
                break
            left -= len(self.spelled(token))
        return text.decode("utf-8", errors="replace")

    def spelled(self, token: int) -> bytes:
        """Text of a token, also of a control token, which may be a part of a character."""
        return self._bytes(token, special=True)

    def _bytes(self, token: int, special: bool) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self.pointer, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def prompt(self, parts: Sequence[str]) -> Prompt:
        """Tokenize a rendered chat that is given in parts.

        The beginning-of-sequence token is put in front where the model wants one and the
        template has not written it, never twice. The text is tokenized as a whole, as the model
        was trained; it is cut where the tokens of a part end. The last token of a part may merge
        with what follows, so it belongs to the next piece, whatever that begins with.
        """
        tokens = self._with_bos("".join(parts))
        pieces = []
        start = 0
        for i in range(1, len(parts)):
            until = self._with_bos("".join(parts[:i]))[:-1]
            end = _common_length(until, tokens[:-1])
            if end - start >= SHORTEST_PIECE:
                pieces.append(tuple(tokens[start:end]))
                start = end
        return Prompt((*pieces, tuple(tokens[start:])))

    def _with_bos(self, text: str) -> list[int]:
        tokens = self.tokenize(text, special=True)
        if self.wanted_bos is not None and tokens[:1] != [self.wanted_bos]:
            tokens.insert(0, self.wanted_bos)
        return tokens

    @property
    def spells_alone(self) -> bool:
        """Whether a text's own tokens read as that text, so that they could go on anywhere.

        Byte-level BPE does. SentencePiece and its kin mostly put a space in front of whatever
        they are given, or drop spaces and newlines.
        """
        return all(
            self.text(self.tokenize(lead + "A", special=False), special=False) == lead + "A"
            for lead in LEADS
        )

    def label_forms(self, labels: Sequence[str]) -> list[list[tuple[int, ...]]]:
        """Token sequences that spell each label: `L`, ` L` and newline `L`, each sequence once.

        They are the tokens by which a prompt goes on, never those of a text that begins.

        Raises:
            InputError: the tokenizer cannot spell a label, does not tell two labels apart, or one
                label begins another.
        """
        spell = self._alone if self.spells_alone else self._behind
        forms = [
            sorted({form for lead in LEADS for form in spell(lead, label)}) for label in labels
        ]
        for label, own in zip(labels, forms, strict=True):
            if not own:
                raise InputError(
                    f"{self._name}: its tokenizer cannot spell label {label!r}; choose other "
                    "labels in the task"
                )
        owned = [(form, label) for label, own in zip(labels, forms, strict=True) for form in own]
        for form, label in owned:
            for other, other_label in owned:
                if label != other_label and other[: len(form)] == form:
                    raise InputError(
                        f"{self._name}: its tokenizer cannot tell label {label!r} from the start "
                        f"of label {other_label!r}; choose other labels in the task"
                    )
        return forms

    def _alone(self, lead: str, label: str) -> list[tuple[int, ...]]:
        return [tuple(self.tokenize(lead + label, special=False))]

    def _behind(self, lead: str, label: str) -> list[tuple[int, ...]]:
        """The tokens of a label behind other text.

        Where no piece reaches over the end of that text, they are the same behind any text, since
        all kinds of tokenizers then treat the two apart.
        """
        form = self._tokens_behind(lead + label)
        if form is None:
            return []
        # Some make one space of any, and small letters of capitals.
        spelled = self.text(form, special=True).strip()
        return [form] if spelled.casefold() == label.casefold() else []

    def behind(self, text: str) -> tuple[int, ...]:
        """The tokens of a text behind another one; control tokens are not read as such."""
        own = None if self.spells_alone else self._tokens_behind(text)
        return tuple(self.tokenize(text, special=False)) if own is None else own

    def _tokens_behind(self, text: str) -> tuple[int, ...] | None:
        """The same; None where every piece reaches over the end of the text before it."""
        for before in _BEFORE:
            known = self.tokenize(before, special=False)
            tokens = self.tokenize(before + text, special=False)
            if tokens[: len(known)] == known:
                return tuple(tokens[len(known) :])
        return None


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    for i, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return i
    return min(len(first), len(second))
