"""Every command that the documents show does what they say, or would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import yaml
from coin_study import PERSONAS, put_files
from documented_commands import all_commands, commands
from project import Project, new_project
from root import ROOT
from studies import shared
from tiny_model import write_tiny_model

from persona_paradox.files import sha256_file

MODEL = "smollm2_135m_instruct"
NIGHT = "night_shift"

# What the tutorial does, in its order, in a small study.
TUTORIAL = [
    "snakemake --cores all",
    "snakemake -n",
    "rm results/figures/triage_accuracy.png",
    *[command for command in all_commands() if command.startswith("python -c ")],
    f"tail -f logs/generate/{MODEL}/triage_ed/ed_nurse.log",
    "snakemake --cores all --quiet progress",
    "snakemake --report report.html",
    "python workflow/scripts/store.py verify",
    "python workflow/scripts/store.py shrink",
    "python workflow/scripts/store.py empty",
]
# Studies that a document runs: test_commands plans every one that there is.
STUDIES = [
    *filter(
        re.compile(r"snakemake --configfile config/studies/[\w-]+\.yaml --cores all").fullmatch,
        all_commands(),
    )
]
# What would run in the project as it is; of what is long, or needs weights, no more than that.
PLANNED = [
    "snakemake --cores all results/clinician/packet.zip",
    "snakemake --cores all --configfile config/studies/effects.yaml -- results/tables/cells.csv",
    "snakemake --cores all results/report.html",
    "snakemake --cores all results/figures/triage_accuracy.pdf",
    f"snakemake --cores all results/scores/{MODEL}/triage_ed/ed_nurse.parquet",
    "snakemake --cores all --forcerun plot",
    "snakemake --cores all results/tables/agreement.csv",
    "snakemake --cores all results/audit/invariance.csv",
    "snakemake --cores all results/tables/delivery.csv",
    f"snakemake -n --config 'models=[{MODEL}]'",
    "snakemake --cores all --config variants=all",
    "snakemake download",
    "snakemake --workflow-profile slurm together",
    "snakemake --workflow-profile slurm",
    "snakemake together",
    "snakemake results/archive.zip",
    "snakemake results/audit/invariance.csv",
    "snakemake results/tables/agreement.csv",
    "snakemake --batch tabulate=1/10 results/tables/cells.csv",
    "snakemake --config 'models=[llama_3_1_8b_instruct]'",
]
# Hours, a network, or somebody's archive: that the program knows every option.
OPTIONS = [command for command in all_commands() if command.startswith("python benchmarks/")]
OPTIONS.append("python workflow/scripts/verify.py FILE")
OPTIONS.append("python workflow/scripts/check_template.py --brief FILE")
OPTIONS.append("python workflow/scripts/check_lexicon.py --file FILE")
OPTIONS.append("python workflow/scripts/what_changed.py BEFORE AFTER")
OPTIONS += [command for command in all_commands() if "scripts/compare_cells.py " in command]
# What make would do.
MAKE = [command for command in all_commands() if command.split()[0] == "make"]
# Programs of others, which a stand-in takes the place of: what they are given is there.
FOREIGN = [
    "conda env create -f environment.yml",
    "conda activate persona-paradox",
    'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall --no-deps --no-cache-dir '
    '"$(grep ^llama_cpp_python requirements.txt)"',
    "pip install pip-audit",
    "pip-audit --requirement requirements.txt --no-deps --disable-pip",
    "pip install -r requirements-slurm.txt",
    "pip wheel --wheel-dir wheels --requirement requirements.txt",
    "pip install linkchecker",
    "linkchecker --check-extern site/index.html",
    "pip install snakedeploy",
    "snakedeploy deploy-workflow https://github.com/OWNER/persona-paradox my-study --tag TAG",
    "podman build --tag persona-paradox .",
    'podman run --rm --volume "$PWD/results:/project/results" persona-paradox',
]
# What looks at the project, or unlocks it.
SEEN = [
    "snakemake --lint",
    "snakemake --unlock",
    "python workflow/scripts/check_study.py config/studies/theirs.yaml",
    "python workflow/scripts/check_refusals.py",
    "python workflow/scripts/check_lexicon.py",
    "python workflow/scripts/check_initiative.py",
]
# On the guide's own files, see `test_the_questions_of_the_guide_are_planned`.
GUIDE = [
    "python workflow/scripts/check_study.py config/studies/my_prompts.yaml",
    "snakemake -n -q --configfile config/studies/my_prompts.yaml",
    "snakemake --cores all --configfile config/studies/my_prompts.yaml",
]
# On the files of the walk that adds a suite, see `test_the_suite_of_the_walk_is_planned`.
WALK = [
    "python workflow/scripts/check_study.py config/studies/coin.yaml",
    "snakemake -n -q --configfile config/studies/coin.yaml",
    "snakemake --cores all --configfile config/studies/coin.yaml",
]
# The finding at the end of the tutorial, see `test_the_finding_of_the_tutorial_is_planned`.
FINDING = [
    "python workflow/scripts/check_study.py config/studies/night.yaml",
    "snakemake --cores all --configfile config/studies/night.yaml",
    "snakemake --cores all --configfile config/studies/night.yaml -- results/archive.zip",
]
# The sums that the guides ask for, see `test_the_data_set_…` and `test_the_model_of_the_guide…`.
SUM_OF_CASES = "sha256sum resources/my_cases.csv"
SUM_OF_MODEL = "sha256sum resources/my_model.gguf"
# A shell's own words, with names that stand for the reader's.
SHELL = [
    "export PERSONA_DATA_DIR=/path/to/data",
    "export PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels",
    "source .venv/bin/activate",
    SUM_OF_CASES,
    SUM_OF_MODEL,
    "sha256sum resources/my_lora/adapter_model.safetensors resources/my_lora/adapter_config.json",
    "xdg-open results/report.html",
    "mv results/archive.zip before.zip",
]
KNOWN = [
    *TUTORIAL,
    *STUDIES,
    *PLANNED,
    *OPTIONS,
    *MAKE,
    *FOREIGN,
    *SEEN,
    *GUIDE,
    *WALK,
    *FINDING,
    *SHELL,
]


def test_no_command_stands_in_a_document_that_no_test_knows() -> None:
    found = all_commands()
    assert {command: found[command] for command in found.keys() - set(KNOWN)} == {}
    assert set(KNOWN) - found.keys() == set()


@pytest.mark.parametrize("command", STUDIES)
def test_a_study_that_a_document_runs_is_there(command: str) -> None:
    assert (ROOT / command.split()[2]).is_file()


def test_a_new_command_would_be_seen() -> None:
    text = "Run\n\n```\nmake     # all\nsnakemake \\\n    --new\n```\n\n```yaml\nmake: no\n```\n"
    text += "Then `snakemake\n--newer`, as `make` does.\n"
    assert list(commands(text)) == ["make", "snakemake --new", "snakemake --newer"]
    assert "snakemake --new" not in KNOWN


def shell(project: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, in the environment of the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env=env | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def done(project: Path, command: str, **environment: str) -> str:
    """Run a command that succeeds; returns what it said."""
    run = shell(project, command, **environment)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-4000:]
    return said


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is; nothing has run."""
    path = tmp_path_factory.mktemp("plain") / "project"
    new_project(path)
    for name in (
        "Makefile",
        "requirements.txt",
        "requirements-slurm.txt",
        "requirements-train.txt",
        "docs",
        "mkdocs.yml",
    ):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, path / name)
    return path


