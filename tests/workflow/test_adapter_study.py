"""A model with an adapter beside its base: answers, caching, archive, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from answer_store import look_after
from gguf import GGUFReader
from peft_folder import of_pairs, write_folder
from project import STUDY, Project, add_model, new_project
from refusals import refused, set_key
from studies import shared
from tiny_adapter import add_adapter, draw_adapter, write_adapter
from verifying import verify

from persona_paradox.data.parts import PEFT
from persona_paradox.engine.prepared import Prepared
from persona_paradox.files import sha256_file

TINY, BOLD = "config/models/tiny.yaml", "config/adapters/bold.yaml"
SERVER = {"kind": "server", "url": "http://localhost/v1", "model": "tiny", "revision": "1"}
SERVER |= {"template": "resources/template.jinja"}
PERSONAS = ["no_persona", "ed_nurse"]
MODELS = ["tiny", "tiny@bold"]
CELL = "results/responses/{}/triage_ed/{}.parquet"
MANIFEST = "resources/models/tiny@bold/manifest.json"
ARCHIVE = "results/archive.zip"


def in_data_dir(spec: dict) -> None:
    """Let a file be in the data folder, where whoever verifies an archive has it."""
    spec["source"]["path"] = "{data_dir}/" + spec["source"]["path"]


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study of a model with and without an adapter, and its archive. Not to be changed."""

    def build(path: Path) -> None:
        project = new_project(path)
        add_model(project)
        add_adapter(project)
        study = STUDY | {"models": MODELS, "tasks": ["triage_ed"], "personas": PERSONAS}
        study |= {"figures": ["persona_effect", "tuning_effect"], "data_dir": str(path)}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        for file in (TINY, BOLD):
            project.edit(file, in_data_dir)
        project.run("--cores", "1", "all", ARCHIVE)

    return shared(tmp_path_factory, "adapter_study", build)


def answers(project: Project, model: str) -> pl.DataFrame:
    """The answers of a model under all personas."""
    files = [project.path / CELL.format(model, persona) for persona in PERSONAS]
    return pl.concat([pl.read_parquet(file) for file in files])


def test_both_answer_the_same_prompts_each_in_its_own_way(answered: Project) -> None:
    base, bold = (answers(answered, model) for model in MODELS)
    same = ["item_id", "variant", "repeat", "prompt_sha256"]
    assert base.select(same).equals(bold.select(same))
    assert base["text"].to_list() != bold["text"].to_list()
    assert not set(base["response_key"]) & set(bold["response_key"])
    table = pl.read_parquet(answered.path / "results/tables/cells.parquet")
    assert set(table["model"]) == set(MODELS)


def test_effects_before_and_after_are_those_of_the_contrasts(answered: Project) -> None:
    folder = answered.path / "results"
    table = pl.read_csv(folder / "tables/tuning.csv", infer_schema_length=None)
    assert set(table["base"]) == {"tiny"}
    assert table["trained_with"].null_count() == table.height
    contrasts = pl.read_csv(folder / "tables/contrasts.csv", infer_schema_length=None)
    effects = table.filter(measure="effect")
    assert set(effects["persona"]) == {"ed_nurse"}
    where = {"persona": "ed_nurse", "variant": "main", "against": "persona"}
    for side, model in zip(("before", "after"), MODELS, strict=True):
        of = contrasts.filter(pl.col("confidence").is_null(), model=model, **where)
        both = effects.join(of, on="metric", suffix="_of")
        assert both.height == effects.height > 5
        for mine, theirs in ((side, "difference_of"), (f"{side}_low", "low_of")):
            assert both[mine].to_list() == both[theirs].to_list()
        (row,) = of.filter(metric="accuracy").iter_rows(named=True)
        (flips,) = table.filter(measure="flips", persona="ed_nurse").iter_rows(named=True)
        assert flips[side] == pytest.approx(row["n_changed"] / row["n"])
    # Two adapters' answers are not alike: the difference is one of differences.
    off = effects["difference"] - (effects["after"] - effects["before"])
    assert off.abs().max() < 1e-12
    for form in ("pdf", "png"):
        assert (folder / f"figures/tuning_effect.{form}").stat().st_size > 10_000
    assert "## What does tuning do to the personas?" in (folder / "summary.md").read_text()


def test_the_weights_are_there_once(answered: Project) -> None:
    folder = answered.path / "resources/models"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*.gguf")}
    assert names == {"tiny/source.gguf", "tiny/model.gguf", "tiny@bold/adapter.gguf"}
    base, both = (Prepared.read(folder / model / "manifest.json") for model in MODELS)
    assert base.sha256 == sha256_file(folder / "tiny/model.gguf")
    assert both.model == base.model
    assert base.sha256 != both.sha256


