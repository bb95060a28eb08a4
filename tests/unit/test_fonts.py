"""Titles in any script: a font of the machine has the letters, or a sentence says that none has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from persona_paradox.figures import fonts, ink, typeset
from persona_paradox.figures.page import Sheet

TITLE = "急诊科 (A) – Ärztin, ممرضة"


def write_font(path: Path, family: str, letters: str, *, postscript: bool = False) -> str:
    """A font that has these letters, each as a square; it returns its path."""
    names = [".notdef", *(f"letter{ord(one):X}" for one in letters)]
    builder = FontBuilder(1000, isTTF=not postscript)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(one): f"letter{ord(one):X}" for one in letters})
    glyphs = {}
    for name in names:
        pen = T2CharStringPen(1000, None) if postscript else TTGlyphPen(None)
        pen.moveTo((100, 0))
        for corner in ((100, 800), (900, 800), (900, 0)):
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.getCharString() if postscript else pen.glyph()
    if postscript:
        builder.setupCFF(family.replace(" ", ""), {}, glyphs, {})
    else:
        builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (1000, 100) for name in names})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    named = {"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")}
    builder.setupNameTable(named)
    builder.setupOS2(sTypoAscender=900)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The fonts of a machine that has none yet, to which a test adds some."""
    paths: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    for known in (fonts.families, fonts.missing, fonts._installed):
        known.cache_clear()
    typeset.width_of.cache_clear()
    yield paths
    for known in (fonts.families, fonts.missing, fonts._installed):
        known.cache_clear()
    typeset.width_of.cache_clear()


def drawn(title: str) -> Figure:
    with ink.context({"title": title}):
        return Sheet({"title": title}, title, 10.0, [], []).figure


def test_what_the_own_font_has_needs_no_other(machine: list[str]) -> None:
    text = frozenset("Ärztin – πρ, врач, ممرضة, אחות 😀 $")
    assert fonts.families(text) == (fonts.OWN,)
    assert not fonts.missing(text)


@pytest.mark.parametrize("postscript", [False, True])
def test_a_font_of_the_machine_has_the_letters(
    machine: list[str], tmp_path: Path, postscript: bool
) -> None:
    # Of a name of its own: matplotlib remembers fonts and where they lay.
    name = "Squares Cubic Sans" if postscript else "Squares Sans"
    machine.append(write_font(tmp_path / "a.otf", name, "急诊科abc", postscript=postscript))
    machine.append(write_font(tmp_path / "b.otf", "Other Squares Serif", "急诊科"))
    machine.append(str(tmp_path / "none.ttf"))
    (tmp_path / "none.ttf").write_bytes(b"no font")
    assert fonts.families(frozenset(TITLE)) == (fonts.OWN, name)
    assert not fonts.missing(frozenset(TITLE))
    for form in ("pdf", "png"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ink.save(drawn(TITLE), tmp_path / f"figure.{form}", form)  # type: ignore[arg-type]
    pdf = (tmp_path / "figure.pdf").read_bytes()
    # Outlines of PostScript do not stand where a reader expects those of TrueType.
    assert (b"/Type3" in pdf) == postscript
    assert (b"/FontFile2" in pdf) != postscript
    assert name.replace(" ", "").encode() in pdf


def test_of_several_fonts_those_that_are_needed(machine: list[str], tmp_path: Path) -> None:
    machine.append(write_font(tmp_path / "a.ttf", "Noto Sans CJK JP", "急诊"))
    machine.append(write_font(tmp_path / "b.ttf", "Noto Sans CJK SC", "急诊"))
    machine.append(write_font(tmp_path / "c.ttf", "Thai Sans", "พย"))
    machine.append(write_font(tmp_path / "d.ttf", "Last Resort", "急诊พย科"))
    assert fonts.families(frozenset("急诊")) == (fonts.OWN, "Noto Sans CJK SC")
    assert fonts.families(frozenset("急诊พย")) == (fonts.OWN, "Noto Sans CJK SC", "Thai Sans")
    assert fonts.missing(frozenset("急诊พย科")) == {"科"}


def test_what_no_font_has_is_said_once(machine: list[str], tmp_path: Path) -> None:
    lacking = fonts.missing(ink.characters([{"a": [TITLE]}, pl.DataFrame({"g": ["พ", None]})]))
    assert lacking == {*"急诊科พ"}
    text = fonts.sentence(lacking)
    assert "พ 急 科 诊" in text
    assert "fonts-noto-cjk" in text
    assert "fonts-noto-core" in fonts.sentence({"พ"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ink.save(drawn(TITLE), tmp_path / "figure.png", "png")
