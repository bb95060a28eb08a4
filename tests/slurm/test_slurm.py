"""A study on a real SLURM cluster of one node: the same bytes as on this machine, come what may.

`make test-slurm` runs this, in an environment that has Snakemake's plugin for SLURM.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import slurm_cluster
import yaml
from project import STUDY, Project, add_model, new_project
from slurm_cluster import Cluster, wait

from persona_paradox.engine.store import SUFFIX, Segment
from persona_paradox.files import read_json

SMALL = STUDY | {"tasks": ["triage_ed"]}
CELLS = [f"tiny/triage_ed/{persona}" for persona in SMALL["personas"]]
# Everything but the figures, which are drawn from the tables wherever snakemake runs.
TARGET = "results/summary.md"
# The profile as it is, but for times that suit jobs of seconds, on a cluster without accounting.
PROFILE = (
    *("--workflow-profile", "slurm", "--latency-wait", "10"),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    lacking = slurm_cluster.missing_programs()
    if lacking:
        pytest.fail(f"{', '.join(lacking)} not found; apt-get install munge slurm-wlm")
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.fail("Snakemake's plugin for SLURM is not installed; run make test-slurm")
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def study(path: Path) -> Project:
    """A project with a study of three cells."""
    project = new_project(path)
    add_model(project)
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(SMALL, sort_keys=False))
    return project


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study, run on this machine alone."""
    project = study(tmp_path_factory.mktemp("local") / "project")
    project.run("--cores", "2", TARGET)
    return project


def results(project: Project) -> dict[str, str]:
    """What a study found, without what says how it was computed."""
    return {k: v for k, v in project.checksums().items() if not k.startswith("together/")}


def stored(project: Project) -> list[str]:
    """The key of every stored answer, as often as it was stored."""
    segments = sorted((project.path / "resources/store").rglob(f"*{SUFFIX}"))
    return [key for path in segments for key, _ in Segment(path)]


def logs(project: Project, rule: str) -> dict[str, str]:
    """Cell → what its job logged."""
    folder = project.path / "logs" / rule
    return {
        str(path.relative_to(folder).with_suffix("")): path.read_text()
        for path in sorted(folder.rglob("*.log"))
    }


def of_rule(cluster: Cluster, project: Project, rule: str) -> list[dict[str, str]]:
    """The jobs of a rule that were submitted from a project, in their order."""
    found = [
        job
        for job in cluster.jobs()
        if job.get("WorkDir") == str(project.path) and rule in job.get("Comment", "")
    ]
    return sorted(found, key=lambda job: int(job["JobId"]))


def test_the_model_is_loaded_once_for_all_personas_and_the_bytes_are_the_same(
    cluster: Cluster, local: Project, tmp_path: Path
) -> None:
    project = study(tmp_path / "project")
    project.run(*PROFILE, "together", **cluster.environment)
    # At once, since the controller forgets a job that ended.
    (job,) = of_rule(cluster, project, "answer_together")
    (log,) = logs(project, "answer_together").values()
    assert log.count("model loaded") == 1
    answered = len(stored(project))
    project.run(*PROFILE, TARGET, **cluster.environment)
    assert sorted(logs(project, "generate")) == sorted(CELLS)
    for cell, log in logs(project, "generate").items():
        assert "model loaded" not in log, cell
    assert len(stored(project)) == answered == len(set(stored(project)))
    assert results(project) == results(local)
    # What the scheduler was asked for follows from the model's size.
    manifest = read_json(project.path / "resources/models/tiny/manifest.json")
    cache = 17 * 1024 * manifest["cache_bytes_per_token"]
    megabytes = 1500 - (-(manifest["size"] + cache) // 10**6)
    assert job["MinMemoryNode"] == f"{megabytes}M"
    assert job["NumCPUs"] == "1"
    assert job["TimeLimit"] == "00:25:00"


def test_a_node_that_fails_in_the_middle(cluster: Cluster, local: Project, tmp_path: Path) -> None:
    project = study(tmp_path / "project")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    output = tmp_path / "output"
    with open(output, "w") as stream:
        running = subprocess.Popen(
            # Two jobs at a time, so that there is a middle.
            ["snakemake", *PROFILE, "--jobs", "2", TARGET],
            cwd=project.path,
            env=environment | cluster.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        first = project.path / "results/responses"
        wait(
            lambda: running.poll() is not None or any(first.rglob("*.parquet")),
            400,
            "no cell was answered",
        )
        assert running.poll() is None, output.read_text()[-6000:]
        assert cluster.fail_node() > 0, "nothing ran on the node"
        before = set(stored(project))
        assert before
        left = [path for path in first.rglob("*.parquet")]
        assert len(left) < len(CELLS), "it was not in the middle"
        wait(lambda: cluster.node_state().startswith("DOWN"), 30, "the node is not down")
        cluster.start_node()
        running.wait(timeout=500)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    text = output.read_text()
    if running.returncode != 0:
        # A scheduler may give a failed job back to its user, who asks again.
        assert "NODE_FAIL" in text, text[-6000:]
        project.run(*PROFILE, TARGET, **cluster.environment)
    assert results(project) == results(local)
    keys = stored(project)
    assert set(keys) >= before
    assert len(keys) == len(set(keys)), "an answer was computed twice"


def test_a_job_that_is_ended_asks_for_more_memory_and_time(
    cluster: Cluster, tmp_path: Path
) -> None:
    project = study(tmp_path / "project")
    target = "results/responses/tiny/triage_ed/ed_nurse.parquet"
    # The first attempt meets a script that fails as a job does whose memory is used up.
    script = project.path / "workflow/scripts/generate.py"
    whole = script.read_text()
    flag = project.path / "failed-once"
    project.replace(
        "workflow/scripts/generate.py",
        '"""Answer every prompt',
        "import os, pathlib, signal\n"
        f"flag = pathlib.Path({str(flag)!r})\n"
        "if not flag.exists():\n"
        "    flag.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        '"""Answer every prompt',
    )
    assert script.read_text() != whole
    project.run(*PROFILE, target, **cluster.environment)
    first, second = of_rule(cluster, project, "answers")
    assert first["JobState"] == "FAILED"
    assert second["JobState"] == "COMPLETED"
    memory = [int(job["MinMemoryNode"].rstrip("M")) for job in (first, second)]
    assert memory[1] == memory[0] * 3 // 2
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:15:00", "00:30:00")
    assert len(pl.read_parquet(project.path / target)) == 6
