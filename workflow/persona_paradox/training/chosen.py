"""Which candidate of a cycle went on, by the manifest of the adapter that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def went_on(manifest: Mapping[str, Any]) -> str | None:
    """Id of the candidate that went on; None where the model is that of the cycle before.

    A candidate that trained nothing is that, too.
    """
    chosen: str | None = manifest["chosen"]
    if chosen is None or manifest["compared"][chosen]["handed_on"] is not None:
        return None
    return chosen


def is_base(manifest: Mapping[str, Any]) -> bool:
    """Whether nothing has gone on up to this cycle, so that the model is the base."""
    stopped = manifest["stopped"]
    return stopped is not None and bool(stopped["cycle"] == 1)