def test_provenance_names_both_files_and_both_licences(answered: Project) -> None:
    said = json.loads((answered.path / "results/provenance.json").read_text())
    assert said["licences"]["models"]["tiny@bold"] == "MIT (weights), CC0-1.0 (adapter)"
    about = said["models"]["tiny@bold"]
    assert [file["role"] for file in about["files"]] == ["weights", "adapter"]
    assert about["adapter"]["sha256"] == sha256_file(answered.path / "bold.gguf")
    assert about["origin"]["sha256"] == sha256_file(answered.path / "tiny.gguf")
    (engine,) = about["engines"]
    assert engine["weights"] == about["sha256"]
    # The files themselves are kept, from which it is made again.
    assert set(said["configuration"]["models"]) == {"tiny"}
    assert set(said["configuration"]["adapters"]) == {"bold"}


def test_the_report_names_both_files_and_both_licences(answered: Project) -> None:
    page = (answered.path / "results/report.html").read_text()
    manifest = json.loads((answered.path / MANIFEST).read_text())
    weights, adapter = (f"{file['role']} {file['sha256'][:16]}…" for file in manifest["files"])
    assert f"{weights} {adapter}" in page
    assert "MIT (weights), CC0-1.0 (adapter)" in page


def test_another_scale_runs_its_own_cells_again(answered: Project, tmp_path: Path) -> None:
    project = answered.copy(tmp_path / "project")
    targets = [CELL.format(model, persona) for model in MODELS for persona in PERSONAS]
    assert project.jobs("--", *targets) == []
    project.edit(BOLD, lambda adapter: adapter.update(scale=1.0, title="Bolder"))
    assert project.jobs("--", *targets) == []
    project.edit(BOLD, lambda adapter: adapter.update(scale=0.5))
    stages = ("deliver tiny@bold/triage_ed", "generate tiny@bold/triage_ed")
    cells = sorted(f"{stage}/{persona}" for stage in stages for persona in PERSONAS)
    assert project.jobs("--", *targets) == ["adapt_model tiny@bold", *cells]
    project.run("--cores", "1", "--", *targets)
    half = answers(project, "tiny@bold")
    assert not set(half["response_key"]) & set(answers(answered, "tiny@bold")["response_key"])
    # Back again, everything comes out of the store.
    project.edit(BOLD, lambda adapter: adapter.update(scale=1))
    assert "model loaded" not in project.run("--cores", "1", "--", *targets)
    assert answers(project, "tiny@bold").equals(answers(answered, "tiny@bold"))


def test_answers_of_an_adapter_are_audited_and_verified(answered: Project, tmp_path: Path) -> None:
    project = answered.copy(tmp_path / "project")
    audit = "results/audit/tiny@bold/triage_ed/ed_nurse.parquet"
    project.run("--cores", "1", "--", audit)
    found = pl.read_parquet(project.path / audit)
    assert found["n"].min() > 0
    assert found.select(pl.col("^.*(flips|changes)$")).sum().row(0) == (0,) * 3
    assert ", 0 differences" in look_after(project, "verify")


def test_an_archive_is_computed_again_from_its_sources(answered: Project, tmp_path: Path) -> None:
    """By somebody who has the sources in a folder of theirs, and nothing that is prepared."""
    project = answered.copy(tmp_path / "project")
    shutil.rmtree(project.path / "resources/models")
    done = verify(project, ARCHIVE, "--sample", "8", PERSONA_DATA_DIR=str(project.path))
    assert done.returncode == 0, done.stdout
    assert "manifests of models: 2 of 2 agree" in done.stdout
    assert "weights from their own source: 2 of 2 agree" in done.stdout
    assert "answers: 8 of 8 agree" in done.stdout


