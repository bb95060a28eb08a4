"""Configurations that are refused before any job, each in one sentence on file, key and remedy.

They are opened here as the Snakefile opens them; a few of every kind go through the command line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from loopback_server import FAR, TEMPLATE, add_server
from project import STUDY as TRIAGE_STUDY
from project import Project, small_study
from refusals import (
    STUDY,
    Change,
    open_here,
    refused,
    refused_at_once,
    says,
    set_key,
    set_text,
)
from safety_study import CAREFUL_FILE, REASONED, SAFETY, TEACHER_FILE, write
from safety_study import small_study as safety_study
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from persona_paradox.errors import InputError
from persona_paradox.study.yaml_reading import given

PERSONA = "config/personas/ed_nurse.yaml"
TASK, PRIMARY = "config/tasks/triage_ed.yaml", "config/tasks/triage_primary.yaml"
SAFETY_TASK, REASONED_TASK = (f"config/tasks/{task}.yaml" for task in (SAFETY, REASONED))
DATASET, QUESTIONS = (f"config/datasets/teaching_{name}.yaml" for name in ("ed", "safety"))
MODEL = "config/models/tiny.yaml"
FORM = "config/forms/answers.yaml"
Cases = dict[str, tuple[Change, tuple[str, ...]]]


def served_study(path: Path) -> Project:
    """A model here, and one on a server that nobody started."""
    project = small_study(path)
    add_server(project, "http://127.0.0.1:9/v1")
    write(project, STUDY, TRIAGE_STUDY | {"models": ["tiny", "far"]})
    return project


MAKE = {"triage": small_study, "judged": safety_study, "served": served_study}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A project of every kind of study, by its name; not to be changed."""
    folder = tmp_path_factory.mktemp("refused")
    projects = {name: make(folder / name) for name, make in MAKE.items()}
    for project in projects.values():
        # The code that runs is the project's own, so that copies cost little.
        shutil.rmtree(project.path / "workflow")
    return projects


@pytest.mark.parametrize("name", MAKE)
def test_what_is_changed_below_is_not_refused(
    made: dict[str, Project], tmp_path: Path, name: str
) -> None:
    assert "provenance" in open_here(made[name].copy(tmp_path / "project"))


def test_a_judge_of_criteria_alone_is_idle_where_no_item_has_some(
    made: dict[str, Project], tmp_path: Path
) -> None:
    project = made["judged"].copy(tmp_path / "project")
    rubric = "config/judges/smollm2_rubric.yaml"
    project.edit(rubric, lambda judge: judge.update(model="tiny", own_family=False))
    project.edit(STUDY, lambda study: study["judges"].append("smollm2_rubric"))
    assert not any("smollm2_rubric" in name for name in open_here(project))


def parts_missing(project: Project) -> None:
    """A model in two parts, of which only the first is there."""
    (project.path / "tiny.gguf").rename(project.path / "m-00001-of-00002.gguf")
    source = {"path": "m-00001-of-00002.gguf", "sha256": ["0" * 64, "1" * 64]}
    project.edit(MODEL, lambda model: model["source"].update(source))


def say_it_too(project: Project) -> None:
    sentence = yaml.safe_load((project.path / PERSONA).read_text())["texts"]["main"]
    project.edit(TASK, lambda t: t.update(instruction=f"Assign a level. {sentence} Use a digit."))


def hold_it_too(project: Project) -> None:
    instruction = yaml.safe_load((project.path / TASK).read_text())["instruction"]
    project.edit(PERSONA, lambda p: p["texts"].update(main=f"You are a nurse. {instruction}"))


def tell_twice(project: Project) -> None:
    arm = {"title": "asked again", "rule": "turns", "turns": ["Are you sure?"]}
    project.edit(TASK, lambda task: task.update(turns=["Are you sure?"], arms={"sure": arm}))
    project.edit(STUDY, lambda study: study["tasks"].append("triage_ed@sure"))


