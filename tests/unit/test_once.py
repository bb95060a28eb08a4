"""What several tests need is built once, for all their processes."""

from __future__ import annotations

import ast
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from once import built_once
from root import ROOT


@dataclass(frozen=True)
class Worker:
    """The part of tmp_path_factory that is asked, of one worker of pytest-xdist."""

    folder: Path

    def getbasetemp(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        return self.folder


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return [Worker(tmp_path / name) for name in ("popen-gw0", "popen-gw1")]


def test_one_builds_and_the_other_waits(workers: list[Worker]) -> None:
    began, go_on = threading.Event(), threading.Event()
    built, found = [], []

    def build(path: Path) -> None:
        built.append(path)
        began.set()
        go_on.wait()
        path.mkdir()
        (path / "done").touch()

    def ask(worker: Worker) -> None:
        path = built_once(worker, "small", build)
        found.append((path, (path / "done").exists()))

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in workers]
    threads[0].start()
    began.wait()
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == [(built[0], True)] * 2
    assert len(built) == 1


def test_a_build_that_failed_is_not_tried_again(workers: list[Worker]) -> None:
    built = []

    def build(path: Path) -> None:
        built.append(path)
        raise AssertionError("no such rule")

    with pytest.raises(AssertionError, match="no such rule"):
        built_once(workers[0], "small", build)
    for worker in workers:
        with pytest.raises(pytest.fail.Exception, match=r"small, .*AssertionError: no such rule"):
            built_once(worker, "small", build)
    assert len(built) == 1
    assert built_once(workers[1], "other", Path.mkdir).is_dir()


def test_what_a_process_that_was_ended_has_left_is_not_taken_for_a_study(
    workers: list[Worker], tmp_path: Path
) -> None:
    (tmp_path / "once/small").mkdir(parents=True)
    (tmp_path / "once/small.outcome").write_text("its process was ended")
    with pytest.raises(pytest.fail.Exception, match="its process was ended"):
        built_once(workers[0], "small", Path.mkdir)


def test_without_workers_it_lies_in_the_folder_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    run = Worker(tmp_path / "run")
    assert built_once(run, "small", Path.mkdir) == tmp_path / "run/once/small"


def test_what_is_shared_has_a_name_of_its_own() -> None:
    """Two builders of one name: whoever asks second gets what the first one made."""
    names = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if called in ("shared", "built_once") and isinstance(node.args[1], ast.Constant):
                names += [node.args[1].value] * (path != Path(__file__))
    assert len(names) > 5
    assert sorted(names) == sorted(set(names))
