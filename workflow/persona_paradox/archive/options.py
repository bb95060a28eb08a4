"""Numbers on the command line of programs that read archives."""

from __future__ import annotations

import math
from argparse import ArgumentParser

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


def add_limit(options: ArgumentParser) -> None:
    """Let a program be told how much it unpacks at most; `most_bytes` of its arguments."""
    options.add_argument(
        "--max-gib",
        dest="most_bytes",
        metavar="GIB",
        type=bytes_of_gib,
        default="50",
        help="most that may be unpacked (50)",
    )