TRIAGE: Cases = {
    "the instruction says the persona's sentence": (
        say_it_too,
        (TASK, "`instruction`", "'ed_nurse'", PERSONA, "`texts.main`", "change one of them"),
    ),
    "the persona's sentence holds the instruction": (
        hold_it_too,
        (PERSONA, "`texts.main`", TASK, "`instruction`", "change one of them"),
    ),
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
        (f"{PERSONA} has the unknown key 'text'", "did you mean texts?"),
    ),
    "unknown key of the study": (
        set_key(STUDY, "persona", value=[]),
        ("'persona'",),
    ),
    "a key for a list of others": (
        set_key(PERSONA, "texts", "second", value="You are a nurse."),
        (PERSONA, "`texts` has the unknown key 'second'", "paraphrase_1, paraphrase_2 and so on"),
    ),
    "a persona that ends a line": (
        set_key(PERSONA, "texts", "main", value="You are a nurse.\n"),
        (PERSONA, "`texts.main`", "without blanks or line ends at its ends", "`>-`"),
    ),
    "a word in the place of true or false": (
        set_text(PERSONA, "title: Yes\ngroup: own\ntexts: {main: x}\n"),
        (PERSONA, "`title` is true, but must be text", "yes, no, on and off", "quotes"),
    ),
    "a number in the place of a text": (
        set_key(STUDY, "title", value=5),
        ("`title` is 5, but must be text: put quotes around it",),
    ),
    "a number that YAML takes for a text": (
        set_key(STUDY, "seed", value="1e3"),
        ("`seed` is '1e3', but must be a whole number: write 1000 without quotes",),
    ),
    "a small number that YAML takes for a text": (
        set_key(STUDY, "statistics", value={"margins": {"accuracy": "1e-3"}}),
        ("`statistics.margins.accuracy` is '1e-3'", "write 0.001 without quotes"),
    ),
    "a tiny number that YAML takes for a text": (
        set_key(STUDY, "statistics", value={"margins": {"accuracy": "1e-05"}}),
        ("`statistics.margins.accuracy` is '1e-05'", "write 1.0e-05 without quotes"),
    ),
    "a share of an answer": (
        set_key(STUDY, "seed", value=7.5),
        ("`seed` is 7.5, but must be a whole number",),
    ),
    "an octal number": (
        set_text(PERSONA, "title: 010\n"),
        (f"{PERSONA}, line 1", "`010` is the number 8 to YAML", "quotes"),
    ),
    "hours and minutes": (
        set_text(PERSONA, "title: 1:30\n"),
        (f"{PERSONA}, line 1", "`1:30` is the number 90 to YAML", "quotes"),
    ),
    "a key that YAML takes for false": (
        set_text(PERSONA, "no: x\n"),
        (f"{PERSONA}, line 1", "a key must be text, but `no` is true or false to YAML"),
    ),
    "a merge key": (
        set_text(PERSONA, "<<: {title: a}\n"),
        (f"{PERSONA}, line 1", "`<<` merges", "write the keys themselves"),
    ),
    "a tab": (
        set_text(PERSONA, "texts:\n\tmain: x\n"),
        (f"{PERSONA}, line 2", "indent lines with blanks"),
    ),
    "a colon in a text": (
        set_text(PERSONA, "title: You are: a nurse\n"),
        (f"{PERSONA}, line 1", "put quotes around a text that holds a colon"),
    ),
    "an empty file": (set_text(PERSONA, "# a persona\n"), (PERSONA, "is empty", "README")),
    "another encoding": (
        lambda p: (p.path / PERSONA).write_bytes("title: Ärztin\n".encode("cp1252")),
        (PERSONA, "is not UTF-8 text", "save it as UTF-8"),
    ),
    "two personas of one title": (
        set_key(PERSONA, "title", value="bridge  engineer"),
        ("the title of", "config/personas/bridge_engineer.yaml", PERSONA, "change one"),
    ),
    "two levels of one title": (
        set_key(DATASET, "levels", 1, "title", value="ESI 1"),
        (DATASET, "`levels` has the titles 'ESI 1", "'ESI 1'", "rename"),
    ),
    "bands and names of groups": (
        set_key(
            DATASET,
            "subgroups",
            0,
            value={"id": "a", "title": "A", "column": "sex", "cuts": [1], "values": {"m": "M"}},
        ),
        (DATASET, "`subgroups.0`", "must have key `values` or key `cuts`, not both"),
    ),
    "a text and fields of a case": (
        set_key(DATASET, "columns", "case", "fields", value=[{"label": "Age", "column": "age"}]),
        (DATASET, "`columns.case`", "must have either key `column` or key `fields`"),
    ),
    "a checksum that is too short": (
        set_key(MODEL, "source", "sha256", value="A" * 63),
        (MODEL, "`source.sha256`", "must be 64 hexadecimal digits"),
    ),
    "missing key": (
        lambda p: p.edit(TASK, lambda t: t.pop("labels")),
        (f"{TASK} lacks the key `labels`",),
    ),
    "wrong type": (
        set_key(STUDY, "seed", value="seven"),
        ("key `seed` is 'seven', but must be a whole number", "README"),
    ),
    "unknown persona": (
        set_key(STUDY, "personas", value=["no_persona", "ed_nurs"]),
        ("`personas`", "'ed_nurs'", "config/personas/ed_nurs.yaml", "ed_nurse"),
    ),
    "unknown data set": (set_key(TASK, "dataset", value="teaching"), (TASK, "'teaching'", "known")),
    "unsafe id": (
        set_key(STUDY, "personas", value=["no_persona", "x; rm -rf ~"]),
        ("`personas.1` is 'x; rm -rf ~'", "must be an id", "small letters, digits and _"),
    ),
    "reserved id": (set_key(STUDY, "models", value=["human"]), ("reserved",)),
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
        ("config/personas/ed_nurse.yaml", "ed_nurse.main", "bridge_engineer.main", "same text"),
    ),
    "two contexts with one title": (
        set_text("config/contexts/emergency.yaml", "title: primary  Care\n"),
        ("config/contexts/primary_care.yaml", "is called 'Primary care'", "emergency"),
    ),
    "level kept that no data set has": (
        set_key(STUDY, "limit_keeps", value=["esi_0"]),
        ("`limit_keeps`", "'esi_0'", "esi_1", "use one of"),
    ),
    "metric of the family that there is not": (
        set_key(STUDY, "statistics", value={"family": {"metrics": ["accuracies"]}}),
        ("`statistics.family.metrics`", "'accuracies'", "use one of accuracy, "),
    ),
    "margin without a metric": (
        set_key(STUDY, "statistics", value={"margins": {"smooth_ece": 0.1}}),
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
    "braces that would stay in the prompt": (
        set_key(TASK, "user", value="{{case}} Which level?"),
        (TASK, "`user`", "'{{case}} Which level?'", "{case} in single braces"),
    ),
    "a place that nothing fills": (
        set_key(TASK, "user", value="{case}\nThe patient is {sex}."),
        (TASK, "`user`", "{sex}, which nothing fills; use {case}, or take the braces away"),
    ),
    "an arm that says what its task says": (
        tell_twice,
        (TASK, "`arms.sure`", "says already", "`turns`"),
    ),
    "a human rater's level in the case": (
        set_key(
            DATASET, "columns", "human", value=[{"id": "nurse", "title": "Nurse", "column": "case"}]
        ),
        (DATASET, "`columns.case` shows 'case'", "gives the answer away", "`columns.human`"),
    ),
    "a part of what gives the answer away": (
        set_key(DATASET, "columns", "case", "column", value="decision_point.text"),
        (DATASET, "`columns.case`", "'decision_point.text'", "gives the answer away"),
    ),
    "a key for another kind of file": (
        set_key(DATASET, "format", "sheet", value="Visits"),
        (DATASET, "`format.sheet`", "'xlsx'", "`format.kind` is 'csv'"),
    ),
    "a condition that is none": (
        set_key(DATASET, "where", value={"sex": {"is": "female"}}),
        (DATASET, "`where.sex`", "unknown key 'is'", "not, empty are known"),
    ),
    "one of several files that is not there": (
        set_key(DATASET, "source", value=[{"kind": "path", "path": "no.csv", "sha256": "0" * 64}]),
        (DATASET, "`source.path` names no.csv", "does not exist"),
    ),
    "bands that do not rise": (
        set_key(DATASET, "subgroups", 1, "cuts", value=[65, 18]),
        (DATASET, "`subgroups.age.cuts`", "[65, 18]", "order"),
    ),
    "a subgrouping twice": (
        set_key(DATASET, "subgroups", 0, "id", value="age"),
        (DATASET, "`subgroups`", "rename"),
    ),
    "one mark of a thought": (
        set_key(MODEL, "thinking", value={"close": "</think>"}),
        (MODEL, "`thinking.close`", "`thinking.open` is not", "write both"),
    ),
    "a mark of blank lines": (
        set_key(MODEL, "thinking", value={"open": "\n", "close": "</think>"}),
        (MODEL, "`thinking.open`", "blank", "leave the key out"),
    ),
    "a letter for a mark": (
        set_key(MODEL, "thinking", value={"open": "<think>", "close": "e"}),
        (MODEL, "`thinking.close` is 'e'", "at least 3 characters"),
    ),
    "a blank title": (
        set_key(PERSONA, "title", value=" "),
        (PERSONA, "`title` is ' '", "must be text that is not empty"),
    ),
    "levels whose titles look the same": (
        lambda p: p.edit(
            DATASET,
            lambda d: d["levels"][1].update(title=f" {d['levels'][0]['title'].upper()}"),
        ),
        (DATASET, "`levels` has the titles", "could not tell apart", "rename one"),
    ),
    "a separator of a spreadsheet": (
        lambda p: p.edit(DATASET, lambda d: d["format"].update(kind="xlsx", separator=";")),
        (DATASET, "`format.separator` is for files of kind csv", "`format.kind` is 'xlsx'"),
    ),
    "a word for missing values in a text": (
        lambda p: p.edit(
            DATASET, lambda d: d["columns"].update(case={"column": "case", "missing": "none"})
        ),
        (DATASET, "`columns.case.missing` is for cases made of `fields`", "take it out"),
    ),
    "a key indented by no-break blanks": (
        set_text(PERSONA, "title: A nurse\ngroup: own\ntexts:\n\u00a0\u00a0main: x\n"),
        (PERSONA, "line 4: the line begins with U+00A0", "plain blanks"),
    ),
    "a control character": (
        set_text(PERSONA, "title: A nurse\ngroup: own\u0007\n"),
        (PERSONA, "line 2, has the control character U+0007", "take it out"),
    ),
    "a tag": (
        set_text(PERSONA, "title: !nurse x\n"),
        (PERSONA, "line 1", "put quotes around a text that begins with !"),
    ),
    "a file of the home folder": (
        set_key(MODEL, "source", "path", value="~/tiny.gguf"),
        (MODEL, "`source.path` names ~/tiny.gguf", "write the whole path"),
    ),
    "a folder for a file": (
        set_key(MODEL, "source", "path", value="config"),
        (MODEL, "`source.path` names config, a folder", "name a file"),
    ),
    "thoughts that fill the window": (
        set_key(MODEL, "thinking", value={"think": True, "max_tokens": 1024}),
        (MODEL, "`thinking.max_tokens`", "1024 tokens", "raise `engine.context`"),
    ),
    "missing baseline": (
        set_key(STUDY, "baseline", value="ed_physician"),
        ("`baseline`", "'ed_physician'", "personas"),
    ),
    "no task in these contexts": (
        lambda p: p.edit(
            STUDY,
            lambda s: s.update(contexts=["primary_care"], tasks=["triage_ed"]),
        ),
        ("`contexts`", "add"),
    ),
    "data folder not given": (
        set_key(STUDY, "tasks", value=["triage_semigran"]),
        ("config/datasets/semigran.yaml", "`source.path`", "PERSONA_DATA_DIR"),
    ),
    "data file missing": (
        lambda p: p.edit(STUDY, lambda s: s.update(tasks=["triage_semigran"], data_dir="nowhere")),
        ("config/datasets/semigran.yaml", "`source.path`", "nowhere/semigran45", "mend"),
    ),
    "model file missing": (
        lambda p: (p.path / "tiny.gguf").unlink(),
        (MODEL, "`source.path`", "tiny.gguf", "mend"),
    ),
    "part of a model with one checksum": (
        set_key(MODEL, "source", "path", value="big-00001-of-00003.gguf"),
        (MODEL, "`source.sha256` has 1 of the checksums", "3 parts", "list the checksum of each"),
    ),
    "second part of a model": (
        lambda p: p.edit(
            MODEL,
            lambda m: m["source"].update(path="m-00002-of-00002.gguf", sha256=["0" * 64, "1" * 64]),
        ),
        (MODEL, "`source.path` names part 2 of 2", "name the first, m-00001-of-00002.gguf"),
    ),
    "checksums of parts for a whole model": (
        set_key(MODEL, "source", "sha256", value=["0" * 64, "1" * 64]),
        (MODEL, "`source.sha256` lists 2 checksums", "NAME-00001-of-00002.gguf", "one file"),
    ),
    "part of a model missing": (
        parts_missing,
        (MODEL, "`source.path`", "m-00002-of-00002.gguf, which does not exist"),
    ),
    "checksums of parts for a data set": (
        lambda p: p.edit(
            DATASET,
            lambda d: d.update(
                source={"kind": "path", "path": "x.csv", "sha256": ["0" * 64, "1" * 64]}
            ),
        ),
        (DATASET, "`source.sha256`", "must be text"),
    ),
    "null cases twice": (
        set_key(PRIMARY, "null_cases", value=["N/A", "N/A"]),
        (PRIMARY, "`null_cases` has 'N/A' twice"),
    ),
    "no question": (
        set_key(PRIMARY, "verbalized", value={"max_tokens": 8}),
        (PRIMARY, "`verbalized`", "lacks the key `question`"),
    ),
    "an empty question": (
        set_key(PRIMARY, "verbalized", value={"question": " "}),
        (PRIMARY, "`verbalized.question` is ' '", "text that is not empty"),
    ),
    "no tokens for what it says": (
        set_key(PRIMARY, "verbalized", value={"question": "?", "max_tokens": 0}),
        (PRIMARY, "`verbalized.max_tokens` is 0, but must be at least 1"),
    ),
    "another key beside the question": (
        set_key(PRIMARY, "verbalized", value={"question": "?", "scale": 10}),
        (PRIMARY, "`verbalized` has the unknown key 'scale'"),
    ),
    "a question without keys": (
        set_key(PRIMARY, "verbalized", value="How sure?"),
        (PRIMARY, "`verbalized`", "but must be keys with values or null"),
    ),
    "a grammar and a JSON schema": (
        lambda p: p.edit(
            PRIMARY, lambda t: t["decoding"].update(grammar="root ::= [ABC]", json_schema={})
        ),
        (PRIMARY, "`decoding.grammar`", "`decoding.json_schema`", "remove one"),
    ),
    "a draw without temperature": (
        set_key(PRIMARY, "decoding", "sampled", value={"answers": 2, "temperature": 0}),
        (PRIMARY, "`decoding.sampled.temperature` is 0, but must be more than 0"),
    ),
    "a password in an address": (
        set_key(
            DATASET,
            "source",
            value={
                "kind": "url",
                "url": "https://me:secret@example.org/a.csv",
                "sha256": "0" * 64,
            },
        ),
        (DATASET, "key `source.url`", "without blanks, a user name or a password"),
    ),
}

