"""What the figures share: the page, the look of a persona, rows, key, notes, saving.

Lengths are millimetres, measured from the top left; type sizes are points. A page is as wide as
the text of a two-column journal, and as high as its content asks for.
"""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..names import HUMAN
from . import fonts

SAME_ITEMS = "same_items"  # a rater's wording: the items that the models answered, not all

WIDTH_MM = 183.0
EDGE_MM = 3.0
INNER_MM = WIDTH_MM - 2 * EDGE_MM

TITLE_PT, PANEL_PT, TEXT_PT, SMALL_PT = 9.0, 7.0, 6.5, 5.5
PNG_DPI = 200
_MOST_PIXELS = 60000  # Agg draws less than 2^16 in a row
_POINT_MM = 25.4 / 72
_LEADING = 1.25  # from baseline to baseline, in type sizes
_CHARACTER = 0.55  # about the mean width of a character, in type sizes

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


# --- how a persona, a model and an answer look ---------------------------------------------

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


_RATER_MARKERS: tuple[Any, ...] = ("*", (8, 1, 0), (7, 1, 0))


def rater_looks(cells: Cells) -> dict[str, Look]:
    """Look of every human rater, where raters are points."""
    raters = dict.fromkeys(key[2] for key in cells.rows if key[0] == HUMAN)
    return {
        rater: Look(DARK, _RATER_MARKERS[i % len(_RATER_MARKERS)]) for i, rater in enumerate(raters)
    }


def star(look: Look) -> dict[str, Any]:
    """Look of a point of a human rater."""
    return filled(look.colour, look.marker, 8.0) | {"zorder": 5}


def model_markers(models: Sequence[str]) -> dict[str, MarkerStyle | None]:
    """Marker of every model; None for the only one, where markers can tell of personas."""
    if len(models) == 1:
        return {models[0]: None}
    return {
        model: MarkerStyle(_MODEL_MARKERS[i % len(_MODEL_MARKERS)])
        for i, model in enumerate(models)
    }


def point(axes: Axes, x: float, y: float, gid: str, **look: Any) -> None:
    """Draw one point; `gid` says what it is, so that a test finds it again."""
    plain: dict[str, Any] = {"linestyle": "none", "clip_on": False, "zorder": 4}
    axes.plot([x], [y], **(plain | look), gid=gid)


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


def strike(axes: Axes, x: float, y: float, gid: str, small: bool = False) -> None:
    """Strike a point out: none of its answers could be read."""
    look = STRUCK | ({"markersize": 4.0, "markeredgewidth": 0.7} if small else {})
    under = {"color": "white", "markeredgewidth": look["markeredgewidth"] + 0.9}
    point(axes, x, y, "under", **(look | under | {"zorder": 5}))
    point(axes, x, y, gid, **(look | {"zorder": 6}))


def interval(axes: Axes, x: Sequence[float], y: Sequence[float], gid: str, **look: Any) -> None:
    """Draw an interval as a line from end to end."""
    plain: dict[str, Any] = {"linewidth": 0.9, "clip_on": False, "zorder": 3}
    axes.plot(x, y, **(plain | look), gid=gid)


def wording(
    axes: Axes,
    row: Mapping[str, Any],
    *,
    scale: float,
    y: float,
    name: str,
    look: tuple[str, Any],
    columns: tuple[str, str, str] = ("accuracy", "accuracy_low", "accuracy_high"),
) -> None:
    """Draw a value of a row of a table: main wordings filled, with their interval.

    Args:
        axes: panel with the value along x.
        row: row of the cells or contrasts.
        scale: what the values are multiplied with, 100 for percentage points.
        y: height in the panel.
        name: what the row is, the end of the gids.
        look: colour and marker.
        columns: the value and the ends of its interval; without ends no interval is drawn.
    """
    value, low, high = (row[column] for column in columns)
    x = scale * value
    main = row["variant"] == "main"
    if main and low is not None and high is not None:
        ends = [scale * low, scale * high]
        interval(axes, ends, [y, y], f"interval|{name}", color=look[0])
    point(axes, x, y, f"point|{name}", **(filled(*look) if main else hollow(*look)))
    if all_invalid(row):
        strike(axes, x, y, f"struck|{name}", small=not main)


