"""What is kept of a case: its reference level, and those that human raters gave."""

from ..choice.items import columns

__all__ = ["columns"]
