"""Numbers on the command line of programs that read archives."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import NoReturn

from .crate import GIB


def count(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def bytes_of_gib(text: str) -> int:
    """Bytes, of a number of GiB."""
    try:
        return int(float(text) * GIB) if float(text) >= 0 else _no_size(text)
    except (ValueError, OverflowError):
        return _no_size(text)


def _no_size(text: str) -> NoReturn:
    raise ArgumentTypeError(f"{text!r} is not a number of GiB from 0") from None


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
