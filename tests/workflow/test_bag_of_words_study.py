"""A study that asks for the line of a bag of words: its jobs, and what it leaves as it was."""

from __future__ import annotations

import polars as pl
from polars.testing import assert_frame_equal
from project import STUDY, Project

TASKS = STUDY["tasks"]
WORDS = "bag_of_words"


def of_models(project: Project, name: str) -> pl.DataFrame:
    table = pl.read_parquet(project.path / f"results/tables/{name}.parquet")
    return table.filter(pl.col("model") != WORDS)


def test_words_have_jobs_of_their_own_and_change_no_number_of_a_model(finished: Project) -> None:
    names = ("cells", "measures", "contrasts", "confusion")
    before = {name: of_models(finished, name) for name in names}
    finished.edit("config/config.yaml", lambda study: study.update(bag_of_words=True))
    own = [
        job
        for task in TASKS
        for job in (
            f"bag_of_words {task}",
            f"score {WORDS}/{task}/{WORDS}",
            f"measure_triage {WORDS}/{task}",
        )
    ]
    plots = [f"plot {figure}" for figure in STUDY["figures"]]
    assert finished.jobs() == sorted([*own, "decompose", "tabulate", *plots, "summarize"])
    finished.run("--cores", "1")
    for name, table in before.items():
        assert_frame_equal(of_models(finished, name), table, check_exact=True)
    cells = pl.read_parquet(finished.path / "results/tables/cells.parquet").filter(model=WORDS)
    assert cells.select("task", "persona", "variant", "backend", "n").rows() == [
        (task, WORDS, variant, "scikit-learn", n)
        for task in TASKS
        for variant, n in (("main", 60), ("same_items", 6))
    ]
    assert cells["n_invalid"].sum() == 0
    said = (finished.path / "results/summary.md").read_text(encoding="utf-8")
    assert "Bag of words (cross-fitted), all records: accuracy" in said
    assert finished.jobs() == []
    # A title reruns nothing of it, and another seed does.
    finished.edit("config/tasks/triage_ed.yaml", lambda task: task.update(title="Urgency"))
    assert not [job for job in finished.jobs() if WORDS in job]
    finished.edit("config/config.yaml", lambda study: study.update(seed=8))
    assert {f"{WORDS} {task}" for task in TASKS} <= set(finished.jobs())
