"""Studies that tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from once import built_once
from project import Project


def shared(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Project:
    """The project that `build` makes in the folder it is given, built once (`once.built_once`).

    A test that wants to change it asks for a copy (`Project.copy`).
    """
    return Project(built_once(factory, name, build))
