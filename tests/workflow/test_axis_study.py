"""A finished study whose residual stream is read: nothing is answered again."""

from __future__ import annotations

import polars as pl
import yaml
from documented import check_files
from project import Project

ASKED = {"tasks": ["triage_ed"], "roles": ["paper", "control"]}
TABLES = ("axis", "persona_space", "axis_effects")
MADE = tuple(f"results/tables/{table}.parquet" for table in TABLES)
FIGURES = ("axis_position", "persona_space")
DRAWN = tuple(f"results/figures/{figure}.png" for figure in FIGURES)
PERSONAS = ["no_persona", "ed_nurse", "bridge_engineer"]
READ = [f"read_activations tiny/triage_ed/{persona}" for persona in sorted(PERSONAS)]


STEERED = {
    "title": "Towards the nurse",
    "texts": {"main": ""},
    "title_template": "Towards the nurse, {dose}",
    "factors": {"dose": {"none": {"text": "0"}, "back": {"text": "-2"}}},
    "steering": {"towards": "ed_nurse", "scale": "{dose}"},
}
CAPPED = {
    "title": "Capped",
    "group": "own",
    "texts": {"main": ""},
    "steering": {"towards": "roles", "cap": 0.25},
}
DOSES = ["nurse_vector@none", "nurse_vector@back", "capped"]


def steer(project: Project) -> None:
    """Steered personas are answered apart, and nobody else again."""
    for file, content in (("persona_sets/nurse_vector", STEERED), ("personas/capped", CAPPED)):
        (project.path / f"config/{file}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    change = {"tasks": ["triage_ed"], "personas": [*PERSONAS, "nurse_vector@all", "capped"]}
    project.edit("config/config.yaml", lambda study: study.update(change))
    jobs = project.jobs("results/tables/contrasts.parquet")
    assert {f"make_vector tiny/{one}" for one in DOSES} <= {*jobs}
    assert {f"generate tiny/triage_ed/{one}" for one in DOSES} <= {*jobs}
    # What is text alone is answered already.
    assert not {f"generate tiny/triage_ed/{one}" for one in PERSONAS} & {*jobs}
    steering = "results/tables/steering.parquet"
    project.run("--cores", "1", steering)
    table = pl.read_parquet(project.path / steering).filter(metric="accuracy")
    assert table["persona"].to_list() == [
        *("no_persona", "ed_nurse", "nurse_vector@none", "nurse_vector@back"),
        *("no_persona", "capped"),
    ]
    assert table.filter(persona="nurse_vector@none")["difference"].to_list() == [0.0]
    assert {*table["n_read"]} == {6}
    assert steering in check_files(project.path)
    answers = {
        one: pl.read_parquet(project.path / f"results/responses/tiny/triage_ed/{one}.parquet")
        for one in [*PERSONAS, *DOSES]
    }
    plain, nothing = answers["no_persona"], answers["nurse_vector@none"]
    told = ["text", "label_logprob"]
    assert plain.select(told).equals(nothing.select(told))
    assert not plain.select(told).equals(answers["nurse_vector@back"].select(told))
    assert not plain.select(told).equals(answers["capped"].select(told))
    # Even where nothing moved, no key is shared.
    keys = [set(table["response_key"]) for table in answers.values()]
    assert len(set.union(*keys)) == sum(map(len, keys))

    # Another dose makes its own vector, and asks its own cell alone.
    def dose(content: dict) -> None:
        content["factors"]["dose"]["back"]["text"] = "-1.5"

    project.edit("config/persona_sets/nurse_vector.yaml", dose)
    asked = [job for job in project.jobs("results/tables/contrasts.parquet") if "tiny/" in job]
    assert {job for job in asked if "make_vector" in job} == {"make_vector tiny/nurse_vector@back"}
    assert [job for job in asked if job.startswith("generate")] == [
        "generate tiny/triage_ed/nurse_vector@back"
    ]


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
    # Another end of the axis places again.
    project.edit("config/config.yaml", lambda study: study["readings"].update(default="ed_nurse"))
    assert project.jobs(*MADE) == ["place_personas"]
    # Without the key all is as it was.
    project.edit("config/config.yaml", lambda study: study.pop("readings"))
    assert not {"place_personas", *READ} & {*project.jobs("all")}
    project.edit("config/config.yaml", lambda study: study.update(readings=ASKED))
    steer(project)
