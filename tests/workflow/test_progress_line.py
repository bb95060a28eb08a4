"""The last row of a terminal in a real run, seen through a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

from project import Project

ROWS, COLUMNS = 30, 100
SILENCE_S = 0.2
TARGET = "results/scores/tiny/triage_ed/ed_nurse.parquet"
LINE = re.compile(rb"\x1b7\x1b\[%d;1H\x1b\[2K([^\x1b]*)\x1b8" % ROWS)
KEPT, GIVEN_BACK = b"\x1b[1;%dr" % (ROWS - 1), b"\x1b[r"


def in_terminal(
    project: Project, *arguments: str, interrupt: bytes | None = None, **environment: str
) -> tuple[int, bytes]:
    """Run snakemake in a terminal; returns its exit status and all that it wrote.

    Once `interrupt` was read and nothing more is said, it gets what Ctrl-C sends: Snakemake's
    logger ignores one that comes while it writes.
    """
    terminal, end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    running = subprocess.Popen(
        # What runs in the background, as these tests may, ignores Ctrl-C.
        ["env", "--default-signal=INT", "snakemake", *arguments],
        cwd=project.path,
        env=os.environ | {"TERM": "xterm", "PATH": path} | environment,
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    written = b""
    while True:
        asked = interrupt is not None and interrupt in written
        if asked and not select.select([terminal], [], [], SILENCE_S)[0]:
            os.killpg(running.pid, signal.SIGINT)
            interrupt = None
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            break
        written += part
    os.close(terminal)
    return running.wait(), written


def test_last_row_says_how_far_the_run_is_and_is_given_back(project: Project) -> None:
    status, written = in_terminal(project, "--cores", "1", TARGET)
    assert status == 0, written[-3000:]
    assert (project.path / TARGET).is_file()
    lines = [line.decode() for line in LINE.findall(written)]
    assert lines[0].startswith("0 of 1 cells | ")
    assert all(len(line) < COLUMNS for line in lines)
    said = re.compile(
        r"[01] of 1 cells \| \d+ of \d+ jobs( \| \d+\.\d answers/s)?( \| at least .+ left)?"
    )
    assert [line for line in lines if line and not said.fullmatch(line)] == []
    jobs = [int(re.search(r"(\d+) of \d+ jobs", line)[1]) for line in lines if line]
    assert jobs == sorted(jobs)
    assert jobs[-1] > 0
    # The row is taken out of what scrolls once, and given back at the end.
    assert written.count(KEPT) == 1
    assert written.count(GIVEN_BACK) == 1
    assert written.index(KEPT) < written.index(GIVEN_BACK)
    assert b"\x1b[2K" + GIVEN_BACK in written
    # What Snakemake says is there as ever.
    assert b"Finished jobid" in written


def test_row_is_given_back_when_a_run_fails(project: Project) -> None:
    project.edit("config/models/tiny.yaml", lambda m: m["source"].update(sha256="0" * 64))
    status, written = in_terminal(project, "--cores", "1", TARGET)
    assert status == 1
    assert b"error: " in written
    assert written.count(KEPT) == written.count(GIVEN_BACK) == 1


def test_row_is_given_back_after_ctrl_c(project: Project) -> None:
    status, written = in_terminal(project, "--cores", "1", TARGET, interrupt=KEPT)
    assert status != 0
    assert written.count(GIVEN_BACK) == 1


def test_nothing_is_shown_where_it_should_not_be(project: Project) -> None:
    status, dry = in_terminal(project, "-n", TARGET)
    assert status == 0
    status, quiet = in_terminal(project, "--cores", "1", "--quiet", "progress", "--", TARGET)
    assert status == 0, quiet[-3000:]
    status, dumb = in_terminal(project, "--cores", "1", TARGET, "-F", TERM="dumb")
    assert status == 0, dumb[-3000:]
    piped = project.run("--cores", "1", "--forcerun", "score", "--", TARGET).encode()
    for written in (dry, quiet, dumb, piped):
        assert KEPT not in written
        assert GIVEN_BACK not in written
