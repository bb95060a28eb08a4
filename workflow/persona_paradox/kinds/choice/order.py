"""In what order an item's options are shown.

Whatever is behind scoring calls an option by its letter in the file. What the model reads may be in
another order: a task's `order: shuffled` draws one for each item, and the rule `order` of an arm
moves on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...data.orders import shuffled


def shown(row: Mapping[str, Any], seed: int | None) -> list[int]:
    """The places in the file of the options of an item, in the order in which they are shown.

    Args:
        row: of the items: `item_id`, `options`, and `order`, which is null where it is that of the
            task, and else has, for every position, the position that the task would show there.
            Options that it does not name, as those that an arm adds, stand at the end.
        seed: of the task's order; None where it is that of the file.

    Returns:
        One number from 0 for each option.
    """
    of_task = list(range(len(row["options"])))
    if seed is not None:
        of_task = shuffled(row["item_id"], len(of_task), seed)
    moved = list(row["order"] or ())
    moved += [position for position in range(len(of_task)) if position not in moved]
    return [of_task[position] for position in moved]


def seed_of(view: Mapping[str, Any]) -> int | None:
    """The seed of the order in a task's view; None where it is that of the file."""
    return view.get("order_seed")
