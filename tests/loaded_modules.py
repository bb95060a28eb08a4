"""Which modules of the project the jobs of a run load, as the interpreter has it at their end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Inputs that hold the sums of a script and of what it imports.
_SUMS = "results/config/code/"

# Python runs a module of this name at every start.
_AT_START = """
import atexit, json, os, sys, uuid

def note():
    # By their names: what started the job lies there, too, and is no module of the package.
    own = [m for name, m in list(sys.modules.items()) if name.split(".")[0] == "persona_paradox"]
    mine = sorted({os.path.relpath(m.__file__) for m in own if m.__file__})
    name = os.path.join({folder!r}, uuid.uuid4().hex + ".json")
    if mine and "--log" in sys.argv:
        with open(name, "w") as file:
            json.dump({"log": sys.argv[sys.argv.index("--log") + 1], "modules": mine}, file)

atexit.register(note)
"""


def watch(folder: Path) -> dict[str, str]:
    """The environment in which jobs leave a note in a folder of what they have loaded."""
    (folder / "notes").mkdir(parents=True)
    text = _AT_START.replace("{folder!r}", repr(str(folder / "notes")))
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


def loaded(folder: Path) -> dict[str, set[str]]:
    """Log of a job → files of the modules it has loaded, relative to the project."""
    found: dict[str, set[str]] = {}
    for path in (folder / "notes").glob("*.json"):
        note = json.loads(path.read_text())
        found.setdefault(note["log"], set()).update(note["modules"])
    return found


def named(project: Path) -> dict[str, set[str]]:
    """Log of a job → the inputs of its rule, with the modules whose sums one of them holds."""
    found: dict[str, set[str]] = {}
    for note in (project / ".snakemake/metadata").rglob("*"):
        if note.is_file():
            about: dict[str, Any] = json.loads(note.read_text())
            inputs = set(about["input"])
            for path in (project / one for one in about["input"] if one.startswith(_SUMS)):
                inputs |= {f"workflow/{module}" for module in json.loads(path.read_text())}
            found |= {log: inputs for log in about["log"] or ()}
    return found
