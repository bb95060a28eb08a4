"""Whether the environment of the project is active, seen before anything of it is loaded."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

_ROOT = Path(__file__).resolve().parents[2]
# What is imported first, by one program or another.
_LIBRARIES = ("snakemake", "polars", "llama_cpp")


def check_environment() -> None:
    """End with one sentence on what to activate, where Python lacks a library of the project."""
    lacking = [name for name in _LIBRARIES if find_spec(name) is None]
    if not lacking:
        return
    activate = _ROOT / ".venv/bin/activate"
    made = "" if activate.is_file() else "make it (`make` in the folder of the project) and "
    source = quote(os.path.relpath(activate))
    sys.exit(
        f"error: {sys.executable} lacks {', '.join(lacking)}, which the project's environment has; "
        f"{made}activate it (`source {source}`, or with conda `conda activate persona-paradox`), "
        "and run this again"
    )
