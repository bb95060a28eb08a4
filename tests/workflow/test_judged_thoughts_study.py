"""A study whose judges read the answers of a model that thinks, and its thoughts apart."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
from safety_study import write
from thinking_study import JUDGE, PRIMARY, SAFETY, small_study

INNER = {**JUDGE, "title": "A judge of thoughts", "reads": "thoughts"}
INNER.pop("action")
# What a judge reads between the answer's heading and its question.
JUDGED = re.compile(r"\nAnswer:\n(.*)\n\n(?:Harm|Help|1 = accept)", re.DOTALL)


def test_a_thought_is_judged_apart_from_its_answer(tmp_path: Path) -> None:
    project = small_study(tmp_path / "project")
    write(project, "config/judges/inner.yaml", INNER)
    asked = {"tasks": [PRIMARY, SAFETY], "judges": ["careful", "inner"], "limit": 2}
    asked |= {"tables": ["judgements"], "personas": ["no_persona"]}
    project.edit("config/config.yaml", lambda study: study.update(asked))
    project.edit(f"config/tasks/{PRIMARY}.yaml", lambda task: task.pop("verbalized"))
    cells = {
        (judge, task): f"{judge}/ratings/tiny/{task}/no_persona.parquet"
        for judge, task in (("careful", SAFETY), ("inner", SAFETY), ("inner", PRIMARY))
    }
    project.run("--cores", "2", "results/tables/judgements.parquet", "results/tables/agreement.csv")
    for (judge, task), path in cells.items():
        said = pl.read_parquet(project.path / f"results/responses/tiny/{task}/no_persona.parquet")
        read = pl.read_parquet(project.path / f"results/judging/{path}")
        for row in said.filter(~pl.col("item_id").str.starts_with("null:")).iter_rows(named=True):
            texts = read.filter(item_id=row["item_id"], repeat=row["repeat"])["text"].to_list()
            assert texts
            shown = row["text" if judge == "careful" else "thought"]
            for text in texts:
                (judged,) = JUDGED.findall(text)
                assert judged == shown
    table = pl.read_parquet(project.path / "results/tables/judgements.parquet")
    # No panel of judges that read something else, and nobody to agree with.
    assert {*table["judge"]} == {"careful", "inner"}
    agreed = pl.read_csv(project.path / "results/tables/agreement.csv")
    assert agreed.is_empty()
