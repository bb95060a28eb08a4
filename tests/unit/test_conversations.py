"""Figure and summary of conversations: what they say of the tables, for many personas too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from root import ROOT

from persona_paradox.conversations import survival, words
from persona_paradox.conversations.figures import survival as figure
from persona_paradox.figures import vega
from persona_paradox.judges.trust import TRUST

PERSONAS = ["no_persona", *(f"persona_{n}" for n in range(1, 12))]
WAYS = {"plea": "the user pleads", "friend": "the user leans on a friend"}
TASK = {"title": "Questions", "dataset": "Q", "sample": None, "teaching": True, "clustered": False}
SETTINGS: dict[str, Any] = {
    "title": "Pressure",
    "baseline": "no_persona",
    "seed": 5,
    "confidence": 0.95,
    "draws": 200,
    "interval": "percentile",
    "too_few_below": 10,
    "models": {"m": "Model"},
    # As the views of a study have them: by id, and their order beside them.
    "personas": {id_: {"title": id_.replace("_", " ").capitalize()} for id_ in sorted(PERSONAS)},
    "persona_order": list(PERSONAS),
    "judges": {"j": {"title": "Careful judge"}},
    "tasks": {},
    "judged_tasks": {"t": TASK}
    | {
        f"t@{way}": TASK | {"title": f"Questions, {title}", "arm": {"base": "t", "title": title}}
        for way, title in WAYS.items()
    },
    "conversations": [f"t@{way}" for way in WAYS],
}
N, TURNS = 30, 4


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    """Answers that give way at random, under each persona more often than under the one before."""
    rng = np.random.default_rng(2)
    curves: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    trust = {"usable": False, "sanity_accuracy": 0.5}
    for way in WAYS:
        states = {}
        for k, persona in enumerate(PERSONAS):
            states[persona] = np.where(rng.random((TURNS + 1, N)) < 0.02 + 0.04 * k, 0, 1)
        place = {"judge": "j", "model": "m", "task": f"t@{way}", "context": "c", "dataset": "q"}
        found = survival.held_rows(states, np.arange(N), "no_persona", SETTINGS)
        for rows, made in zip((curves, means), found, strict=True):
            rows += [place | trust | row for row in made]
    schemas = (survival.SURVIVAL | TRUST, survival.TURNS_HELD | TRUST)
    curve, held = (pl.DataFrame(r, schema=s) for r, s in zip((curves, means), schemas, strict=True))
    return {"survival": curve, "turns_held": held.with_columns(p_holm="p")}


def test_a_panel_has_a_persona_with_a_curve_for_every_way(tables: dict[str, pl.DataFrame]) -> None:
    rows = figure.rows(tables, SETTINGS)
    assert rows["panel"].n_unique() == len(PERSONAS)
    assert rows.height == len(PERSONAS) * len(WAYS) * (TURNS + 1)
    assert {*rows["way"]} == {*WAYS.values()}
    start = rows.filter(turn=0)
    assert start["share"].to_list() == [1] * start.height
    drawn = rows.filter(pl.col("turn") > 0)
    assert sorted(drawn["share"]) == sorted(tables["survival"]["value"])
    assert drawn["low"].null_count() == 0
    # The study's order of personas, and what else stands above a panel.
    heads = rows["panel"].unique(maintain_order=True).to_list()
    assert heads[0].startswith("No persona\nQuestions")
    assert all(
        "NOT USABLE" in head and "did not hold at first" in head.replace("\n", " ")
        for head in heads
    )


def test_of_few_items_no_curve_is_drawn(tables: dict[str, pl.DataFrame]) -> None:
    few = tables["turns_held"].with_columns(n=pl.lit(4, dtype=pl.Int64))
    rows = figure.rows(tables | {"turns_held": few}, SETTINGS)
    assert rows["share"].null_count() == rows.height
    assert "too few items" in rows["panel"][0].replace("\n", " ")


def test_it_can_be_drawn(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    spec = vega.report_figure(figure, tables, SETTINGS)
    vega.save(spec, tmp_path / "survival.png", "png")
    assert (tmp_path / "survival.png").stat().st_size > 20_000


def test_the_summary_says_how_long_answers_hold(tables: dict[str, pl.DataFrame]) -> None:
    (section,) = words.SECTIONS
    text = "\n".join(section[2](tables, SETTINGS, {}))
    base = tables["turns_held"].row(0, named=True)
    assert f"of {N} first answers {base['n']} hold" in text
    assert f"{base['value']:.2f} [{base['low']:.2f}, {base['high']:.2f}] of {TURNS} turns" in text
    assert "NOT USABLE" in text
    assert "(Holm over 11 tests)" in text
    worst = tables["turns_held"].filter(persona="persona_11").row(0, named=True)
    assert worst["difference"] < 0
    shown = f"Persona 11 −{-worst['difference']:.2f}"
    assert shown in text
    assert f"(n = {worst['n_both']})" in text
    # Without the table of curves it says the rest.
    alone = {"turns_held": tables["turns_held"]}
    assert "hold to the end" not in "\n".join(section[2](alone, SETTINGS, {}))


# --- from files of verdicts and scores to tables ------------------------------------------

ACTED = {"variant": "main", "repeat": 0, "dimension": "action", "status": "read"}


def put(folder: Path, place: str, rows: list[dict[str, Any]]) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)


def survive(tmp_path: Path, view: dict[str, Any], *more: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables, as the command of the workflow writes them."""
    files = {"view": view, "statistics": SETTINGS}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "tables").mkdir()
    options = {name: tmp_path / f"{name}.json" for name in files}
    options |= {"results": tmp_path, "items": tmp_path / "items", "tables": tmp_path / "tables"}
    command = [sys.executable, str(ROOT / "workflow/scripts/survive.py"), "--log"]
    command += [str(tmp_path / "log"), *(f"--{k}={v}" for k, v in options.items()), *more]
    subprocess.run(command, check=True, capture_output=True)
    found = [pl.read_parquet(tmp_path / f"tables/{n}.parquet") for n in ("survival", "turns_held")]
    return found[0], found[1]


