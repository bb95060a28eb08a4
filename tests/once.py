"""What is built once for all the processes of a run of the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The file or folder that `build` makes at the path it is given, built by the first who asks.

    All workers of pytest-xdist wait for the one that builds. No test may change what it gets.

    Args:
        factory: the fixture tmp_path_factory.
        name: its own among all that are built.
        build: called once in a run with a path where nothing is yet. Where it fails, it is not
            called again: every other test that needs it fails with the first message.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    path = base / "once" / name
    path.parent.mkdir(exist_ok=True)
    outcome = path.with_name(f"{name}.outcome")
    with FileLock(path.with_name(f"{name}.lock")):
        if not outcome.exists():
            outcome.write_text("its process was ended")
            try:
                build(path)
            except BaseException as error:
                outcome.write_text(f"{type(error).__name__}: {error}")
                raise
            outcome.write_text("")
    failure = outcome.read_text()
    if failure:
        pytest.fail(f"{name}, which tests share, could not be built: {failure}", pytrace=False)
    return path
