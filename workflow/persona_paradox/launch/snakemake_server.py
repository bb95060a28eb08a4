"""Snakemake's command line in copies of this process, which has imported it: most of a small run.

A line of stdin asks for one run, as JSON: arguments, folder, environment and the file for its
output. Its exit status is answered, a line of stdout. This process imports nothing of the project.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import jsonschema  # noqa: F401 - this and those below are imported by every run
import pandas as pd  # noqa: F401
import smart_open  # noqa: F401
import yte  # noqa: F401
from ending import ended
from snakemake.cli import get_argument_parser, main

PROGRAM = Path(sys.executable).with_name("snakemake")


def run(asked: dict[str, Any]) -> NoReturn:
    """What the program `snakemake` does; ends this process."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.argv = [str(PROGRAM), *asked["arguments"]]
    sys.path[0] = str(PROGRAM.parent)
    os._exit(ended(main))


def serve() -> None:
    """Run what is asked, one after another, until stdin ends; SIGTERM ends a run with its jobs."""
    # Whoever asked is told by a terminal, and says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: list[int] = []

    def end(*_: object) -> None:
        if not children:
            # Nothing runs yet, nor will.
            sys.exit(1)
        for child in children:
            # It may have ended just now.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    get_argument_parser()  # imports all plug-ins
    # What is frozen is not looked at in a copy, and so stays shared.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(json.loads(line))
        # With its jobs it is a group of its own, whichever of the two is first to say so.
        with contextlib.suppress(ProcessLookupError):
            os.setpgid(child, child)
        children.append(child)
        status = os.waitpid(child, 0)[1]
        children.clear()
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
