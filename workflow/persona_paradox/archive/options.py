"""Numbers on the command line of programs that read archives."""

from __future__ import annotations

import math

from .crate import GIB


def count(text: str) -> int:
    """A number from 0."""
    if (value := int(text)) < 0:
        raise ValueError
    return value


def bytes_of_gib(text: str) -> int:
    """Bytes, of a number of GiB."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return int(value * GIB)
