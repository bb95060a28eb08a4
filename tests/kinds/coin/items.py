"""What is kept of a toss."""

from ..labelled.items import columns

__all__ = ["columns"]
