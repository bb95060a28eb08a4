"""Bad input stops with one sentence on file, key and remedy, and leaves nothing half-made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from project import Project, add_model
from refusals import refused_at_once, refused_by_a_job, set_key, set_text
from tiny_model import CHATML

from persona_paradox.files import sha256_file

PERSONA = "config/personas/ed_nurse.yaml"
TASK = "config/tasks/triage_ed.yaml"
DATASET = "config/datasets/teaching_ed.yaml"
MODEL = "config/models/tiny.yaml"
CASES = "resources/bundled/teaching_ed.csv"


CONFIGURATION = {
    "broken YAML": (
        lambda p: (p.path / PERSONA).write_text("title: [ED nurse\ntexts: {"),
        (PERSONA, "line", "not valid YAML", "mend"),
    ),
    "a key twice": (
        lambda p: (p.path / PERSONA).write_text("title: a\ngroup: own\ntitle: b\n"),
        (PERSONA, "line 3", "'title' stands twice"),
    ),
    "not a mapping": (lambda p: (p.path / PERSONA).write_text("- a\n"), (PERSONA, "README")),
    "unknown key": (
        set_key(PERSONA, "text", value="You are a nurse."),
        (PERSONA, "'text' was unexpected"),
    ),
    "unknown key of the study": (
        set_key("config/config.yaml", "persona", value=[]),
        ("'persona'",),
    ),
    "missing key": (lambda p: p.edit(TASK, lambda t: t.pop("labels")), (TASK, "'labels'")),
    "wrong type": (
        set_key("config/config.yaml", "seed", value="seven"),
        ("`seed`", "'seven' is not of type 'integer'"),
    ),
    "unknown persona": (
        set_key("config/config.yaml", "personas", value=["no_persona", "ed_nurs"]),
        ("`personas`", "'ed_nurs'", "config/personas/ed_nurs.yaml", "ed_nurse"),
    ),
    "unknown data set": (set_key(TASK, "dataset", value="teaching"), (TASK, "'teaching'", "known")),
    "unsafe id": (
        set_key("config/config.yaml", "personas", value=["no_persona", "x; rm -rf ~"]),
        ("`personas.1`", "does not match"),
    ),
    "reserved id": (set_key("config/config.yaml", "models", value=["human"]), ("reserved",)),
    "label without a level": (
        set_key(TASK, "labels", 0, "level", value="esi_9"),
        (TASK, "`labels`", "esi_9", "teaching_ed"),
    ),
    "level the data set does not have": (
        set_key(DATASET, "columns", "reference", "values", "1", value="esi_0"),
        (DATASET, "`columns.reference.values`", "'esi_0'", "esi_1"),
    ),
    "high acuity unknown": (
        set_key(DATASET, "high_acuity", value=["esi_7"]),
        (DATASET, "`high_acuity`", "esi_7"),
    ),
    "the answer in the case": (
        set_key(DATASET, "columns", "case", "column", value="decision_point"),
        (DATASET, "`columns.case`", "gives the answer away"),
    ),
    "two personas with one text": (
        set_key(PERSONA, "texts", "main", value="You are a Highway department bridge engineer."),
        ("ed_nurse.main", "bridge_engineer.main", "same text"),
    ),
    "level kept that no data set has": (
        set_key("config/config.yaml", "limit_keeps", value=["esi_0"]),
        ("`limit_keeps`", "'esi_0'", "esi_1", "use one of"),
    ),
    "metric of the family that there is not": (
        set_key("config/config.yaml", "statistics", value={"family": {"metrics": ["accuracies"]}}),
        ("`statistics.family.metrics.0`", "'accuracies'", "mend"),
    ),
    "margin without a metric": (
        set_key("config/config.yaml", "statistics", value={"margins": {"smooth_ece": 0.1}}),
        ("`statistics.margins`", "'smooth_ece'", "smooth_ece_top_label"),
    ),
    "cluster in a column that is not kept": (
        set_key(DATASET, "columns", "cluster", value="family"),
        (DATASET, "`columns.cluster`", "'family'", "`columns.keep`", "add it"),
    ),
    "subgroup in a column that is not kept": (
        set_key(DATASET, "subgroups", 0, "column", value="weight"),
        (DATASET, "`subgroups.sex.column`", "'weight'", "`columns.keep`", "add it"),
    ),
    "bands that do not rise": (
        set_key(DATASET, "subgroups", 1, "cuts", value=[65, 18]),
        (DATASET, "`subgroups.age.cuts`", "[65, 18]", "order"),
    ),
    "a subgrouping twice": (
        set_key(DATASET, "subgroups", 0, "id", value="age"),
        (DATASET, "`subgroups`", "rename"),
    ),
    "missing baseline": (
        set_key("config/config.yaml", "baseline", value="ed_physician"),
        ("`baseline`", "'ed_physician'", "personas"),
    ),
    "no task in these contexts": (
        lambda p: p.edit(
            "config/config.yaml",
            lambda s: s.update(contexts=["primary_care"], tasks=["triage_ed"]),
        ),
        ("`contexts`", "add"),
    ),
    "data folder not given": (
        set_key("config/config.yaml", "tasks", value=["triage_semigran"]),
        ("config/datasets/semigran.yaml", "`source.path`", "PERSONA_DATA_DIR"),
    ),
    "data file missing": (
        lambda p: p.edit(
            "config/config.yaml", lambda s: s.update(tasks=["triage_semigran"], data_dir="nowhere")
        ),
        ("config/datasets/semigran.yaml", "`source.path`", "nowhere/semigran45", "mend"),
    ),
    "model file missing": (
        lambda p: (p.path / "tiny.gguf").unlink(),
        (MODEL, "`source.path`", "tiny.gguf", "mend"),
    ),
}


@pytest.mark.parametrize("name", CONFIGURATION)
def test_configuration(project: Project, name: str) -> None:
    change, words = CONFIGURATION[name]
    change(project)
    refused_at_once(project, *words)


def edit_cases(project: Project, change: Callable[[list[dict[str, str]]], None]) -> None:
    path = project.path / CASES
    rows = pl.read_csv(path, infer_schema=False).to_dicts()
    change(rows)
    pl.DataFrame(rows).write_csv(path)


BAD_CASES = {
    "label not in the set": (
        lambda rows: rows[3].update(esi="9"),
        (DATASET, "'9'", "'esi'", "`columns.reference.values`", "the set is 1, 2, 3, 4, 5"),
    ),
    "empty case text": (
        lambda rows: rows[5].update(case="   "),
        (DATASET, "ted_06", "is empty", "`columns.case.column`"),
    ),
    "duplicate ids": (
        lambda rows: rows[5].update(id="ted_01"),
        (DATASET, "'ted_01'", "more than once", "`columns.item_id.column`"),
    ),
    "the id of a null case": (
        lambda rows: rows[5].update(id="null:1"),
        (DATASET, "'null:1'", "'null:'", "`columns.item_id.column`", "rename it"),
    ),
    "missing id": (
        lambda rows: rows[5].update(id=""),
        (DATASET, "item 6 has no id", "`columns.item_id.column`"),
    ),
    "missing column": (
        lambda rows: [row.pop("esi") for row in rows],
        (DATASET, "`columns.reference.column`", "'esi'", "decision_point"),
    ),
}


@pytest.mark.parametrize("name", BAD_CASES)
def test_cases(project: Project, name: str) -> None:
    change, words = BAD_CASES[name]
    edit_cases(project, change)
    refused_by_a_job(project, "resources/datasets/teaching_ed.parquet", *words)


RAN = "ran"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
COMMAND = "__import__('pathlib').Path('ran').touch()"


def in_file(file: str, text: str) -> Callable[[Project], None]:
    """Put a line of YAML in front of a file."""

    def change(project: Project) -> None:
        path = project.path / file
        path.write_text(text + path.read_text())

    return change


HOSTILE = {
    "code of a template engine": (
        in_file("config/config.yaml", f"__use_yte__: true\ncontexts: ?{COMMAND}\n"),
        ("config/config.yaml", "`__use_yte__`", "take it out"),
    ),
    "a Python object in the study": (
        in_file("config/config.yaml", "contexts: !!python/object/apply:os.mkdir [ran]\n"),
        ("config/config.yaml, line 1", "python/object/apply:os.mkdir", "mend"),
    ),
    "the name of a Python function in the study": (
        in_file("config/config.yaml", "contexts: !!python/name:os.mkdir\n"),
        ("config/config.yaml, line 1", "python/name:os.mkdir", "mend"),
    ),
    "a Python object": (
        set_text(PERSONA, "title: !!python/object/apply:os.mkdir [ran]\ngroup: own\n"),
        (f"{PERSONA}, line 1", "python/object/apply:os.mkdir", "mend"),
    ),
    "aliases of aliases": (
        set_text(PERSONA, LAUGHS),
        (f"{PERSONA}, line 2", "an alias", "write the value itself"),
    ),
    "aliases of aliases in the study": (
        in_file("config/config.yaml", LAUGHS),
        ("config/config.yaml, line 2", "an alias", "write the value itself"),
    ),
    "a value in itself": (
        in_file("config/config.yaml", "contexts: &a [*a]\n"),
        ("config/config.yaml, line 1", "an alias"),
    ),
    "values in values in values": (
        set_text(PERSONA, "title: " + "[" * 5000),
        (PERSONA, "nests values too deeply"),
    ),
    "a key that is no text": (
        set_text(PERSONA, "[a, b]: c\n"),
        (f"{PERSONA}, line 1", "a key must be text"),
    ),
    "a key with a new line and a command for the terminal": (
        set_text(PERSONA, 'title: {"\\n\\e[2J": "\\0"}\n'),
        (PERSONA, r"`title.\n\x1b[2J`", "U+0000"),
    ),
    "a date that is none": (
        set_text(PERSONA, "title: 2001-13-45\n"),
        (PERSONA, "month must be in 1..12", "quotes"),
    ),
    "a date": (set_text(PERSONA, "title: 2001-01-01\n"), (PERSONA, "`title`", "in quotes")),
    "a number that is none": (
        set_key("config/config.yaml", "statistics", value={"confidence": float("nan")}),
        ("`statistics.confidence`", "nan"),
    ),
    "a number that no machine can hold": (
        set_text(PERSONA, f"title: 0x{'f' * 5000}\n"),
        (PERSONA, "`title`", "more than 64 bits"),
    ),
    "half of a character": (
        set_text(PERSONA, 'title: "\\ud800"\n'),
        (PERSONA, "`title`", "U+D800"),
    ),
    "a persona that is a command": (
        set_key("config/config.yaml", "personas", value=["no_persona", "x; touch ran"]),
        ("`personas.1`", "'x; touch ran' does not match"),
    ),
    "an id that ends a line": (
        set_key("config/config.yaml", "personas", value=["no_persona", "ed_nurse\n"]),
        ("`personas.1`", "does not match"),
    ),
    "an id that is too long for a file": (
        set_key("config/config.yaml", "personas", value=["no_persona", "x" * 300]),
        ("`personas.1`", "does not match"),
    ),
    "a path that is too long": (
        set_key(MODEL, "source", "path", value="x" * 300),
        ("x" * 300, "File name too long", "shorten the name"),
    ),
    "a bundled file that is none": (
        set_key(DATASET, "source", "path", value="resources/bundled/../../../secret.csv"),
        (DATASET, "`source.path`", "does not match"),
    ),
    "a kept column in the place of another": (
        set_key(DATASET, "columns", "keep", value=["age", "age_years", "sex", "complaint", "case"]),
        (DATASET, "`columns.keep`", "'case'", "rename"),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_configuration(project: Project, name: str) -> None:
    change, words = HOSTILE[name]
    change(project)
    refused_at_once(project, *words)
    assert not (project.path / RAN).exists()


def test_study_of_someone_else_is_checked_before_snakemake_reads_it(project: Project) -> None:
    path = project.path / "config/studies/theirs.yaml"

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "workflow/scripts/check_study.py", "config/studies/theirs.yaml"],
            cwd=project.path,
            capture_output=True,
            text=True,
            check=False,
        )

    path.mkdir(parents=True)
    done = check()
    assert done.returncode == 1
    assert done.stderr == f"error: {path.relative_to(project.path)}: Is a directory; name a file\n"
    path.rmdir()
    path.write_text("title: A good one\n")
    assert check().returncode == 0
    for text, word in (
        (f"__use_yte__: true\ntitle: ?{COMMAND}\n", "__use_yte__"),
        (LAUGHS, "alias"),
    ):
        path.write_text(text)
        done = check()
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: config/studies/theirs.yaml")
        assert word in line
        assert not (project.path / RAN).exists()
    # Snakemake would have run it; then nothing else runs.
    path.write_text(f"__use_yte__: true\ntitle: ?{COMMAND}\n")
    done = project.snakemake("-n", "--configfile", "config/studies/theirs.yaml")
    assert done.returncode != 0
    assert "error: config/studies/theirs.yaml: key `__use_yte__`" in done.stdout


def on_hub(revision: str) -> Callable[[dict], None]:
    source = {"kind": "hub", "repo": "someone/tiny", "file": "tiny.gguf", "sha256": "0" * 64}
    return lambda model: model.update(source=source | {"revision": revision})


def test_published_study_pins_every_revision(project: Project) -> None:
    project.edit(MODEL, on_hub("main"))
    assert project.jobs()
    project.edit("config/config.yaml", lambda study: study.update(published=True))
    refused_at_once(project, MODEL, "`source.revision`", "'main'", "`published: true`", "commit")
    project.edit(MODEL, on_hub("0123456789abcdef0123456789abcdef01234567"))
    assert project.jobs()


GGUF = "resources/models/tiny/model.gguf"
RESPONSES = "results/responses/tiny/triage_ed/ed_nurse.parquet"


def test_wrong_checksum_of_a_model(project: Project) -> None:
    right = sha256_file(project.path / "tiny.gguf")
    project.edit(MODEL, lambda m: m["source"].update(sha256="0" * 64))
    refused_by_a_job(project, GGUF, MODEL, "`source.sha256`", "0" * 64, right)


def test_wrong_checksum_of_a_data_set(project: Project, data_dir: Path) -> None:
    broken = project.path / "data" / "semigran45"
    broken.mkdir(parents=True)
    text = (data_dir / "semigran45/semigran_vignettes.jsonl").read_text()
    (broken / "semigran_vignettes.jsonl").write_text(text.replace("woman", "man", 1))
    project.edit(
        "config/config.yaml", lambda s: s.update(tasks=["triage_semigran"], data_dir="data")
    )
    target = "resources/datasets/semigran.parquet"
    refused_by_a_job(project, target, "config/datasets/semigran.yaml", "`source.sha256`")


def test_truncated_model(project: Project) -> None:
    path = project.path / "tiny.gguf"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    project.edit(MODEL, lambda m: m["source"].update(sha256=sha256_file(path)))
    refused_by_a_job(project, GGUF, MODEL, "truncated or damaged")


def test_model_without_a_chat_template(project: Project) -> None:
    add_model(project, template=None)
    refused_by_a_job(project, RESPONSES, MODEL, "no chat template", "use an instruct build")


def test_model_whose_template_loses_the_users_words(project: Project) -> None:
    add_model(project, template=CHATML.replace("message['content']", "'Hello'"))
    refused_by_a_job(project, RESPONSES, MODEL, "chat template", "use another build")


ENDLESS = """\
{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}\
{% endfor %}{% endfor %}"""
DOUBLING = """\
{% set kept = namespace(text='ha') %}\
{% for i in range(99) %}{% set kept.text = kept.text ~ kept.text %}{% endfor %}"""
TEMPLATES = {
    "never ends": (ENDLESS + CHATML, "more than 2 s of computing"),
    "writes without end": (DOUBLING + CHATML, "it writes too much"),
    "looks behind the scenes": (
        "{{ messages.__class__.__mro__[1].__subclasses__() }}" + CHATML,
        "attribute '__class__' of 'list'",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_model_whose_template_is_hostile(project: Project, name: str) -> None:
    template, words = TEMPLATES[name]
    add_model(project, template=template)
    refused_by_a_job(project, RESPONSES, MODEL, "chat template", words, "use another build")


def test_window_larger_than_the_model_was_trained_for(project: Project) -> None:
    project.edit(MODEL, lambda m: m["engine"].update(context=1_000_000))
    refused_by_a_job(project, RESPONSES, MODEL, "`engine.context`", "trained for")


def test_labels_the_tokenizer_cannot_tell_apart(project: Project) -> None:
    def ten(task: dict) -> None:
        task["labels"][4]["label"] = "10"

    project.edit(TASK, ten)
    refused_by_a_job(project, RESPONSES, MODEL, "'1'", "'10'", "choose other labels")


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
    refused_by_a_job(full_disk, GGUF, "needs", "free on resources/models", "run again")


def test_going_on_after_the_remedy(project: Project) -> None:
    right = sha256_file(project.path / "tiny.gguf")
    project.edit(MODEL, lambda m: m["source"].update(sha256="0" * 64))
    assert project.snakemake("--cores", "1", RESPONSES).returncode != 0
    project.edit(MODEL, lambda m: m["source"].update(sha256=right))
    project.run("--cores", "1", "--rerun-incomplete", RESPONSES)
    assert (project.path / RESPONSES).exists()
