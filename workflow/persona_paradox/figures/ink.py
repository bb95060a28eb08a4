"""The look of what is drawn: sizes, colours, markers, and the settings under which it is saved.

Lengths are millimetres; type sizes are points. A page is as wide as the text of a two-column
journal.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
import polars as pl
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.text import Text

from . import fonts

WIDTH_MM = 183.0
EDGE_MM = 3.0
INNER_MM = WIDTH_MM - 2 * EDGE_MM

TITLE_PT, PANEL_PT, TEXT_PT, SMALL_PT = 9.0, 7.0, 6.5, 5.5
PNG_DPI = 200
_MOST_PIXELS = 60000  # Agg draws less than 2^16 in a row

DARK, MIDDLE, GREY, LIGHT, PALE = "#222222", "#6B6B6B", "#9A9A9A", "#C4C4C4", "#E4E4E4"

_RC: dict[str, Any] = {
    # The font that comes with matplotlib: the same outlines on every machine.
    "font.family": fonts.OWN,
    "font.size": TEXT_PT,
    "text.parse_math": False,  # a title may hold a dollar sign
    "text.hinting": "no_hinting",  # a line is as wide on a screen as in print
    "text.color": DARK,
    "axes.linewidth": 0.5,
    "axes.edgecolor": MIDDLE,
    "axes.labelcolor": DARK,
    "axes.labelsize": TEXT_PT,
    "axes.labelpad": 2.0,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.color": MIDDLE,
    "ytick.color": MIDDLE,
    "xtick.labelcolor": DARK,
    "ytick.labelcolor": DARK,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.major.pad": 1.5,
    "ytick.major.pad": 1.5,
    "lines.solid_capstyle": "butt",
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "pdf.compression": 6,
}


@contextmanager
def context(*shown: Any) -> Iterator[None]:
    """The settings of matplotlib under which every figure is drawn and saved.

    They start from matplotlib's own, so that a user's matplotlibrc changes nothing.

    Args:
        shown: what holds the texts that are drawn, settings or tables: where the own font lacks
            letters of theirs, the machine's fonts follow it.
    """
    families = {"font.family": [*fonts.families(characters(shown))]} if shown else {}
    # Of a family without a bold face, which is then drawn in the other one.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.style.context(["default", _RC | families]), warnings.catch_warnings():
        # `fonts.sentence` says it once, and what to do.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def characters(shown: Any) -> frozenset[str]:
    """Every character of the texts in settings and tables."""
    if isinstance(shown, str):
        return frozenset(shown)
    if isinstance(shown, pl.DataFrame):
        texts = shown.select(pl.col(pl.String).unique().implode()).row(0) if shown.height else ()
        return characters(texts)
    if isinstance(shown, Mapping):
        shown = shown.values()
    elif not isinstance(shown, Iterable):
        return frozenset()
    return frozenset().union(*map(characters, shown))


def save(figure: Figure, path: Path, form: Literal["pdf", "png"]) -> None:
    """Save a figure; equal figures give equal bytes, for nothing says when or by what."""
    unnamed: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports every glyph
    families = {name for text in figure.findobj(Text) for name in text.get_fontfamily()}
    # matplotlib puts PostScript's outlines where TrueType's belong, which some readers refuse.
    outlines: Any = {"pdf.fonttype": 3} if fonts.postscript(families) else {}
    with context(), matplotlib.rc_context(outlines):
        dpi = min(PNG_DPI, _MOST_PIXELS / figure.get_figheight())
        figure.savefig(path, format=form, dpi=dpi, metadata=unnamed[form])


# Okabe and Ito's colours without their yellow, which is too faint for a hollow marker, then the
# same ones darkened. The baseline, mostly the first persona, is black. Grey is for everything
# that is no persona.
_COLOURS = (
    *("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#003A5C", "#7A3500", "#005A41", "#7A3F60", "#855B00", "#2B6488"),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "d")


def _polygon(*corners: tuple[float, float]) -> Outline:
    return Outline([*corners, corners[0]], closed=True)


# Shapes that no persona has, so that a shape never means two things.
_MODEL_MARKERS = (
    _polygon((-0.45, -1), (0.45, -1), (0.45, 1), (-0.45, 1)),
    _polygon((-0.9, -0.9), (0.9, -0.9), (-0.9, 0.9), (0.9, 0.9)),
    (4, 1, 0),
    _polygon((-0.9, -0.9), (0.9, 0.9), (0.9, -0.9), (-0.9, 0.9)),
    _polygon((-1, -0.45), (1, -0.45), (1, 0.45), (-1, 0.45)),
    (6, 1, 0),
    (3, 1, 0),
    (3, 1, 60),
)


@dataclass(frozen=True)
class Look:
    """Colour and marker of a persona, the same in every figure of a study."""

    colour: str
    marker: Any


def looks(personas: Sequence[str]) -> dict[str, Look]:
    """Look of every persona, from its place in the study.

    Shape alone tells apart the first eleven personas, colour and shape together many more.
    """
    return {
        persona: Look(_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)])
        for i, persona in enumerate(personas)
    }


def star(look: Look) -> dict[str, Any]:
    """Look of a point of a rater."""
    return filled(look.colour, look.marker, 8.0) | {"zorder": 5}


def model_markers(models: Sequence[str]) -> dict[str, MarkerStyle | None]:
    """Marker of every model; None for the only one, where markers can tell of personas."""
    if len(models) == 1:
        return {models[0]: None}
    return {
        model: MarkerStyle(_MODEL_MARKERS[i % len(_MODEL_MARKERS)])
        for i, model in enumerate(models)
    }


def filled(colour: str, marker: Any, size: float = 4.4) -> dict[str, Any]:
    """Look of a point of the main wording."""
    return {"marker": marker, "color": colour, "markersize": size, "markeredgewidth": 0.5}


def hollow(colour: str, marker: Any, size: float = 3.4) -> dict[str, Any]:
    """Look of a point of a paraphrase."""
    return {
        "marker": marker,
        "color": colour,
        "markerfacecolor": "white",
        "markersize": size,
        "markeredgewidth": 0.6,
    }


STRUCK: dict[str, Any] = {
    "marker": "x",
    "color": "black",
    "markersize": 7.5,
    "markeredgewidth": 0.9,
}
