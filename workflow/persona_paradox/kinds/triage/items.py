"""What is kept of a case: its reference level, and those that human raters gave."""

from ..labelled.items import columns

__all__ = ["columns"]
