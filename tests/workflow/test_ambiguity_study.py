"""A finished study whose cases get a second rater, and which asks for sets of levels."""

from __future__ import annotations

import polars as pl
import pytest
from documented import check_files
from project import Project

TABLES = [f"results/tables/{name}.parquet" for name in ("ambiguity", "conformal")]
FIGURES = [f"results/figures/{name}.png" for name in ("ambiguity", "conformal_sets")]
CASES = "resources/bundled/teaching_ed.csv"
DATASET = "config/datasets/teaching_ed.yaml"
KINDS = {"coverage": 0.8, "scores": ["lac", "aps", "ordinal"]}


def second_rater(project: Project) -> None:
    """A rater who differs in every fourth case, and says nothing of the first one."""
    cases = pl.read_csv(project.path / CASES, infer_schema=False)
    esi = cases["esi"].cast(pl.Int64)
    row = pl.int_range(cases.height, eager=True)
    other = pl.select(pl.when(row % 4 == 0).then(esi % 5 + 1).otherwise(esi)).to_series()
    second = other.cast(pl.String).scatter(0, None)
    cases.with_columns(second.alias("second")).write_csv(project.path / CASES)
    raters = {"raters": ["esi", "second"]}
    project.edit(DATASET, lambda dataset: dataset["columns"].update(distribution=raters))


def test_sets_and_raters_need_no_further_answer(finished: Project) -> None:
    project = finished
    project.edit("config/config.yaml", lambda study: study.update(conformal=KINDS))
    assert project.jobs(TABLES[1], FIGURES[1]) == ["find_sets", "plot conformal_sets"]
    second_rater(project)
    project.run("--cores", "1", *TABLES, *FIGURES)
    assert not [job for job in project.jobs(*TABLES, *FIGURES) if job != "all"]
    ambiguity, conformal = (pl.read_parquet(project.path / path) for path in TABLES)
    assert {*ambiguity["task"]} == {"triage_ed"}
    assert {*conformal["task"]} == {"triage_ed", "triage_primary"}
    sizes = conformal.filter(level="all", score="ordinal", task="triage_ed")
    assert sizes["n"].to_list() == [6] * 3
    assert (sizes["n_empty"] == 0).all()
    of_items = ambiguity.filter(metric="accuracy", persona="no_persona").sort("items")
    n = dict(of_items.select("items", "n_rated").iter_rows())
    assert n["all"] == n["consensus"] + n["ambiguous"]
    # Where both raters say the same, that is the reference.
    right, agree = (
        ambiguity.filter(items="consensus", metric=metric)["value"].to_list()
        for metric in ("accuracy", "rater_agreement")
    )
    assert right == pytest.approx(agree)
    assert {*TABLES} <= {*check_files(project.path)}
    project.edit("config/config.yaml", lambda study: study.pop("conformal"))
    assert "find_sets" not in project.jobs("all")
    project.edit(DATASET, lambda dataset: dataset["columns"].pop("distribution"))
    assert "compare_raters" not in project.jobs("all")
