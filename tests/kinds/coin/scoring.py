"""What an answer says of a toss."""

from ..labelled.scoring import SCHEMA, score

__all__ = ["SCHEMA", "score"]
