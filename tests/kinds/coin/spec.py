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

__all__ = ["COLUMNS", "TRAITS", "check", "check_dataset"]
__all__ += ["measured", "reading", "shown", "strata", "views"]
