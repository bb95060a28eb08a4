"""Cells of a matrix: a shade and some lines of text, dark or light as the shade asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.patches import Rectangle

from . import ink

TEXT_PT, SMALL_PT = 5.0, 4.6

# One hue for amounts; two for what lies on either side of a middle, also apart in grey: the
# darker end is blue. Without hue for what is no evidence.
_AMOUNT = LinearSegmentedColormap.from_list("amount", ["#FFFFFF", "#7FB2D6", "#0B3C5D"])
_SIDES = LinearSegmentedColormap.from_list("sides", ["#D98A4B", "#FFFFFF", "#2F74A8"])
_GREY = LinearSegmentedColormap.from_list("greys", ["#FFFFFF", "#B5B5B5"])


def amount(share: float, usable: bool = True) -> str:
    """Shade of an amount from 0 to 1."""
    return to_hex(_AMOUNT(share) if usable else _GREY(share))


def side(value: float, usable: bool = True) -> str:
    """Shade of a value from -1, worse, to 1, better."""
    return to_hex(_SIDES((value + 1) / 2) if usable else _GREY(abs(value)))


def draw(
    axes: Axes,
    box: tuple[float, float, float, float],
    lines: Sequence[str],
    *,
    face: str,
    gid: str,
    **look: Any,
) -> None:
    """Draw a cell.

    Args:
        axes: panel in mm from its top left.
        box: left, top, width and height.
        lines: the first in a larger type than the others.
        face: colour of the cell.
        gid: what the cell is.
        look: of the first line.
    """
    left, top, width, height = box
    edge: dict[str, Any] = {"edgecolor": ink.LIGHT, "linewidth": 0.3, "clip_on": False}
    axes.add_patch(Rectangle((left, top), width, height, facecolor=face, gid=f"cell|{gid}", **edge))
    red, green, blue = to_rgb(face)
    colour = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.45 else ink.DARK
    pitch = 2.15
    first = top + height / 2 - pitch * (len(lines) - 1) / 2
    for i, line in enumerate(lines):
        text: dict[str, Any] = {"size": SMALL_PT if i else TEXT_PT, "color": colour, "ha": "center"}
        text |= {"va": "center_baseline", "gid": f"text|{gid}|{i}"} | (look if i == 0 else {})
        axes.text(left + width / 2, first + i * pitch, line, **text)
