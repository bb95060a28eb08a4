"""Studies that are built once for all the processes of a run of the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from project import Project


def shared(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Project:
    """The project that `build` makes in the folder it is given, built by the first who asks.

    All workers of pytest-xdist wait for the one that builds. No test may change what it gets:
    one that wants to asks for a copy (`Project.copy`).

    Args:
        factory: the fixture tmp_path_factory.
        name: of the study, its own among all that are shared.
        build: called once in a run with a folder that does not exist yet. Where it fails, it is
            not called again: every other test that needs the study fails with its first message.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "studies" / name
    folder.parent.mkdir(exist_ok=True)
    outcome = folder.with_name(f"{name}.outcome")
    with FileLock(folder.with_name(f"{name}.lock")):
        if not outcome.exists():
            outcome.write_text("its process was ended")
            try:
                build(folder)
            except BaseException as error:
                outcome.write_text(f"{type(error).__name__}: {error}")
                raise
            outcome.write_text("")
    failure = outcome.read_text()
    if failure:
        pytest.fail(f"the shared study {name} could not be built: {failure}", pytrace=False)
    return Project(folder)