@pytest.mark.parametrize("command", PLANNED)
def test_command_plans_what_it_should(
    command: str, plain: Path, request: pytest.FixtureRequest
) -> None:
    # Studies other than the default one read real data.
    data = {}
    if "--configfile" in command:
        data = {"PERSONA_DATA_DIR": str(request.getfixturevalue("data_dir"))}
    program, *words = shlex.split(command)
    assert program == "snakemake"
    # SLURM's plugin is no part of the environment; the rest of its profile is read.
    local = ["--executor", "local"] if "slurm" in command else []
    # In front of the rest: behind a `--` there are targets alone.
    said = Project(plain).run("-n", *local, *words, **data)
    assert "This was a dry-run" in said
    assert "Job stats:" in said


@pytest.mark.parametrize("command", SEEN)
def test_command_does_no_harm(command: str, plain: Path) -> None:
    study = plain / "config/studies"
    shutil.copy2(study / "paper.yaml", study / "theirs.yaml")
    done(plain, command)


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_its_target(command: str, plain: Path) -> None:
    (plain / "FILE").touch()
    assert done(plain, command.replace("make", "make -n", 1))


@cache
def help_of(program: str) -> str:
    """What a program of Python says of its options."""
    return done(ROOT, f"python {program} --help")


@pytest.mark.parametrize("command", OPTIONS)
def test_program_knows_its_options(command: str) -> None:
    _, program, *words = command.split()
    said = help_of(program)
    options = [word for word in words if word.startswith("--")]
    assert [option for option in options if option not in said] == []
    files = [word for word in words if "/" in word]
    assert len(files) <= said.count("[") + len(re.findall(r"^  \w+ ", said, re.MULTILINE))


