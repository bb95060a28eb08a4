"""What is said where a model's answers are hardly ever labels."""

from __future__ import annotations

import json
import logging
import runpy
from argparse import Namespace
from pathlib import Path

import polars as pl
import pytest
import random_answers
from root import ROOT

from persona_paradox.engine import responses
from persona_paradox.kinds.triage.measures import answers
from persona_paradox.report.summary import summary

LABELS = [{"label": "1", "level": "now"}, {"label": "2", "level": "later"}]
SCORING = {"labels": LABELS, "levels": ["now", "later"], "high_acuity": ["now"]}


def warnings(folder: Path, masses: dict[str, list[float | None]], below: float) -> list[str]:
    """What score.py says of a cell whose wordings have these label masses, item by item."""
    rows = []
    for variant, own in masses.items():
        for i, mass in enumerate(own):
            logprob = None if mass is None else [-1.0, -2.0]
            row = {"item_id": f"i{i}", "prompt_id": "p", "variant": variant, "repeat": 0}
            row |= {"text": "1", "label_logprob": logprob, "label_mass": mass}
            # A sampled answer has the read-out of its prompt, which counts once.
            rows += [row, row | {"repeat": 1, "label_mass": 0.0}]
    pl.DataFrame(rows, schema=responses.SCHEMA).write_parquet(folder / "responses.parquet")
    items = {"item_id": [f"i{i}" for i in range(9)], "reference": ["now"] * 9}
    pl.DataFrame(items).write_parquet(folder / "items.parquet")
    scoring = SCORING | {"label_mass_warning_below": below}
    (folder / "scoring.json").write_text(json.dumps(scoring))
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    log = logging.getLogger("persona_paradox")
    log.addHandler(handler)
    try:
        runpy.run_path(str(ROOT / "workflow/scripts/score.py"))["main"](
            Namespace(
                kind="triage",
                responses=folder / "responses.parquet",
                items=folder / "items.parquet",
                scoring=folder / "scoring.json",
                scores=folder / "scores.parquet",
                verbalized=None,
            )
        )
    finally:
        log.removeHandler(handler)
    return said


def test_a_cell_with_little_mass_on_its_labels_is_warned_of(tmp_path: Path) -> None:
    masses = {"main": [0.1, 0.3, None], "p1": [0.9, 0.2]}
    (said,) = warnings(tmp_path, masses, below=0.5)
    assert said.startswith("wording main: the labels have a probability of 0.2 together")
    assert "(warning below 0.5)" in said
    assert "`answer_prefix`" in said
    assert warnings(tmp_path, masses, below=0.2) == []
    assert warnings(tmp_path, {"main": [None]}, below=1.0) == [], "no labels, as of a rater"


def test_items_below_the_share_are_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = random_answers.folder_of(tmp_path_factory, "smallest")
    view = json.loads((folder / "cells.json").read_text())
    model, task, persona = view["cells"][0]
    scores = pl.read_parquet(folder / "scores" / model / task / f"{persona}.parquet")
    main = scores.filter(variant="main")
    greedy = main.filter(repeat=0).sort("item_id")["item_id"].to_list()
    some = main.with_columns(
        label_mass=pl.when(pl.col("item_id") == greedy[0])
        .then(0.2)
        .when(pl.col("item_id") == greedy[1])
        .then(None)
        .otherwise(0.5)
    )
    spec = view["tasks"][task]
    counted = [
        answers(some, spec | {"label_mass_warning_below": low}).counts["n_low_label_mass"]
        for low in (0.2, 0.5, 0.6)
    ]
    assert counted == [0, 1, len(greedy) - 1]


def test_the_summary_warns(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = random_answers.study(tmp_path_factory, "smallest")
    folder = random_answers.folder_of(tmp_path_factory, "smallest")
    statistics = json.loads((folder / "statistics.json").read_text())
    cells = made.tables["cells"]
    assert "Warning" not in summary({"cells": cells}, made.settings, statistics)
    place = (pl.col("persona") == cells["persona"][-1]) & (pl.col("variant") == "main")
    low = cells.with_columns(label_mass=pl.when(place).then(0.1234).otherwise("label_mass"))
    (line,) = [
        line
        for line in summary({"cells": low}, made.settings, statistics).splitlines()
        if "Warning" in line
    ]
    n = low.filter(place & (pl.col("model") != "human")).height
    assert f"in {n} of these" in line
    assert "less than 50% of the probability" in line
    assert "least: 12.3%" in line
