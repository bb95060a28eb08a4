"""The parts of the README, or of another document, that a benchmark writes."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).with_name("README.md")
BUSY = 0.5  # load average of a machine on which others work


def write(name: str, text: str, document: Path = README) -> None:
    """Put a text between the markers `<!-- name begins -->` and `<!-- name ends -->`."""
    begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    old = document.read_text(encoding="utf-8")
    before, found, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise SystemExit(f"error: {document} has no markers {begin} and {end}")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def processor() -> str:
    """Name of the processor."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else "Unknown processor"


def busy(load: float) -> str:
    """A warning where others were at work when it began, from the load average of then."""
    return f" **The machine was busy when it began (load {load:.1f}).**" if load > BUSY else ""
