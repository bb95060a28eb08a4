"""A coin: heads or tails, of which neither is more."""

from ..labelled.spec import (
    COLUMNS,
    TRAITS,
    check,
    check_dataset,
    measured,
    reading,
    shown,
    strata,
    views,
)

__all__ = ["COLUMNS", "PLACES", "TRAITS", "check", "check_dataset"]

PLACES = ("case", "metal")
__all__ += ["measured", "reading", "shown", "strata", "views"]
