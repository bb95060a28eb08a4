"""What a scheduler is told, and a model that is loaded once for all personas: by command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from answer_store import stored
from project import STUDY, Project
from root import ROOT

from persona_paradox.files import read_json

CELLS = [f"tiny/{task}/{persona}" for task in STUDY["tasks"] for persona in STUDY["personas"]]


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


def requested(output: str, rule: str) -> list[dict[str, str]]:
    """What the jobs of a rule ask for in a dry run."""
    blocks = re.split(r"\n(?=(?:local)?rule )", output)
    lines = [
        re.search(r"^    resources: (.*)$", block, re.MULTILINE)
        for block in blocks
        if re.match(rf"(?:local)?rule {rule}:", block)
    ]
    return [dict(p.split("=") for p in line[1].split(", ")) if line else {} for line in lines]


def test_the_profile_says_how_to_run_and_nothing_else() -> None:
    """A profile takes the place of the default one, which says how files are compared."""
    shared = ("max-checksum-file-size", "rerun-incomplete", "show-failed-logs")
    scheduling = ("max-jobs-per-timespan", "scheduler", "scheduler-subsample")
    for key in (*shared, *scheduling):
        assert profile("slurm")[key] == profile("default")[key]
    assert "configfile" not in profile("slurm")
    assert "config" not in profile("slurm")


def test_the_profile_names_rules_that_exist() -> None:
    rules = set()
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        rules |= set(re.findall(r"^\s*rule (\w+):", file.read_text(), re.MULTILINE))
        rules |= set(re.findall(r"use rule \w+ as (\w+) with", file.read_text()))
    named = set(profile("slurm")["set-resources"])
    named |= {entry.partition("=")[0] for entry in profile("slurm")["groups"]}
    assert named <= rules


def test_the_page_says_what_the_profile_asks_for() -> None:
    text = (ROOT / "docs/clusters.md").read_text()
    rows = dict(re.findall(r"^\| `(mem_mb|runtime)` \| (.*) \|$", text, re.MULTILINE))
    asked = [dict(one.split("=") for one in profile("slurm")["default-resources"])]
    asked += profile("slurm")["set-resources"].values()
    found = {(key, value) for one in asked for key, value in one.items()}
    assert {key for key, _ in found} == set(rows)
    for key, value in found:
        (number,) = re.fullmatch(r"attempt \* (\d+)", value).groups()
        assert re.search(rf"\b{int(number):,}\b", rows[key]), f"{key}: {value}"


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_ends_with_its_last_job(project: Project, fails: bool) -> None:
    """It does not wait for Snakemake's next look for work, here in an hour."""
    if fails:
        (project.path / "resources/bundled/teaching_ed.csv").write_text("other cases\n")
    target = "resources/datasets/teaching_ed.parquet"
    options = ("--cores", "1", "--max-jobs-per-timespan", "500/1h")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options, "--", target],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode != 0) == fails
    assert ("1 of 1 steps (100%) done" in done.stderr) != fails
    assert (project.path / target).exists() != fails


def test_a_job_asks_for_what_the_size_of_its_model_needs(finished: Project) -> None:
    manifest = read_json(finished.path / "resources/models/tiny/manifest.json")
    cache = 17 * 1024 * manifest["cache_bytes_per_token"]
    megabytes = 1500 - (-(manifest["size"] + cache) // 10**6)
    jobs = requested(finished.run("-n", "--forcerun", "generate"), "generate")
    assert len(jobs) == len(CELLS)
    for job in jobs:
        assert job["mem_mb"] == str(megabytes)
        assert job["runtime"] == "15"
        assert "gpu" not in job
    two_cards = {"width": 64, "gpu_layers": -1, "tensor_split": [0.5, 0.5]}
    finished.edit("config/models/tiny.yaml", lambda model: model["engine"].update(two_cards))
    wide = requested(finished.run("-n", "--resources", "gpu=8"), "generate")
    assert len(wide) == len(CELLS)
    more = 48 * 1024 * manifest["cache_bytes_per_token"] / 10**6
    for job in wide:
        assert abs(int(job["mem_mb"]) - megabytes - more) <= 1
        assert job["gpu"] == "2", "cards follow the split of the model"


def test_a_model_that_is_not_there_has_no_size_yet(project: Project) -> None:
    jobs = requested(project.run("-n"), "generate")
    assert len(jobs) == len(CELLS)
    for job in jobs:
        assert job["mem_mb"] == job["runtime"] == "<TBD>"


def test_a_model_is_loaded_once_for_all_personas(finished: Project) -> None:
    before, apart = finished.checksums(), stored(finished.path / "resources/store")
    for folder in ("results", "logs", "resources/store", ".snakemake"):
        shutil.rmtree(finished.path / folder)
    finished.run("--cores", "1", "together")
    for task in STUDY["tasks"]:
        log = (finished.path / f"logs/answer_together/tiny/{task}.log").read_text()
        assert log.count("model loaded") == 1
        counts = read_json(finished.path / f"results/together/tiny/{task}.json")
        assert counts == {f"tiny/{task}/{persona}": 6 for persona in STUDY["personas"]}
    answered = stored(finished.path / "resources/store")
    assert answered == apart
    finished.run("--cores", "1", "--until", "generate")
    assert stored(finished.path / "resources/store") == answered
    after = finished.checksums()
    for cell in CELLS:
        log = (finished.path / f"logs/generate/{cell}.log").read_text()
        assert "6 of 6 answers from the store" in log
        assert "model loaded" not in log
        file = f"responses/{cell}.parquet"
        assert after[file] == before[file]

    # Of one persona that changes the cells alone are answered, together as well.
    finished.replace("config/personas/ed_nurse.yaml", "Department Nurse", "Department Head Nurse")
    jobs = finished.jobs("--until", "generate")
    assert [job for job in jobs if job.startswith("generate")] == [
        f"generate tiny/{task}/ed_nurse" for task in STUDY["tasks"]
    ]
    finished.run("--cores", "1", "together")
    log = (finished.path / "logs/answer_together/tiny/triage_ed.log").read_text()
    assert log.count("6 of 6 answers from the store") == 2
    assert log.count("0 of 6 answers from the store") == 1
    assert stored(finished.path / "resources/store").total() == answered.total() + 12
