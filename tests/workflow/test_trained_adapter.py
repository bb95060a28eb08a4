"""An adapter that is trained by the workflow: data, caching, refusals, archive.

What training does with the examples is tested in tests/training; here it has a stand-in.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from refusals import says
from stub_training import add_trained, keep_for_training, libraries, stub_training
from studies import shared
from verifying import verify

from persona_paradox.files import sha256_file

TAUGHT = "config/adapters/taught.yaml"
ADAPTER = "resources/adapters/taught/adapter.gguf"
MANIFEST = "resources/models/tiny@taught/manifest.json"
MODELS, PERSONAS = ["tiny", "tiny@taught"], ["no_persona", "bridge_engineer"]
CELLS = [f"results/responses/{m}/triage_ed/{p}.parquet" for m in MODELS for p in PERSONAS]
DATA = [{"task": "triage_ed", "personas": ["no_persona", "ed_nurse"]}]
ARCHIVE = "results/archive.zip"


def build(path: Path, keep: bool = True) -> Project:
    project = new_project(path)
    add_model(project)
    # An archive is verified by whoever has the weights in the data folder.
    project.edit(
        "config/models/tiny.yaml", lambda spec: spec["source"].update(path="{data_dir}/tiny.gguf")
    )
    study = STUDY | {"tasks": ["triage_ed"], "personas": PERSONAS, "limit": 6 if keep else None}
    study |= {"models": MODELS if keep else ["tiny"], "data_dir": str(path)}
    study |= {"figures": ["persona_effect"]}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    if keep:
        keep_for_training(project, "teaching_ed")
        add_trained(project, "taught", DATA)
        stub_training(project)
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Cells of a model with and without a trained adapter. Not to be changed."""

    def run(path: Path) -> None:
        project = build(path)
        project.run("--cores", "1", "--", *CELLS, "results/provenance.json", **libraries(project))

    return shared(tmp_path_factory, "trained_adapter", run)


