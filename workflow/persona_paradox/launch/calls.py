"""Call Snakemake several times: from a process that imports it once (`snakemake_server`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, cast

from .start import start_server

SERVER = Path(__file__).with_name("snakemake_server.py")


def snakemake(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    server: Path = SERVER,
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder; `stdout` of what is returned has all output.

    Args:
        arguments: of its command line.
        folder: where it runs.
        environment: of the run.
        server: the program that runs it.
    """
    process = _started(server)
    to, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
    with tempfile.NamedTemporaryFile() as output:
        asked = {
            "arguments": [*arguments],
            "folder": str(folder),
            "environment": {**environment},
            "output": output.name,
        }
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(asked), file=to, flush=True)
        try:
            status = answers.readline()
        except BaseException:
            # The run ends what it has started, before its folder may be gone.
            process.terminate()
            answers.readline()
            raise
        said = Path(output.name).read_text(encoding="utf-8", errors="replace")
    if not status:
        said += "\nerror: the process that runs Snakemake was ended; run this again\n"
    return subprocess.CompletedProcess(["snakemake", *arguments], int(status or 1), said)


@cache
def _started(server: Path) -> subprocess.Popen[str]:
    """It ends with its stdin, and that with this process."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, server], stdin=pipe, stdout=pipe, text=True)


@cache
def one_server() -> None:
    """From now on all runs have their jobs from one process, of the Python that runs this."""
    here = Path(sys.executable).parent
    os.environ["PATH"] = f"{here}{os.pathsep}{os.environ.get('PATH', '')}"
    start_server()
