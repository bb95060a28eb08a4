"""What the tests share: real data, a browser, and small projects."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import yaml
from playwright.sync_api import Browser, sync_playwright
from project import ROOT, STUDY, Project, add_model, new_project
from studies import shared

# The same examples on every machine, however slow it is.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; skips, or fails under PERSONA_DATA_REQUIRED, without it."""
    path = Path(os.environ.get("PERSONA_DATA_DIR", ROOT.parent / "shared" / "data")).resolve()
    if not path.is_dir():
        message = f"no real data: neither PERSONA_DATA_DIR nor {path} is there"
        if os.environ.get("PERSONA_DATA_REQUIRED"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser without a window; skips, or fails under PERSONA_DATA_REQUIRED, without it."""
    program = os.environ.get("PERSONA_CHROMIUM") or shutil.which("chromium")
    if program is None:
        message = "no browser: install Chromium, or name its program in PERSONA_CHROMIUM"
        if os.environ.get("PERSONA_DATA_REQUIRED"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def _small_study(path: Path) -> Project:
    made = new_project(path)
    add_model(made)
    (made.path / "config" / "config.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a small study of a random-weights model; nothing has run."""
    return _small_study(tmp_path / "project")


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return shared(tmp_path_factory, "finished", lambda path: _small_study(path).run("--cores", "1"))


@pytest.fixture
def finished(_finished: Project, tmp_path: Path) -> Project:
    """A copy of a project whose small study has run, times of files and all."""
    return _finished.copy(tmp_path / "project")
