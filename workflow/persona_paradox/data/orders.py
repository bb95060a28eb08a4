"""Orders that are drawn for items, one by one."""

from __future__ import annotations

import hashlib


def shuffled(item_id: str, k: int, seed: int) -> list[int]:
    """The numbers below `k`, in an order that is drawn for an item.

    Each number has a place of its own that no other changes, so that one more option comes in
    between the others, and leaves their order.
    """
    return sorted(range(k), key=lambda one: _drawn(item_id, one, seed))


def _drawn(item_id: str, number: int, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{item_id}:{number}".encode()).hexdigest()