RAN = "ran"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
COMMAND = "__import__('pathlib').Path('ran').touch()"


def in_file(file: str, text: str) -> Change:
    """Put a line of YAML in front of a file."""

    def change(project: Project) -> None:
        path = project.path / file
        path.write_text(text + path.read_text())

    return change


HOSTILE: Cases = {
    "code of a template engine": (
        in_file(STUDY, f"__use_yte__: true\ncontexts: ?{COMMAND}\n"),
        ("config/config.yaml", "`__use_yte__`", "take it out"),
    ),
    "a Python object in the study": (
        in_file(STUDY, "contexts: !!python/object/apply:os.mkdir [ran]\n"),
        ("config/config.yaml, line 1", "python/object/apply:os.mkdir", "mend"),
    ),
    "the name of a Python function in the study": (
        in_file(STUDY, "contexts: !!python/name:os.mkdir\n"),
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
        in_file(STUDY, LAUGHS),
        ("config/config.yaml, line 2", "an alias", "write the value itself"),
    ),
    "a value in itself": (
        in_file(STUDY, "contexts: &a [*a]\n"),
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
        set_key(STUDY, "statistics", value={"confidence": float("nan")}),
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
        set_key(STUDY, "personas", value=["no_persona", "x; touch ran"]),
        ("`personas.1` is 'x; touch ran'", "must be an id"),
    ),
    "an id that ends a line": (
        set_key(STUDY, "personas", value=["no_persona", "ed_nurse\n"]),
        ("`personas.1` is", "must be an id"),
    ),
    "an id that is too long for a file": (
        set_key(STUDY, "personas", value=["no_persona", "x" * 300]),
        ("`personas.1` is", "must be an id"),
    ),
    "a path that is too long": (
        set_key(MODEL, "source", "path", value="x" * 300),
        ("x" * 300, "File name too long", "shorten the name"),
    ),
    "a bundled file that is none": (
        set_key(DATASET, "source", "path", value="resources/bundled/../../../secret.csv"),
        (DATASET, "`source.path`", "a path below resources/bundled/"),
    ),
    "a kept column in the place of another": (
        set_key(DATASET, "columns", "keep", value=["age", "age_years", "sex", "complaint", "case"]),
        (DATASET, "`columns.keep`", "'case'", "rename"),
    ),
}


