"""The residual stream of a model while it computes: read, and held below a cap.

What layer `l` hands to the next one is the tensor `l_out-l` of llama.cpp: float32, shape (tokens,
width of the model). Its callback for the graph (`cb_eval`) is asked of every tensor whether it is
wanted, and then shown the wanted ones. Reading changes no bit of what is computed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp._ggml import libggml
from numpy.typing import NDArray

from ..errors import InputError

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Cap:
    """The most that the residual stream may have along a direction.

    h becomes h − max(h·v − most, 0) v (Lu et al. 2026).

    Attributes:
        direction: v, of length 1, shape (width,).
        most: in the units of the stream.
    """

    direction: Rows
    most: float

    def hold(self, rows: Rows) -> Rows:
        """Rows of the stream below the cap, shape (tokens, width)."""
        # Row by row: a matrix product would let the place of a row change its last bits.
        along = (rows * self.direction).sum(axis=1, dtype=np.float64)
        beyond = np.maximum(along - self.most, 0.0).astype(np.float32)
        held: Rows = rows - beyond[:, None] * self.direction
        return held


class ResidualStream:
    """Watches the residual stream behind some layers of one context.

    It must live as long as the context that has its `callback`.

    Args:
        layers: whose output is read, counted from 0.
        width: of the model, numbers per token.
        caps: layer → its cap.

    Attributes:
        callback: for `cb_eval` of llama.cpp's parameters of a context.
        reading: whether what is computed now is kept.
    """

    def __init__(self, layers: Sequence[int], width: int, caps: Mapping[int, Cap]) -> None:
        self._width = width
        self._caps = caps
        self._layers = {name_of(layer): layer for layer in layers}
        self._held = {name_of(layer): cap for layer, cap in caps.items()}
        self._rows: dict[int, list[Rows]] = {layer: [] for layer in layers}
        self._failed: Exception | None = None
        self.reading = False
        self._ggml = _functions()

        @llama_cpp.ggml_backend_sched_eval_callback  # type: ignore[untyped-decorator]
        def watch(tensor: int, ask: bool, _: Any) -> bool:
            # llama.cpp could not pass an exception on.
            try:
                return self._watch(tensor, ask)
            except Exception as error:
                self._failed = error
                return False

        self.callback = watch

    def _watch(self, tensor: int, ask: bool) -> bool:
        name: bytes = self._ggml.ggml_get_name(tensor)
        held, layer = self._held.get(name), self._layers.get(name)
        wanted = held is not None or (self.reading and layer is not None)
        if ask or not wanted:
            return wanted
        rows = self._copied(tensor, name)
        if held is not None:
            rows = held.hold(rows)
            self._ggml.ggml_backend_tensor_set(tensor, rows.ctypes.data, 0, rows.nbytes)
        if self.reading and layer is not None:
            self._rows[layer].append(rows)
        return True

    def _copied(self, tensor: int, name: bytes) -> Rows:
        size: int = self._ggml.ggml_nbytes(tensor)
        if size % (4 * self._width) or self._ggml.ggml_element_size(tensor) != 4:
            raise InputError(
                f"llama.cpp's tensor {name.decode()} is not what is read here, numbers of 32 bits "
                f"in rows of {self._width}; use another version of llama-cpp-python"
            )
        rows = np.empty((size // (4 * self._width), self._width), dtype=np.float32)
        self._ggml.ggml_backend_tensor_get(tensor, rows.ctypes.data, 0, size)
        return rows

    def check(self) -> None:
        """Pass on what went wrong in the last call of llama.cpp."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def taken(self) -> dict[int, Rows]:
        """What was kept since the last time: layer → shape (tokens, width), in their order."""
        empty = np.empty((0, self._width), dtype=np.float32)
        found = {layer: np.concatenate([empty, *rows]) for layer, rows in self._rows.items()}
        self._rows = {layer: [] for layer in self._rows}
        return found


def name_of(layer: int) -> bytes:
    """What llama.cpp calls the residual stream behind a layer."""
    return b"l_out-%d" % layer


def depth_to_layer(depth: float, layers: int) -> int:
    """The layer, counted from 0, behind that share of a model's layers: 0.5 the middle one."""
    return min(int(depth * layers), layers - 1)


def unread(name: str, layer: int, architecture: str | None) -> InputError:
    """The error for a model whose residual stream llama.cpp does not show."""
    return InputError(
        f"{name}: llama.cpp shows no residual stream behind layer {layer} of a model of the "
        f"architecture {architecture}, so that it can be neither read nor steered; use another "
        "model, or leave out key `readings` of the study"
    )


def _functions() -> Any:
    """ggml's library, with the types of what is called here."""
    tensor, pointer, size = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
    libggml.ggml_get_name.argtypes, libggml.ggml_get_name.restype = [tensor], ctypes.c_char_p
    for name in ("ggml_nbytes", "ggml_element_size"):
        function = getattr(libggml, name)
        function.argtypes, function.restype = [tensor], size
    for name in ("ggml_backend_tensor_get", "ggml_backend_tensor_set"):
        function = getattr(libggml, name)
        function.argtypes, function.restype = [tensor, pointer, size, size], None
    return libggml
