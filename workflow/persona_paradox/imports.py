"""The import graph: which modules of the library a script really uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .files import sha256_file

PACKAGE = Path(__file__).parent


@cache
def code_of(script: Path, folders: tuple[Path, ...] = (PACKAGE.parent,)) -> tuple[Path, ...]:
    """A script and every module of the project that it imports, directly or not, sorted.

    Args:
        script: a Python file; of a module in a package the packages above it are run as well.
        folders: where modules are looked for; what is in none of them is somebody else's.
    """
    seen: set[Path] = set()
    above = (folder / "__init__.py" for folder in script.parents)
    waiting = [script, *filter(Path.is_file, above)]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imported(path, folders))
    return tuple(sorted(seen))


def sums_of_code(entries: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of all that some files of the library are made of, by its path in the library.

    That is they and what they import; and what a module reads that lies beside it under its name, a
    YAML file or a folder of them.
    """
    paths = {path for entry in entries for path in code_of(entry)}
    return dict(sorted(one for path in paths for one in _sums(path)))


# Scripts share modules: each is read once.
@cache
def _sums(path: Path) -> list[tuple[str, str]]:
    named = path.with_suffix("")
    read = [path, *named.parent.glob(f"{named.name}.yaml"), *named.glob("*.yaml")]
    return [(str(one.relative_to(PACKAGE.parent)), sha256_file(one)) for one in read]


@cache
def _imported(path: Path, folders: tuple[Path, ...]) -> tuple[Path, ...]:
    found: list[Path] = []
    for name in imported_names(path):
        parts = name.split(".")
        for modules in map(_modules, folders):
            # Importing a module runs the packages above it too.
            for end in range(1, len(parts) + 1):
                found += modules.get(".".join(parts[:end]), ())
    return tuple(found)


@cache
def _modules(folder: Path) -> dict[str, list[Path]]:
    """The files of all modules and packages in a folder, by their names."""
    found: dict[str, list[Path]] = {}
    for path in folder.rglob("*.py"):
        *above, last = path.relative_to(folder).with_suffix("").parts
        name = ".".join(above if last == "__init__" else [*above, last])
        found.setdefault(name, []).append(path)
    return found


# To parse all of the code takes a fifth of the time that Snakemake needs to see that there is
# nothing to do.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+"
    # A comment between parentheses may have some of its own.
    r"(\((?:[^)#]|#.*\n)*\)|.+)|import[ \t]+(.+))",
    re.MULTILINE,
)


def imported_names(path: Path) -> list[str]:
    """Names of what a file imports, modules and what is in them, wherever in it that stands.

    Read line by line: a statement must begin one, as the formatter sees to.
    """
    names: list[str] = []
    for dots, module, some, whole in _IMPORT.findall(path.read_text(encoding="utf-8")):
        listed = re.sub(r"#.*", "", some or whole).strip("() \t\n").split(",")
        each = [part.split()[0] for part in listed if part.strip()]
        if some:
            base = _absolute(path, len(dots), module)
            names += [base, *(f"{base}.{name}" for name in each)]
        else:
            names += each
    return names


def _absolute(path: Path, level: int, module: str) -> str:
    """Name of the module that a `from` import names, with `level` dots in front."""
    if not level:
        return module
    inside = path.parent.relative_to(PACKAGE.parent).parts
    base = inside[: len(inside) - (level - 1)]
    return ".".join([*base, *module.split(".")]).rstrip(".")
