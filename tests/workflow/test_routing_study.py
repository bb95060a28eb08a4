"""A finished study that is asked for policies: nothing is answered again."""

from __future__ import annotations

import polars as pl
from documented import check_files
from project import Project

ASKED = {
    "constraint": {"metric": "under_triage_rate", "at_most": 0.5},
    "folds": 3,
    "escalation": {"lean": "no_persona", "cautious": "ed_nurse", "flags": ["chest pain"]},
}
MADE = ("results/tables/policies.parquet", "results/figures/policy_value.png")


def test_policies_are_valued_on_stored_answers(finished: Project) -> None:
    project = finished
    project.edit("config/config.yaml", lambda study: study.update(routing=ASKED))
    assert project.jobs(*MADE) == ["plot policy_value", "value_policies"]
    project.run("--cores", "1", *MADE, "results/summary.md")
    table = pl.read_parquet(project.path / MADE[0])
    assert {*table["n_items"]} == {12}
    assert table.filter(policy="fixed")["by"].to_list() == [
        "no_persona",
        "ed_nurse",
        "bridge_engineer",
    ]
    assert {"by_task", "by_subgroup", "learned", "majority", "oracle"} <= {*table["policy"]}
    summary = (project.path / "results/summary.md").read_text()
    assert "## Which persona to take" in summary
    assert "n = 12 items" in summary
    assert MADE[0] in check_files(project.path)
    # Another limit values them again, and does no more.
    other = {"routing": ASKED | {"constraint": None}}
    project.edit("config/config.yaml", lambda study: study.update(other))
    assert project.jobs(*MADE) == ["plot policy_value", "value_policies"]
    # Without the key all is as it was.
    project.edit("config/config.yaml", lambda study: study.pop("routing"))
    assert "value_policies" not in project.jobs("all")
