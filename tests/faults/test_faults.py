"""What breaks on purpose in a study of 24 cells, and what is left of it after a rerun.

Every test drives the command line, and ends with results that are byte for byte those of a run
that nobody disturbed. Answers are counted in the response store: one that was there before a rerun
is there once after it. README.md beside this file has the table of faults.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project

from persona_paradox.engine.store import SUFFIX, Segment
from persona_paradox.launch.names import ADDRESS

PERSONAS = (
    "no_persona",
    "bridge_engineer",
    "ed_nurse",
    "ed_physician",
    "ed_physician_bold",
    "ed_physician_cautious",
    "general_practitioner",
    "helpful_assistant",
    "layperson",
    "museum_librarian",
    "neutral_fact",
    "neutral_sentence",
)
TASKS = ("triage_ed", "triage_primary")
ITEMS, SAMPLED = 6, 5
ANSWERS = len(TASKS) * len(PERSONAS) * ITEMS * (1 + SAMPLED)
# The tables hang on every cell; the figures, which take longest, on nothing but the tables.
TABLES = "results/tables/cells.csv"
SCRIPTS = "workflow/scripts/"
MODEL = "resources/models/tiny/model.gguf"


# --- a study, undisturbed -----------------------------------------------------------------


def new_study(path: Path) -> Project:
    """A study of one random model, two tasks and twelve personas; nothing has run."""
    made = new_project(path)
    add_model(made)
    for task in TASKS:
        # Long and many answers: most of a cell's time is theirs.
        slow = {"max_tokens": 48, "sampled": {"answers": SAMPLED}}
        made.edit(f"config/tasks/{task}.yaml", lambda t, slow=slow: t["decoding"].update(slow))
    study = STUDY | {"personas": [*PERSONAS], "limit": ITEMS, "statistics": {"draws": 100}}
    (made.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return made


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study after a run that nobody disturbed."""
    made = new_study(tmp_path_factory.mktemp("undisturbed") / "project")
    made.run("--cores", "2")
    assert sorted(stored(made).values()) == [1] * ANSWERS
    return made


@pytest.fixture(scope="session")
def expected(undisturbed: Project) -> dict[str, str]:
    """SHA-256 of everything under its results/."""
    return undisturbed.checksums()


