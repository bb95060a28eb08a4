"""The options among which a persona is named, in an order that is drawn for every item.

A model that likes the first letter must not look like one that knows who it is. What is behind the
reading knows options by their ids, in the study's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from ..data.orders import shuffled

# The option for whoever is no persona among the options; no persona can have this id.
NONE = "none"

# What stands before the options; so many letters, so many options.
LETTERS = ascii_uppercase


def order_of(item_id: str, view: Mapping[str, Any]) -> list[int]:
    """The numbers of the options in the order in which an item shows them.

    Args:
        item_id: of the item.
        view: of the identification: `options` and `seed`.
    """
    return shuffled(item_id, len(view["options"]), view["seed"])


def question(text: str, item_id: str, view: Mapping[str, Any]) -> str:
    """A question with the options of an item in the place of `{options}`, a line for each."""
    titles = [view["options"][number]["title"] for number in order_of(item_id, view)]
    lines = [f"{letter}. {title}" for letter, title in zip(LETTERS, titles, strict=False)]
    return text.replace("{options}", "\n".join(lines))


def in_study_order(values: Sequence[float], item_id: str, view: Mapping[str, Any]) -> list[float]:
    """Values of the letters of an item, shape (options,), as values of the options."""
    found = [0.0] * len(view["options"])
    for position, number in enumerate(order_of(item_id, view)):
        found[number] = values[position]
    return found


def right_option(persona: str, view: Mapping[str, Any]) -> str:
    """Id of the option that is right of a persona: its own, or `NONE`."""
    return persona if persona in {one["id"] for one in view["options"]} else NONE
