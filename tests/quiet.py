"""Code that must not say a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import persona_paradox

LIBRARY = Path(persona_paradox.__file__).parents[1]


def assert_quiet(code: str) -> None:
    """Run code on the library in a fresh Python, which must not say a word."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        cwd=LIBRARY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert done.stderr == ""
