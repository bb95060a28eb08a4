"""What an answer says of a case: a label, and its level."""

from ..choice.scoring import SCHEMA, score

__all__ = ["SCHEMA", "score"]