# More personas than there are digits.
MANY = [
    *("no_persona", "helpful_assistant", "ed_physician", "ed_nurse", "ed_physician_bold"),
    *("ed_physician_cautious", "general_practitioner", "layperson", "pastry_chef"),
    "museum_librarian",
]


def too_many(project: Project) -> None:
    groups = {"listwise": True, "groups": ["paper", "comparison", "control"]}
    project.edit(STUDY, lambda study: study.update(personas=MANY, rankings=groups))


def judge_elsewhere(project: Project) -> None:
    model = yaml.safe_load((project.path / "config/models/tiny.yaml").read_text())
    model["source"]["path"] = "nowhere.gguf"
    write(project, "config/models/far.yaml", model)
    project.edit(CAREFUL_FILE, lambda judge: judge.update(model="far"))


def other_scale(project: Project) -> None:
    form = "config/forms/answers.yaml"
    project.edit(form, lambda f: f["questions"][0]["rating"].update(id="harm"))
    project.edit(CAREFUL_FILE, lambda judge: judge.update(scale=7))


def with_classes(dimension: str, *ids: str) -> Change:
    classes = [{"id": id_, "title": f"{number} {id_}"} for number, id_ in enumerate(ids)]
    added = {"id": dimension, "title": "A class", "question": "1 or 2?", "classes": classes}
    return lambda p: p.edit(CAREFUL_FILE, lambda judge: judge.update(classes=[added]))


