"""The project's own promises: one pinned list, a documented configuration, a true import graph."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from persona_paradox.figures.catalogue import figures
from persona_paradox.imports import code_of, imported_names
from persona_paradox.kinds import base
from persona_paradox.study.arm_rules import rules

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


@pytest.mark.parametrize(
    ("list_", "holds"), [("slurm", "snakemake-executor-plugin-slurm"), ("train", "peft")]
)
def test_what_few_need_is_pinned_apart_from_the_default_list(list_: str, holds: str) -> None:
    lines = (ROOT / f"requirements-{list_}.txt").read_text().splitlines()
    pins = [line for line in lines if line[:1] not in "#"]
    names = {canonicalize_name(re.fullmatch(r"([\w.-]+)==[\w.]+", pin)[1]) for pin in pins}
    assert holds in names
    assert not names & {canonicalize_name(pin.split("==")[0]) for pin in PINS}


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


SCHEMAS = {
    path.relative_to(ROOT / "workflow").as_posix(): yaml.safe_load(path.read_text())
    for folder in ("schemas", "persona_paradox/kinds")
    for path in (ROOT / "workflow" / folder).rglob("*.schema.yaml")
}
KINDS = sorted(SCHEMAS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_explains_every_key(kind: str) -> None:
    text = (ROOT / "config" / "README.md").read_text()
    schema = SCHEMAS[kind]
    names = set(keys(schema))
    assert names or kind.endswith("common.schema.yaml")
    missing = {name for name in names if not re.search(rf"`(\w+\.)*{name}\b", text)}
    assert not missing


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_schema_is_described(kind: str) -> None:
    schema = SCHEMAS[kind]

    def check(node: object, path: str) -> None:
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                described = "description" in value or "$ref" in value or name == "kind"
                assert described, f"{path}.{name}"
            for name, value in node.items():
                check(value, f"{path}.{name}")

    check(schema, kind)


def patterns(schema: object) -> Iterator[str]:
    """Every regular expression of a schema."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "pattern" and isinstance(value, str):
                yield value
            elif name == "patternProperties":
                yield from value
            yield from patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from patterns(value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_pattern_lets_a_line_end_behind_what_it_allows(kind: str) -> None:
    """In Python `$` matches in front of a last line break too."""
    schema = SCHEMAS[kind]
    # What a text must hold somewhere has no end.
    found = [pattern for pattern in patterns(schema) if "$" in pattern]
    assert found or not kind.endswith("/common.schema.yaml")
    assert [pattern for pattern in found if not pattern.endswith(r"$(?!\n)")] == []


# What turns bytes into objects by running what the bytes say.
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}
UNSAFE_MODULES |= {"marshal", "jsonpickle"}
SAFE_LOADERS = ("_Loader", "_SAFE_LOADER")
UNSAFE_CALLS = {"read_pickle", "to_pickle", "unsafe_load", "full_load", "load_all", "eval", "exec"}


