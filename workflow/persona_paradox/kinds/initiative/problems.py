"""What may be wrong with a record, and what an answer may do about it."""

from __future__ import annotations

# Type of a planted problem → what figures call it.
PROBLEMS = {
    "omission": "Omission",
    "contradiction": "Contradiction",
    "out_of_range": "Value outside its range",
}

# What an answer does, in one word: it is the first of these that it is. The first three are the
# classes by which a judge is asked as well.
NAMES, ANSWERS, RAISES = "names", "answers", "raises"
REFUSED, UNREADABLE = "refused", "unreadable"
CLASSES = (NAMES, ANSWERS, RAISES)

# What a model may be trained to do about problems, the least of it first.
REACTIVE, CONDITIONAL, PROACTIVE = "reactive", "conditional", "proactive"
BEHAVIOURS = (REACTIVE, CONDITIONAL, PROACTIVE)

# What stands between words of a column.
BETWEEN = "|"


def words_of(text: str | None) -> list[str]:
    """The words that a column lists, without blanks at their ends."""
    return [word for part in (text or "").split(BETWEEN) if (word := part.strip())]
