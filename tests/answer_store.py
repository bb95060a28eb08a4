"""What stands in the store of a project, and the program that looks after it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from project import Project

from persona_paradox.engine.store import SUFFIX, Segment


def environment(store: Path | None = None) -> dict[str, str]:
    """A user's, with the store in the project or elsewhere."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return env | ({"PERSONA_STORE_DIR": str(store)} if store else {})


def start(project: Project, *command: str, store: Path | None = None) -> subprocess.Popen[str]:
    """Start a command in the project, in a process group of its own."""
    return subprocess.Popen(
        command,
        cwd=project.path,
        env=environment(store),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def segments(store: Path) -> list[Path]:
    return sorted(store.rglob(f"*{SUFFIX}"))


def stored(store: Path) -> Counter[str]:
    """How often every key is stored; what is no entry is the cut end of a segment."""
    keys: Counter[str] = Counter()
    for path in segments(store):
        segment = Segment(path)
        keys.update(key for key, _ in segment)
        assert len(segment.damaged) <= 1
        assert all("ends in the middle" in damage.what for damage in segment.damaged)
    return keys


def look_after(project: Project, *arguments: str, store: Path | None = None) -> str:
    """Run `store.py`; its output, which ends with the exit status."""
    done = start(project, "python", "workflow/scripts/store.py", *arguments, store=store)
    output, _ = done.communicate(timeout=300)
    return f"{output}{done.returncode}"


def shrink_loses_nothing(project: Project) -> None:
    """Every answer of a study that has run stays, once: two jobs at a time may both store one."""
    store = project.path / "resources/store"
    before = stored(store)
    twice = before.total() - len(before)
    said = look_after(project, "shrink")
    assert said.endswith(f"{len(before)} answers kept, {twice} removed, 0 damaged ones\n0")
    assert stored(store) == Counter(before.keys())