@pytest.fixture(scope="session")
def archived(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All that this study leaves, and its archive. Not to be changed."""

    def run(path: Path) -> None:
        project = trained.copy(path)
        project.run("--cores", "1", "all", ARCHIVE, **libraries(project))

    return shared(tmp_path_factory, "trained_adapter_archive", run)


def examples(project: Project) -> pl.DataFrame:
    return pl.read_parquet(project.path / "results/training/taught/examples.parquet")


def test_examples_are_what_cells_send_and_the_labels_of_references(
    trained: Project, tmp_path: Path
) -> None:
    """Held against a study that asks about all items, and against the file of the data set."""
    other = build(tmp_path / "project", keep=False)
    found = examples(trained)
    for persona in ("no_persona", "ed_nurse"):
        name = f"results/delivered/tiny/triage_ed/{persona}.parquet"
        other.edit(
            "config/config.yaml", lambda study: study.update(personas=["no_persona", "ed_nurse"])
        )
        other.run("--cores", "1", "--", name)
        sent = pl.read_parquet(other.path / name)
        asked = dict(sent.select("item_id", "text").iter_rows())
        ours = found.filter(persona=persona)
        assert ours.height > 0
        assert all(asked[id_] == text for id_, text in ours.select("item_id", "prompt").iter_rows())
    items = pl.read_parquet(other.path / "resources/datasets/teaching_ed.parquet")
    level = dict(items.select("item_id", "reference").iter_rows())
    task = yaml.safe_load((other.path / "config/tasks/triage_ed.yaml").read_text())
    label = {one["level"]: one["label"] for one in task["labels"]}
    for row in found.iter_rows(named=True):
        assert row["prompt"].endswith(task["answer_prefix"])
        assert row["completion"] == f" {label[level[row['item_id']]]}"
        assert row["task"] == "triage_ed@training"


def test_no_cell_reads_a_training_item(trained: Project) -> None:
    taught = set(examples(trained)["item_id"])
    every = [pl.read_parquet(trained.path / cell) for cell in CELLS]
    asked = {id_ for answers in every for id_ in answers["item_id"]}
    source = trained.path / "resources/datasets"
    sides = [
        set(pl.read_parquet(source / f"teaching_ed{s}.parquet")["item_id"])
        for s in ("", "@training")
    ]
    assert taught
    assert asked
    assert not taught & asked
    assert taught == sides[1]
    assert asked <= sides[0]
    assert not sides[0] & sides[1]


def test_nothing_of_training_is_in_tables_and_report(archived: Project) -> None:
    for table in (archived.path / "results/tables").glob("*.parquet"):
        assert "@training" not in str(pl.read_parquet(table).rows()), table
    for name in ("report.html", "summary.md"):
        assert "triage_ed@training" not in (archived.path / "results" / name).read_text()


def test_provenance_says_what_the_adapter_was_trained_on(trained: Project) -> None:
    said = json.loads((trained.path / "results/provenance.json").read_text())
    about = said["models"]["tiny@taught"]
    assert about["adapter"]["sha256"] == sha256_file(trained.path / ADAPTER)
    assert about["adapter"]["examples"] == examples(trained).height
    assert [one["path"] for one in about["files"]] == [
        "../tiny/model.gguf",
        "../../adapters/taught/adapter.gguf",
    ]
    assert said["configuration"]["adapters"]["taught"]["training"]["data"] == DATA


def test_words_of_a_file_are_sent_as_those_of_a_cell(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    cell = "triage_ed@training/ed_nurse.parquet"
    asked, sent = (
        pl.read_parquet(project.path / f"results/{stage}/{cell}")
        for stage in ("prompts", "delivered/tiny")
    )
    rows = [
        {
            "prompt": user,
            "system": system,
            "completion": f"A line\u2028of {n}.",
            "label": n % 2 == 0,
        }
        for n, (system, user) in enumerate(asked.select("system", "user").iter_rows())
    ]
    file = project.path / "resources/pairs.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    data = [{"file": "resources/pairs.jsonl"}]
    add_trained(project, "flagged", data, method="kto")
    options = ("--cores", "1", "--config", "adapters=[flagged]", "--")
    name = "results/training/flagged/examples.parquet"
    project.run(*options, name)
    found = pl.read_parquet(project.path / name)
    task = yaml.safe_load((project.path / "config/tasks/triage_ed.yaml").read_text())
    assert [f"{text}{task['answer_prefix']}" for text in found["prompt"]] == sent["text"].to_list()
    assert found["completion"].to_list() == [row["completion"] for row in rows]
    assert found["label"].to_list() == [row["label"] for row in rows]
    file.write_text(file.read_text() + "{}\n")
    done = project.snakemake(*options, name)
    (line,) = {one for one in done.stdout.splitlines() if one.startswith("error: ")}
    says(line, "config/adapters/flagged.yaml", f"line {len(rows) + 1} of", "prompt, completion")


def cells_of(model: str, *stages: str) -> list[str]:
    return sorted(f"{stage} {model}/triage_ed/{p}" for stage in stages for p in PERSONAS)


def test_what_is_trained_again(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    targets = ("--", *CELLS)
    assert project.jobs(*targets) == []
    # Words about it train nothing.
    project.edit(TAUGHT, lambda spec: spec.update(title="Taught by us"))
    file = project.path / TAUGHT
    file.write_text("# A comment.\n" + file.read_text())
    assert project.jobs(*targets) == []
    # A setting trains it again and runs its cells, and no others.
    project.edit(TAUGHT, lambda spec: spec["training"].update(epochs=5))
    again = ["adapt_model tiny@taught", "check_training taught", "train_adapter taught"]
    own = cells_of("tiny@taught", "deliver", "generate")
    assert project.jobs(*targets) == sorted([*again, *own])
    project.edit(TAUGHT, lambda spec: spec["training"].update(epochs=3.0))
    assert project.jobs(*targets) == []
    # So does the wording of a persona that it was trained behind, and of no other.
    nurse, engineer = (f"config/personas/{id_}.yaml" for id_ in ("ed_nurse", "bridge_engineer"))
    before = yaml.safe_load((project.path / nurse).read_text())["texts"]["main"]
    project.edit(nurse, lambda spec: spec["texts"].update(main="You are a nurse of the night."))
    jobs = project.jobs(*targets)
    assert "train_adapter taught" in jobs
    assert {job for job in jobs if "ed_nurse" in job} == {
        "write_prompts triage_ed@training/ed_nurse",
        "deliver tiny/triage_ed@training/ed_nurse",
    }
    assert not [job for job in jobs if job.startswith("generate tiny/")]
    project.edit(nurse, lambda spec: spec["texts"].update(main=before))
    project.edit(engineer, lambda spec: spec["texts"].update(main="You build bridges."))
    jobs = project.jobs(*targets)
    assert jobs
    assert not [job for job in jobs if "train" in job.split()[0] or "no_persona" in job]


def test_an_answer_goes_on_with_the_adapter_that_is_there(trained: Project, tmp_path: Path) -> None:
    """An edited setting leads to another adapter, and to answers of its own."""
    project = trained.copy(tmp_path / "project")
    project.edit(TAUGHT, lambda spec: spec["training"].update(rank=4))
    cell = CELLS[-1]
    before = pl.read_parquet(project.path / cell)
    project.run("--cores", "1", "--", cell, **libraries(project))
    after = pl.read_parquet(project.path / cell)
    assert not set(before["response_key"]) & set(after["response_key"])
    settings = json.loads((project.path / "resources/adapters/taught/manifest.json").read_text())
    assert settings["settings"]["rank"] == 4


def test_without_libraries_a_sentence_says_how_to_train(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    # A cell of the base would be computed as well.
    (project.path / CELLS[0]).unlink()
    project.edit(TAUGHT, lambda spec: spec["training"].update(epochs=9))
    done = project.snakemake("--cores", "1", "--", *CELLS)
    assert done.returncode != 0
    (line,) = {one for one in done.stdout.splitlines() if one.startswith("error: ")}
    says(line, TAUGHT, "transformers and peft and trl", "`make train ADAPTER=taught`")
    assert not (project.path / CELLS[0]).exists()


def test_a_bundled_adapter_is_used_and_not_trained(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    product = "resources/bundled/adapters/taught.gguf"
    (project.path / product).parent.mkdir()
    shutil.move(project.path / ADAPTER, project.path / product)
    shutil.rmtree(project.path / "resources/adapters")
    about = {"path": product, "sha256": sha256_file(project.path / product)}
    project.edit(TAUGHT, lambda spec: spec.update(product=about))
    jobs = project.jobs("--", *CELLS)
    own = cells_of("tiny@taught", "deliver", "generate")
    assert jobs == sorted(["adapt_model tiny@taught", "download_adapter tiny@taught", *own])
    project.run("--cores", "1", "--", *CELLS)
    # Both files are as they were, and so is every answer.
    for cell in CELLS:
        assert pl.read_parquet(project.path / cell).equals(pl.read_parquet(trained.path / cell))
    # Whoever asks for the other one by name trains it, and the study goes on with this one.
    assert "train_adapter taught" in project.jobs("--", ADAPTER)
    (project.path / product).unlink()
    shutil.rmtree(project.path / "resources/models/tiny@taught")
    done = project.snakemake("-n")
    says(done.stdout.splitlines()[-1], TAUGHT, "`product.path`", "does not exist")


def test_an_adapter_of_no_model_is_trained_where_the_study_names_it(
    trained: Project, tmp_path: Path
) -> None:
    """As `make train` does."""
    project = trained.copy(tmp_path / "project")
    project.edit("config/config.yaml", lambda study: study.update(models=["tiny"]))
    (project.path / ADAPTER).unlink()
    assert project.snakemake("-n", "--", ADAPTER).returncode != 0
    jobs = project.jobs("--config", "adapters=[taught]", "--", ADAPTER)
    assert jobs == ["check_training taught", "train_adapter taught"]


def test_an_archive_is_verified_without_training(archived: Project, tmp_path: Path) -> None:
    project = archived.copy(tmp_path / "project")
    shutil.rmtree(project.path / "resources/models")
    shutil.rmtree(project.path / "resources/adapters")
    done = verify(project, ARCHIVE, "--sample", "4", PERSONA_DATA_DIR=str(project.path))
    assert done.returncode == 0, done.stdout
    assert "manifests of models: 2 of 2 agree" in done.stdout
    assert "weights from their own source: 2 of 2 agree" in done.stdout
    assert "answers: 4 of 4 agree" in done.stdout