@pytest.mark.parametrize("command", FOREIGN)
def test_programs_of_others_are_given_what_is_there(
    command: str, plain: Path, tmp_path: Path
) -> None:
    for name in ("pip", "conda", "pip-audit", "linkchecker", "snakedeploy", "podman"):
        stand_in = tmp_path / name
        stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    given = done(plain, f"export PATH={path!r}; {command}").split("\n")
    for word in given:
        if word.endswith((".txt", ".yml")):
            assert (plain / word).is_file()
    if "CMAKE_ARGS" in command:
        (pin,) = [word for word in given if "==" in word]
        assert pin in (ROOT / "requirements.txt").read_text().splitlines()
    if "activate" in command:
        assert yaml.safe_load((plain / "environment.yml").read_text())["name"] in given


# --- the tutorial, word for word ----------------------------------------------------------


def first_run(path: Path) -> None:
    """The default study made small, with random weights under the name of its model."""
    project = new_project(path)
    write_tiny_model(path / "tiny.gguf")
    source = {"kind": "path", "path": "tiny.gguf", "sha256": sha256_file(path / "tiny.gguf")}
    project.edit(f"config/models/{MODEL}.yaml", lambda model: model.update(source=source))
    small = {"models": [MODEL], "tasks": ["triage_ed"], "limit": 5, "judges": [], "audit_sample": 2}
    small |= {"personas": ["no_persona", "ed_nurse"], "figures": ["triage_accuracy"]}
    small["recalibrations"] = []
    project.edit("config/config.yaml", lambda study: study.update(small))
    project.edit("config/config.yaml", lambda study: study["statistics"].update(draws=100))
    done(path, TUTORIAL[0])