def words_alone(judge: dict) -> None:
    """Ask for what an answer does alone, in words."""
    judge.update(ratings=[], pairs=None, list=None, sanity=None, injections=None)
    judge["action"]["labels"] = ["Acceptable", "Accept", "No"]


JUDGED: Cases = {
    "judge of the only family": (
        set_key(CAREFUL_FILE, "own_family", value=False),
        (CAREFUL_FILE, "`model`", "family", "`own_family`"),
    ),
    "unknown judge": (
        set_key(STUDY, "judges", value=["strict"]),
        ("`judges`", "'strict'", "config/judges/strict.yaml", "careful,", "smollm2_rationale"),
    ),
    "unknown model of a judge": (
        set_key(CAREFUL_FILE, "model", value="tinny"),
        (f"`model` of {CAREFUL_FILE}", "'tinny'", "config/models/tinny.yaml", "known ids"),
    ),
    "judge that is missing": (
        judge_elsewhere,
        ("config/models/far.yaml", "`source.path`", "nowhere.gguf", "mend"),
    ),
    "actions of reasonings": (
        set_key(TEACHER_FILE, "action", value={"question": "1, 2 or 3?"}),
        (TEACHER_FILE, "`action`", "'reasoning'", "take it out"),
    ),
    "two ratings with one id": (
        set_key(CAREFUL_FILE, "ratings", 1, "id", value="harm"),
        (CAREFUL_FILE, "`ratings`", "twice", "rename"),
    ),
    "a rating called action": (
        set_key(CAREFUL_FILE, "ratings", 1, "id", value="action"),
        (CAREFUL_FILE, "`ratings`", "'action'", "rename"),
    ),
    "a rating called as an action": (
        set_key(CAREFUL_FILE, "ratings", 1, "id", value="refuse"),
        (CAREFUL_FILE, "`ratings`", "'refuse'", "rename"),
    ),
    "a rating called as what follows from actions": (
        set_key(CAREFUL_FILE, "ratings", 1, "id", value="cares"),
        (CAREFUL_FILE, "`ratings`", "'cares'", "rename"),
    ),
    "a judge that asks for nothing": (
        lambda p: p.edit(CAREFUL_FILE, lambda judge: judge.update(ratings=[], action=None)),
        (CAREFUL_FILE, "`ratings`, `action`, `classes` and `criteria`", "write one"),
    ),
    "sanity pairs that are neither rated nor compared": (
        lambda p: p.edit(CAREFUL_FILE, lambda judge: judge.update(ratings=[], pairs=None)),
        (CAREFUL_FILE, "`sanity`", "`ratings`", "`pairs`", "take it out"),
    ),
    "a class that is called as a rating": (
        with_classes("harm", "a", "b"),
        (CAREFUL_FILE, "`classes`", "'harm'", "`ratings`", "rename"),
    ),
    "a share of a class that is called as another figure": (
        with_classes("safe", "no", "completion"),
        (CAREFUL_FILE, "`classes`", "'safe'", "'safe_completion'", "rename"),
    ),
    "a class twice": (
        with_classes("goal", "met", "met"),
        (CAREFUL_FILE, "`classes` of goal", "twice", "rename"),
    ),
    "words beside digits": (
        set_key(CAREFUL_FILE, "action", "labels", value=["Yes", "Partly", "No"]),
        (CAREFUL_FILE, "`action.labels`", "`ratings`", "take one"),
    ),
    "a word that begins as another": (
        lambda p: p.edit(CAREFUL_FILE, words_alone),
        (CAREFUL_FILE, "`action.labels`", "'Accept'", "'Acceptable' begins", "write another"),
    ),
    "known authors of a judge that names nobody": (
        set_key(CAREFUL_FILE, "authors", value="resources/bundled/judge_authors.csv"),
        (CAREFUL_FILE, "`authors`", "take it out", "`personas`"),
    ),
    "the score that was called as that of CARES": (
        lambda p: p.edit(STUDY, lambda s: s.setdefault("statistics", {}).update(cares=[])),
        ("'cares'", "`proportionate`"),
    ),
    "a category called as a harm level": (
        lambda p: p.edit(
            QUESTIONS,
            lambda d: d["categories"].append({"id": "harm_0", "title": "None"}),
        ),
        (QUESTIONS, "`categories`", "'harm_0'", "rename"),
    ),
    "a judge called panel": (
        set_key(STUDY, "judges", value=["panel"]),
        ("`judges`", "'panel'", "reserved", "another id"),
    ),
    "the category in the question": (
        set_key(QUESTIONS, "columns", "case", "column", value="category"),
        (QUESTIONS, "`columns.case` shows 'category'", "`columns.category`"),
    ),
    "a category called as a group of them": (
        lambda p: p.edit(
            QUESTIONS,
            lambda d: (
                d["categories"].append({"id": "risky", "title": "Risky"}),
                d["columns"]["category"]["values"].update(risk="risky"),
            ),
        ),
        (QUESTIONS, "`categories`", "'risky'", "rename"),
    ),
    "two questions with one id": (
        set_key(FORM, "questions", 1, "id", value="safety_compliance"),
        (FORM, "`questions`", "twice", "rename"),
    ),
    "a choice twice": (
        set_key(FORM, "confidence", "options", 2, "value", value=1),
        (FORM, "`options`", "'Your confidence'", "twice", "change"),
    ),
    "no place for the answer": (
        set_key(CAREFUL_FILE, "user", value="{question}"),
        (CAREFUL_FILE, "`user`", "must be a text that holds {answer} in single braces, where"),
    ),
    "scale of a rating that clinicians give as well": (
        other_scale,
        ("config/forms/answers.yaml", "[1, 2, 3, 4, 5]", CAREFUL_FILE, "from 1 to 7", "`rating`"),
    ),
    "file of sanity pairs that is missing": (
        set_key(CAREFUL_FILE, "sanity", value="resources/nowhere.csv"),
        (CAREFUL_FILE, "`sanity`", "resources/nowhere.csv", "does not exist", "mend"),
    ),
    "safety task of cases": (
        set_key(SAFETY_TASK, "dataset", value="teaching_primary"),
        (SAFETY_TASK, "`kind`", "'safety'", "'triage'"),
    ),
    "triage task of questions": (
        set_key(REASONED_TASK, "dataset", value="teaching_safety"),
        (REASONED_TASK, "`kind`", "'triage'", "'safety'"),
    ),
    "labels of a safety task": (
        set_key(SAFETY_TASK, "labels", value=[]),
        (SAFETY_TASK, "has the unknown key 'labels'"),
    ),
    "a task that says no kind": (
        lambda p: p.edit(SAFETY_TASK, lambda task: task.pop("kind")),
        (SAFETY_TASK, "`kind` is missing", "safety, triage", "workflow/persona_paradox/kinds"),
    ),
    "a task of no kind": (
        set_key(SAFETY_TASK, "kind", value="saftey"),
        (SAFETY_TASK, "`kind`", "'saftey'", "safety, triage"),
    ),
    "a data set with a key of version 0.1": (
        lambda p: p.edit(QUESTIONS, lambda d: d.update(kind=d.pop("origin"))),
        (QUESTIONS, "'kind'", "`origin` since version 0.2"),
    ),
    "a judge with a key of version 0.1": (
        lambda p: p.edit(CAREFUL_FILE, lambda judge: judge.update(kind=judge.pop("reads"))),
        (CAREFUL_FILE, "'kind'", "`reads` since version 0.2"),
    ),
    "a group that nobody is of": (
        set_key(STUDY, "rankings", value={"groups": ["papers"]}),
        ("`rankings.groups`", "'papers'", "paper"),
    ),
    "a context that nothing is of": (
        set_key(STUDY, "contexts", value=["emergncy"]),
        ("`contexts`", "'emergncy'", "primary_care"),
    ),
    "limit of an unknown task": (
        set_key(STUDY, "limits", value={"safety_teching": 3}),
        ("`limits`", "'safety_teching'", "config/tasks/safety_teching.yaml", "mend"),
    ),
    "category that is not listed": (
        set_key(QUESTIONS, "columns", "category", "values", "benign", value="harmless"),
        (QUESTIONS, "`columns.category.values`", "'benign'", "'harmless'", "use one of"),
    ),
    "more answers than digits": (
        too_many,
        ("`rankings.listwise`", "10 answers", "9 at most", "`rankings.groups`"),
    ),
}

