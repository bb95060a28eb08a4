"""Snakemake's command line for the tests, from a process that has imported it already.

Most of what a dry run takes is imports, and translating the rules: this process has the project's
rules translated, and what a test changed is translated anew. It imports nothing of the project.
"""

from __future__ import annotations

import sys
from io import StringIO
from types import SimpleNamespace
from typing import Any

import snakemake.api
import snakemake.workflow
from root import ROOT
from snakemake.sourcecache import LocalSourceFile

# By itself: the package must be that of the copy in which a run is.
sys.path.append(str(ROOT / "workflow/persona_paradox/launch"))
from snakemake_server import serve

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


if __name__ == "__main__":
    parse_all()
    snakemake.workflow.parse = parse
    sys.path.pop()
    serve()
