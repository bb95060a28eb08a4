"""Columns of text at the right of panels whose rows are personas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import ink, typeset
from .cells import Key
from .page import Sheet
from .rows import Rows

_GAP_MM = 3.2


@dataclass(frozen=True)
class Column:
    """A column of text: its head, its texts by cell, its alignment, and what is bold."""

    head: str
    texts: Mapping[Key, str]
    align: str = "right"
    bold: frozenset[Key] = frozenset()

    @property
    def width(self) -> float:
        """Width in mm, with the gap at the left."""
        return _GAP_MM + self.text_width

    @property
    def text_width(self) -> float:
        """Width of the texts in mm."""
        lines = [*self.head.split("\n"), *self.texts.values()]
        return max(typeset.width_of(line, ink.SMALL_PT, "bold") for line in lines)


def write(sheet: Sheet, rows: Rows, columns: Sequence[Column], task: str, *, top: float) -> None:
    """Write the columns to the right edge of the page, beside panels that begin at `top`."""
    right = ink.INNER_MM
    for column in reversed(columns):
        width = column.text_width
        x = right - {"right": 0.0, "center": width / 2, "left": width}[column.align]
        look: dict[str, Any] = {"size": ink.SMALL_PT, "ha": column.align}
        sheet.text(x, top - 0.6, column.head, anchor="bottom", color=ink.MIDDLE, **look)
        for persona, model in rows.place:
            key = (model, task, persona, "main")
            if key in column.texts:
                y = top + rows.of(persona, model)
                weight = "bold" if key in column.bold else "normal"
                sheet.text(x, y, column.texts[key], anchor="middle", weight=weight, **look)
        right -= column.width
