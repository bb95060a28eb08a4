"""A look at a GGUF file without loading it: is it a model, whole, and of finite numbers?"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGUF_VERSION, GGUFValueType
from llama_cpp._ggml import libggml

from ..errors import InputError

_SCALARS = {
    GGUFValueType.UINT8: 1,
    GGUFValueType.INT8: 1,
    GGUFValueType.BOOL: 1,
    GGUFValueType.UINT16: 2,
    GGUFValueType.INT16: 2,
    GGUFValueType.UINT32: 4,
    GGUFValueType.INT32: 4,
    GGUFValueType.FLOAT32: 4,
    GGUFValueType.UINT64: 8,
    GGUFValueType.INT64: 8,
    GGUFValueType.FLOAT64: 8,
}
_WHOLE = {
    GGUFValueType.UINT8: "B",
    GGUFValueType.UINT16: "H",
    GGUFValueType.UINT32: "I",
    GGUFValueType.UINT64: "Q",
    GGUFValueType.INT32: "i",  # `split.tensors.count`
}
MAX_DIMENSIONS = 4
_VERSIONS = (2, GGUF_VERSION)
_BLOCKS = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


# What else is published as GGUF, by its type or architecture, and what to do instead.
_NO_MODELS = {
    "adapter": (
        "an adapter (LoRA), which changes another model; describe it in config/adapters "
        "(config/README.md, Adapters)"
    ),
    "mmproj": "a projector for pictures or sound; name the file of the model itself",
    "clip": "a projector for pictures or sound; name the file of the model itself",
    "imatrix": "an importance matrix, an aid for quantizing; name the file of the model itself",
    "controlvector": "a control vector, which changes another model; name that model's file",
}


@dataclass(frozen=True)
class Header:
    """What a file says of the model that it holds, or holds a part of.

    Attributes:
        said: metadata that are texts and that name the model.
        expected: tensors of the whole model, None where it does not say.
        tensors: names of those in the file.
    """

    said: dict[str, str]
    expected: int | None
    tensors: list[str]


def check_gguf(path: Path, config_file: str, part: int = 1, parts: int = 1) -> Header:
    """See that a file is a GGUF model, or a part of one, and holds all of its tensors.

    Args:
        path: the file.
        config_file: YAML file to name in errors.
        part: which part of the model it should be, from 1.
        parts: of how many.

    Returns:
        What its header says.

    Raises:
        InputError: it is not, or does not, or a weight is no finite number.
    """
    joined = ", or, where it is one of several pieces, join them by `cat`"
    with _opened(path, config_file, "model", joined) as gguf:
        wrong = _what_else(gguf, path.name, (part, parts)) or _not_finite(gguf, "model")
        header = Header(
            {key.decode(): said for key, said in gguf.texts.items() if key in _OF_ALL_PARTS},
            gguf.numbers.get(b"split.tensors.count"),
            [_shown(tensor.name) for tensor in gguf.tensors],
        )
    if wrong:
        raise InputError(f"{config_file}: key `source`: {wrong}")
    return header


def check_adapter(path: Path, config_file: str) -> None:
    """See that a file is a GGUF adapter (LoRA), and holds all of its tensors.

    Args:
        path: the file.
        config_file: YAML file to name in errors.

    Raises:
        InputError: it is not, or does not, or one of its numbers is not finite.
    """
    with _opened(path, config_file, "adapter") as gguf:
        wrong = _no_gguf(gguf) or _no_adapter(gguf) or _not_finite(gguf, "adapter")
    if wrong:
        raise InputError(f"{config_file}: key `source`: {wrong}")


@contextmanager
def _opened(path: Path, config_file: str, what: str, remedy: str = "") -> Iterator[_Gguf]:
    """A GGUF file whose header is read."""
    try:
        if path.stat().st_size == 0:  # which no file in memory can have
            raise ValueError("it is empty")
        with (
            open(path, "rb") as handle,
            mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            gguf = _Gguf(data)
            gguf.read()
            yield gguf
    except (ValueError, struct.error, OverflowError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "its header has no end"
        raise InputError(
            f"{config_file}: the {what} is truncated or damaged: {reason}; name a whole one and "
            f"mend key `source.sha256`{remedy}"
        ) from error


def check_parts(headers: Sequence[Header], names: Sequence[str], config_file: str) -> None:
    """See that parts are of one model, as far as their headers tell.

    Publishers write the metadata to the first part alone, so that parts of two models of the same
    shape, split alike, cannot be told apart but by their checksums.

    Args:
        headers: of all parts, in their order.
        names: of their files.
        config_file: YAML file to name in errors.

    Raises:
        InputError: they contradict each other.
    """

    def error(text: str) -> InputError:
        return InputError(
            f"{config_file}: key `source`: {text}, so the parts are not of one model; name parts "
            "that were published together"
        )

    first, home = headers[0], dict.fromkeys(headers[0].tensors, names[0])
    for header, name in zip(headers[1:], names[1:], strict=True):
        if header.expected != first.expected:
            raise error(
                f"{names[0]} says that the model has {first.expected} tensors, {name} that it has "
                f"{header.expected}"
            )
        for key, said in header.said.items():
            if said != first.said.get(key, said):
                raise error(f"{key} is {first.said[key]!r} in {names[0]}, {said!r} in {name}")
        for tensor in header.tensors:
            if tensor in home:
                raise error(f"tensor {tensor} stands both in {home[tensor]} and in {name}")
            home[tensor] = name
    if first.expected is not None and len(home) != first.expected:
        raise error(f"the model has {first.expected} tensors, its parts have {len(home)}")


# Metadata that are the same in every part that has them.
_OF_ALL_PARTS = (b"general.architecture", b"general.name", b"general.basename", b"general.finetune")


def _no_gguf(gguf: _Gguf) -> str | None:
    """What a file is where it is no GGUF that can be read, and what to do; else None."""
    if not gguf.known:
        return (
            f"the file is no GGUF: it does not begin with GGUF but with {bytes(gguf.data[:4])!r}; "
            "name a GGUF file"
        )
    if gguf.version in _VERSIONS:
        return None
    # In the other order of bytes a version begins with its zeros.
    foreign = gguf.version % 2**16 == 0
    kind = "for machines that are big-endian" if foreign else f"of version {gguf.version}"
    return (
        f"the file is a GGUF {kind}, but versions {' and '.join(map(str, _VERSIONS))}, "
        "little-endian, are read here; use another build of the model"
    )


def _what_else(gguf: _Gguf, name: str, wanted: tuple[int, int]) -> str | None:
    """What a file is where it is not the wanted part of a model, and what to do; else None."""
    if wrong := _no_gguf(gguf):
        return wrong
    for said in (gguf.texts.get(b"general.type"), gguf.texts.get(b"general.architecture")):
        if said in _NO_MODELS:
            return f"the file is no model but {_NO_MODELS[said]}"
    count = max(gguf.numbers.get(b"split.count", 1), 1)
    found = gguf.numbers.get(b"split.no", 0) + 1, count
    if found != wanted:
        what = f"part {found[0]} of {count} of a model" if count > 1 else "a whole model"
        if wanted[1] > 1:
            return f"{name} is {what}, not part {wanted[0]} of {wanted[1]}; name the right files"
        return (
            f"the file is {what}; name the first part by its own name, NAME-00001-of-{count:05}"
            ".gguf, and list the checksums of all parts in key `source.sha256` (config/README.md, "
            "Models)"
        )
    if not gguf.tensors and wanted == (1, 1):
        return "the file holds a vocabulary but no weights; name the file of the whole model"
    return None


def _no_adapter(gguf: _Gguf) -> str | None:
    """What a GGUF file is where it is no adapter that can be run, and what to do; else None."""
    said = gguf.texts.get(b"general.type")
    if said != "adapter":
        return (
            f"the file is no adapter: its general.type is {said!r}; name the adapter's own file, "
            "as llama.cpp's convert_lora_to_gguf.py writes it"
        )
    if (kind := gguf.texts.get(b"adapter.type")) != "lora":
        return f"the file is an adapter of the type {kind!r}; only those of type 'lora' are run"
    if not gguf.tensors:
        return "the adapter changes no weight, so that it is the base; name another file"
    return None


def _not_finite(gguf: _Gguf, what: str) -> str | None:
    """Which weights are not finite, and what to do; None where all are."""
    finite = libggml.ggml_validate_row_data
    finite.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    finite.restype = ctypes.c_bool
    data = np.frombuffer(gguf.data, dtype=np.uint8)
    with without_stderr():
        for tensor in gguf.tensors:
            # Of a type that is newer than the library the size is not known.
            start = data.ctypes.data + gguf.at + tensor.offset
            if tensor.size and not finite(tensor.kind, start, tensor.size):
                return (
                    f"tensor {_shown(tensor.name)} holds numbers that are not finite (NaN or "
                    f"infinite), so the {what} is damaged or was badly converted; use another "
                    "build of it"
                )
    return None


@contextmanager
def without_stderr() -> Iterator[None]:
    """Drop what C code writes to the terminal: ggml tells there where a number is not finite."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass(frozen=True)