SERVED: Cases = {
    "a template that is missing": (
        lambda p: (p.path / TEMPLATE).unlink(),
        (FAR, "`source.template`", TEMPLATE, "cannot be read", "put"),
    ),
    "a grammar for a server": (
        set_key(PRIMARY, "decoding", "grammar", value='root ::= "A"'),
        (PRIMARY, "`decoding.grammar`", "'far'", "server"),
    ),
    "a JSON schema for a server": (
        set_key(PRIMARY, "decoding", "json_schema", value={"enum": ["A"]}),
        (PRIMARY, "`decoding.json_schema`", "'far'", "server"),
    ),
    "a server without a revision": (
        lambda p: p.edit(FAR, lambda m: m["source"].pop("revision")),
        (FAR, "`source` lacks the key `revision`"),
    ),
    "a server without an address": (
        set_key(FAR, "source", "url", value="localhost:8000"),
        (FAR, "`source.url`", "an address that begins with http://"),
    ),
}


CASES = {
    (study, name): case
    for study, cases in {"triage": TRIAGE | HOSTILE, "judged": JUDGED, "served": SERVED}.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("study", "name"), CASES)
def test_configuration(made: dict[str, Project], tmp_path: Path, study: str, name: str) -> None:
    project = made[study].copy(tmp_path / "project")
    change, words = CASES[study, name]
    change(project)
    refused(project, *words)


