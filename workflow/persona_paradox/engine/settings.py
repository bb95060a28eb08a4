"""How an engine computes: what of its settings changes an answer, and what only its speed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp._ggml import libggml

from ..files import canonical_json, sha256_bytes
from .sizes import width_of
from .vocabulary import features, start_llama

# To be raised with every change of this module that changes a bit of an answer: stored answers of
# other versions are not ours.
VERSION = 1

MICRO_BATCH = 512


@dataclass(frozen=True)
class Settings:
    """How the engine runs a model; everything here may change a bit, threads may not.

    Attributes:
        context: window in tokens.
        width: answers that are generated side by side.
        gpu_layers: layers on the GPU; 0 none, -1 all.
        main_gpu: the card that holds the model where it is not split.
        tensor_split: share of the model on each card; empty for llama.cpp's own choice.
        spells_alone: the tokenizer's, see `Vocabulary.spells_alone`.
    """

    context: int
    width: int
    gpu_layers: int = 0
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    spells_alone: bool = True

    @classmethod
    def resolve(cls, engine: Mapping[str, Any], manifest: Mapping[str, Any]) -> Settings:
        """Settings from the engine's keys of a model's file and the prepared model's manifest.

        `sizes.width_of` says how wide.
        """
        return cls(
            context=engine["context"],
            width=width_of(engine, manifest["cache_bytes_per_token"]),
            gpu_layers=engine["gpu_layers"],
            main_gpu=engine["main_gpu"],
            tensor_split=tuple(engine["tensor_split"]),
            spells_alone=manifest.get("spells_alone", True),
        )

    @property
    def described(self) -> dict[str, Any]:
        """What `describe` has of the settings alone, which do not depend on the machine."""
        described = asdict(self)
        # Label probabilities of such models were once those of other tokens.
        labels = {} if described.pop("spells_alone") else {"label_forms": "behind other text"}
        return {**described, **labels}

    def describe(self, weights_sha256: str, steering: str | None = None) -> dict[str, Any]:
        """Everything besides the prompt and the decoding that may change a bit.

        The version and build of llama.cpp, the features of the processor or the cards, the
        settings of the context, the weights, and what the model is steered by (`Steering.sha256`)
        where it is. The number of threads is not part of it.
        """
        start_llama()
        return {
            **self.described,
            "version": VERSION,
            "llama_cpp_python": llama_cpp.__version__,
            "features": features(),
            "cards": cards() if self.gpu_layers else [],
            "micro_batch": MICRO_BATCH,
            "flash_attention": False,
            "cache": "f16",
            "weights": weights_sha256,
            # Only where there is some, so that answers that were stored stay.
            **({} if steering is None else {"steering": steering}),
        }

    def fingerprint(self, weights_sha256: str, steering: str | None = None) -> str:
        """SHA-256 of `describe`."""
        return sha256_bytes(canonical_json(self.describe(weights_sha256, steering)).encode())


def cards() -> list[str]:
    """What llama.cpp calls the graphics cards it can use."""
    device = libggml.ggml_backend_dev_get
    device.argtypes, device.restype = [ctypes.c_size_t], ctypes.c_void_p
    describe = libggml.ggml_backend_dev_description
    describe.argtypes, describe.restype = [ctypes.c_void_p], ctypes.c_char_p
    kind = libggml.ggml_backend_dev_type
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    libggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    devices = [device(i) for i in range(libggml.ggml_backend_dev_count())]
    gpu, integrated = 1, 2
    return [describe(d).decode() for d in devices if kind(d) in (gpu, integrated)]


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