@pytest.fixture
def tutorial(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy of what the first run of the tutorial leaves."""
    return shared(tmp_path_factory, "tutorial", first_run).copy(tmp_path / "project").path


def yaml_block(document: str) -> str:
    """The first YAML block of a page."""
    (block, *_) = re.findall(r"^```yaml\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return block


def test_first_run(tutorial: Path) -> None:
    assert (tutorial / "results/summary.md").read_text().strip()
    assert "Nothing to be done" in done(tutorial, "snakemake -n")
    figure = tutorial / "results/figures/triage_accuracy.png"
    before = sha256_file(figure)
    done(tutorial, "rm results/figures/triage_accuracy.png")
    jobs = Project(tutorial).jobs()
    assert jobs == ["plot triage_accuracy"]
    done(tutorial, "snakemake --cores all")
    assert sha256_file(figure) == before
    (command,) = [c for c in TUTORIAL if c.startswith("python -c ") and "responses" in c]
    assert "item_id" in done(tutorial, command)
    done(tutorial, "snakemake --report report.html")
    assert (tutorial / "report.html").stat().st_size > 10**6


def test_add_a_persona(tutorial: Path) -> None:
    page = (ROOT / "docs/tutorial/add-a-persona.md").read_text(encoding="utf-8")
    (tutorial / f"config/personas/{NIGHT}.yaml").write_text(yaml_block(page), encoding="utf-8")
    project = Project(tutorial)
    project.edit("config/config.yaml", lambda study: study["personas"].append(NIGHT))
    jobs = project.jobs()
    cells = [job for job in jobs if "/triage_ed/" in job or job.startswith("write_prompts")]
    assert {job.split()[0] for job in cells} >= {"generate", "score", "calibrate"}
    assert all(NIGHT in job for job in cells)
    # Of all that is to be made the part that is looked at: the rest are figures, as in a first run.
    done(tutorial, "snakemake --cores all --quiet progress -- results/tables/contrasts.csv")
    (command,) = [c for c in TUTORIAL if c.startswith("python -c ") and "contrasts" in c]
    said = done(tutorial, command)
    assert "triage_ed" in said
    assert "p_holm" in said
    # In its three wordings, its cells alone are asked anew.
    jobs = project.jobs("--config", "variants=all")
    assert {job.rpartition("/")[2] for job in jobs if job.startswith("generate")} == {
        "ed_nurse",
        NIGHT,
    }


def test_watch_a_run(tutorial: Path) -> None:
    (command,) = [c for c in TUTORIAL if c.startswith("tail ")]
    assert "answers computed" in done(tutorial, command.replace("tail -f", "tail -n +1"))


def test_the_store_is_looked_after(tutorial: Path) -> None:
    for word in ("verify", "shrink"):
        done(tutorial, f"python workflow/scripts/store.py {word}")
    store = tutorial / "resources/store"
    assert list(store.rglob("*.answers"))
    done(tutorial, "python workflow/scripts/store.py empty")
    assert not list(store.rglob("*.answers"))


def test_the_data_set_of_the_guide_is_accepted(tmp_path: Path) -> None:
    """The guide's own YAML, with a file that has the columns that it names."""
    page = (ROOT / "docs/how-to/own-data.md").read_text(encoding="utf-8")
    project = new_project(tmp_path / "project")
    cases = project.path / "resources/my_cases.csv"
    head = "visit,level,age,complaint,temperature,diagnosis,disposition,patient,sex"
    rows = [f"v{i},{1 + i % 5},4{i},cough number {i},37.{i},x,y,p{i // 2},f" for i in range(10)]
    cases.write_text("\n".join([head, *rows, ""]))
    block = yaml_block(page).replace("THE_SUM", done(project.path, SUM_OF_CASES).split()[0])
    (project.path / "config/datasets/my_cases.yaml").write_text(block, encoding="utf-8")
    task = project.path / "config/tasks/triage_mine.yaml"
    shutil.copy2(project.path / "config/tasks/triage_ed.yaml", task)
    project.edit(f"config/tasks/{task.name}", lambda t: t.update(dataset="my_cases", title="Mine"))
    project.edit("config/config.yaml", lambda study: study.update(tasks=["triage_mine"], judges=[]))
    target = "results/prompts/triage_mine/ed_nurse.parquet"
    done(project.path, f"snakemake --cores all {target}")
    assert (project.path / target).is_file()


def test_the_questions_of_the_guide_are_planned(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/own-data.md").read_text(encoding="utf-8")
    project = new_project(tmp_path / "project")
    file = project.path / "resources/my_prompts.csv"
    file.write_text(re.findall(r"^```text\n(number,prompt.*?)^```$", page, re.M | re.S)[0])
    blocks = re.findall(r"^```yaml\n# (\S+/my_prompts\.yaml)\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) == 3
    for name, block in blocks:
        text = block.replace("THE_SUM", sha256_file(file))
        (project.path / name).write_text(text, encoding="utf-8")
    assert "at most 34 chats (24 of its tests, 10 on answers)" in done(project.path, GUIDE[0])
    done(project.path, GUIDE[1])
    study = ("--configfile", "config/studies/my_prompts.yaml")
    assert "generate my_prompts/ed_physician" in {
        job.replace(f"{MODEL}/", "") for job in project.jobs(*study)
    }
    # Every row is read, with its harm level.
    target = "resources/datasets/my_prompts.parquet"
    done(project.path, f"{GUIDE[2]} -- {target}")
    levels = pl.read_parquet(project.path / target)["harm_level"]
    assert levels.to_list() == [0, 1, 2, 3, 0]


def test_the_finding_of_the_tutorial_is_planned(tmp_path: Path) -> None:
    pages = {name: ROOT / f"docs/tutorial/{name}.md" for name in ("add-a-persona", "a-finding")}
    persona, study = (yaml_block(page.read_text(encoding="utf-8")) for page in pages.values())
    project = new_project(tmp_path / "project")
    (project.path / f"config/personas/{NIGHT}.yaml").write_text(persona, encoding="utf-8")
    (project.path / "config/studies/night.yaml").write_text(study, encoding="utf-8")
    told = done(project.path, FINDING[0])
    # Seven personas in three wordings, the baseline in one.
    personas = yaml.safe_load(study)["personas"]
    assert f"1 task × {len(personas)} personas, wordings all: {len(personas)} cells" in told
    jobs = project.jobs("--configfile", "config/studies/night.yaml")
    assert {job.rpartition("/")[2] for job in jobs if job.startswith("generate ")} == {*personas}
    assert not [job for job in jobs if job.startswith(("judge", "rank"))]
    # The archive is of the study that is named, and of no other.
    archived = project.jobs(*FINDING[2].split()[3:])
    assert "archive" in archived
    assert {job for job in archived if job.startswith("generate ")} <= {*jobs}


def test_the_suite_of_the_walk_is_planned(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    put_files(project.path)
    assert "config/studies/coin.yaml is plain YAML" in done(project.path, WALK[0])
    done(project.path, WALK[1])
    jobs = project.jobs("--configfile", "config/studies/coin.yaml")
    generated = {job.partition(" ")[2] for job in jobs if job.startswith("generate ")}
    assert generated == {f"{MODEL}/coin/{persona}" for persona in PERSONAS}
    assert "plot heads" in jobs


def test_the_model_of_the_guide_is_accepted(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/own-model.md").read_text(encoding="utf-8")
    project = new_project(tmp_path / "project")
    write_tiny_model(project.path / "resources/my_model.gguf")
    digest = done(project.path, SUM_OF_MODEL).split()[0]
    block = yaml_block(page).replace("THE_SUM", digest)
    (project.path / "config/models/my_model.yaml").write_text(block, encoding="utf-8")
    small = {"models": ["my_model"], "tasks": ["triage_ed"], "personas": ["no_persona", "ed_nurse"]}
    project.edit("config/config.yaml", lambda study: study.update(small, limit=5, judges=[]))
    done(project.path, "snakemake --cores all results/tables/delivery.csv")
    table = (project.path / "results/tables/delivery.csv").read_text()
    assert table.count("my_model") == 2