def control_band(
    axes: Axes, row: Mapping[str, Any] | None, y: tuple[float, float], gid: str
) -> None:
    """Shade how far the effects of controls reach, in percentage points, between two heights."""
    if row is None or row["control_low"] is None or row["control_high"] is None:
        return
    low, high = 100 * row["control_low"], 100 * row["control_high"]
    look: dict[str, Any] = {"facecolor": PALE, "linewidth": 0, "zorder": -1}
    axes.add_patch(Rectangle((low, y[0]), high - low, y[1] - y[0], gid=gid, **look))


def say(axes: Axes, text: str, width: float) -> None:
    """Write in a panel why it is empty, in lines of at most this width in mm."""
    axes.set_ylim(1, 0)
    axes.set_yticks([])
    look: dict[str, Any] = {"size": SMALL_PT, "ha": "center", "va": "center", "zorder": 9}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    text = wrap(text, 0.9 * width, SMALL_PT)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, **look)


def points_axis(axes: Axes, limit: float, ticks: int) -> None:
    """Prepare a horizontal axis of differences in points: zero in the middle, some `ticks`."""
    axes.set_xlim(-limit, limit)
    places = MaxNLocator(ticks, symmetric=True, integer=True).tick_values(-limit, limit)
    axes.set_xticks([place for place in places if abs(place) <= limit])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, 0, signed=True)))
    axes.axvline(0, color=DARK, linewidth=0.8, zorder=1)


def points_limit(shares: Iterable[float | None]) -> float:
    """Half the width of an axis of differences that holds these, in percentage points."""
    largest = max((108 * abs(share) for share in shares if share is not None), default=0.0)
    return float(min(max(10.0, largest), 104.0))


# --- words -------------------------------------------------------------------------------


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; zero has none."""
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share in percent: 0.95 → 95%."""
    return f"{100 * share:g}%"


def n_text(numbers: Iterable[int]) -> str:
    """`n = 60`, or `n = 58–60` where cells differ."""
    known = sorted(set(numbers))
    if not known:
        return "n = 0"
    return f"n = {known[0]}" if len(known) == 1 else f"n = {known[0]}–{known[-1]}"


def task_title(task: Mapping[str, Any]) -> str:
    """Title of a task, marked where its cases were written for teaching."""
    marked = not task["teaching"] or "teaching" in task["title"].lower()
    title: str = task["title"] if marked else f"{task['title']} (teaching cases)"
    return title


def over_panels(title: str) -> tuple[str, float]:
    """A title over panels, in lines of the page's width, and what it needs beyond one line."""
    lines = wrap(title, INNER_MM, PANEL_PT, "bold")
    return lines, height_of(lines, PANEL_PT) - height_of("", PANEL_PT)


def of_model(cells: Cells, settings: Mapping[str, Any]) -> str:
    """Words that name the model, where there is one only and the key does not."""
    return f" · {settings['models'][cells.models[0]]}" if len(cells.models) == 1 else ""


def study_note(settings: Mapping[str, Any], tasks: Sequence[str]) -> str:
    """The note every figure ends with."""
    note = f"Study seed {settings['seed']}."
    samples = dict.fromkeys(settings["tasks"][task]["sample"] for task in tasks)
    note += "".join(f" {sample}" for sample in samples if sample is not None)
    if any(settings["tasks"][task]["teaching"] for task in tasks):
        note += " Author-written teaching cases, not clinically validated."
    return note + " Not medical advice."


def bootstrap_note(
    settings: Mapping[str, Any], tasks: Iterable[str] | None = None, interval: str | None = None
) -> str:
    """How a bootstrap interval was made, in these tasks, else in all of the study.

    The interval is of the study's kind, if no other is named: those of calibration figures are
    always "percentile", those of spreads "basic".
    """
    kind = (interval or settings["interval"]).replace("bca", "BCa")
    chosen = [settings["tasks"][task] for task in (settings["tasks"] if tasks is None else tasks)]
    clustered = [task["title"] for task in chosen if task["clustered"]]
    over = "items"
    if clustered:
        over = "clusters of items"
        if len(clustered) < len(chosen):
            over = f"items, in {' and '.join(clustered)} over clusters of items"
    return (
        f"{percent(settings['confidence'])} {kind} bootstrap intervals over {over} "
        f"({settings['draws']} draws, seed {settings['seed']})"
    )


