"""Which tests a change can touch, and which simulations run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import dependencies
import pytest
from root import ROOT

TESTS = [
    path for kind in ("unit", "workflow") for path in (ROOT / "tests" / kind).glob("test_*.py")
]
OF_THE_COMMAND_LINE = {path.stem for path in TESTS if path.parent.name == "workflow"}
SIMULATION = """
import pytest
from persona_paradox.analyses import variance

@pytest.mark.{mark}
def test_drawn():
    assert variance

def test_not_drawn():
    assert variance
"""


def touched(*changes: str) -> set[str]:
    """The test files that some files can touch."""
    paths = [ROOT / change for change in changes]
    return {test.stem for test in TESTS if dependencies.touched(test, paths)}


def test_a_module_touches_what_imports_it_and_what_runs_the_command_line() -> None:
    found = touched("workflow/persona_paradox/analyses/variance.py")
    # test_cli runs code in the folder workflow.
    assert {"test_variance", "test_cli", *OF_THE_COMMAND_LINE} < found
    assert not {"test_items", "test_engine", "test_triage"} & found


def test_a_script_touches_what_names_it_and_what_runs_the_command_line() -> None:
    found = touched("workflow/scripts/store.py")
    assert {"test_store", *OF_THE_COMMAND_LINE} < found
    assert not {"test_variance", "test_engine"} & found


def test_a_document_touches_the_tests_of_documents() -> None:
    named = {"test_site", "test_documented_commands"}
    for document in ("docs/scaling.md", "config/README.md"):
        assert named < touched(document)
        assert not {"test_rerun", "test_bad_input", "test_engine"} & touched(document)
    assert {"test_project", "test_report"} < touched("config/README.md")


@pytest.mark.parametrize(
    "file",
    [
        "workflow/rules/score.smk",
        "workflow/schemas/task.schema.yaml",
        "config/personas/removed.yaml",
        "resources/bundled/teaching_ed.csv",
        "Snakefile",
    ],
)
def test_what_a_run_reads_touches_what_runs_the_command_line(file: str) -> None:
    assert touched(file) > OF_THE_COMMAND_LINE
    assert "test_variance" not in touched(file)


def test_a_helper_touches_the_tests_that_import_it() -> None:
    found = touched("tests/tiny_model.py")
    assert {"test_engine", "test_tiny_model", "test_rerun"} < found
    assert not {"test_variance", "test_triage"} & found


@pytest.mark.parametrize("file", ["tests/conftest.py", "requirements.txt", "pyproject.toml"])
def test_what_all_tests_stand_on_touches_all(file: str) -> None:
    assert touched(file) == {path.stem for path in TESTS}


# --- the options of pytest ----------------------------------------------------------------


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A repository with one commit: the library, the helpers and one file of tests."""
    shutil.copytree(ROOT / "workflow/persona_paradox", tmp_path / "workflow/persona_paradox")
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/workflow").mkdir()
    (tmp_path / "benchmarks").mkdir()
    helpers = [path.relative_to(ROOT) for path in (ROOT / "tests").glob("*.py")]
    names = (".gitignore", "pyproject.toml", "requirements.txt", "tests/unit/test_variance.py")
    for name in (*names, *helpers):
        shutil.copy2(ROOT / name, tmp_path / name)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run pytest; its exit status and all that it said."""
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_tests_since_a_commit(scratch: Path) -> None:
    since = ("--collect-only", "--changed-since", "HEAD")
    status, said = run(scratch, *since)
    assert status == 0
    assert "changed since HEAD: nothing\n0 of 1 files of tests depend on that: none\n" in said
    append(scratch / "workflow/persona_paradox/kinds/triage/formulas.py", "# edited\n")
    (scratch / "tests/unit/test_new.py").write_text(
        "import persona_paradox.kinds.triage.formulas\n"
    )
    (scratch / "tests/captions.py").unlink()
    status, said = run(scratch, *since)
    assert status == 0
    formulas = "workflow/persona_paradox/kinds/triage/formulas.py"
    changes = f"tests/captions.py, tests/unit/test_new.py, {formulas}"
    assert f"changed since HEAD: {changes}\n" in said
    assert "1 of 2 files of tests depend on that: test_new\n" in said
    assert "test_variance" not in said


def test_a_commit_that_is_not_there(scratch: Path) -> None:
    status, said = run(scratch, "--changed-since", "nowhere")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "git cannot tell what changed since nowhere" in said
    assert "name a commit or a branch" in said


def test_a_simulation_runs_where_its_code_is_not_what_passed(scratch: Path) -> None:
    file = "tests/unit/test_drawing.py"
    (scratch / file).write_text(SIMULATION.format(mark="simulation"))
    environment = {"PYTHONPATH": str(scratch / "workflow")}
    program = [sys.executable, "tests/dependencies.py"]
    subprocess.run(program, cwd=scratch, env=environment, check=True)
    asked = ("--simulations", "changed", file)
    said = run(scratch, *asked)[1]
    assert " 1 passed, 1 deselected" in said
    assert "test_drawing" in re.search("simulations left out, .*", said)[0]
    append(scratch / "workflow/persona_paradox/analyses/variance.py", "# edited\n")
    assert " 2 passed" in run(scratch, *asked)[1]


def test_the_record_names_the_simulations_that_exist() -> None:
    assert list(dependencies.recorded()) == dependencies.simulations()


def test_a_simulation_stands_on_the_scripts_that_it_runs_as_well() -> None:
    """They are run by their paths, and imported nowhere."""
    found = dependencies.code("tests/unit/test_simulated_study.py")
    for script in ("calibrate", "recalibrate", "measure", "tabulate", "plot"):
        assert ROOT / f"workflow/scripts/{script}.py" in found
