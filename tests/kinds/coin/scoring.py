"""What an answer says of a toss."""

from ..choice.scoring import SCHEMA, score

__all__ = ["SCHEMA", "score"]
