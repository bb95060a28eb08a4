"""What the tests share: real data, a browser, and small projects."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dependencies
import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright
from project import Project, small_study
from root import ROOT
from studies import shared

# The same examples on every machine, however slow it is.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which tests run."""
    parser.addoption(
        "--changed-since",
        metavar="REV",
        help="only files of tests that a change since this commit can touch",
    )
    parser.addoption(
        "--simulations",
        choices=["all", "changed"],
        default="all",
        help="'changed': only simulations whose code is not that which passed last",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Look once for what changed."""
    since = config.getoption("--changed-since")
    try:
        config.stash[CHANGES] = dependencies.changed(since) if since else None
    except ValueError as error:
        raise pytest.UsageError(f"{error}; name a commit or a branch") from None
    config.stash[PASSED] = set()
    if config.getoption("--simulations") == "changed":
        known = dependencies.recorded()
        config.stash[PASSED] = {t for t, d in known.items() if d == dependencies.digest(t)}


CHANGES = pytest.StashKey[list[Path] | None]()
PASSED = pytest.StashKey[set[str]]()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which tests were chosen, and why."""
    lines = []
    changes = config.stash[CHANGES]
    if changes is not None:
        since = config.getoption("--changed-since")
        names = ", ".join(str(path.relative_to(ROOT)) for path in changes) or "nothing"
        lines.append(f"changed since {since}: {names}")
        places = [ROOT / path for path in config.getini("testpaths")]
        tests = [test for place in places for test in sorted(place.glob("test_*.py"))]
        chosen = [test for test in tests if dependencies.touched(test, changes)]
        files = ", ".join(test.stem for test in chosen) or "none"
        lines.append(f"{len(chosen)} of {len(tests)} files of tests depend on that: {files}")
    if config.stash[PASSED]:
        names = ", ".join(sorted(Path(test).stem for test in config.stash[PASSED]))
        lines.append(f"simulations left out, for their code passed: {names}")
    return lines


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of tests that no change can touch."""
    changes = config.stash[CHANGES]
    if changes is None or not collection_path.match("test_*.py"):
        return None
    return not dependencies.touched(collection_path, changes) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out simulations whose code passed."""
    passed = config.stash[PASSED]
    out = [
        item
        for item in items
        if item.get_closest_marker("simulation") and str(item.path.relative_to(ROOT)) in passed
    ]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in set(out)]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where no change can touch a test, all is well."""
    nothing = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    if nothing and session.config.stash[CHANGES] is not None:
        session.exitstatus = pytest.ExitCode.OK


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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a small study of a random-weights model; nothing has run."""
    return small_study(tmp_path / "project")


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return shared(tmp_path_factory, "finished", lambda path: small_study(path).run("--cores", "1"))


@pytest.fixture
def finished(_finished: Project, tmp_path: Path) -> Project:
    """A copy of a project whose small study has run, times of files and all."""
    return _finished.copy(tmp_path / "project")
