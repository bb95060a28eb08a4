"""Snakemake's command line for the tests, in processes that have imported it already.

Most of what a dry run takes is imports, and translating the rules. A line of stdin asks for one
run, as JSON: arguments, folder, environment and the file for its output. Its exit status is
answered, a line of stdout. It runs in a process of its own, a copy of this one, which imports
nothing of the project, and has its rules translated: what a test changed is translated anew.
"""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema  # noqa: F401
import pandas as pd  # noqa: F401
import smart_open  # noqa: F401
import snakemake.api
import snakemake.report.html_reporter
import snakemake.utils
import snakemake.workflow
import yte  # noqa: F401
from root import ROOT
from snakemake.cli import get_argument_parser, main
from snakemake.sourcecache import LocalSourceFile

PROGRAM = Path(sys.executable).with_name("snakemake")

_parse = snakemake.workflow.parse
# By the text of a file of rules: its path, and what Snakemake makes of it.
_PARSED: dict[str, tuple[str, str, int, dict[int, int]]] = {}


def parse_all() -> None:
    """Translate the project's rules."""
    for path in (ROOT / "Snakefile", *sorted(ROOT.glob("workflow/rules/*.smk"))):
        text = path.read_text(encoding="utf-8")
        lines: dict[int, int] = {}
        opened = SimpleNamespace(
            sourcecache=SimpleNamespace(open=lambda _, text=text: StringIO(text))
        )
        code, rules = _parse(LocalSourceFile(str(path)), opened, lines)
        _PARSED[text] = (str(path), code, rules, lines)


def parse(path: Any, workflow: Any, linemap: dict[int, int], **more: Any) -> tuple[str, int]:
    """What `snakemake.parser.parse` returns, of a file that is known by its text."""
    with workflow.sourcecache.open(path) as file:
        known = _PARSED.get(file.read())
    if known is None or more.keys() != {"rulecount"}:
        return _parse(path, workflow, linemap=linemap, **more)
    before, code, rules, lines = known
    linemap |= lines
    # A rule is numbered where it has no name, and all of ours have.
    code = code.replace(repr(before), repr(path.get_path_or_uri(secret_free=True)))
    return code, more["rulecount"] + rules


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
    parse_all()
    snakemake.workflow.parse = parse
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
