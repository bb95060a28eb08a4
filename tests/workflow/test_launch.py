"""Jobs from a process that has the libraries do what Python itself does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project
from root import ROOT

from persona_paradox.launch import calls
from persona_paradox.launch.names import ADDRESS

# As the rules have it.
JOB = ["-S", str(ROOT / "workflow/persona_paradox/launch/job.py")]
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "GOTO", "OPENBLAS", "MKL")}
# A run, as Snakemake is one: it says where its server is, and lives as long as its stdin.
RUN = """
import sys
from persona_paradox.launch.start import start_server
server = start_server()
import os
print(os.environ["PERSONA_LAUNCHER"], server.pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def serving() -> Iterator[tuple[dict[str, str], int]]:
    """The environment of jobs that a server runs, and the server's process."""
    plain = {k: v for k, v in os.environ.items() if k != ADDRESS} | THREADS
    plain["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{plain['PATH']}"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", RUN]
    environment = plain | {"PYTHONPATH": str(ROOT / "workflow")}
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        address, pid = run.stdout.readline().split()
        yield environment | {ADDRESS: address}, int(pid)
        assert run.stdin is not None
        run.stdin.close()


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, str]]:
    with serving() as (environment, _):
        yield environment


def run(
    environment: dict[str, str], script: Path, *arguments: str, launched: bool = True
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(JOB if launched else []), script, *arguments]
    return subprocess.run(
        command,
        env=environment,
        cwd=script.parent,
        input="said\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


TELL = """
import json, os, sys, tempfile
modules = sorted(name for name in sys.modules if "." not in name)
print(json.dumps({
    "argv": sys.argv, "file": __file__, "name": __name__, "folder": os.getcwd(),
    "path": sys.path[0],
    "environment": dict(os.environ), "stdin": sys.stdin.read(), "parent": os.getppid(),
    "polars": "polars" in modules, "scipy": "scipy.stats" in sys.modules,
    "temporary": tempfile.gettempdir(),
}))
print("error", file=sys.stderr)
"""


def told(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.stderr == "error\n"
    found: dict = json.loads(done.stdout)
    return found


def test_a_script_sees_what_it_would_see_of_python(served: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "tell ü.py"
    script.write_text(TELL)
    # More than is sent at once.
    long = {f"PERSONA_{n}": f"{n}\n" * 40_000 for n in range(3)}
    environment = served | long | {"PERSONA_X": 'a "b"\nc', "TMPDIR": str(tmp_path)}
    words = ["--x", "", "a b", "ü"]
    here, there = (
        told(run(environment, script, *words, launched=launched)) for launched in (True, False)
    )
    assert (here.pop("polars"), there.pop("polars")) == (True, False)
    assert here.pop("parent") != there.pop("parent")
    assert here == there


ENDS = {
    "exit(0)": 0,
    "sys.exit(3)": 3,
    "sys.exit(-1)": 255,
    "sys.exit(256)": 0,
    "sys.exit('a word')": 1,
    "raise ValueError('wrong')": 1,
    "raise SystemExit": 0,
    "os._exit(7)": 7,
    "os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "os.kill(os.getpid(), signal.SIGSEGV)": -signal.SIGSEGV,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends_as_it_would(served: dict[str, str], tmp_path: Path, end: str) -> None:
    script = tmp_path / "end.py"
    threads = "threading.Thread(target=lambda: (time.sleep(.2), print('thread'))).start()"
    exits = "atexit.register(print, 'at the end')"
    script.write_text(
        "import atexit, os, signal, sys, threading, time\nprint('begun', flush=True)\n"
        f"{exits}\n{threads}\n{end}"
    )
    here, there = (run(served, script, launched=launched) for launched in (True, False))
    assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
    assert here.returncode == ENDS[end]
    assert here.stderr.splitlines()[-1:] == there.stderr.splitlines()[-1:]


def test_the_second_job_of_a_script_finds_what_the_first_imported(
    served: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "stats.py"
    script.write_text("import sys\nprint('scipy.stats' in sys.modules)\nimport scipy.stats")
    assert [run(served, script).stdout for _ in range(3)] == ["False\n", "True\n", "True\n"]


def sleeper(folder: Path) -> Path:
    script = folder / "sleep.py"
    script.write_text(
        "import os, pathlib, signal, sys, time\n"
        "def stop(*_):\n    pathlib.Path('stopped').touch()\n    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path('new').write_text(str(os.getpid()))\nos.rename('new', 'pid')\n"
        "time.sleep(100)\n"
    )
    return script


def wait_for(what: str, there: Callable[[], bool]) -> None:
    for _ in range(600):
        if there():
            return
        time.sleep(0.1)
    pytest.fail(f"{what} did not come about")


def is_alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_whoever_ends_a_job_ends_its_script(
    served: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    script = sleeper(tmp_path)
    command = [sys.executable, *JOB, script]
    with subprocess.Popen(command, env=served, cwd=tmp_path) as asked:
        wait_for("the script", (tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        assert pid != asked.pid
        asked.send_signal(number)
        wait_for("the end of the script", lambda: not is_alive(pid))
    # It may still say that it was stopped, as it does without a server.
    assert (tmp_path / "stopped").exists() == (number == signal.SIGTERM)
    assert asked.returncode == (143 if number == signal.SIGTERM else -number)


def test_many_jobs_at_once(served: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "many.py"
    script.write_text(
        "import sys, polars as pl\nn = int(sys.argv[1])\n"
        "print(pl.DataFrame({'a': range(n)}).group_by(pl.col('a') % 7).len()['len'].sum())\n"
        "sys.exit(n % 5)\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, *JOB, str(script)]
    jobs = [
        subprocess.Popen([*command, str(n)], env=served, stdout=pipe, text=True)
        for n in range(1000, 1024)
    ]
    for n, one in zip(range(1000, 1024), jobs, strict=True):
        assert one.communicate(timeout=120)[0] == f"{n}\n"
        assert one.returncode == n % 5


@pytest.mark.parametrize(
    "change",
    [
        {ADDRESS: ""},
        {ADDRESS: "/nowhere/socket"},
        {"OMP_NUM_THREADS": "2"},
        {"PYTHONHASHSEED": "1"},
        {"LC_ALL": "C.UTF-8"},
    ],
    ids=str,
)
def test_where_a_server_would_do_something_else_python_runs_the_script(
    served: dict[str, str], tmp_path: Path, change: dict[str, str]
) -> None:
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    assert told(run(served, script))["polars"]
    assert not told(run(served | change, script))["polars"]


def test_a_server_ends_with_its_run_and_leaves_nothing(tmp_path: Path) -> None:
    with serving() as (environment, pid):
        folder = Path(environment[ADDRESS]).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        script = tmp_path / "tell.py"
        script.write_text(TELL)
        assert told(run(environment, script))["polars"]
    wait_for("the end of the server", lambda: not is_alive(pid))
    wait_for("the end of its folder", lambda: not folder.exists())
    assert not told(run(environment, script))["polars"]


def test_a_server_that_was_killed_is_done_without(tmp_path: Path) -> None:
    """Its jobs go on to their ends, and the next ones start by themselves."""
    script = sleeper(tmp_path)
    script.write_text(script.read_text().replace("time.sleep(100)", "input()\nsys.exit(5)"))
    pipe = subprocess.PIPE
    with serving() as (environment, pid):
        command = [sys.executable, *JOB, script]
        with subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=pipe) as asked:
            wait_for("the script", (tmp_path / "pid").exists)
            os.kill(pid, signal.SIGKILL)
            wait_for("the end of the server", lambda: not is_alive(pid))
            asked.communicate(b"\n", timeout=60)
        assert asked.returncode == 5
        tell = tmp_path / "tell.py"
        tell.write_text(TELL)
        assert not told(run(environment, tell))["polars"]


@pytest.mark.parametrize("change", [{"TMPDIR": "long"}, {"PATH": "/nowhere"}], ids=str)
def test_a_run_without_a_server_leaves_nothing(tmp_path: Path, change: dict[str, str]) -> None:
    folder = tmp_path / ("x" * 150)
    folder.mkdir()
    change = {"TMPDIR": str(folder)} | {k: v for k, v in change.items() if v != "long"}
    plain = {k: v for k, v in os.environ.items() if k != ADDRESS}
    environment = plain | change | {"PYTHONPATH": str(ROOT / "workflow")}
    program = "from persona_paradox.launch.start import start_server; print(start_server())"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert [*folder.iterdir()] == []


def test_a_run_has_a_server_and_a_dry_run_none(project: Project) -> None:
    script = "workflow/scripts/write_prompts.py"
    project.replace(script, "import sys\n", 'import sys\nprint("warm", "polars" in sys.modules)\n')
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = ["snakemake", "--cores", "1", "--forcerun", "write_prompts"]
    target = ["--", "results/prompts/triage_ed/no_persona.parquet"]
    none = {ADDRESS: ""}
    for words, extra, found in ((["-n"], {}, []), ([], {}, ["True"]), ([], none, ["False"])):
        done = subprocess.run(
            [*command, *words, *target],
            env=environment | extra,
            cwd=project.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        assert [line for line in lines if line.startswith("warm")] == [f"warm {f}" for f in found]


SNAKEFILE = """
rule all:
    shell:
        "echo $WORD; exit {config[status]}"
"""


def test_calls_of_snakemake_from_one_process(tmp_path: Path) -> None:
    """Each in its folder and environment, with an output and a status of its own."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Snakefile").write_text(SNAKEFILE)
        environment = {**os.environ} | {"WORD": f"said by the {name}"}
        for status in (0, 3):
            arguments = ["--cores", "1", "--config", f"status={status}"]
            done = calls.snakemake(arguments, tmp_path / name, environment)
            assert done.returncode == (1 if status else 0)
            assert f"\nsaid by the {name}\n" in done.stdout
            assert ("Error in rule all" in done.stdout) == bool(status)
    calls._started.cache_clear()


def test_a_call_whose_process_was_ended_has_failed(tmp_path: Path) -> None:
    process = calls._started(calls.SERVER)
    process.kill()
    process.wait()
    done = calls.snakemake(["--version"], tmp_path, os.environ)
    assert done.returncode == 1
    assert "error: the process that runs Snakemake was ended; run this again" in done.stdout
    calls._started.cache_clear()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_interrupts_a_call_ends_its_jobs(tmp_path: Path, number: int) -> None:
    begun = tmp_path / "begun"
    rule = 'rule all:\n    shell:\n        "echo $$ > pid; mv pid begun; exec sleep 600"\n'
    (tmp_path / "Snakefile").write_text(rule)
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from persona_paradox.launch import calls\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "calls.snakemake(['--cores', '1'], Path(), os.environ)\n"
    )
    environment = {**os.environ} | {"PYTHONPATH": str(ROOT / "workflow")}
    called = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    wait_for("a job", begun.exists)
    called.send_signal(number)
    assert called.wait(60) != 0
    assert not is_alive(int(begun.read_text()))
