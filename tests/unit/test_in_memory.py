"""Where the temporary files of `make test` are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from in_memory import MEMORY, folder_in_memory
from root import ROOT

SAY = "import tempfile; print(tempfile.mkdtemp(), flush=True)"


def start(code: str, **environment: str) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if key != "TMPDIR"} | environment
    command = [sys.executable, str(ROOT / "tests/in_memory.py"), "-c", code]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    folder = folder_in_memory()
    if folder is None:
        pytest.skip(f"{MEMORY} has no room here")
    Path(folder).rmdir()


@pytest.mark.usefixtures("roomy")
def test_files_are_in_memory_and_go_with_the_command() -> None:
    said, _ = (running := start(SAY)).communicate(timeout=60)
    assert running.returncode == 0
    assert said.startswith(f"{MEMORY}/persona-paradox-")
    assert not Path(said.strip()).parent.exists()


@pytest.mark.usefixtures("roomy")
def test_files_of_what_failed_are_kept_and_named() -> None:
    said, _ = (running := start(f"{SAY}; raise SystemExit(3)")).communicate(timeout=60)
    assert running.returncode == 3
    made = Path(said.splitlines()[0])
    assert str(made.parent) in said.splitlines()[1]
    made.rmdir()
    made.parent.rmdir()


def test_a_place_that_is_named_is_kept(tmp_path: Path) -> None:
    said, _ = start(SAY, TMPDIR=str(tmp_path)).communicate(timeout=60)
    assert Path(said.strip()).parent == tmp_path


def test_who_ends_it_ends_the_command(tmp_path: Path) -> None:
    running = start(f"{SAY}; import time; time.sleep(600)", TMPDIR=str(tmp_path))
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 128 + signal.SIGTERM
