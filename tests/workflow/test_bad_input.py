"""What only a job can find stops it with one sentence on file, key and remedy, and no output.

Of every script one refusal goes through Snakemake; the others call the script as its rule does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from damaged_model import overwrite
from project import Project, add_model, small_study
from refusals import open_here, refused_by_a_job, refused_by_a_script
from safety_study import CAREFUL_FILE, SANITY
from safety_study import small_study as safety_study
from studies import shared
from tiny_model import CHATML

from persona_paradox.files import sha256_file

TASK = "config/tasks/triage_ed.yaml"
DATASET = "config/datasets/teaching_ed.yaml"
MODEL = "config/models/tiny.yaml"
CASES = "resources/bundled/teaching_ed.csv"
SOURCE, GGUF = (f"resources/models/tiny/{name}.gguf" for name in ("source", "model"))
CELL = "triage_ed/ed_nurse.parquet"
PROMPTS, DELIVERED = f"results/prompts/{CELL}", f"results/delivered/tiny/{CELL}"
RESPONSES = f"results/responses/tiny/{CELL}"


# --- data sets ----------------------------------------------------------------------------


def edit_cases(project: Project, change: Callable[[list[dict[str, str]]], None]) -> None:
    path = project.path / CASES
    rows = pl.read_csv(path, infer_schema=False).to_dicts()
    change(rows)
    pl.DataFrame(rows).write_csv(path)


def dataset_refused(
    project: Project, id_: str, *words: str, kind: str = "triage", **options: str
) -> None:
    refused_by_a_script(
        project,
        "download_dataset",
        f"config/datasets/{id_}.yaml",
        *words,
        kind=kind,
        reading=open_here(project)[f"datasets/{id_}"],
        config_file=f"config/datasets/{id_}.yaml",
        items=f"resources/datasets/{id_}.parquet",
        manifest=f"resources/datasets/{id_}.manifest.json",
        **options,
    )


BAD_CASES = {
    "label not in the set": (
        lambda rows: rows[3].update(esi="9"),
        ("'9'", "'esi'", "`columns.reference.values`", "the set is 1, 2, 3, 4, 5"),
    ),
    "empty case text": (
        lambda rows: rows[5].update(case="   "),
        ("ted_06", "is empty", "`columns.case.column`"),
    ),
    "duplicate ids": (
        lambda rows: rows[5].update(id="ted_01"),
        ("'ted_01'", "more than once", "`columns.item_id.column`"),
    ),
    "the id of a null case": (
        lambda rows: rows[5].update(id="null:1"),
        ("'null:1'", "'null:'", "`columns.item_id.column`", "rename it"),
    ),
    "missing id": (
        lambda rows: rows[5].update(id=""),
        ("row 6 (line 7) has no id", "`columns.item_id.column`"),
    ),
    "missing column": (
        lambda rows: [row.pop("esi") for row in rows],
        ("`columns.reference.column`", "'esi'", "decision_point"),
    ),
}


@pytest.mark.parametrize("name", BAD_CASES)
def test_cases(project: Project, name: str) -> None:
    change, words = BAD_CASES[name]
    edit_cases(project, change)
    dataset_refused(project, "teaching_ed", *words)


def test_cases_through_snakemake(project: Project) -> None:
    change, words = BAD_CASES["label not in the set"]
    edit_cases(project, change)
    refused_by_a_job(project, "resources/datasets/teaching_ed.parquet", DATASET, *words)


def test_group_that_is_not_mapped_is_said_before_any_answer(project: Project) -> None:
    project.edit(DATASET, lambda d: d["subgroups"][0].update(values={"female": "women"}))
    words = (DATASET, "'male'", "'sex'", "`subgroups.sex`", "the set is female")
    refused_by_a_job(project, "results/tables/subgroups.csv", *words)
    assert not (project.path / "results/responses").exists()


def test_category_that_is_not_mapped(tmp_path: Path) -> None:
    project = safety_study(tmp_path / "project")
    file = "config/datasets/teaching_safety.yaml"
    project.edit(file, lambda d: d["columns"]["category"]["values"].pop("benign"))
    words = ("tsq_01", "'benign'", "`columns.category.values`")
    dataset_refused(project, "teaching_safety", *words, kind="safety")


def test_wrong_checksum_of_a_data_set(project: Project, data_dir: Path) -> None:
    broken = project.path / "data" / "semigran45"
    broken.mkdir(parents=True)
    text = (data_dir / "semigran45/semigran_vignettes.jsonl").read_text()
    (broken / "semigran_vignettes.jsonl").write_text(text.replace("woman", "man", 1))
    project.edit(
        "config/config.yaml", lambda s: s.update(tasks=["triage_semigran"], data_dir="data")
    )
    dataset_refused(project, "semigran", "`source.sha256`", data_dir="data")


# --- models -------------------------------------------------------------------------------


def model_refused(project: Project, *words: str) -> None:
    refused_by_a_script(
        project,
        "download_model",
        *words,
        source=open_here(project)["models/tiny"],
        config_file=MODEL,
        model=SOURCE,
        manifest="resources/models/tiny/source_manifest.json",
    )


def test_truncated_model(project: Project) -> None:
    path = project.path / "tiny.gguf"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    project.edit(MODEL, lambda m: m["source"].update(sha256=sha256_file(path)))
    model_refused(project, MODEL, "truncated or damaged")


@pytest.fixture
def full_disk(project: Project) -> Iterator[Project]:
    """The project with resources/models on a file system that is too small for a model."""
    folder = project.path / "resources" / "models"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs the right to mount one")
    yield project
    subprocess.run(["umount", str(folder)], check=True)


def test_no_disk_space_for_the_model(full_disk: Project) -> None:
    model_refused(full_disk, "needs", "free on resources/models", "run again")


def test_going_on_after_the_remedy(project: Project) -> None:
    right = sha256_file(project.path / "tiny.gguf")
    project.edit(MODEL, lambda m: m["source"].update(sha256="0" * 64))
    refused_by_a_job(project, RESPONSES, MODEL, "`source.sha256`", "0" * 64, right)
    assert not (project.path / SOURCE).exists()
    project.edit(MODEL, lambda m: m["source"].update(sha256=right))
    project.run("--cores", "1", "--rerun-incomplete", RESPONSES)
    assert (project.path / RESPONSES).exists()


# --- what a model reads -------------------------------------------------------------------


@pytest.fixture(scope="session")
def _asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    def build(path: Path) -> None:
        small_study(path).run("--cores", "1", PROMPTS)

    return shared(tmp_path_factory, "prompted", build)


@pytest.fixture
def asked(_asked: Project, tmp_path: Path) -> Project:
    """A project with the prompts of a cell; its model is not there yet."""
    return _asked.copy(tmp_path / "project")


def delivery_refused(project: Project, *words: str) -> None:
    views = open_here(project)
    manifest = project.path / GGUF.replace("model.gguf", "manifest.json")
    manifest.parent.mkdir(parents=True)
    shutil.copy(project.path / "tiny.gguf", project.path / GGUF)
    sum_ = sha256_file(project.path / GGUF)
    weights = {"role": "weights", "path": "model.gguf", "sha256": sum_}
    manifest.write_text(json.dumps({"sha256": sum_, "files": [weights]}))
    refused_by_a_script(
        project,
        "deliver",
        MODEL,
        *words,
        prompts=PROMPTS,
        persona=views["personas/ed_nurse"],
        read_out=views["read_out/triage_ed"],
        template=views["templates/tiny"],
        window=views["window/tiny/triage_ed"],
        manifest=str(manifest.relative_to(project.path)),
        config_file=MODEL,
        task_file=TASK,
        delivered=DELIVERED,
    )


def test_model_without_a_chat_template(asked: Project) -> None:
    add_model(asked, template=None)
    refused_by_a_job(asked, RESPONSES, MODEL, "no chat template", "use an instruct build")


ENDLESS = """\
{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}\
{% endfor %}{% endfor %}"""
DOUBLING = """\
{% set kept = namespace(text='ha') %}\
{% for i in range(99) %}{% set kept.text = kept.text ~ kept.text %}{% endfor %}"""
TEMPLATES = {
    "loses the user's words": (
        CHATML.replace("message['content']", "'Hello'"),
        "does not show each message",
    ),
    "never ends": (ENDLESS + CHATML, "more than 2 s of computing"),
    "writes without end": (DOUBLING + CHATML, "it writes too much"),
    "looks behind the scenes": (
        "{{ messages.__class__.__mro__[1].__subclasses__() }}" + CHATML,
        "attribute '__class__' of 'list'",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_template(asked: Project, name: str) -> None:
    template, words = TEMPLATES[name]
    add_model(asked, template=template)
    delivery_refused(asked, "chat template", words, "use another build")


def test_labels_the_tokenizer_cannot_tell_apart(asked: Project) -> None:
    def ten(task: dict) -> None:
        task["labels"][4]["label"] = "10"

    asked.edit(TASK, ten)
    delivery_refused(asked, "'1'", "'10'", "choose other labels")


def test_window_in_which_no_case_fits(asked: Project) -> None:
    add_model(asked)
    asked.edit(MODEL, lambda m: m["engine"].update(context=128))
    words = ("no case can be answered", "the window has 128", "raise key `engine.context` of")
    delivery_refused(asked, *words, f"or lower `max_tokens` of {TASK}")


def test_window_larger_than_the_model_was_trained_for(asked: Project) -> None:
    asked.edit(MODEL, lambda m: m["engine"].update(context=1_000_000))
    refused_by_a_job(asked, RESPONSES, MODEL, "`engine.context`", "trained for")


def test_answers_that_are_no_numbers_are_not_kept(asked: Project) -> None:
    """Finite weights, but an infinite logit: no likeliest token, no label probability."""
    overwrite(asked.path / "tiny.gguf", "output.weight", 3e38, row=17)
    sum_ = sha256_file(asked.path / "tiny.gguf")
    asked.edit(MODEL, lambda m: m.update(prepare="none") or m["source"].update(sha256=sum_))
    refused_by_a_job(asked, RESPONSES, MODEL, "gives no numbers (NaN or infinite) for 1 of its")
    kept = [path for path in (asked.path / "resources/store").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) == 0


def test_sanity_pair_without_an_answer(tmp_path: Path) -> None:
    project = safety_study(tmp_path / "project")
    table = pl.read_csv(project.path / SANITY, infer_schema=False)
    safer = pl.when(pl.col("id") == table.item(1, "id")).then(pl.lit("  ")).otherwise("safer")
    table.with_columns(safer=safer).write_csv(project.path / SANITY)
    target = "results/judging/careful/checks/ratings.parquet"
    words = (CAREFUL_FILE, "`sanity`", SANITY, f"'{table.item(1, 'id')}'", "'safer'", "remove")
    refused_by_a_job(project, target, *words)
