"""The project's own promises: one pinned list, a documented configuration, a true import graph."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from persona_paradox.imports import code_of

ROOT = Path(__file__).resolve().parents[2]
PINS = [
    line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1] not in "#"
]


def test_conda_and_pip_users_share_one_list() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert pip == PINS


def test_every_pin_is_exact_and_what_is_installed() -> None:
    for pin in PINS:
        name, version = re.fullmatch(r"([\w.-]+)==([\w.!]+)", pin).groups()
        assert importlib.metadata.version(name).partition("+")[0] == version


def test_the_list_holds_everything_that_its_packages_need() -> None:
    pinned = {canonicalize_name(pin.split("==")[0]) for pin in PINS}
    direct = [
        Requirement(line)
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert {canonicalize_name(r.name) for r in direct} <= pinned
    for name in pinned:
        for text in importlib.metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in pinned, f"{name} needs {needed}"


def keys(schema: object) -> Iterator[str]:
    """Every key that a schema lets a user write."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "properties":
                yield from value
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


KINDS = ["study", "persona", "task", "model", "dataset", "source", "judge", "form"]
KINDS += ["safety_dataset", "safety_task"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_explains_every_key(kind: str) -> None:
    text = (ROOT / "config" / "README.md").read_text()
    schema = yaml.safe_load((ROOT / "workflow/schemas" / f"{kind}.schema.yaml").read_text())
    names = set(keys(schema))
    assert len(names) > 3
    missing = {name for name in names if not re.search(rf"`(\w+\.)*{name}\b", text)}
    assert not missing


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_schema_is_described(kind: str) -> None:
    schema = yaml.safe_load((ROOT / "workflow/schemas" / f"{kind}.schema.yaml").read_text())

    def check(node: object, path: str) -> None:
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                described = "description" in value or "$ref" in value or name == "kind"
                assert described, f"{path}.{name}"
            for name, value in node.items():
                check(value, f"{path}.{name}")

    check(schema, kind)


SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_import_graph_is_what_python_imports(script: Path) -> None:
    """Against the interpreter itself: the modules a script has loaded when it is ready to run."""
    program = (
        "import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "for m in list(sys.modules.values()):\n"
        "    f = getattr(m, '__file__', None) or ''\n"
        "    if 'persona_paradox' in f: print('MODULE', f)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {Path(line[7:]) for line in done.stdout.splitlines() if line.startswith("MODULE ")}
    found = set(code_of(script)) - {script}
    assert loaded == found


def test_every_source_file_is_used() -> None:
    used = {path for script in SCRIPTS for path in code_of(script)}
    library = set((ROOT / "workflow/persona_paradox").rglob("*.py"))
    snakefile_only = {"config.py", "imports.py", "views.py"}
    assert {path.name for path in library - used} == snakefile_only
