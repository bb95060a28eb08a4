"""Fonts of the machine for what the figures' own font has no letters for.

The figures' font comes with matplotlib and has Latin, Greek, Cyrillic, Arabic and Hebrew letters
and more, but neither Chinese, Japanese and Korean ones nor many others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

OWN = "DejaVu Sans"

# They have a picture for every character: a box, or nothing.
_NO_FONTS = ("last resort", "lastresort", "adobe blank", "adobeblank")


@cache
def families(characters: frozenset[str]) -> tuple[str, ...]:
    """The families of fonts that together draw these characters, the figures' own first."""
    needed = _without(characters, OWN)
    found = [OWN]
    if needed:
        fonts = _installed()
        while best := _best(needed, fonts):
            for path in fonts[best].paths:
                font_manager.fontManager.addfont(path)
            found.append(best)
            needed -= fonts[best].codes
    return tuple(found)


@cache
def missing(characters: frozenset[str]) -> frozenset[str]:
    """Those of these characters that no font of the machine has."""
    needed = _without(characters, OWN)
    for name in families(characters)[1:]:
        needed -= _installed()[name].codes
    return frozenset(map(chr, needed))


def sentence(characters: Collection[str]) -> str:
    """What to tell of characters that no font has."""
    shown = " ".join(sorted(characters)[:20]) + (" …" if len(characters) > 20 else "")
    scripts = {unicodedata.name(one, "").partition(" ")[0] for one in characters}
    east = scripts & {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
    package = "fonts-noto-cjk" if east else "fonts-noto-core"
    return (
        f"no font of this machine has the characters {shown}, so that boxes stand in their place; "
        f"install one (on Debian and Ubuntu package {package}, elsewhere from "
        "fonts.google.com/noto), and draw the figures again with "
        "snakemake --cores all --forcerun plot"
    )


def postscript(names: Iterable[str]) -> bool:
    """Whether the outlines of one of these families are PostScript's, in a file of OpenType."""
    return any(name in _installed() and _installed()[name].postscript for name in {*names} - {OWN})


@dataclass
class _Family:
    """The files of a family, its code points, and whether its outlines are PostScript's."""

    paths: set[str] = field(default_factory=set)
    codes: set[int] = field(default_factory=set)
    postscript: bool = False


@cache
def _installed() -> dict[str, _Family]:
    """The fonts that are there now; matplotlib's list of them may be older."""
    found: dict[str, _Family] = {}
    for path in sorted(font_manager.findSystemFonts()):
        try:
            for index in range(FT2Font(path).num_faces):
                font = FT2Font(path, face_index=index)
                name = font.family_name
                if not font.scalable or name.lower().startswith(_NO_FONTS):
                    continue
                family = found.setdefault(name, _Family())
                family.paths.add(path)
                family.codes.update(font.get_charmap())
                # A table of profiles that is as old as that has no room for TrueType's.
                profile = font.get_sfnt_table("maxp")
                family.postscript |= profile is None or profile["version"] < (1, 0)
        except (OSError, RuntimeError, ValueError):
            continue  # no font that matplotlib can read
    return found


def _best(needed: set[int], fonts: dict[str, _Family]) -> str | None:
    """The family that has most of these; of several a plain one, in the letters of the language."""
    scripts = {unicodedata.name(chr(code), "").partition(" ")[0] for code in needed}
    kana = scripts & {"HIRAGANA", "KATAKANA"}
    country = "JP" if kana else "KR" if "HANGUL" in scripts else "SC"

    def rank(name: str) -> tuple[int, bool, bool, bool, int, str]:
        covered = len(needed & fonts[name].codes)
        odd = any(word in name for word in ("Serif", "Mono", "Unifont"))
        return (-covered, odd, "Sans" not in name, country not in name.split(), len(name), name)

    best = min(fonts, key=rank, default=None)
    return best if best is not None and needed & fonts[best].codes else None


def _without(characters: frozenset[str], family: str) -> set[int]:
    """Code points of the characters that a family lacks, in its bold face or its other one."""
    properties = (font_manager.FontProperties(family=family, weight=w) for w in ("normal", "bold"))
    faces = [font_manager.get_font(font_manager.findfont(p)).get_charmap() for p in properties]
    return {
        ord(one)
        for one in characters
        if one.isprintable() and not one.isspace() and not all(ord(one) in face for face in faces)
    }
