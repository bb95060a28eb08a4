"""Vital signs in the text of a case, and how severe a value is.

Classes and their bounds are those of DeVisE (arXiv 2506.15339): 0 is normal, the distance from it
the severity, negative where the value is low. Where the published table has an open end, ours is
said beside it. How a vital sign is found in a text is this project's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

# Vital sign → class → the lowest and the highest value that an arm may set. The ends of open
# classes are this project's own: a heart rate of 20, 3 breaths a minute, a saturation of 70%, and
# a pressure of 50/25, where the table begins with 1.
CLASSES: Mapping[str, Mapping[int, tuple[float, float]]] = {
    "heart_rate": {-2: (20, 40), -1: (41, 50), 0: (51, 90), 1: (91, 110), 2: (111, 200)},
    "respiratory_rate": {-2: (3, 8), -1: (9, 11), 0: (12, 20), 1: (21, 24), 2: (25, 50)},
    "oxygen_saturation": {-2: (70, 93), -1: (94, 95), 0: (96, 100)},
    # In degrees Fahrenheit.
    "temperature": {
        -2: (70.0, 89.4),
        -1: (89.5, 94.9),
        0: (95.0, 100.2),
        1: (100.3, 103.9),
        2: (104.0, 110.0),
    },
    "systolic": {-2: (50, 70), -1: (71, 89), 0: (90, 119), 1: (120, 139), 2: (140, 220)},
    "diastolic": {-2: (25, 40), -1: (41, 59), 0: (60, 79), 1: (80, 89), 2: (90, 140)},
}
TITLES = {vital: vital.replace("_", " ") for vital in CLASSES}
TITLES |= {part: f"{part} blood pressure" for part in ("systolic", "diastolic")}

# Between the name of a vital sign and its value: words such as “is” and “of”, no other number.
_GAP = r"[^\d\n.;,]{0,40}?"
_PRESSURE = r"(?P<systolic>\d{2,3})/(?P<diastolic>\d{2,3})"
# A rate such as 12-15/min is none that could be set.
_ONE = r"(?![\d./–-]*\d)"
_PATTERNS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "heart_rate": (
        re.compile(
            rf"\b(?:pulse(?: rate)?(?! (?:ox|pressure))|heart rate|HR)\b{_GAP}"
            rf"\b(?P<value>\d{{2,3}}){_ONE}(?!\s?%)",
            re.IGNORECASE,
        ),
    ),
    "respiratory_rate": (
        re.compile(
            rf"\b(?:respirat(?:ions|ory rate|ion rate)|breathing rate|RR)\b{_GAP}"
            rf"\b(?P<value>\d{{1,2}}){_ONE}",
            re.IGNORECASE,
        ),
    ),
    "oxygen_saturation": (
        re.compile(
            rf"\b(?:saturation|SpO2|SaO2|O2 sat|pulse oximetry)\b{_GAP}"
            r"\b(?P<value>\d{2,3})(?=\s?%)",
            re.IGNORECASE,
        ),
    ),
    "temperature": (
        re.compile(
            r"(?<![\d.])(?:(?P<celsius>\d{2}(?:\.\d{1,2})?)\s?°?\s?C\b"
            r"(?:\s?[(/]\s?(?P<other_f>\d{2,3}(?:\.\d{1,2})?)\s?°?\s?F\b)?"
            r"|(?P<fahrenheit>\d{2,3}(?:\.\d{1,2})?)\s?°?\s?F\b"
            r"(?:\s?[(/]\s?(?P<other_c>\d{2}(?:\.\d{1,2})?)\s?°?\s?C\b)?)"
        ),
    ),
    "systolic": (
        re.compile(rf"\b{_PRESSURE}(?=\s?mm\s?Hg)", re.IGNORECASE),
        re.compile(
            rf"\b(?:blood pressure|BP)\b{_GAP}\b{_PRESSURE}(?!\s?mm\s?Hg|[\d/])", re.IGNORECASE
        ),
        re.compile(
            rf"\bsystolic(?: blood pressure)?\b{_GAP}\b(?P<systolic>\d{{2,3}}){_ONE}", re.IGNORECASE
        ),
    ),
    "diastolic": (
        re.compile(rf"\b{_PRESSURE}(?=\s?mm\s?Hg)", re.IGNORECASE),
        re.compile(
            rf"\b(?:blood pressure|BP)\b{_GAP}\b{_PRESSURE}(?!\s?mm\s?Hg|[\d/])", re.IGNORECASE
        ),
        re.compile(
            rf"\bdiastolic(?: blood pressure)?\b{_GAP}\b(?P<diastolic>\d{{2,3}}){_ONE}", re.I
        ),
    ),
}


# Degrees Fahrenheit that a patient may have.
_LOWEST, _HIGHEST = 68.0, 115.0


@dataclass(frozen=True)
class Reading:
    """A vital sign in a text.

    Attributes:
        value: as in `CLASSES`; a temperature in degrees Fahrenheit.
        places: where its numbers stand: first and last place, and their unit, `C`, `F` or none.
    """

    value: float
    places: tuple[tuple[int, int, str], ...]


def readings(case: str, vital: str) -> list[Reading]:
    """Every mention of a vital sign in a text, in the order of their patterns."""
    found: dict[int, Reading] = {}
    for pattern in _PATTERNS[vital]:
        for match in pattern.finditer(case):
            reading = _reading(match, vital)
            taken = any(
                start < end_ and start_ < end
                for start, end, _ in reading.places
                for other in found.values()
                for start_, end_, _ in other.places
            )
            # In a laboratory other things are warm, too.
            if not taken and (vital != "temperature" or _LOWEST <= reading.value <= _HIGHEST):
                found[reading.places[0][0]] = reading
    return list(found.values())


def _reading(match: re.Match[str], vital: str) -> Reading:
    if vital != "temperature":
        group = vital if vital in ("systolic", "diastolic") else "value"
        return Reading(float(match[group]), ((*match.span(group), ""),))
    first, second = (
        (("celsius", "C"), ("other_f", "F"))
        if match["celsius"]
        else (("fahrenheit", "F"), ("other_c", "C"))
    )
    value = float(match[first[0]])
    places = [(*match.span(name), unit) for name, unit in (first, second) if match[name]]
    return Reading(fahrenheit(value) if first[1] == "C" else value, tuple(places))


def fahrenheit(celsius: float) -> float:
    """Degrees Fahrenheit."""
    return celsius * 9 / 5 + 32


def written(value: float, unit: str) -> str:
    """A value as it is written: whole, or a temperature with one digit behind the point."""
    if unit == "C":
        return f"{(value - 32) * 5 / 9:.1f}"
    return f"{value:.1f}" if unit == "F" else f"{value:.0f}"


def set_to(case: str, changes: Iterable[tuple[Reading, float]]) -> str:
    """A text with other values of vital signs, each in all of its units."""
    new = [
        (start, end, written(value, unit))
        for reading, value in changes
        for start, end, unit in reading.places
    ]
    for start, end, text in sorted(new, reverse=True):
        case = case[:start] + text + case[end:]
    return case


def class_of(vital: str, value: float) -> int:
    """The class of a value; between two bounds, as of degrees Celsius, that of the nearer one.

    Values beyond the ends are of the outermost classes.
    """
    bounds = CLASSES[vital]
    classes = sorted(bounds)
    for lower, upper in pairwise(classes):
        if value < (bounds[lower][1] + bounds[upper][0]) / 2:
            return lower
    return classes[-1]
