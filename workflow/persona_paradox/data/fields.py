"""The lines of a case that is made of fields."""

from __future__ import annotations

import re
from collections.abc import Sequence


def line_of(label: str, labels: Sequence[str]) -> re.Pattern[str]:
    """Pattern of a field's line in a case, its value in group `value`.

    Args:
        label: of the field.
        labels: of all fields, in their order. A value may have several lines: it ends where a
            later field begins.
    """
    later = labels[labels.index(label) + 1 :]
    end = "".join(rf"|\n{re.escape(one)}: " for one in later)
    named = re.escape(label)
    return re.compile(rf"(?:\A|(?<=\n)){named}: (?P<value>.*?)(?=\Z{end})", re.DOTALL)
