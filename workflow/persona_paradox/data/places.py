"""Places in the turns of a task, which its items fill: what is known of them before any is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Key of the columns of a data set, and column of its items: what the user says about each.
TURNS = "turns"

# Place in a turn of a task → column of the items that fills it.
PLACES = {"turn": TURNS, "option": "named_option", "letter": "named_letter"}

PLACE = re.compile(rf"\{{({'|'.join(PLACES)})\}}")


def places(text: str) -> list[str]:
    """The places in a turn of a task that items fill."""
    return PLACE.findall(text)


def needed(turns: Sequence[str]) -> int:
    """How many turns of its own an item must have for all turns of a task."""
    return sum("turn" in places(text) for text in turns)
