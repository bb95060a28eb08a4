"""How the project is built: its wings, its kinds, and the sizes of its modules."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_paradox.errors import InputError
from persona_paradox.figures.catalogue import Figure, figures
from persona_paradox.imports import imported_names
from persona_paradox.kinds import base
from persona_paradox.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflow"
LIBRARY = WORKFLOW / "persona_paradox"
PACKAGE = LIBRARY.name
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")
# Each is a folder; `labelled` is what kinds have in common whose answers are labels.
FOLDERS = sorted(path.parent.name for path in (LIBRARY / "kinds").glob("*/__init__.py"))
KINDS = [name for name in FOLDERS if name != "labelled"]

# The entry points of a kind's modules, and the names of their parameters; None where an entry
# point is no function. `tables` stands for each of its modules.
ENTRY_POINTS: dict[str, dict[str, list[str] | None]] = {
    "spec": {name: None for name in base.Spec.__annotations__}
    | {
        name: [*inspect.signature(function).parameters][1:]
        for name, function in vars(base.Spec).items()
        if inspect.isfunction(function) and not name.startswith("_")
    },
    "items": {"columns": ["raw", "ids", "keys", "name"]},
    "prompting": {"fields": ["items", "task"]},
    "scoring": {"SCHEMA": None, "score": ["responses", "items", "scoring", "verbalized"]},
    "training": {"completions": ["items", "view"]},
    "preference": {
        "EVEN": None,
        "scores": ["answers", "rule"],
        "refused_in_error": ["answers"],
    },
    "measures": {"METRICS": None, "answers": ["scores", "view", "baseline"]},
    "tables": {"SCHEMA": None, "rows": ["this", "view", "settings"]},
    "words": {"SECTIONS": None},
    "cells": {"describe": ["task", "dataset"]},
}
REQUIRED = ("task.schema.yaml", "dataset.schema.yaml", "spec.py")
MOST_LINES = 500
# Heavy libraries, which take longer to load than Snakemake takes to see that nothing is to be done.
HEAVY = {"numpy", "polars", "scipy", "torch", "matplotlib", "llama_cpp"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts)


@cache
def imported(path: Path) -> frozenset[Path]:
    """The modules of the library that a module imports itself."""
    found = set()
    for name in imported_names(path):
        if name.split(".")[0] == PACKAGE:
            place = WORKFLOW.joinpath(*name.split("."))
            found |= {place.with_suffix(".py")} & {*MODULES}
    return frozenset(found)


def circle(edges: dict[str, set[str]]) -> list[str]:
    """A circle of a graph, or nothing."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for other in sorted(edges.get(node, ())):
            if found := walk(other, [*way, node]):
                return found
        done.add(node)
        return []

    return next(filter(None, (walk(node, []) for node in sorted(edges))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_the_graph_is_read() -> None:
    assert LIBRARY / "names.py" in imported(LIBRARY / "study/study.py")
    assert len(MODULES) > 100


def test_no_modules_import_each_other() -> None:
    edges = {name_of(path): {name_of(other) for other in imported(path)} for path in MODULES}
    assert circle(edges) == []


def wing(path: Path) -> str:
    """The wing of a module; on the ground floor, each module is one of its own."""
    return path.relative_to(LIBRARY).parts[0]


def test_no_wings_import_each_other() -> None:
    edges: dict[str, set[str]] = {}
    for path in MODULES:
        edges.setdefault(wing(path), set()).update(
            {wing(other) for other in imported(path)} - {wing(path)}
        )
    assert circle(edges) == []


def test_every_wing_is_explained() -> None:
    text = (ROOT / "docs/explanation/layout.md").read_text(encoding="utf-8")
    wings = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^  (\w+)/ +\w", text, re.MULTILINE)) == wings


def test_the_version_is_told_once() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == VERSION
    assert re.findall(r"^## ([\d.]+)", changes, re.MULTILINE)[0] == VERSION


def kind_of(path: Path) -> str | None:
    """The kind that a module is of; None where it is of none."""
    parts = path.relative_to(LIBRARY).parts
    return parts[1] if parts[0] == "kinds" and len(parts) > 2 else None


def test_a_kind_imports_no_other_but_labelled() -> None:
    for path in MODULES:
        others = {kind_of(other) for other in imported(path)}
        allowed = {None, "labelled", kind_of(path)} if kind_of(path) else {None, "labelled"}
        assert others <= allowed, name_of(path)


def entry_points(path: Path, wanted: dict[str, list[str] | None]) -> dict[str, Any]:
    """Those of a module; the parameters of a function, None for what is none."""
    module = importlib.import_module(f"{PACKAGE}.{name_of(path)}")
    found = {name: getattr(module, name) for name in wanted if hasattr(module, name)}
    return {
        name: [*inspect.signature(what).parameters] if inspect.isfunction(what) else None
        for name, what in found.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_what_others_ask_it_for(kind: str) -> None:
    folder = LIBRARY / "kinds" / kind
    for name in REQUIRED:
        assert (folder / name).is_file(), name
    for module, wanted in ENTRY_POINTS.items():
        paths = [*folder.glob(f"{module}.py"), *folder.glob(f"{module}/*.py")]
        for path in paths:
            if path.name != "__init__.py":
                assert entry_points(path, wanted) == wanted, path.relative_to(folder)


@pytest.mark.parametrize("figure", figures().values(), ids=lambda figure: figure.id)
def test_a_figure_is_drawn_from_tables_and_settings(figure: Figure) -> None:
    path = LIBRARY / figure.path
    drawn = entry_points(path, {"draw": ["tables", "settings"]})
    specified = entry_points(path, {"rows": ["tables", "settings"], "spec": ["settings"]})
    assert [drawn, specified] in (
        [{"draw": ["tables", "settings"]}, {}],
        [{}, {"rows": ["tables", "settings"], "spec": ["settings"]}],
    )
    assert (path.parent / "__init__.py").is_file()


def test_an_arm_has_its_rule_and_its_keys() -> None:
    folder = LIBRARY / "data/arms"
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names == {path.name.partition(".")[0] for path in folder.glob("*.schema.yaml")}
    assert names
    for name in names:
        wanted: dict[str, list[str] | None] = {"change": ["items", "arm"]}
        assert entry_points(folder / f"{name}.py", wanted) == wanted, name


def test_the_modules_of_a_kind_are_explained() -> None:
    guide = (ROOT / "docs/how-to/extend.md").read_text(encoding="utf-8")
    for module in ENTRY_POINTS:
        name = f"{module}/" if module == "tables" else f"{module}.py"
        assert f"`{name}" in (base.__doc__ or ""), name
        assert f"`{name}" in guide, name


def mentions(path: Path) -> Iterator[str]:
    """The kinds that a file names: as a text of its own, or by a constant for one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        strings = [
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    else:
        strings = re.findall(r"""["'`](\w+)["'`]""", text)
    yield from (kind for kind in KINDS for string in strings if string == kind)
    yield from re.findall(rf"\b(?:{'|'.join(KINDS).upper()})\b", text)


def test_a_mention_is_found(tmp_path: Path) -> None:
    for name, text in {
        "a.py": "if kind == 'triage': pass",
        "b.smk": 'cells("x", kind="triage")',
        "c.js": 'kind === "triage"',
        "d.py": "study.tasks_of(TRIAGE)",
    }.items():
        (tmp_path / name).write_text(text)
        assert list(mentions(tmp_path / name)), name
    (tmp_path / "e.py").write_text('"""The triage of a patient."""\n')
    assert not list(mentions(tmp_path / "e.py"))


@cache
def outside_kinds() -> list[Path]:
    found = [
        path
        for pattern in ("*.py", "*.smk", "*.js")
        for path in WORKFLOW.rglob(pattern)
        if LIBRARY / "kinds" not in path.parents
    ]
    return sorted([*found, ROOT / "Snakefile"])


@pytest.mark.parametrize("path", outside_kinds(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_outside_names_a_kind(path: Path) -> None:
    assert list(mentions(path)) == []


def test_what_snakemake_reads_at_its_start_is_light() -> None:
    """No rule, view or check needs a table; a dry run would wait for the libraries."""
    named = re.compile(rf"^ *from ({PACKAGE}[\w.]*) import (.+)$", re.MULTILINE)
    modules = {
        module
        for path in [*WORKFLOW.rglob("*.smk"), ROOT / "Snakefile"]
        for module, _ in named.findall(path.read_text(encoding="utf-8"))
    }
    modules |= {f"{PACKAGE}.kinds.{kind}.spec" for kind in base.kinds()}
    assert f"{PACKAGE}.study.opening" in modules
    program = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        f"print(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *sorted(modules)],
        cwd=WORKFLOW,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    "path",
    sorted(
        [
            *MODULES,
            *WORKFLOW.rglob("scripts/*.py"),
            *WORKFLOW.rglob("*.js"),
            *WORKFLOW.rglob("*.smk"),
        ]
    ),
    ids=lambda path: str(path.relative_to(WORKFLOW)),
)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", base.REQUIRED[1:])
def test_a_kind_that_lacks_a_file_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "FOLDER", tmp_path)
    (tmp_path / "dice").mkdir()
    for other in base.REQUIRED:
        (tmp_path / "dice" / other).touch()
    base.check_whole("dice")
    (tmp_path / "dice" / name).unlink()
    with pytest.raises(InputError, match=f"kinds/dice lacks {name}"):
        base.check_whole("dice")
