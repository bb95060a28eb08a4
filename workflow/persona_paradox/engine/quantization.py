"""Other formats of a model's weights, by llama.cpp's own function."""

from __future__ import annotations

import os
from pathlib import Path

import llama_cpp

from ..errors import InputError
from .gguf_header import without_stderr
from .vocabulary import reason, start_llama

FORMATS = {
    "f16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
}


def quantize(source: Path, result: Path, kind: str | None, name: str) -> None:
    """Write a model as one file.

    Args:
        source: its GGUF file, or the first of its parts, whose others stand beside it.
        result: the file to write.
        kind: one of `FORMATS`; None copies the weights as they are.
        name: of the model in errors.

    Raises:
        InputError: llama.cpp refuses.
    """
    messages = start_llama()
    parameters = llama_cpp.llama_model_quantize_default_params()
    if kind is None:
        parameters.only_copy = True
    else:
        parameters.ftype = FORMATS[kind]
        parameters.allow_requantize = True
    with without_stderr():
        status = llama_cpp.llama_model_quantize(
            os.fsencode(source), os.fsencode(result), parameters
        )
    if status != 0:
        if kind is None:
            raise InputError(
                f"{name}: llama.cpp cannot join the parts of the model ({reason(messages)}); fetch "
                "them again, or join them by its llama-gguf-split --merge and name the whole as a "
                "`path`"
            )
        raise InputError(
            f"{name}: the model cannot be written as {kind} ({reason(messages)}); set key "
            "`prepare` to none, or use another build of it"
        )