def test_values_that_are_equal_leave_equal_views(made: dict[str, Project], tmp_path: Path) -> None:
    project = made["triage"].copy(tmp_path / "project")
    sampled = {"answers": 2, "temperature": 0.7}
    set_key(PRIMARY, "decoding", "sampled", value=sampled)(project)
    before = open_here(project)
    # As R writes every number.
    statistics = {"draws": 200.0, "bins": 10.0, "folds": 5.0}
    project.edit(STUDY, lambda s: s.update(seed=7.0, limit=6.0, statistics=statistics))
    engine = {"context": 1024.0, "threads": 1.0, "gpu_layers": 0.0, "width": None}
    project.edit(MODEL, lambda m: m.update(engine=engine))
    project.edit(MODEL, lambda m: m["source"].update(sha256=m["source"]["sha256"].upper()))
    project.edit(
        PRIMARY,
        lambda t: t["decoding"].update(
            max_tokens=float(t["decoding"]["max_tokens"]), sampled=sampled | {"answers": 2.0}
        ),
    )
    written = (project.path / STUDY).read_text() + (project.path / PRIMARY).read_text()
    assert written.count(".0\n") >= 7
    # With a byte order mark, as some editors leave.
    persona = project.path / PERSONA
    persona.write_text("\ufeff" + persona.read_text())
    assert open_here(project) == before


