"""What is kept of a toss."""

from ..choice.items import columns

__all__ = ["columns"]