class _Tensor:
    """Where the data of a tensor begin behind the header, and what they are; in bytes."""

    name: bytes
    kind: int
    offset: int
    size: int


class _Gguf:
    """A walk over the header of a GGUF file.

    The reader of the gguf library makes an array of every token of the vocabulary and says
    of a short file only that an array has the wrong shape.

    Attributes:
        data: the file.
        at: where the header ends, and the data of the tensors begin, after `read`.
        known: whether the file begins as a GGUF does.
        version: of the format; of another than `_VERSIONS` nothing more is read.
        texts: the metadata that are texts.
        numbers: those that are whole numbers.
        tensors: what the file holds.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.known = data[:4] == b"GGUF" or len(data) < 4
        self.version = GGUF_VERSION
        self.texts: dict[bytes, str] = {}
        self.numbers: dict[bytes, int] = {}
        self.tensors: list[_Tensor] = []

    def read(self) -> None:
        """Read the header.

        Raises:
            ValueError, struct.error, OverflowError, RecursionError: it is none, or the file ends
                before its tensors do.
        """
        if not self.known:
            return
        self.at = 4
        self.version = self._number("I")
        if self.version not in _VERSIONS:
            return
        tensors, entries = self._number("Q"), self._number("Q")
        for _ in range(entries):
            key, kind = self._text(), self._number("I")
            if kind in _WHOLE:
                self.numbers[key] = self._number(_WHOLE[GGUFValueType(kind)])
            elif kind == GGUFValueType.STRING:
                self.texts[key] = self._text().decode(errors="replace")
            else:
                self._skip(kind)
        self.tensors = [self._tensor() for _ in range(tensors)]
        alignment = self.numbers.get(b"general.alignment", GGUF_DEFAULT_ALIGNMENT)
        if alignment <= 0:
            raise ValueError(f"its alignment is {alignment}")
        self.at = -(-self.at // alignment) * alignment
        for tensor in self.tensors:
            end = self.at + tensor.offset + tensor.size
            if end > len(self.data):
                raise ValueError(
                    f"tensor {_shown(tensor.name)} ends at byte {end}, the file at {len(self.data)}"
                )

    def _tensor(self) -> _Tensor:
        name = self._text()
        elements, dimensions = 1, self._number("I")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"tensor {_shown(name)} has {dimensions} dimensions")
        for _ in range(dimensions):
            elements *= self._number("Q")
        kind = self._number("I")
        # Of a type that is newer than the library only the beginning is known.
        block, size = _BLOCKS.get(kind, (1, 0))
        return _Tensor(name, kind, self._number("Q"), elements // block * size)

    def _skip(self, kind: int) -> None:
        if kind == GGUFValueType.STRING:
            self._text()
        elif kind == GGUFValueType.ARRAY:
            inner, count = self._number("I"), self._number("Q")
            if inner in _SCALARS:
                self.at += count * _SCALARS[GGUFValueType(inner)]
            else:
                for _ in range(count):
                    self._skip(inner)
        elif kind in _SCALARS:
            self.at += _SCALARS[GGUFValueType(kind)]
        else:
            raise ValueError(f"its header has a value of the unknown type {kind}")

    def _number(self, kind: str) -> int:
        (number,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return int(number)

    def _text(self) -> bytes:
        length = self._number("Q")
        self.at += length
        return self.data[self.at - length : self.at]


def _shown(name: bytes) -> str:
    return name[:64].decode(errors="replace")
