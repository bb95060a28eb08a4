"""How long tokens take: as the cells that ran here took, else in proportion to what was measured.

A token that is written costs a step of the model; one that is read shares its step with others.
Both speeds are those of SmolLM2 135M in F16, in jobs of one thread side by side, to two digits
(benchmarks/README.md: prompts with labels, and 16 answers of free text). Of another model they are
taken in proportion to the bytes of its weights, which are what a step reads: our own rule. No card
was measured: its speeds are the assumption of docs/scaling.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

GB = 10**9
# Of one processor.
MEASURED_BYTES = 0.27 * GB
MEASURED_READ, MEASURED_WRITTEN = 400, 100
# Of a card, for 8 billion parameters in 4 bits.
CARD_BYTES = 5 * GB
CARD_READ, CARD_WRITTEN = 2000, 300

_RAN = re.compile(r"(\d+) prompt tokens and (\d+) answer tokens computed in ([\d.]+) s")


@dataclass(frozen=True)
class Tokens:
    """Tokens that a model reads and writes."""

    read: float = 0.0
    written: float = 0.0

    def __add__(self, other: Tokens) -> Tokens:
        """Those of both."""
        return Tokens(self.read + other.read, self.written + other.written)

    def times(self, n: float) -> Tokens:
        """As many times these."""
        return Tokens(self.read * n, self.written * n)


def seconds(tokens: Tokens, size: float) -> float:
    """Seconds of one processor, for weights of as many bytes."""
    slower = size / MEASURED_BYTES
    return slower * (tokens.read / MEASURED_READ + tokens.written / MEASURED_WRITTEN)


def seconds_on_a_card(tokens: Tokens, size: float) -> float:
    """Seconds of one card, for weights of as many bytes: an assumption."""
    return size / CARD_BYTES * (tokens.read / CARD_READ + tokens.written / CARD_WRITTEN)


def slower_here(logs: Iterable[Path], size: float) -> tuple[float, int] | None:
    """How many times longer cells took here than `seconds` says, and how many cells that is of.

    Args:
        logs: logs of jobs that answered, each of one thread.
        size: bytes of the model's weights.

    Returns:
        None where nothing was computed.
    """
    took, expected, n = 0.0, 0.0, 0
    for log in logs:
        for read, written, lasted in _RAN.findall(log.read_text(encoding="utf-8", errors="ignore")):
            tokens = Tokens(float(read), float(written))
            # Of a few tokens the start is most.
            if tokens.read + tokens.written >= 1000:
                took, expected, n = took + float(lasted), expected + seconds(tokens, size), n + 1
    return (took / expected, n) if expected else None
