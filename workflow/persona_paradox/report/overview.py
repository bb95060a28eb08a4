"""The overview of the report: the effects of every persona in every suite, model by model.

A suite is a task with its arms. Of the tests of a study those count that `findings` counts; what a
judge says that is not usable is shown, and struck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import polars as pl

from ..judges.words import judge_title
from ..study.conditions import base_of
from ..study.study import Study
from ..words import Settings, p_text, span, titles
from .findings import Effect, difference, measure_of, worded

# Effects that a cell of the overview shows; of the others it says how many there are.
MOST = 3
# What a test has shown, the first of them first.
ROBUST, SHOWN, NOT_SHOWN, STRUCK = ("robust", "beyond chance", "not shown", "judge not usable")
MARKS = (ROBUST, SHOWN, NOT_SHOWN, STRUCK)

Json = dict[str, Any]


def suites(study: Study) -> dict[str, Json]:
    """The suites of a study: its `title`, that of its clinical `context`, and its `tasks`."""
    found: dict[str, Json] = {}
    for id_ in study.tasks:
        base = base_of(id_)
        if base not in found:
            context = study.dataset_of(id_)["context"]
            task = study.tasks.get(base) or study.base_tasks[base]
            about = {"title": task["title"], "context": study.titles["contexts"][context]}
            found[base] = about | {"tasks": []}
        found[base]["tasks"].append(id_)
    return found


def mark(one: Effect, alpha: float) -> str:
    """What a test has shown, of `MARKS`.

    As for the findings, an effect is robust where its verdict is, and it is beyond chance after
    Holm's adjustment over all tests of the study.
    """
    if not one.usable:
        return STRUCK
    if one.p > alpha:
        return NOT_SHOWN
    return ROBUST if one.verdict == "robust" else SHOWN


def rows(found: Sequence[Effect], settings: Settings) -> list[Json]:
    """The tests as rows of the page: the robust ones first, then as the findings order them."""
    alpha = 1 - settings["confidence"]
    marked = [(mark(one, alpha), one) for one in found]
    return [
        {
            "mark": shown,
            "model": one.model,
            "task": one.task,
            "persona": one.persona,
            "who": worded(one, settings),
            "variant": one.variant,
            "metric": one.metric,
            "confidence": one.confidence,
            "measure": measure_of(one, settings),
            "judge": one.judge,
            "difference": one.value,
            "shown": " ".join(difference(one, settings)),
            "n": one.n,
            "n_invalid": one.n_invalid,
            "p_holm": one.p,
            "verdict": one.verdict,
        }
        for shown, one in sorted(marked, key=lambda pair: (MARKS.index(pair[0]), pair[1].order))
    ]


def overview(
    found: Sequence[Effect],
    settings: Settings,
    in_suites: Mapping[str, Json],
    titles_of: Mapping[str, str],
) -> list[Json]:
    """Every model with tests: its title, how many tests have which mark, its personas, its suites.

    Args:
        found: the tests of the study.
        settings: the view of the figures.
        in_suites: as `suites` gives them.
        titles_of: model → title, in the order of the study.
    """
    suite_of = {task: id_ for id_, suite in in_suites.items() for task in suite["tasks"]}
    placed: dict[tuple[str, str], dict[str, list[Effect]]] = {}
    for one in found:
        row = placed.setdefault((one.model, suite_of[one.task]), {})
        row.setdefault(one.persona, []).append(one)
    models = []
    for model, title in titles_of.items():
        rows = {suite: placed[model, suite] for suite in in_suites if (model, suite) in placed}
        tested = {persona for row in rows.values() for persona in row}
        personas = [id_ for id_ in settings["persona_order"] if id_ in tested]
        marks = [
            mark(one, 1 - settings["confidence"])
            for row in rows.values()
            for some in row.values()
            for one in some
        ]
        if marks:
            models.append(
                {
                    "title": title,
                    "counts": {one: marks.count(one) for one in MARKS},
                    "personas": [settings["personas"][id_]["title"] for id_ in personas],
                    "suites": [
                        _head(suite, in_suites[suite], row, settings)
                        | {
                            "cells": [
                                _cell((suite, model, persona), row.get(persona, []), settings)
                                for persona in personas
                            ]
                        }
                        for suite, row in rows.items()
                    ],
                }
            )
    return models


def _head(id_: str, suite: Json, row: Mapping[str, list[Effect]], settings: Settings) -> Json:
    """What stands in front of a row: the suite, its n, and the judges whose tests are in it."""
    tests_ = [one for some in row.values() for one in some]
    judges = {one.judge: one.usable for one in tests_ if one.judge is not None}
    return {
        "id": id_,
        "title": suite["title"],
        "context": suite["context"],
        "n": span(pl.Series([one.n for one in tests_])),
        "judges": [
            {"title": judge_title(settings, judge), "usable": usable}
            for judge, usable in judges.items()
        ],
    }


def _cell(place: tuple[str, str, str], here: list[Effect], settings: Settings) -> Json:
    """A cell, by suite, model and persona: the first of its effects, and how many there are."""
    alpha = 1 - settings["confidence"]
    shown = sorted(
        (one for one in here if one.p <= alpha),
        key=lambda one: (MARKS.index(mark(one, alpha)), one.order),
    )
    return {
        "address": "#" + urlencode(dict(zip(("suite", "model", "persona"), place, strict=True))),
        "n_tests": sum(one.usable for one in here),
        "effects": [_effect(one, settings) for one in shown[:MOST]],
        "more": max(len(shown) - MOST, 0),
    }


def _effect(one: Effect, settings: Settings) -> Json:
    """An effect in a cell; where it is of an arm, or not of the main wording, that is said."""
    value, bounds = difference(one, settings)
    about = titles(settings)[one.task]
    where = [about["arm"]["title"]] if "arm" in about else []
    where += [] if one.variant == "main" else [one.variant.replace("_", " ")]
    return {
        "mark": mark(one, 1 - settings["confidence"]),
        "text": ", ".join([f"{measure_of(one, settings)} {value}", *where]),
        "numbers": f"{bounds}, n = {one.n}, {one.n_invalid} invalid, p (Holm) {p_text(one.p)}"
        + ("" if one.verdict is None else f", {one.verdict}"),
    }
