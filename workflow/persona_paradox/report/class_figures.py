"""The figures of the report of what judges' own classes are named, one for every dimension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..judges.assessment import measures_of
from .figures import ON_HOVER, Figure, stacked


def class_figures(judges: Iterable[Mapping[str, Any]]) -> list[Figure]:
    """A figure for every dimension in which some judge names classes of its own.

    Args:
        judges: their files. Of judges with classes of one dimension the titles of the first stand.
    """
    titles: dict[str, str] = {}
    classes: dict[str, dict[str, str]] = {}
    for judge in judges:
        for one in judge["classes"]:
            titles.setdefault(one["id"], one["title"])
            names = measures_of(one["id"], [each["id"] for each in one["classes"]])
            called = [each["title"] for each in one["classes"]]
            classes[one["id"]] = dict(zip(names, called, strict=True)) | classes.get(one["id"], {})
    return [
        Figure(
            f"classes_{id_}",
            titles[id_],
            f"Shares of all answers by the likeliest class in the judge's view. {ON_HOVER}",
            "judgements",
            stacked(of_class, "Class"),
            {"category": ["all"], "variant": ["main"], "metric": [*of_class]},
            ("judge",),
        )
        for id_, of_class in classes.items()
    ]
