"""Which files a test file depends on: what a change can touch, and what a simulation stands on."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from project import PARTS
from root import ROOT

from persona_paradox.files import sha256_file
from persona_paradox.imports import code_of

# Where the tests look for modules.
FOLDERS = (ROOT / "workflow", ROOT / "tests", ROOT / "benchmarks")
# What every test depends on.
COMMON = {ROOT / name for name in ("tests/conftest.py", "pyproject.toml", "requirements.txt")}
# Who imports it runs the command line on a copy of the project, whose parts it names.
PROJECT = ROOT / "tests/project.py"
# Kinds of tasks that a copy of the project has in its library: a run reads them, and no test.
KINDS = ROOT / "tests/kinds"
RECORD = ROOT / "tests/simulations.json"


# --- what a change can touch --------------------------------------------------------------


def changed(since: str) -> list[Path]:
    """Files that differ from the commit at which this branch left `since`, and untracked ones.

    Raises:
        ValueError: git does not know `since`, or is not there.
    """
    found: set[Path] = set()
    for command in (
        ("diff", "--name-only", "--no-renames", "-z", "--merge-base", since),
        ("ls-files", "--others", "--exclude-standard", "-z"),
    ):
        try:
            done = subprocess.run(
                ["git", *command], cwd=ROOT, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip()
            raise ValueError(f"git cannot tell what changed since {since} ({said})") from None
        found |= {ROOT / name for name in done.stdout.split("\0") if name}
    return sorted(found)


def touched(test: Path, changes: list[Path]) -> bool:
    """Whether a test file depends on one of the files that changed.

    It depends on what it and its helpers import or name; if it runs the command line, on all that
    a run can read. A document is read by who names it, or the folder of documents.
    """
    known = set(dependencies(test)) | COMMON
    if PROJECT in known:
        known |= {ROOT / part for part in PARTS}
    for path in changes:
        alone = path.suffix == ".md" and ROOT / "docs" not in path.parents
        if known & ({path} if alone else {path, *path.parents}):
            return True
    return False


@cache
def dependencies(test: Path) -> tuple[Path, ...]:
    """The files and folders of the project that a test file imports or names, and those that do."""
    seen: set[Path] = set()
    waiting = [test]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.is_dir():
            # Who names the folder of the tests reads them, and runs none.
            waiting += path.rglob("*.py") if path != ROOT / "tests" else ()
        elif path.suffix == ".py" and KINDS not in path.parents:
            waiting += code_of(path, FOLDERS)
            waiting += _named(path) if path != PROJECT else ()
    return tuple(sorted(seen))


@cache
def _named(path: Path) -> frozenset[Path]:
    """What a source file names by its path in the project, or in the folder workflow."""
    names = _Names()
    names.visit(ast.parse(path.read_text(encoding="utf-8")))
    # A word of the library may be the name of a folder as well, such as `config`.
    inside = ROOT / "tests" in path.parents
    alone = {name for name in names.alone if inside or "/" in name}
    found = _there(ROOT, names.joined | alone) | _there(ROOT / "workflow", names.joined)
    return frozenset(found)


def _there(folder: Path, names: set[str]) -> set[Path]:
    """Of some texts, those that are paths of what is in a folder."""
    found = set()
    for name in names:
        place = folder / name
        with suppress(OSError, ValueError):  # a text that no file can have as its name
            if folder in place.parents and ".." not in place.parts and place.exists():
                found.add(place)
    return found


class _Names(ast.NodeVisitor):
    """Texts of a source file that may be paths.

    Attributes:
        joined: those behind a `/`, as far as they are written out: `workflow/scripts` of
            `ROOT / "workflow" / "scripts" / f"{name}.py"`.
        alone: all others.
    """

    def __init__(self) -> None:
        self.joined: set[str] = set()
        self.alone: set[str] = set()

    def visit_Call(self, node: ast.Call) -> None:
        # sys.path.insert: where modules are looked for is no file that is read.
        if getattr(node.func, "attr", "") != "insert":
            self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        parts = list(_operands(node)) if isinstance(node.op, ast.Div) else []
        texts: list[str] = []
        for part in parts:
            text = _text(part)
            if text:
                texts.append(text)
            elif texts:
                break
            if isinstance(part, ast.JoinedStr):
                break
        if texts:
            self.joined.add("/".join(texts))
        for part in parts or (node.left, node.right):
            if _text(part) is None:
                self.visit(part)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.alone.add(_text(node) or "")
        self.generic_visit(ast.Tuple(node.values[1:], ast.Load()))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.alone.add(node.value)


def _operands(node: ast.expr) -> Iterator[ast.expr]:
    """What stands between the slashes of `a / b / c`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield from _operands(node.left)
        yield from _operands(node.right)
    else:
        yield node


def _text(node: ast.expr) -> str | None:
    """A text, of one with places the folders in front of the first; None is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        front = first.value if isinstance(first, ast.Constant) else ""
        return str(front).rpartition("/")[0]
    return None


# --- simulations --------------------------------------------------------------------------


def simulations() -> list[str]:
    """The test files with a simulation, by their path in the project."""
    mark = re.compile(r"\bmark\.simulation\b")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [
        str(path.relative_to(ROOT))
        for path in files
        if mark.search(path.read_text(encoding="utf-8"))
    ]


def code(test: str) -> list[Path]:
    """A test file and all code that it depends on, also what it runs by its path."""
    return [path for path in dependencies(ROOT / test) if path.suffix == ".py"]


def digest(test: str) -> str:
    """SHA-256 of `code` and of the pins."""
    paths = sorted([*code(test), ROOT / "requirements.txt"])
    lines = [f"{path.relative_to(ROOT)} {sha256_file(path)}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def recorded() -> dict[str, str]:
    """The digest of every simulation when it passed last."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


if __name__ == "__main__":
    # Run when all simulations have passed (make test-simulations).
    RECORD.write_text(json.dumps({test: digest(test) for test in simulations()}, indent=2) + "\n")
