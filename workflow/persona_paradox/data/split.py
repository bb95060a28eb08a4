"""Training splits: the rows of a data set's file that adapters are trained on, those by
which one of several adapters is chosen (validation), and the others.

A row falls to its side by itself: by its id, or by what it belongs together with, and a seed.
So neither the order of rows nor what a file holds besides moves one, and data sets that are made of
one file are split alike where they call its rows alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

# The sides of a split.
TRAINING, VALIDATION, REST = "training", "validation", "rest"

# Numbers that 16 hexadecimal digits may be.
_ALL = 16**16


def is_drawn(key: str, share: float, seed: int) -> bool:
    """Whether what has this key is for training.

    Whoever draws a larger share with the same seed draws it as well.
    """
    digits = hashlib.sha256(f"training:{seed}:{key}".encode()).hexdigest()[:16]
    return int(digits, 16) < share * _ALL


def side_of(key: str, split: Mapping[str, Any]) -> str:
    """The side that what has this key falls to: `TRAINING`, `VALIDATION` or `REST`.

    Args:
        key: of a row, or of what it belongs together with.
        split: `share` of training, `seed`, and perhaps `validation`, the share behind it.
    """
    share, seed = split["share"], split["seed"]
    if is_drawn(key, share, seed):
        return TRAINING
    return VALIDATION if is_drawn(key, kept(split), seed) else REST


def kept(split: Mapping[str, Any]) -> float:
    """The share that no task asks about: that of training and of validation together."""
    return float(split["share"]) + float(split.get("validation", 0))


def split_by(columns: Mapping[str, Any]) -> str | None:
    """The column of the file by whose values rows are split; None where it is the id.

    Args:
        columns: key `columns` of a data set.
    """
    cluster = columns.get("cluster")
    if cluster in columns.get("keep", ()):
        return str(cluster)
    # A kind may make it of a column that a key of its own names; pairs that are made by rule are
    # made of rows of one side.
    named = columns.get(str(cluster))
    return str(named["column"]) if isinstance(named, Mapping) else None