def place(judge: str | None, task: str, rounds: list[str], needed: list[int]) -> dict[str, Any]:
    about = {"judge": judge, "model": "m", "task": task, "rounds": rounds, "needed": needed}
    return about | {"dataset": "q", "context": "c", "cluster": None}


def test_verdicts_of_rounds_become_tables(tmp_path: Path) -> None:
    """Three items: one gives way at turn 2, one cannot be judged there, one has one turn alone."""
    rounds = ["t", "t@x+1", "t@x"]
    modes = {"a": [2, 3, 1], "b": [3, 2, None], "c": [2, 2, 2], "d": [1, 1, 1]}
    for persona in ("none", "other"):
        for n, one in enumerate(rounds):
            rows = [{"item_id": id_, **ACTED, "mode": course[n]} for id_, course in modes.items()]
            for row in rows:
                row["status"] = "no_probability" if row["mode"] is None else "read"
            put(tmp_path, f"judgements/j/m/{one}/{persona}.parquet", rows)
    put(
        tmp_path,
        "items/q.parquet",
        [{"item_id": i, "turns": ["x"] * (1 + (i != "c"))} for i in "abcd"],
    )
    quality = {"judge": "j", "metric": "usable", "value": 0.0, "met": False}
    sanity = {"judge": "j", "metric": "sanity_ratings", "value": 0.6, "met": None}
    put(tmp_path, "judges.parquet", [quality, sanity])
    view = {"baseline": "none", "personas": ["none", "other"]}
    view["places"] = [place("j", "t@x", rounds, [0, 1, 2])]
    curves, held = survive(tmp_path, view, f"--judges={tmp_path / 'judges.parquet'}")
    one = curves.filter(persona="other")
    assert one.select("turn", "n_at_risk", "n_events", "n_censored", "value").rows() == [
        (1, 3, 0, 2, 1.0),
        (2, 1, 1, 0, 0.0),
    ]
    row = held.filter(persona="other").row(0, named=True)
    assert (row["n_items"], row["n_gave_way_at_once"], row["n"], row["n_events"]) == (4, 1, 3, 1)
    assert (row["n_unjudged"], row["n_both"], row["value"], row["difference"]) == (2, 3, 1.0, 0.0)
    assert (row["usable"], row["sanity_accuracy"], row["p_holm"]) == (False, 0.6, 1.0)
    assert held.filter(persona="none").row(0, named=True)["difference"] is None
    # Beside them the same as text.
    assert (tmp_path / "tables/survival.csv").read_text().startswith("judge,model,task,persona,")


def test_scores_of_rounds_become_tables_without_a_judge(tmp_path: Path) -> None:
    outcomes = {"a": ["right", "wrong"], "b": ["right", "refused"], "c": ["wrong", "right"]}
    for n, one in enumerate(["t", "t@x"]):
        rows = [
            {"item_id": i, "variant": "main", "repeat": 0, "outcome": o[n]}
            for i, o in outcomes.items()
        ]
        put(tmp_path, f"scores/m/{one}/none.parquet", rows)
    put(tmp_path, "items/q.parquet", [{"item_id": i} for i in outcomes])
    view = {"baseline": "none", "personas": ["none"]}
    view |= {"places": [place(None, "t@x", ["t", "t@x"], [0, 0])]}
    curves, held = survive(tmp_path, view)
    assert curves.select("judge", "n_at_risk", "n_events", "value").rows() == [(None, 1, 1, 0.0)]
    row = held.row(0, named=True)
    assert (row["n"], row["n_gave_way_at_once"], row["n_unjudged"]) == (2, 1, 1)
    assert row["usable"] is None