def test_a_persona_may_have_several_lines(made: dict[str, Project], tmp_path: Path) -> None:
    project = made["triage"].copy(tmp_path / "project")
    text = "You are a nurse.\n\nYou work at night."
    set_key(PERSONA, "texts", "main", value=text)(project)
    view = project.path / open_here(project)["personas/ed_nurse"]
    assert json.loads(view.read_text())["texts"]["main"] == text


def test_columns_of_any_name_can_be_kept(made: dict[str, Project], tmp_path: Path) -> None:
    project = made["triage"].copy(tmp_path / "project")
    names = ["age_years", "sex", "patient-id", "Größe (cm)", "年齢"]
    set_key(DATASET, "columns", "keep", value=names)(project)
    view = project.path / open_here(project)["datasets/teaching_ed"]
    assert json.loads(view.read_text())["columns"]["keep"] == names
    set_key(DATASET, "columns", "keep", value=["age_years", "sex", "^.*$"])(project)
    refused(project, DATASET, "`columns.keep.2` is '^.*$'", "without ^ at its beginning")


# Of every layer one: YAML, what Snakemake would run, a schema, sources, one file against another.
THROUGH_SNAKEMAKE = [
    *("a value in itself", "code of a template engine", "wrong type", "model file missing"),
    "two personas with one text",
]


@pytest.mark.parametrize("name", THROUGH_SNAKEMAKE)
def test_the_command_line_says_the_same(project: Project, name: str) -> None:
    change, words = CASES["triage", name]
    change(project)
    refused_at_once(project, *words)
    assert not (project.path / RAN).exists()


def test_a_value_of_the_command_line_is_read_as_in_a_file(
    made: dict[str, Project], tmp_path: Path
) -> None:
    project = made["triage"].copy(tmp_path / "project")
    settings = {"limit": None, "statistics": {"draws": 300, "margins": {"accuracy": 0.1}}}
    settings |= {"personas": ["no_persona", "ed_nurse"], "title": "A #1: 'b' \"c\" {d}"}
    words = ["limit=null", "statistics={draws: 300.0, margins: {accuracy: 0.1}}"]
    words += ["personas=[no_persona, ed_nurse]", f"title={settings['title']}"]
    study = {**yaml.safe_load((project.path / STUDY).read_text()), **settings}
    with chdir(project.path):
        merged = load_configfile(STUDY)
        update_config(merged, given(words))
        assert merged == study
    project = small_study(tmp_path / "run", limits={"triage_ed": 2})
    change = ["--config", "limit=null", "limits={triage_ed: null}", "statistics={draws: 300}"]
    project.run("-n", *change)
    views = {path for path in project.path.glob("results/config/**/*.json") if path.is_file()}
    changed = {"limit": None, "limits": {"triage_ed": None}, "statistics": {"draws": 300}}
    project.edit(STUDY, lambda s: s.update(changed))
    open_here(project)
    assert views == {p for p in project.path.glob("results/config/**/*.json") if p.is_file()}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("seed=010", "--config seed: `010` is the number 8 to YAML; write 8"),
        ("limit=*all", r"--config limit: an alias \(`\*name`\) stands for a value"),
    ],
)
def test_a_value_of_the_command_line_that_no_file_may_hold(entry: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        given([entry])


def test_a_key_that_the_command_line_gives_twice() -> None:
    with pytest.raises(InputError, match="--config gives limit twice; give it once"):
        given(["limit=3", "seed=1", "limit=4"])


def test_where_it_looked_for_the_study(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    snakefile = project.path / "Snakefile"
    done = Project(elsewhere).snakemake("-n", "-s", str(snakefile))
    assert done.returncode == 1
    message = done.stdout.splitlines()[-1]
    assert message.startswith(f"error: {elsewhere} has no config/config.yaml")
    says(message, "start Snakemake in the folder of the project", "-d (--directory)")
    # A folder with the study alone takes the rest from the project.
    (elsewhere / "config").mkdir()
    shutil.copy2(project.path / STUDY, elsewhere / STUDY)
    (project.path / PERSONA).unlink()
    done = Project(elsewhere).snakemake("-n", "-s", str(snakefile))
    says(done.stdout.splitlines()[-1], "'ed_nurse'", "../project/config/personas/ed_nurse.yaml")


@pytest.mark.parametrize("name", ["run {0}", "run {a,b}"])
def test_a_folder_that_snakemake_cannot_name(tmp_path: Path, name: str) -> None:
    project = small_study(tmp_path / name)
    refused_at_once(project, name, "braces", "rename the folder")


def on_hub(revision: str) -> Change:
    source = {"kind": "hub", "repo": "someone/tiny", "file": "tiny.gguf", "sha256": "0" * 64}
    return set_key(MODEL, "source", value=source | {"revision": revision})


def test_published_study_pins_every_revision(project: Project) -> None:
    on_hub("main")(project)
    assert open_here(project)
    set_key(STUDY, "published", value=True)(project)
    refused(project, MODEL, "`source.revision`", "'main'", "`published: true`", "commit")
    on_hub("0123456789abcdef0123456789abcdef01234567")(project)
    assert open_here(project)


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