def test_a_folder_of_peft_is_the_adapter_that_it_was_made_of(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "project")
    folder = write_folder(project.path / "lora", of_pairs(draw_adapter()))
    sums = [sha256_file(folder / name) for name in PEFT]
    source = {"kind": "path", "path": "lora/adapter_model.safetensors", "sha256": sums}
    project.edit(BOLD, lambda adapter: adapter.update(source=source))
    jobs = project.jobs("--", MANIFEST)
    assert jobs == ["adapt_model tiny@bold", "convert_adapter tiny@bold"]
    project.run("--cores", "1", "--", MANIFEST)
    place = "resources/models/tiny@bold/adapter.gguf"
    found, wanted = (
        {one.name: one.data.tobytes() for one in GGUFReader(each.path / place).tensors}
        for each in (project, answered)
    )
    assert found == wanted
    origin = json.loads((project.path / MANIFEST).read_text())["adapter"]
    assert [one["sha256"] for one in origin["parts"]] == sums
    assert not list((project.path / place).parent.glob("peft*"))
    # What is wrong is said before anything is left behind.
    write_folder(folder, of_pairs(draw_adapter()), use_dora=True)
    sums[1] = sha256_file(folder / PEFT[1])
    project.edit(BOLD, lambda adapter: adapter["source"].update(sha256=sums))
    done = project.snakemake("--cores", "1", "--", MANIFEST)
    (line,) = {one for one in done.stdout.splitlines() if one.startswith("error: ")}
    assert line.startswith(
        f"error: {BOLD}: key `source`: adapter_config.json has the key `use_dora`"
    )
    assert not (project.path / place).exists()
    project.edit(BOLD, lambda adapter: adapter["source"].update(sha256=sums[0]))
    refused(project, BOLD, "list in `sha256` the checksums of adapter_model.safetensors")


def test_a_judge_has_an_adapter_whose_base_answers_nothing(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "project")
    add_model(project, "other", seed=1)
    project.edit("config/models/other.yaml", lambda model: model.update(family="other"))
    add_adapter(project, "stern", "other")
    project.edit(
        "config/judges/smollm2_safety.yaml", lambda judge: judge.update(model="other@stern")
    )
    study = {"tasks": ["safety_teaching_short"], "judges": ["smollm2_safety"], "figures": []}
    project.edit("config/config.yaml", lambda content: content.update(study))
    jobs = project.jobs("--", "results/tables/judgements.parquet")
    assert {"download_model other", "prepare_model other"} <= set(jobs)
    assert {"download_adapter other@stern", "adapt_model other@stern"} <= set(jobs)
    assert not any("other/" in job for job in jobs)


def test_what_cannot_be_run_is_refused_before_any_work(answered: Project, tmp_path: Path) -> None:
    config = "config/config.yaml"
    for change, *words in (
        (set_key(config, "models", value=["tiny@bolt"]), "'bolt'", "known ids:", "bold"),
        (set_key(config, "models", value=["tinny@bold"]), "'tinny'", "known ids:"),
        (set_key(config, "models", value=["tiny@"]), "`models.0`", "must be an id"),
        (set_key(BOLD, "base", value="smollm2_135m_instruct"), BOLD, "key `base`", "mend the key"),
        (set_key(BOLD, "source", "path", value="gone.gguf"), BOLD, "`source.path`", "mend the"),
        (set_key(BOLD, "source", "kind", value="server"), BOLD, "`source.kind`"),
        (set_key(BOLD, "scale", value="much"), BOLD, "`scale`", "a number"),
        (set_key(TINY, "source", value=SERVER), BOLD, "key `base`", "which runs on a server"),
    ):
        changed = answered.copy(tmp_path / "changed")
        shutil.rmtree(changed.path / "resources/models")
        change(changed)
        refused(changed, *words)
        shutil.rmtree(changed.path)


def test_an_adapter_that_does_not_fit_is_refused_before_answers(
    answered: Project, tmp_path: Path
) -> None:
    project = answered.copy(tmp_path / "project")
    folder = project.path / "resources/models/tiny@bold"
    project.edit(BOLD, lambda adapter: adapter["source"].update(path="bold.gguf"))

    def refused_by(rule: str) -> str:
        shutil.rmtree(folder, ignore_errors=True)
        done = project.snakemake("--cores", "1", "--", MANIFEST)
        assert done.returncode != 0
        assert f"Error in rule {rule}:" in done.stdout
        assert not (folder / "manifest.json").exists()
        (line,) = {one for one in done.stdout.splitlines() if one.startswith("error: ")}
        return line

    write_adapter(project.path / "bold.gguf", draw_adapter(seed=1))
    line = refused_by("download_adapter")
    assert line.startswith(f"error: {BOLD}: key `source.sha256`: expected")
    write_adapter(project.path / "bold.gguf", draw_adapter(), architecture="gemma3")
    sha256 = sha256_file(project.path / "bold.gguf")
    project.edit(BOLD, lambda adapter: adapter["source"].update(sha256=sha256))
    line = refused_by("adapt_model")
    assert line.startswith(f"error: {BOLD}: the adapter does not fit the model of key `base`")
