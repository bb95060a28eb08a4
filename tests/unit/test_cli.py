"""A program of the workflow that llama.cpp brings down says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKFLOW = Path(__file__).parents[2] / "workflow"

# What a kernel that reads beyond its memory does.
PROGRAM = """\
import ctypes
import sys

sys.path.insert(0, sys.argv.pop())

from persona_paradox import cli


def decode(arguments):
    ctypes.string_at(0)


cli.run(decode, cli.parser("Crash."))
"""


def test_a_crash_of_native_code_names_the_place(tmp_path: Path) -> None:
    program = tmp_path / "crash.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), "--log", str(tmp_path / "log"), str(WORKFLOW)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode < 0
    assert "Segmentation fault" in done.stderr
    assert f'File "{program}", line 10 in decode' in done.stderr
