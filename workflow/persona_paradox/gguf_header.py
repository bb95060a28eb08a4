"""A look at a GGUF file without loading it: is it one, and is it whole?"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGUF_VERSION, GGUFValueType

from .errors import InputError

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
MAX_DIMENSIONS = 4
_BLOCKS = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def check_gguf(path: Path, config_file: str) -> None:
    """See that a model is a GGUF file that holds all of its tensors.

    Raises:
        InputError: it is not, or does not.
    """
    try:
        with (
            open(path, "rb") as handle,
            mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            _Gguf(data).check()
    except (ValueError, struct.error, OverflowError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "its header has no end"
        raise InputError(
            f"{config_file}: the model is truncated or damaged: {reason}; fetch it again or mend "
            "key `source.sha256`"
        ) from error


class _Gguf:
    """A walk over the header of a GGUF file.

    The reader of the gguf library makes an array of every token of the vocabulary and says
    of a short file only that an array has the wrong shape.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def check(self) -> None:
        if self.data[:4] != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        self.at = 4
        version = self._number("I")
        if version not in (2, GGUF_VERSION):
            raise ValueError(f"it says GGUF version {version}, which is not known")
        tensors, entries = self._number("Q"), self._number("Q")
        alignment = GGUF_DEFAULT_ALIGNMENT
        for _ in range(entries):
            key, kind = self._text(), self._number("I")
            if key == b"general.alignment" and kind == GGUFValueType.UINT32:
                alignment = self._number("I")
            else:
                self._skip(kind)
        ends = [self._tensor() for _ in range(tensors)]
        if alignment == 0:
            raise ValueError("its alignment is 0")
        start = -(-self.at // alignment) * alignment
        end, name = max(ends, default=(0, b""))
        if start + end > len(self.data):
            raise ValueError(
                f"tensor {_shown(name)} ends at byte {start + end}, the file at {len(self.data)}"
            )

    def _tensor(self) -> tuple[int, bytes]:
        """Where the data of the next tensor end, and its name."""
        name = self._text()
        elements, dimensions = 1, self._number("I")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"tensor {_shown(name)} has {dimensions} dimensions")
        for _ in range(dimensions):
            elements *= self._number("Q")
        # Of a type that is newer than the library only the beginning is known.
        block, size = _BLOCKS.get(self._number("I"), (1, 0))
        return self._number("Q") + elements // block * size, name

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