def unsafe(path: Path) -> list[str]:
    """What a source file uses to read objects, or to run a text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [name for name in names if UNSAFE_MODULES & {name, name.split(".")[0]}]
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            # An expression of polars is no text.
            polars = name == "eval" and isinstance(called, ast.Attribute)
            if (name in UNSAFE_CALLS and not polars) or words.get("shell") == "True":
                found.append(name)
            if words.get("allow_pickle", "False") != "False":
                found.append("allow_pickle")
            loader = words.get("Loader", "")
            if ast.unparse(called) == "yaml.load" and loader not in SAFE_LOADERS:
                found.append(f"yaml.load with {loader or 'no loader'}")
    return found


SOURCES = sorted(
    path for folder in ("workflow", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_unpickled_and_no_text_is_run(path: Path) -> None:
    assert unsafe(path) == []


@pytest.mark.parametrize(
    "text",
    [
        *("import pickle", "from pickle import loads", "import joblib.numpy_pickle"),
        *(
            "numpy.load(p, allow_pickle=True)",
            "pandas.read_pickle(p)",
            "torch = __import__; exec(x)",
        ),
        *("yaml.load(t)", "yaml.load(t, Loader=yaml.FullLoader)", "yaml.unsafe_load(t)"),
        "subprocess.run('ls', shell=True)",
    ],
)
def test_what_would_be_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(text)
    assert unsafe(tmp_path / "x.py")


SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


# Modules that a script loads by their names, as its rule says by `code(script, module)`.
PLUGINS = [(ROOT / "workflow/scripts/plot.py", figure.path) for figure in figures().values()]
PLUGINS += [
    (ROOT / "workflow/scripts/measure.py", f"kinds/{kind}/{name}.py")
    for kind in base.kinds()
    if base.has(kind, "measures")
    for name in ("spec", "measures", *(f"tables/{table}" for table in base.tables(kind)))
]
PLUGINS += [
    (ROOT / "workflow/scripts/assess.py", f"kinds/{kind}/judged.py")
    for kind in base.kinds()
    if base.has(kind, "judged")
]
PLUGINS += [
    (ROOT / "workflow/scripts/gather_examples.py", f"kinds/{kind}/{module}.py")
    for kind in base.kinds()
    for module in ("training", "preference")
    if base.has(kind, module)
]
PLUGINS += [
    (ROOT / f"workflow/scripts/{script}.py", "data/hub.py")
    for script in ("download_model", "download_dataset", "convert_adapter")
]
PLUGINS += [(ROOT / "workflow/scripts/perturb.py", f"data/arms/{rule}.py") for rule in rules()]

# Other libraries stay loaded from one script to the next, for they are what takes long.
READY = """
import contextlib, importlib, io, json, runpy, sys
found = {}
for loaded in sys.argv[1:]:
    script, _, plugin = loaded.partition("+")
    for name in [name for name in sys.modules if name.split(".")[0] == "persona_paradox"]:
        del sys.modules[name]
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        runpy.run_path(script, run_name="__main__")
    if plugin:
        importlib.import_module("persona_paradox." + plugin.removesuffix(".py").replace("/", "."))
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    found[loaded] = [file for file in files if "persona_paradox" in file]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Modules of the library that the interpreter has loaded when a script is ready to run."""
    done = subprocess.run(
        [sys.executable, "-c", READY, *map(str, SCRIPTS), *(f"{s}+{p}" for s, p in PLUGINS)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_import_graph_is_what_python_imports(
    loaded: dict[str, list[str]], script: Path
) -> None:
    assert set(map(Path, loaded[str(script)])) == set(code_of(script)) - {script}


@pytest.mark.parametrize(("script", "plugin"), PLUGINS, ids=lambda one: Path(one).stem)
def test_a_plug_in_is_what_the_rule_names_beside_the_script(
    loaded: dict[str, list[str]], script: Path, plugin: str
) -> None:
    code = {*code_of(script), *code_of(ROOT / "workflow/persona_paradox" / plugin)}
    assert set(map(Path, loaded[f"{script}+{plugin}"])) == code - {script}


@pytest.mark.parametrize("folder", ["workflow", "tests", "benchmarks"])
def test_imports_are_read_as_python_reads_them(folder: str) -> None:
    """Every statement is found; words of a text that look like one do no harm."""
    for path in (ROOT / folder).rglob("*.py"):
        if ROOT / "tests/kinds" in path.parents:
            # They are read where a copy of the project has them, in the library.
            continue
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                package = ".".join(path.relative_to(ROOT / folder).parts[:-1])
                module = node.module or ""
                base = importlib.util.resolve_name("." * node.level + module, package)
                names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        assert names <= set(imported_names(path)), path


def test_a_comment_among_imports_may_have_parentheses(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from a import (  # b (for c)\n    d,\n    e as f,  # g, h)\n    i,\n)\nimport j  # (k)\n"
    )
    assert imported_names(path) == ["a", "a.d", "a.e", "a.i", "j"]


def test_every_source_file_is_used() -> None:
    library = set((ROOT / "workflow/persona_paradox").rglob("*.py"))
    # What is loaded by its name (`kinds/base.py`, `figures/catalogue.py`).
    plugins = [ROOT / "workflow/persona_paradox" / plugin for _, plugin in PLUGINS]
    by_name = {"spec", "items", "prompting", "scoring", "measures", "pairs", "words", "cells"}
    plugins += [path for path in library if path.stem in by_name or path.parent.name == "tables"]
    used = {path for entry in [*SCRIPTS, *plugins] for path in code_of(entry)}
    snakefile_only = {"captions.py", "imports.py", "progress.py", "opening.py"}
    # Programs of their own, which start jobs.
    snakefile_only |= {"ending.py", "job.py", "server.py", "snakemake_server.py"}
    assert {path.name for path in library - used} == snakefile_only


def test_the_default_study_has_no_sample_that_is_too_small_for_numbers() -> None:
    """Figures say “too few” in the place of a number below the least number of items."""
    study = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    least = study["statistics"]["too_few_below"]
    assert set(study["limits"]) <= set(study["tasks"])
    for task in study["tasks"]:
        limit = study["limits"].get(task, study["limit"])
        assert limit is None or limit >= least, task


TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_tests_import_helpers_and_not_each_other() -> None:
    found = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [
                f"{path.name}: {name}"
                for name in names
                if name == "conftest" or name.startswith("test_")
            ]
    assert found == []


def never_there(tree: ast.AST) -> Iterator[str]:
    """Patterns of files that tests say are not there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            for call in ast.walk(node.test):
                called = getattr(call, "func", None)
                if isinstance(called, ast.Attribute) and called.attr in ("glob", "rglob"):
                    yield from (a.value for a in call.args if isinstance(a, ast.Constant))


def test_what_tests_say_is_not_there_could_be() -> None:
    """A pattern that nothing can match is no test: its words stand somewhere else as well."""
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    found = []
    for path in TESTS:
        text = path.read_text(encoding="utf-8")
        for pattern in never_there(ast.parse(text)):
            for word in re.findall(r"[\w.]*\w", pattern):
                known = word in code or text.count(word) > 1 or list(ROOT.glob(f"*/{word}*"))
                found += [] if known else [f"{path.name}: {pattern}"]
    assert found == []
