"""What can be read back from a figure, and what holds of every page."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from persona_paradox.figures import ink
from persona_paradox.figures.catalogue import figures

# More than a line of any page, with blanks and without.
ENDLESS = ("A title that nobody would write but somebody does, " * 5, "急诊科医生在夜间值班" * 12)


@dataclass(frozen=True)
class Study:
    """Tables of a study, and the settings of its figures."""

    tables: Mapping[str, pl.DataFrame]
    settings: Mapping[str, Any]
    _drawn: dict[str, Figure] = field(default_factory=dict)

    def draw(self, figure: str) -> Figure:
        """A figure, drawn once for all who read from it."""
        if figure not in self._drawn:
            self._drawn[figure] = self.draw_anew(figure)
        return self._drawn[figure]

    def draw_anew(self, figure: str) -> Figure:
        about = figures()[figure]
        # What a figure does not name among its needs, it does not get.
        tables = {name: self.tables[name] for name in about.needs if name in self.tables}
        drawn = importlib.import_module(about.module).draw(tables, self.settings)
        assert isinstance(drawn, Figure)
        return drawn

    def changed(self, tables: Mapping[str, pl.DataFrame] | None = None, **settings: Any) -> Study:
        """The same study with other tables, or other settings."""
        return Study({**self.tables, **(tables or {})}, {**self.settings, **settings})

    def wordy(self, *kinds: str) -> Study:
        """The same study with a long title, and long ones of what its settings hold of kinds."""

        def long(about: Any) -> Any:
            if isinstance(about, str):
                return f"{about} with a long name that has to be broken"
            return about | {"title": long(about["title"])}

        title = "A title that is far longer than a line of the page can hold, as some are, " * 2
        longer = {
            kind: {id_: long(about) for id_, about in self.settings[kind].items()} for kind in kinds
        }
        return self.changed(title=title, **longer)

    def endless(self, title: str) -> Study:
        """The same study, whose tasks and models have a title that is longer than the page."""
        tasks = {id_: t | {"title": f"{title} {id_}"} for id_, t in self.settings["tasks"].items()}
        models = {id_: f"{title} {id_}" for id_ in self.settings["models"]}
        personas = dict(self.settings["personas"])
        baseline = self.settings["baseline"]
        personas[baseline] = personas[baseline] | {"title": title}
        return self.changed(tasks=tasks, models=models, personas=personas)

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a table in which these columns have these values."""
        chosen = [pl.col(key).eq_missing(pl.lit(value)) for key, value in where.items()]
        return self.tables[table].filter(*chosen).to_dicts()


def lines(figure: Figure, kind: str) -> dict[str, Line2D]:
    """The lines of a kind, by the cell that they stand for."""
    found: dict[str, Line2D] = {}
    for axes in figure.axes:
        for line in axes.lines:
            gid = str(line.get_gid())
            if gid.startswith(f"{kind}|"):
                name = gid.removeprefix(f"{kind}|")
                # A human rater stands in the panel of every model.
                assert name not in found or name.startswith("human|"), name
                found[name] = line
    return found


def boxes(figure: Figure, kind: str) -> dict[str, Rectangle]:
    """The rectangles of a kind, by what they stand for."""
    found = {}
    for patch in (p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle)):
        gid = str(patch.get_gid())
        if gid.startswith(f"{kind}|"):
            found[gid.removeprefix(f"{kind}|")] = patch
    return found


def numbers(line: Line2D) -> tuple[list[float], list[float]]:
    x, y = line.get_data()
    return [float(v) for v in np.asarray(x)], [float(v) for v in np.asarray(y)]


def place(line: Line2D) -> tuple[float, float]:
    (x,), (y,) = numbers(line)
    return x, y


def is_hollow(line: Any) -> bool:
    return to_hex(line.get_markerfacecolor()) == "#ffffff"


def texts(figure: Figure) -> list[Text]:
    found = [*figure.texts]
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        found += [*axes.get_xticklabels(), *axes.get_yticklabels()] if axes.axison else []
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in texts(figure)).replace("\n", " ")


def extents(figure: Figure, chosen: list[Text]) -> np.ndarray:
    """Left, bottom, right and top edges of texts in pixels, one row per text."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    return np.array([text.get_window_extent(renderer).extents for text in chosen]).reshape(-1, 4)


def assert_apart(chosen: list[Text], edges: np.ndarray) -> None:
    """None of these texts lies on another, by more than a pixel."""
    left, bottom, right, top = edges.T
    across = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    down = np.minimum.outer(top, top) - np.maximum.outer(bottom, bottom)
    lying = np.argwhere(np.triu((across > 1) & (down > 1), 1))
    assert not lying.size, [(chosen[i].get_text(), chosen[j].get_text()) for i, j in lying]


def assert_page_is_clean(drawn: Figure) -> None:
    """Nothing is cut off, and no text of the page lies on another."""
    with ink.context():
        drawn.draw_without_rendering()
        shown = texts(drawn)
        edges = extents(drawn, shown)
    left, bottom, right, top = edges.T
    outside = (left < 0) | (right > drawn.bbox.width) | (bottom < 0) | (top > drawn.bbox.height)
    assert not outside.any(), [shown[i].get_text() for i in np.flatnonzero(outside)]
    own = {text.get_text() for text in drawn.texts}
    written = [i for i, text in enumerate(shown) if text.get_text() in own]
    assert_apart([shown[i] for i in written], edges[written])


def saved(study: Study, figure: str, folder: Path) -> tuple[bytes, bytes]:
    """A figure drawn anew and saved as the workflow does, as PDF and as PNG."""
    drawn = study.draw_anew(figure)
    ink.save(drawn, folder / "saved.pdf", "pdf")
    ink.save(drawn, folder / "saved.png", "png")
    pdf, png = ((folder / f"saved.{form}").read_bytes() for form in ("pdf", "png"))
    assert b"/FontFile2" in pdf  # TrueType
    assert b"/Type3" not in pdf
    return pdf, png
