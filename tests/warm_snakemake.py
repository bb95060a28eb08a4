"""Snakemake's command line for the tests, in processes that have imported it already.

Most of what a dry run takes is imports. A line of stdin asks for one run, as JSON: arguments,
folder, environment and the file for its output. Its exit status is answered, a line of stdout. It
runs in a process of its own, a copy of this one, which imports nothing of the project.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jsonschema  # noqa: F401
import snakemake.report.html_reporter
import snakemake.utils  # noqa: F401
import yte  # noqa: F401
from snakemake.cli import get_argument_parser, main

PROGRAM = Path(sys.executable).with_name("snakemake")


def run(asked: dict) -> None:
    """What the program `snakemake` does; ends this process."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    sys.argv = [str(PROGRAM), *asked["arguments"]]
    sys.path[0] = str(PROGRAM.parent)
    sys.exit(main())


if __name__ == "__main__":
    get_argument_parser()  # imports all plug-ins
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
