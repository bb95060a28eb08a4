"""Start the process that starts jobs (`server`)."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .names import ADDRESS

# What Snakemake sets for a job of one thread.
_THREADS = ("OMP", "GOTO", "OPENBLAS", "MKL")


# It keeps the server, whose stdin is open as long as this process is there.
@cache
def start_server() -> subprocess.Popen[bytes] | None:
    """From now on jobs that this process starts find a server, which ends with this process.

    Returns:
        The server, or None where none was started: where this process was given one, where the
        signals of a socket may not be those of Linux, and where it cannot be started.
    """
    if ADDRESS in os.environ or sys.platform != "linux":
        return None
    folder = Path(tempfile.mkdtemp(prefix="persona-paradox-"))
    try:
        server = _start(folder / "socket")
    except OSError:
        # The name of a socket may be too long, for one; jobs do without.
        shutil.rmtree(folder)
        return None
    os.environ[ADDRESS] = str(folder / "socket")
    atexit.register(_end, server)
    return server


def _start(address: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    program = str(Path(__file__).with_name("server.py"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(128)
        # A server that cannot load the libraries ends; jobs say themselves what is lacking.
        return subprocess.Popen(
            ["python", program, str(listener.fileno())],
            env=environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _end(server: subprocess.Popen[bytes]) -> None:
    """Its folder is gone when this process is."""
    if server.stdin:
        server.stdin.close()
    server.wait()