def share_note(settings: Mapping[str, Any], tasks: Iterable[str]) -> str:
    """How the interval of a share of items was made in these tasks."""
    tasks = list(tasks)
    clustered = [task for task in tasks if settings["tasks"][task]["clustered"]]
    wilson = f"{percent(settings['confidence'])} Wilson score intervals, which need no draws"
    if not clustered:
        return f"{wilson} (the study's {settings['draws']} bootstrap draws are not used here)"
    bootstrap = bootstrap_note(settings, clustered)
    if len(clustered) == len(tasks):
        return bootstrap
    titles = " and ".join(settings["tasks"][task]["title"] for task in clustered)
    return f"{wilson}; in {titles} {bootstrap}"


@cache
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Width of a line of text."""
    if not text.strip():
        return 0.0
    outline = TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight))
    return float(np.max(outline.vertices[:, 0])) * _POINT_MM


def wrap(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Break a text into lines of at most this width, a longer word between its characters."""

    def fits(words: Sequence[str]) -> bool:
        return width_of(" ".join(words), size, weight) <= width

    lines = []
    words = [part for word in text.split() for part in _parts(word, width, size, weight)]
    usual = int(width / (_CHARACTER * size * _POINT_MM))
    while words:
        # It takes long to measure a line: begin with a guess.
        n = max(1, " ".join(words)[:usual].count(" "))
        while n < len(words) and fits(words[: n + 1]):
            n += 1
        while n > 1 and not fits(words[:n]):
            n -= 1
        lines.append(" ".join(words[:n]))
        words = words[n:]
    return "\n".join(lines)


def _parts(word: str, width: float, size: float, weight: str) -> Iterator[str]:
    """A word, or its parts that fit a line: Chinese, Japanese and Thai have no blanks."""
    while len(word) > 1 and width_of(word, size, weight) > width:
        n = len(word) - 1
        while n > 1 and (width_of(word[:n], size, weight) > width or _joined(word[n])):
            n -= 1
        yield word[:n]
        word = word[n:]
    yield word


def _joined(character: str) -> bool:
    """Whether a character belongs to the one in front of it, such as an accent."""
    return unicodedata.category(character)[0] == "M" or character in "\u200d\ufe0f"


def height_of(text: str, size: float) -> float:
    """Height of a text of one or more lines."""
    return (text.count("\n") + 1) * _LEADING * size * _POINT_MM


# --- what the tables hold ------------------------------------------------------------------

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Cells:
    """A table by model, task, persona and wording, and the study's order of each.

    The order is the table's: the settings are JSON with sorted keys.
    """

    rows: dict[Key, dict[str, Any]]
    models: list[str]
    tasks: list[str]
    personas: list[str]
    paraphrases: list[str]

    def main(self, task: str) -> list[dict[str, Any]]:
        """Rows of the main wording of a task."""
        found = [self.get(m, task, p) for m in self.models for p in self.personas]
        return [row for row in found if row is not None]

    def get(
        self, model: str, task: str, persona: str, variant: str = "main"
    ) -> dict[str, Any] | None:
        """The row of a cell, or None."""
        return self.rows.get((model, task, persona, variant))

    def raters(self, task: str) -> list[dict[str, Any]]:
        """One row per human rater of a task: on the items of the models, where there is one."""
        names = dict.fromkeys(key[2] for key in self.rows if key[0] == HUMAN and key[1] == task)
        found = [
            self.get(HUMAN, task, name, SAME_ITEMS) or self.get(HUMAN, task, name) for name in names
        ]
        return [row for row in found if row is not None]


def read(table: pl.DataFrame) -> Cells:
    """Arrange a table of cells."""
    rows: dict[Key, dict[str, Any]] = {}
    for row in table.iter_rows(named=True):
        rows[row["model"], row["task"], row["persona"], row["variant"]] = row
    keys = [key for key in rows if key[0] != HUMAN]
    return Cells(
        rows=rows,
        models=list(dict.fromkeys(key[0] for key in keys)),
        tasks=list(dict.fromkeys(key[1] for key in rows)),
        personas=list(dict.fromkeys(key[2] for key in keys)),
        paraphrases=sorted({key[3] for key in keys} - {"main"}, key=lambda name: (len(name), name)),
    )


