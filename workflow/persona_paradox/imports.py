"""The import graph: which modules of the library a script really uses."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def code_of(script: Path) -> tuple[Path, ...]:
    """A script and every module of the library that it imports, directly or not, sorted."""
    seen: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imported(path))
    return tuple(sorted(seen))


# Scripts share modules: each is read once.
@cache
def _imported(path: Path) -> tuple[Path, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    found = []
    for name in names:
        parts = name.split(".")
        if parts[0] != PACKAGE.name:
            continue
        # Importing a module runs the packages above it too.
        for end in range(1, len(parts) + 1):
            place = PACKAGE.joinpath(*parts[1:end])
            found += [p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()]
    return tuple(found)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    """Name of the module that a `from` import names."""
    if not node.level:
        return node.module or ""
    inside = path.parent.relative_to(PACKAGE.parent).parts
    base = inside[: len(inside) - (node.level - 1)]
    return ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
