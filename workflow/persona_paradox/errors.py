"""The one error a user is meant to read."""

from __future__ import annotations


class InputError(Exception):
    """Something the user can mend; one sentence that names file, key and remedy.

    What it quotes may come from anybody: a key or a name with a new line or a terminal's command
    in it stands there escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text of somebody else without what a terminal takes for a command or a new line."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