def instead(
    row: Mapping[str, Any] | None, settings: Mapping[str, Any], name: str = "accuracy"
) -> str | None:
    """What a figure writes in the place of a number of a row; None where the number can stand."""
    if row is None:
        return "not available"
    if row["n"] < settings["too_few_below"]:
        return "too few"
    return "not available" if row[name] is None else None


def too_few_note(settings: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """What "too few" means, for the notes of a figure of these rows; nothing where none is."""
    below = settings["too_few_below"]
    if not any(row["n"] < below for row in rows):
        return []
    return [f"Too few: fewer than {below} items, of which no figure is drawn."]


ROBUST = "robust"  # the best of the verdicts
VERDICT_NOTE = (
    "Verdict (our own definition): an effect is robust where p and interval exclude zero, all "
    "wordings agree in sign and the t interval of their mean excludes zero, and that mean lies "
    "beyond every control and their spread, the t prediction interval of the effect of one "
    "further control (cut where it is wider than the panel)."
)
NO_PERSONA = "not available: the study has no persona beside the baseline"

# Value and interval of a contrast, in the order that `wording` takes.
DIFFERENCE = ("difference", "low", "high")


def accuracy_contrasts(tables: Mapping[str, pl.DataFrame]) -> Cells:
    """The contrasts with the baseline in accuracy: of the answers, not of a confidence's label."""
    of_answers = (pl.col("metric") == "accuracy") & pl.col("confidence").is_null()
    return read(tables["contrasts"].filter(of_answers))


def accuracy_robustness(
    tables: Mapping[str, pl.DataFrame],
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The row of robustness in accuracy of every model, task and persona that has one."""
    rows = tables["robustness"].filter(pl.col("metric") == "accuracy").iter_rows(named=True)
    return {(row["model"], row["task"], row["persona"]): row for row in rows}


def all_invalid(row: Mapping[str, Any]) -> bool:
    """Whether no answer of a cell could be read as a label."""
    return bool(row["n"]) and row["n_invalid"] == row["n"]


# --- rows of personas ----------------------------------------------------------------------

_GROUPS = {
    "paper": "Personas of the paper",
    "comparison": "Other roles",
    "control": "Controls",
    "own": "Own personas",
}
_HEADING_MM, _MAIN_MM, _PARAPHRASE_MM, _BETWEEN_MM, _LABEL_MM = 3.8, 3.6, 1.0, 0.8, 38.0


@dataclass(frozen=True)
class Rows:
    """Where every persona stands, in mm below the top of a panel.

    Attributes:
        place: of the main wording, by persona and model.
        paraphrases: how far below the main wording each paraphrase stands.
        centre: of a persona's rows.
        headings: of the groups, with their texts.
        height: of them all.
    """

    place: dict[tuple[str, str], float]
    paraphrases: dict[str, float]
    centre: dict[str, float]
    headings: list[tuple[float, str]]
    height: float

    def of(self, persona: str, model: str, variant: str = "main") -> float:
        """Place of a point."""
        return self.place[persona, model] + self.paraphrases.get(variant, 0.0)


def rows_of(cells: Cells, settings: Mapping[str, Any], personas: Sequence[str]) -> Rows:
    """Stack the personas in the study's order, group by group."""
    group_of = {persona: settings["personas"][persona]["group"] for persona in cells.personas}
    # In the order of the whole study, the baseline's group among them, in every figure.
    groups = [g for g in dict.fromkeys(group_of.values()) if g in map(group_of.get, personas)]
    below = {name: 0.6 * _MAIN_MM + i * _PARAPHRASE_MM for i, name in enumerate(cells.paraphrases)}
    between = _BETWEEN_MM * (1.5 if len(cells.models) > 1 else 1)
    slot = _MAIN_MM + len(below) * _PARAPHRASE_MM
    place: dict[tuple[str, str], float] = {}
    centre: dict[str, float] = {}
    headings: list[tuple[float, str]] = []
    top = 0.0
    for group in groups:
        if len(groups) > 1:
            headings.append((top + _HEADING_MM / 2, _GROUPS.get(group, group)))
            top += _HEADING_MM
        for persona in personas:
            if group_of[persona] != group:
                continue
            # A title of several lines may need more room than the rows of its persona.
            title = wrap(settings["personas"][persona]["title"], _LABEL_MM, TEXT_PT)
            spare = height_of(title, TEXT_PT) - slot * len(cells.models) - between
            top += max(0.0, spare) / 2
            for model in cells.models:
                place[persona, model] = top + between / 2 + _MAIN_MM / 2
                top += slot
            top += between + max(0.0, spare) / 2
            mine = [place[persona, model] for model in cells.models]
            centre[persona] = (mine[0] + mine[-1]) / 2
    return Rows(place, below, centre, headings, top)


def label_width(settings: Mapping[str, Any], personas: Sequence[str]) -> float:
    """Width of the column of the personas' titles."""
    titles = [wrap(settings["personas"][p]["title"], _LABEL_MM, TEXT_PT) for p in personas]
    lines = [line for title in titles for line in title.split("\n")]
    headings = {_GROUPS.get(settings["personas"][p]["group"], "") for p in personas}
    widths = [width_of(line, TEXT_PT) for line in lines]
    widths += [width_of(heading, SMALL_PT, "bold") for heading in headings]
    return max([10.0, *widths])


def draw_rows(axes: Axes, rows: Rows) -> None:
    """Prepare a panel of rows: y in mm from its top, a faint line for every row."""
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([])
    for y in rows.place.values():
        axes.axhline(y, color=PALE, linewidth=0.4, zorder=0)
    for y, _ in rows.headings[1:]:
        axes.axhline(y - _HEADING_MM / 2, color=MIDDLE, linewidth=0.4, zorder=0)


def label_rows(sheet: Sheet, rows: Rows, settings: Mapping[str, Any], top: float) -> None:
    """Write the titles of the personas along the left edge of a panel that begins at `top`."""
    for persona, y in rows.centre.items():
        title = wrap(settings["personas"][persona]["title"], _LABEL_MM, TEXT_PT)
        sheet.text(0, top + y, title, anchor="middle")
    look: dict[str, Any] = {"size": SMALL_PT, "weight": "bold", "color": MIDDLE}
    for y, heading in rows.headings:
        sheet.text(0, top + y, heading, anchor="middle", **look)


# --- the page ------------------------------------------------------------------------------

_KEY_MM = 3.9
_HANDLE_MM = 7.0
_KEY_PT = SMALL_PT + 0.5


@dataclass(frozen=True)
class Entry:
    """One entry of the key: a line, a marker on it, a band or a sign, and what it stands for."""

    text: str
    marker: Mapping[str, Any] | None = None
    line: Mapping[str, Any] | None = None
    band: str | None = None
    sign: str | None = None


class Sheet:
    """A page: title and subtitle, a body for panels, key, notes."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        subtitle: str,
        body: float,
        key: Sequence[Entry],
        notes: Sequence[str],
    ) -> None:
        """Lay out the page.

        Args:
            settings: the study's settings, for its title.
            subtitle: what the figure shows.
            body: height that the panels need.
            key: what colours, shapes and lines stand for.
            notes: sentences for the foot of the page.
        """
        title = wrap(settings["title"], INNER_MM, TITLE_PT, "bold")
        subtitle = wrap(subtitle, INNER_MM, TEXT_PT)
        note = wrap(" ".join(notes), INNER_MM, SMALL_PT)
        lines = _flow(key)
        title_height = height_of(title, TITLE_PT)
        self._body_top = EDGE_MM + title_height + height_of(subtitle, TEXT_PT) + 2.5
        key_top = self._body_top + body + 2.0
        note_top = key_top + sum(line.height for line in lines) + 1.0
        self._height = note_top + height_of(note, SMALL_PT) + EDGE_MM
        self.figure = Figure(figsize=(WIDTH_MM / 25.4, self._height / 25.4))
        FigureCanvasAgg(self.figure)
        look: dict[str, Any] = {"size": TITLE_PT, "weight": "bold"}
        self.text(0, EDGE_MM - self._body_top, title, **look)
        self.text(0, EDGE_MM + title_height - self._body_top, subtitle)
        self.text(0, note_top - self._body_top, note, size=SMALL_PT, color=MIDDLE)
        if lines:
            self._draw_key(lines, key_top - self._body_top)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at this place of the body."""
        bottom = self._height - self._body_top - top - height
        box = (
            (EDGE_MM + left) / WIDTH_MM,
            bottom / self._height,
            width / WIDTH_MM,
            height / self._height,
        )
        axes = self.figure.add_axes(box)
        axes.spines[["top", "right"]].set_visible(False)
        return axes

    def text(
        self,
        left: float,
        top: float,
        text: str,
        *,
        size: float = TEXT_PT,
        anchor: Literal["top", "middle", "bottom"] = "top",
        **look: Any,
    ) -> None:
        """Write at this place of the body, which is the top, middle or bottom of the lines.

        Every line stands on its own baseline, so that texts side by side align whatever their
        letters are.
        """
        em, lines = size * _POINT_MM, text.split("\n")
        below = _LEADING * em * (len(lines) - 1)
        first = {"top": 0.8 * em, "middle": 0.36 * em - below / 2, "bottom": -0.22 * em - below}
        x = (EDGE_MM + left) / WIDTH_MM
        for i, line in enumerate(lines):
            down = self._body_top + top + first[anchor] + i * _LEADING * em
            self.figure.text(x, 1 - down / self._height, line, size=size, va="baseline", **look)

    def _draw_key(self, lines: list[_KeyLine], top: float) -> None:
        height = sum(line.height for line in lines)
        axes = self.axes(0, top, INNER_MM, height)
        axes.set_axis_off()
        axes.set_xlim(0, INNER_MM)
        axes.set_ylim(height, 0)
        above = 0.0
        for line in lines:
            y = above + line.height / 2
            above += line.height
            for left, entry in line.entries:
                middle = left + _HANDLE_MM / 2 - 0.5
                ends = [middle - 2.5, middle + 2.5]
                if entry.band is not None:
                    axes.fill_between(ends, y - 1.2, y + 1.2, color=entry.band, linewidth=0)
                if entry.line is not None:
                    interval(axes, ends, [y, y], "key", **entry.line)
                if entry.marker is not None:
                    point(axes, middle, y, "key", **entry.marker)
                if entry.sign is not None:
                    axes.text(middle, y, entry.sign, ha="center", va="center_baseline")
                text_left = left + _HANDLE_MM
                va = "center" if "\n" in entry.text else "center_baseline"
                axes.text(text_left, y, entry.text, size=_KEY_PT, va=va)


def model_key(cells: Cells, settings: Mapping[str, Any]) -> list[Entry]:
    """Entries for the models, where there are several."""
    return [
        Entry(settings["models"][model], filled(MIDDLE, marker))
        for model, marker in model_markers(cells.models).items()
        if marker is not None
    ]


@dataclass(frozen=True)
class _KeyLine:
    """A line of the key: its entries, each with its left edge."""

    entries: list[tuple[float, Entry]]

    @property
    def height(self) -> float:
        """As high as its entry of most lines needs."""
        most = max((entry.text for _, entry in self.entries), key=lambda text: text.count("\n"))
        return _KEY_MM + height_of(most, _KEY_PT) - height_of("", _KEY_PT)


def _flow(entries: Sequence[Entry]) -> list[_KeyLine]:
    """Lines of the key."""
    lines: list[_KeyLine] = []
    left = INNER_MM
    for entry in entries:
        text = wrap(entry.text, INNER_MM - _HANDLE_MM, _KEY_PT)
        width = _HANDLE_MM + max(width_of(one, _KEY_PT) for one in text.split("\n")) + 4
        if not lines or left + width - 4 > INNER_MM:
            lines.append(_KeyLine([]))
            left = 0.0
        # A text of one line stands as it is, whatever its blanks.
        lines[-1].entries.append((left, replace(entry, text=text) if "\n" in text else entry))
        left += width
    return lines