@pytest.fixture
def study(undisturbed: Project, tmp_path: Path) -> Project:
    """A copy of the undisturbed study, times of files and all."""
    shutil.copytree(undisturbed.path, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """The same study before its first run."""
    return new_study(tmp_path / "project")


def cell(stage: str, persona: str, task: str = "triage_ed") -> str:
    """File of a cell in a stage."""
    model = "" if stage == "prompts" else "tiny/"
    return f"results/{stage}/{model}{task}/{persona}.parquet"


def stored(project: Project) -> Counter[str]:
    """How often every answer is in the store."""
    return Counter(key for path in segments(project) for key, _ in Segment(path))


def segments(project: Project) -> list[Path]:
    return sorted((project.path / "resources/store").rglob(f"*{SUFFIX}"))


def forget(project: Project, persona: str) -> int:
    """Take the answers of a persona to ED triage out of the store; their number.

    What was made from them goes, too: Snakemake misses only what a target lacks.
    """
    path = project.path / cell("responses", persona)
    keys = set(pl.read_parquet(path)["response_key"])
    for name in (cell("responses", persona), cell("scores", persona), TABLES):
        (project.path / name).unlink(missing_ok=True)
    shutil.rmtree(project.path / "results/measures/tiny/triage_ed", ignore_errors=True)
    for segment in segments(project):
        if {key for key, _ in Segment(segment)} <= keys:
            segment.unlink()
    assert not keys & stored(project).keys()
    return len(keys)


def flip(path: Path, *, keep_times: bool = False) -> None:
    """Change one bit in the middle of a file."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    if keep_times:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def errors(output: str) -> list[str]:
    """The sentences of the scripts, each once; nothing else may look like an accident."""
    assert "Traceback" not in output, output[-6000:]
    return sorted({line.strip() for line in output.splitlines() if line.startswith("error: ")})


def fails(project: Project, *arguments: str, **environment: str) -> str:
    """Run snakemake and expect failure; returns its output."""
    done = project.snakemake("--cores", "2", *arguments, **environment)
    assert done.returncode != 0, done.stdout[-6000:]
    return done.stdout


def assert_going_on(
    project: Project, expected: dict[str, str], *arguments: str, computed: int | None = None
) -> str:
    """The rerun: the same bytes, no stored answer computed again; returns what it said.

    Args:
        project: after the fault and its remedy.
        expected: checksums of the undisturbed results.
        arguments: of the rerun.
        computed: answers that it must compute, if that is known.
    """
    before = stored(project)
    said = project.run("--cores", "2", *arguments)
    assert project.checksums() == expected
    after = stored(project)
    assert {key: after[key] for key in before} == before, "a stored answer was computed again"
    if computed is not None:
        assert after.total() - before.total() == computed
    return said


# --- processes ----------------------------------------------------------------------------


def jobs_of(project: Project, script: str = "") -> set[int]:
    """Processes that wait for a project's scripts, or for one script, orphans among them.

    A script runs in a copy of the server of jobs, and ends with the process that waits for it.
    """
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (place / "cmdline").read_bytes().split(b"\0")
            here = (place / "cwd").readlink() == project.path.resolve()
        except OSError:  # it has ended
            continue
        if here and any(a.startswith(f"{SCRIPTS}{script}".encode()) for a in arguments[1:4]):
            found.add(int(place.name))
    return found


@dataclass
class Run:
    """A snakemake that is at work, in a process group of its own."""

    project: Project
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, project: Project, *arguments: str) -> Run:
        env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        # A file, not a pipe: orphans would keep it open.
        log = project.path.parent / f"run_{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["snakemake", "--cores", "2", *arguments],
                cwd=project.path,
                env=env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(project, process, log)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def done(self) -> int:
        """Jobs that have finished."""
        return len(re.findall(r"^Finished job", self.said(), re.MULTILINE))

    def jobs(self, script: str = "") -> set[int]:
        """Processes of this project's scripts, or of one script, that run."""
        return jobs_of(self.project, script)

    def until(self, condition: Callable[[], object]) -> bool:
        """Wait for a condition or the end; whether it is still at work."""
        while self.process.poll() is None and not condition():
            time.sleep(0.01)
        return self.process.poll() is None

    def signal_all(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def ended(self) -> int:
        """Its exit status, once it and all of its jobs have ended."""
        status = self.process.wait(timeout=300)
        while self.jobs():
            time.sleep(0.01)
        return status


def kill(process: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process, which may have ended just now."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def assert_whole(project: Project, expected: dict[str, str]) -> None:
    """Whatever has its final name has its final content."""
    for name, checksum in project.checksums().items():
        if not name.endswith(".part"):
            assert checksum == expected[name], name


@pytest.mark.parametrize(
    "kills", [pytest.param(3, marks=pytest.mark.quick), pytest.param(30)], ids=str
)
def test_sigkill_at_random_moments(fresh: Project, expected: dict[str, str], kills: int) -> None:
    """Of the workflow alone, of one job, of everything, in turns, from the first job to the last.

    Where the study is complete before the last kill, results and store go, and it begins anew.
    """
    rng = random.Random(kills)
    kinds = Counter()
    orphans: list[set[int]] = [set(), set()]
    told, whole = "", 0
    while kinds.total() < kills:
        kind = ("workflow", "job", "all")[kinds.total() % 3]
        # Orphans go on beside the next run, but what those of the run before store is counted.
        while orphans[-2] & jobs_of(fresh):
            time.sleep(0.01)
        before = stored(fresh)
        run = Run.start(fresh)
        wanted = rng.randint(0, 2 * 170 // kills)
        pause = rng.uniform(0, 1)
        at_work = run.until(lambda run=run, wanted=wanted: run.done() >= wanted and run.jobs())
        time.sleep(pause)
        if not at_work or run.process.poll() is not None:
            assert run.ended() == 0, run.said()[-6000:]
            assert fresh.checksums() == expected
            shutil.rmtree(fresh.path / "results")
            shutil.rmtree(fresh.path / "resources/store")
            assert (whole := whole + 1) <= 2 * kills, "the jobs of a run are not seen"
            continue
        if kind == "job":
            jobs = run.jobs("generate.py") - orphans[-1] or run.jobs() - orphans[-1]
            if not jobs:
                run.signal_all(signal.SIGKILL)
                run.ended()
                fresh.run("--unlock")
                continue
            kill(min(jobs))
            status = run.ended()
            # It may have been at its very end.
            assert status in (0, 1)
            if status:
                assert "SIGKILL" in run.said()
        else:
            kill(run.process.pid) if kind == "workflow" else run.signal_all(signal.SIGKILL)
            assert run.process.wait(timeout=60) == -signal.SIGKILL
            told = told or fails(fresh)
            fresh.run("--unlock")
        kinds[kind] += 1
        after = stored(fresh)
        assert {key: after[key] for key in before} == before
        assert_whole(fresh, expected)
        orphans.append(run.jobs())
    run.ended()
    assert min(kinds.values()) == kills // 3
    assert "cannot be locked" in told
    assert "--unlock" in told
    assert_going_on(fresh, expected)
    assert fresh.jobs() == []


def test_orphans_of_a_killed_workflow_and_its_rerun(
    fresh: Project, expected: dict[str, str]
) -> None:
    """Jobs outlive the workflow; the rerun begins beside them and ends with the same bytes."""
    run = Run.start(fresh, TABLES)
    assert run.until(lambda: run.jobs("generate.py") and len(segments(fresh)) >= 3)
    kill(run.process.pid)
    run.process.wait(timeout=60)
    assert run.jobs("generate.py"), "a job that was at work goes on"
    fresh.run("--unlock")
    before = stored(fresh)
    fresh.run("--cores", "2")
    run.ended()
    after = stored(fresh)
    assert {key: after[key] for key in before} == before
    assert len(after) == ANSWERS
    assert fresh.checksums() == expected


@pytest.mark.quick
def test_a_generate_job_is_killed(study: Project, expected: dict[str, str]) -> None:
    """As the kernel does where memory is short: what it had answered is not asked again."""
    lost = forget(study, "ed_nurse")
    before = stored(study).total()
    run = Run.start(study, TABLES)
    assert run.until(lambda: run.jobs("generate.py") and stored(study).total() >= before + 3)
    kill(min(run.jobs("generate.py")))
    assert run.ended() == 1
    said = run.said()
    assert "Error in rule generate" in said
    assert cell("responses", "ed_nurse") in said
    assert "died with <Signals.SIGKILL: 9>" in said
    kept = stored(study).total() - before
    assert 3 <= kept < lost
    assert not (study.path / cell("responses", "ed_nurse")).exists()
    assert_going_on(study, expected, TABLES, computed=lost - kept)
    log = (study.path / "logs/generate/tiny/triage_ed/ed_nurse.log").read_text()
    assert f"{kept} of {lost} answers from the store" in log


@pytest.mark.quick
def test_sigterm_for_all_processes(study: Project, expected: dict[str, str]) -> None:
    """A scheduler's first word: every job says so and leaves no part; Snakemake ends in order."""
    lost = forget(study, "ed_nurse")
    before = stored(study).total()
    run = Run.start(study, TABLES)
    assert run.until(lambda: run.jobs("generate.py") and stored(study).total() >= before + 3)
    run.signal_all(signal.SIGTERM)
    assert run.ended() == 1
    (message,) = errors(run.said())
    assert message.startswith("error: stopped by SIGTERM")
    assert "run snakemake again" in message
    kept = stored(study).total() - before
    assert 3 <= kept < lost
    assert not list((study.path / "results").rglob("*.part"))
    assert_going_on(study, expected, TABLES, computed=lost - kept)


def test_sigterm_for_the_workflow(study: Project, expected: dict[str, str]) -> None:
    """Running jobs end in order, no other begins, and the folder is not locked."""
    lost = forget(study, "ed_nurse")
    before = stored(study).total()
    run = Run.start(study, TABLES)
    assert run.until(lambda: run.jobs("generate.py") and stored(study).total() > before)
    kill(run.process.pid, signal.SIGTERM)
    assert run.ended() == 1
    assert "Will exit after finishing currently running jobs" in run.said()
    assert stored(study).total() == before + lost
    assert (study.path / cell("responses", "ed_nurse")).exists()
    assert not (study.path / cell("scores", "ed_nurse")).exists()
    assert_going_on(study, expected, TABLES, computed=0)


@pytest.mark.quick
def test_two_calls_at_once(study: Project, expected: dict[str, str]) -> None:
    """The second is refused and says why; the first does not notice."""
    lost = forget(study, "ed_nurse")
    run = Run.start(study, TABLES)
    assert run.until(run.jobs)
    held = run.jobs()
    for job in held:  # until the second call has been answered
        kill(job, signal.SIGSTOP)
    said = fails(study, TABLES)
    for job in held:
        kill(job, signal.SIGCONT)
    assert "cannot be locked" in said
    assert run.ended() == 0, run.said()[-6000:]
    assert study.checksums() == expected
    assert sorted(stored(study).values()) == [1] * ANSWERS
    assert lost == ITEMS * (1 + SAMPLED)
    assert study.jobs() == []


def test_a_lost_snakemake_folder(study: Project, expected: dict[str, str]) -> None:
    """After a kill: gone are the lock, the marks of incomplete files and all checksums."""
    lost = forget(study, "ed_nurse")
    before = stored(study).total()
    run = Run.start(study, TABLES)
    assert run.until(lambda: stored(study).total() >= before + 3)
    run.signal_all(signal.SIGKILL)
    run.ended()
    kept = stored(study).total() - before
    shutil.rmtree(study.path / ".snakemake")
    assert_going_on(study, expected, computed=lost - kept)
    assert study.jobs() == []


# --- disks --------------------------------------------------------------------------------


@contextmanager
def mounted(*options: str, at: Path) -> Iterator[None]:
    """Mount something at a folder, if this user may."""
    command = ["mount", *options, str(at)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        message = "a file system cannot be mounted here"
        if os.environ.get("PERSONA_DATA_REQUIRED") and os.geteuid() == 0:
            pytest.fail(message)
        pytest.skip(message)
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(place: Path, room: int) -> Path:
    """Write a file that leaves `room` KiB of a disk; it stands for whatever else is on it."""
    filler = place / "filler"
    with filler.open("wb") as file:
        file.write(bytes(shutil.disk_usage(place).free - room * 1024))
    return filler


@pytest.mark.parametrize("room", [8, 0, 100], ids=lambda room: f"{room}k")
def test_results_on_a_full_disk(study: Project, expected: dict[str, str], room: int) -> None:
    """At the first file, after some, among the tables: it is named, and nothing is lost."""
    lost = forget(study, "ed_nurse")
    for table in (study.path / "results/tables").iterdir():
        table.unlink()
    results, aside = study.path / "results", study.path / "aside"
    results.rename(aside)
    results.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs", at=results):
        shutil.copytree(aside, results, dirs_exist_ok=True)
        filler = fill(results, room)
        said = fails(study)
        filler.unlink()
        assert errors(said)
        for message in errors(said):
            assert message.startswith("error: results/")
            assert "No space left on device; free some space and run snakemake again" in message
        assert_whole(study, expected)
        assert not list(results.rglob("*.part"))
        assert_going_on(study, expected)
        assert stored(study).total() == ANSWERS
    assert lost


@pytest.mark.parametrize("room", [0, 100], ids=lambda room: f"{room}k")
def test_everything_on_a_full_disk(
    tmp_path: Path, study: Project, expected: dict[str, str], room: int
) -> None:
    """Logs, store and Snakemake's own notes are on it, too."""
    forget(study, "ed_nurse")
    place = tmp_path / "disk"
    place.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=128m", "tmpfs", at=place):
        shutil.copytree(study.path, place / "project")
        project = Project(place / "project")
        filler = fill(place, room)
        said = fails(project, TABLES)
        filler.unlink()
        assert "No space left on device" in said
        assert_whole(project, expected)
        project.run("--unlock")
        assert_going_on(project, expected)


@pytest.mark.quick
def test_a_read_only_results_folder(study: Project, expected: dict[str, str]) -> None:
    """Named before any job; with the rights back it goes on."""
    lost = forget(study, "ed_nurse")
    results = study.path / "results"
    with mounted("--bind", str(results), at=results):
        read_only = ["mount", "-o", "remount,ro,bind", str(results)]
        subprocess.run(read_only, check=True)
        said = fails(study, TABLES)
        assert "Write-protected output files" in said
        assert "results/tables/cells" in said
        # A study that needs files of its own there is refused in one sentence.
        said = fails(study, "--config", "seed=8")
        (message,) = errors(said)
        assert "results/config" in message
        assert "Read-only file system; allow this user to read and write it" in message
    assert_going_on(study, expected, TABLES)
    assert stored(study).total() == ANSWERS
    assert lost


# --- damaged files ------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [cut, flip], ids=lambda damage: damage.__name__)
def test_a_prepared_model_is_damaged(
    study: Project, expected: dict[str, str], damage: Callable[[Path], None]
) -> None:
    """Not one answer is computed by other weights than the manifest names."""
    lost = forget(study, "ed_nurse")
    before = stored(study)
    damage(study.path / MODEL)
    (message,) = errors(fails(study, TABLES))
    assert message.startswith(f"error: {MODEL} is damaged (expected sha256 ")
    assert message.endswith("; remove it and run snakemake again")
    assert stored(study) == before
    (study.path / MODEL).unlink()
    assert_going_on(study, expected, TABLES, computed=lost)


def test_a_downloaded_model_is_damaged(study: Project, expected: dict[str, str]) -> None:
    """Found when it is prepared again; without it the download begins anew."""
    lost = forget(study, "ed_nurse")
    source = "resources/models/tiny/source.gguf"
    flip(study.path / source, keep_times=True)
    (study.path / MODEL).unlink()
    (message,) = errors(fails(study, TABLES))
    assert message.startswith(f"error: {source} is damaged (expected sha256 ")
    assert not (study.path / MODEL).exists()
    (study.path / source).unlink()
    assert_going_on(study, expected, TABLES, computed=lost)


STAGES = ("prompts", "delivered", "responses", "scores", "calibration")
WHOSE = ("bridge_engineer", "ed_nurse", "ed_physician", "layperson", "neutral_fact")
# A file of every stage, each of another persona.
ONE_OF_EACH = {cell(stage, persona) for stage, persona in zip(STAGES, WHOSE, strict=True)}


def heal(project: Project, broken: set[str]) -> set[str]:
    """Remove what is named and run again, until nothing is; the files that were named."""
    named: set[str] = set()
    for _ in STAGES:
        done = project.snakemake("--cores", "2", "--keep-going")
        found = {re.match(r"error: (\S+) is damaged \(", line) for line in errors(done.stdout)}
        names = {match[1] for match in found if match}
        assert len(names) == len(found), done.stdout[-6000:]
        assert names <= broken - named
        if done.returncode == 0:
            return named
        assert names
        for name in names:
            (project.path / name).unlink()
        named |= names
    pytest.fail(f"damaged files are named again and again: {named}")


def test_parquet_files_are_cut_off(study: Project, expected: dict[str, str]) -> None:
    """They are newer than what was made from them: Snakemake sees it, a script says it."""
    for name in ONE_OF_EACH:
        cut(study.path / name)
    assert heal(study, ONE_OF_EACH) == ONE_OF_EACH
    assert_going_on(study, expected, computed=0)


def test_a_bit_flips_in_parquet_files(study: Project, expected: dict[str, str]) -> None:
    """As on a bad disk, times of files as they were; found by whoever reads them next."""
    for name in ONE_OF_EACH:
        flip(study.path / name, keep_times=True)
    for done, persona in enumerate(WHOSE, start=1):
        for stage in STAGES[done:]:
            (study.path / cell(stage, persona)).unlink()
    (study.path / TABLES).unlink()
    assert heal(study, ONE_OF_EACH) == ONE_OF_EACH
    assert_going_on(study, expected, computed=0)


@pytest.mark.quick
def test_a_table_is_damaged(study: Project, expected: dict[str, str]) -> None:
    """A figure names it, and the other tables are not touched by hand."""
    table, figure = "results/tables/cells.parquet", "results/figures/triage_accuracy.pdf"
    flip(study.path / table, keep_times=True)
    (study.path / figure).unlink()
    (message,) = errors(fails(study, figure))
    assert message.startswith(f"error: {table} is damaged (")
    (study.path / table).unlink()
    assert_going_on(study, expected, computed=0)


def test_views_and_a_manifest_are_damaged(study: Project, expected: dict[str, str]) -> None:
    """A view is written anew by the next call; a manifest is named."""
    for view in (study.path / "results/config").rglob("*.json"):
        cut(view)
    manifest = "resources/models/tiny/manifest.json"
    cut(study.path / manifest)
    named = re.compile(rf"error: {manifest} is damaged \(no JSON: .*\); remove it and run")
    messages = errors(fails(study, TABLES))
    assert messages
    assert [message for message in messages if not named.match(message)] == []
    (study.path / manifest).unlink()
    assert_going_on(study, expected, computed=0)


# --- memory and time ----------------------------------------------------------------------


LIMITED = """\
#!/bin/bash
ulimit -v {kilobytes}
exec {python} "$@"
"""


@pytest.mark.parametrize(
    "megabytes",
    [pytest.param(m, marks=pytest.mark.quick) if m == 700 else m for m in (300, 500, 700)],
)
def test_a_job_hits_a_limit_of_memory(
    study: Project, expected: dict[str, str], tmp_path: Path, megabytes: int
) -> None:
    """Somewhere between the first import and the last table; all jobs are under the limit."""
    lost = forget(study, "ed_nurse")
    programs = tmp_path / "programs"
    programs.mkdir()
    python = programs / "python"
    python.write_text(LIMITED.format(kilobytes=megabytes * 1000, python=sys.executable))
    python.chmod(0o755)
    snakemake = Path(sys.executable).parent / "snakemake"
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    env["PATH"] = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    # The limit is what a program has from its first import on.
    env[ADDRESS] = ""
    done = subprocess.run(
        [sys.executable, snakemake, "--cores", "2", TABLES],
        cwd=study.path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said[-6000:]
    assert "Error in rule generate" in said
    # Words of Python and its loader, of polars' threads, of llama.cpp.
    words = "memory|failed to map|temporarily unavailable|mem_buffer|return without exception set"
    assert re.search(words, said, re.IGNORECASE), said[-6000:]
    assert " is damaged (" not in said
    assert_whole(study, expected)
    assert lost
    assert_going_on(study, expected, TABLES)
    assert sorted(stored(study).values()) == [1] * ANSWERS


DAY = 86_400


def set_times(project: Project, seconds: float) -> None:
    """Move the times of all files."""
    for path in project.path.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime + seconds
            os.utime(path, (then, then))


def test_the_clock_is_set_forth(study: Project, expected: dict[str, str]) -> None:
    """Between two runs: what the first left is of the far past, which means nothing."""
    lost = forget(study, "ed_nurse")
    set_times(study, -400 * DAY)
    assert_going_on(study, expected, TABLES, computed=lost)
    assert study.jobs() == []


@pytest.mark.quick
def test_the_clock_is_set_back(study: Project, expected: dict[str, str]) -> None:
    """Snakemake refuses what is older than its inputs, and says so; touching the files mends it."""
    lost = forget(study, "ed_nurse")
    set_times(study, 400 * DAY)
    said = fails(study, TABLES)
    assert "has older modification time" in said
    assert "clock skew" in said
    assert not (study.path / cell("responses", "ed_nurse")).exists()
    assert stored(study).total() == ANSWERS
    folders = ("config", "resources", "results", "workflow")
    command = ["find", *folders, "-type", "f", "-exec", "touch", "{}", "+"]
    subprocess.run(command, cwd=study.path, check=True)
    assert_going_on(study, expected, TABLES, computed=0)
    assert study.jobs() == []
    assert lost
