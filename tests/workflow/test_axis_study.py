"""A finished study whose residual stream is read: nothing is answered again."""

from __future__ import annotations

import polars as pl
from documented import check_files
from project import Project

ASKED = {"tasks": ["triage_ed"], "roles": ["paper", "control"]}
TABLES = ("axis", "persona_space", "axis_effects")
MADE = tuple(f"results/tables/{table}.parquet" for table in TABLES)
FIGURES = ("axis_position", "persona_space")
DRAWN = tuple(f"results/figures/{figure}.png" for figure in FIGURES)
PERSONAS = ["no_persona", "ed_nurse", "bridge_engineer"]
READ = [f"read_activations tiny/triage_ed/{persona}" for persona in sorted(PERSONAS)]


def test_personas_are_placed_by_stored_answers(finished: Project) -> None:
    project = finished
    before = project.checksums()
    project.edit("config/config.yaml", lambda study: study.update(readings=ASKED))
    assert project.jobs(*MADE) == ["place_personas", *READ]
    project.run("--cores", "1", *MADE, *DRAWN)
    after = project.checksums()
    assert all(after[path] == before[path] for path in before if "responses" in path)
    axis, space, effects = (pl.read_parquet(project.path / name) for name in MADE)
    assert axis["persona"].to_list() == PERSONAS
    assert {*axis["n_items"]} == {6}
    assert {*space["component"]} == {1, 2}
    assert {*effects["metric"]} >= {"accuracy", "over_triage_rate"}
    assert {*effects["n_personas"]} <= {0, 2}
    vectors = pl.read_parquet(project.path / "results/readings/tiny/triage_ed/ed_nurse.parquet")
    assert vectors["vector"].list.len().to_list() == [64] * 6
    documented = {*MADE, "results/readings/{model}/{task}/{persona}.parquet"}
    assert documented <= check_files(project.path)
    # Another depth reads again, another end of the axis places again.
    project.edit("config/config.yaml", lambda study: study["readings"].update(depths=[0.9]))
    assert project.jobs(*MADE) == ["place_personas", *READ]
    project.edit("config/config.yaml", lambda study: study["readings"].update(depths=[0.5]))
    project.edit("config/config.yaml", lambda study: study["readings"].update(default="ed_nurse"))
    assert project.jobs(*MADE) == ["place_personas"]
    # Without the key all is as it was.
    project.edit("config/config.yaml", lambda study: study.pop("readings"))
    assert not {"place_personas", *READ} & {*project.jobs("all")}
