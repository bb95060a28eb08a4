"""Adapters: small files (LoRA) that change a model's weights while it runs."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from ..errors import InputError
from .vocabulary import load, reason, start_llama, weights_parameters


@dataclass(frozen=True)
class Adapter:
    """A LoRA that changes the weights of a model while it runs.

    Attributes:
        path: GGUF file.
        scale: factor of the change, besides the file's own alpha / rank.
    """

    path: Path
    scale: float


def load_adapter(model: Any, path: Path, messages: deque[str], name: str) -> Any:
    """llama.cpp's pointer to an adapter, which is freed with the model.

    Args:
        model: llama.cpp's pointer to the model.
        path: GGUF file of the adapter.
        messages: where llama.cpp's messages go.
        name: the file that names the adapter, in errors.

    Raises:
        InputError: it does not fit the model, or takes effect in a part of a prompt alone.
    """
    messages.clear()
    pointer = llama_cpp.llama_adapter_lora_init(model, os.fsencode(path))
    if not pointer:
        raise InputError(
            f"{name}: the adapter does not fit the model of key `base` ({_why(messages)}); name "
            "the model from which it was trained, or convert it anew by llama.cpp's "
            "convert_lora_to_gguf.py"
        )
    if llama_cpp.llama_adapter_get_alora_n_invocation_tokens(pointer):
        raise InputError(
            f"{name}: the adapter is an activated one (aLoRA), which changes the model only behind "
            "tokens of its own and is not run here; use a plain LoRA"
        )
    return pointer


def _why(messages: deque[str]) -> str:
    # In front of the reason stand names of llama.cpp's own functions.
    return reason(messages).rpartition("failed to apply lora adapter: ")[2]


def use_adapters(context: Any, loaded: Sequence[Any], scales: Sequence[float]) -> None:
    """Let a context compute with adapters, from its next call on."""
    count = len(loaded)
    pointers = (llama_cpp.llama_adapter_lora_p_ctypes * count)(*loaded)
    factors = (ctypes.c_float * count)(*scales)
    if llama_cpp.llama_set_adapters_lora(context, pointers, count, factors) != 0:
        raise RuntimeError("llama_set_adapters_lora failed")


def try_adapter(model: Path, adapter: Path, name: str) -> None:
    """Load a model and an adapter of it, and let go of both.

    Args:
        model: GGUF file of the model.
        adapter: GGUF file of the adapter.
        name: the file that names the adapter, in errors.

    Raises:
        InputError: llama.cpp does not take the adapter for this model.
    """
    messages = start_llama()
    parameters = weights_parameters()
    # Whoever looks at shapes needs no card.
    parameters.n_gpu_layers = 0
    pointer = load(model, parameters, messages, name)
    try:
        load_adapter(pointer, adapter, messages, name)
    finally:
        llama_cpp.llama_model_free(pointer)
