"""More options: wrong ones, which are options of other items."""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..changes import MOST_OPTIONS, changed_items
from ..options import check_options, plain, speaks_of_others


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `n` options of other items behind those of the file; see `changes`.

    Args:
        items: of the base's data set, with `options` and `stratum`.
        arm: `n`, and `seed` of the draw.

    Returns:
        The items; their options are of items of the same stratum, and none of them is one of the
        item's own. The key is the same. As many are added as there is room for.
    """
    check_options(items, "expand")
    pools = _pools(items, arm["seed"])

    def expanded(row: dict[str, Any]) -> dict[str, Any] | str:
        n = min(arm["n"], MOST_OPTIONS - len(row["options"]))
        if n < 1:
            return "there is no room for more options"
        if speaks_of_others(row["options"]):
            return "an option speaks of others"
        more = _drawn(row, pools[row["stratum"]], n, arm["seed"])
        if len(more) < n:
            return "other items of the stratum have too few other options"
        return {"options": [*row["options"], *more], "change": "; ".join(more)}

    return changed_items(items, expanded)


def _place(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _pools(items: pl.DataFrame, seed: int) -> dict[str, list[tuple[str, str]]]:
    """Stratum → its options, each once, on a ring: place and text, sorted."""
    found: dict[str, dict[str, str]] = {}
    for row in items.filter(pl.col("excluded").is_null()).iter_rows(named=True):
        for option in row["options"]:
            if not speaks_of_others([option]):
                found.setdefault(row["stratum"], {}).setdefault(plain(option), option)
    return {
        stratum: sorted((_place(seed, text), option) for text, option in options.items())
        for stratum, options in found.items()
    }


def _drawn(row: Mapping[str, Any], pool: Sequence[tuple[str, str]], n: int, seed: int) -> list[str]:
    """The first options on the ring behind the item's own place that are none of its own.

    So another item's new option seldom changes what is drawn.
    """
    own = {plain(option) for option in row["options"]}
    start = bisect(pool, (_place(seed, row["item_id"]), ""))
    ring = (pool[(start + step) % len(pool)][1] for step in range(len(pool)))
    found: list[str] = []
    for option in ring:
        if plain(option) not in own:
            found.append(option)
            if len(found) == n:
                break
    return found
