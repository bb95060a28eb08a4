"""What a job that runs a model takes: memory, time and cards, from the size of the model.

Own formulas, for schedulers: they are meant to be enough, not to be tight. A job that a scheduler
ends for want of memory or time loses the answers in flight alone, and asks for more the next time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDEST = 16
GIB = 2**30
MB = 10**6

# Python and its libraries, and llama.cpp's buffers for a micro-batch of 512 tokens, of which the
# logits of 250,000 tokens are the largest part.
BASE_MB = 1500
BASE_MINUTES = 10
# Of a cell per GB of weights: a thousand short answers of an 8-billion-parameter model on a card
# take less, the same on CPUs more; what is not done when the time is over is done in the next
# attempt.
MINUTES_PER_GB = 5
# Longer than this no job asks for at first, since no partition may have it.
LONGEST_MINUTES = 24 * 60


@dataclass(frozen=True)
class Size:
    """How large a model is.

    Attributes:
        weights: bytes of the prepared file.
        cache_per_token: bytes that a token takes in the attention cache.
    """

    weights: int
    cache_per_token: int

    @classmethod
    def of(cls, manifest: str) -> Size:
        """From a prepared model's manifest; `FileNotFoundError` before the model is there.

        A damaged one has no size: the job that reads it says so, in a sentence.
        """
        try:
            content = json.loads(Path(manifest).read_bytes())
            return cls(content["size"], content["cache_bytes_per_token"])
        except (ValueError, KeyError, TypeError):
            return cls(0, 0)


def width_of(engine: Mapping[str, Any], cache_per_token: int) -> int:
    """Answers that are generated side by side, from the engine's keys of a model's file.

    Where key `width` is null it is the largest power of two, at most 16, for which the attention
    cache of width + 1 windows stays within `cache_gib`, and at least 1. It does not depend on the
    memory that happens to be free, so that a study has the same width anywhere.
    """
    if engine["width"] is not None:
        return int(engine["width"])
    window = max(1, cache_per_token * int(engine["context"]))
    room: int = int(engine["cache_gib"] * GIB) // window - 1
    return min(WIDEST, 1 << max(0, room.bit_length() - 1))


def memory_mb(size: Size, engine: Mapping[str, Any], attempt: int = 1) -> int:
    """Memory in MB (10⁶ bytes) of a job: weights, attention cache, and the rest.

    The weights count in full, also where a card holds them: they pass through the memory of
    the machine, and schedulers count mapped files. Every attempt asks for half as much again.
    """
    windows = width_of(engine, size.cache_per_token) + 1
    cache = windows * int(engine["context"]) * size.cache_per_token
    first = BASE_MB + -(-(size.weights + cache) // MB)
    return first * (attempt + 1) // 2


def minutes(size: Size, cells: int = 1, attempt: int = 1) -> int:
    """Time in minutes of a job that answers some cells; twice as long at every attempt."""
    first = BASE_MINUTES + cells * MINUTES_PER_GB * -(-size.weights // 10**9)
    return min(first, LONGEST_MINUTES) * int(2 ** (attempt - 1))


def cards(engine: Mapping[str, Any]) -> int:
    """Graphics cards of a job: those that hold a share of the model."""
    if engine["gpu_layers"] == 0:
        return 0
    shares: Sequence[float] = engine["tensor_split"]
    return max(1, sum(share > 0 for share in shares))
