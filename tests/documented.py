"""What docs/reference/files.md says of the files of a study, held against the files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from root import ROOT

PAGE = ROOT / "docs/reference/files.md"
_FILE = re.compile(r"`((?:results|resources)/[^`]+\.(?:parquet|csv))`")
_HEAD = "| column | type | meaning |"
# Columns of contrasts that stand on all models and tasks together.
ADJUSTED = {"in_family", "p_holm"}


@dataclass(frozen=True)
class Documented:
    """A table of the page: the files that it is about, and their columns with types."""

    files: tuple[str, ...]
    columns: dict[str, str]

    def about(self, path: str) -> bool:
        """Whether it is about a file; ids have no dots, pairs of them do."""

        def pattern(file: str) -> str:
            parts = re.split(r"(\{\w+\})", file)
            return "".join(
                re.escape(part) if part[:1] != "{" else "[^/]+" if part == "{pair}" else "[^/.]+"
                for part in parts
            )

        return any(re.fullmatch(pattern(file), path) for file in self.files)


def tables() -> list[Documented]:
    """All tables of the page, in its order."""
    found: list[Documented] = []
    files: list[str] = []
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("#"):
            files = []
        elif line != _HEAD:
            files += _FILE.findall(line)
        else:
            next(lines)
            columns: dict[str, str] = {}
            for row in lines:
                if not row.startswith("|"):
                    break
                names, types, _ = (cell.strip() for cell in row.strip("|").split("|", 2))
                named = re.findall(r"`([^`]+)`", names)
                each = types.split(", ")
                each = each * len(named) if len(each) == 1 else each
                assert not columns.keys() & set(named), row
                columns |= dict(zip(named, each, strict=True))
            found.append(Documented(tuple(files), columns))
            files = []
    return found


def kind(dtype: pl.DataType) -> str:
    """A type in the words of the page."""
    if isinstance(dtype, pl.List):
        inner = kind(dtype.inner)
        return (
            f"lists of {inner.removeprefix('list of ')}" if "list" in inner else f"list of {inner}"
        )
    if dtype.is_integer():
        return "whole"
    if dtype.is_float():
        return "number"
    return {pl.String: "text", pl.Boolean: "yes/no"}[type(dtype)]


def matches(columns: dict[str, str], schema: dict[str, pl.DataType]) -> bool:
    """Whether columns are those of a schema, in its order; of an empty column any type is right."""
    return list(columns) == list(schema) and all(
        isinstance(dtype, pl.Null) or kind(dtype) == columns[name] for name, dtype in schema.items()
    )


def check_files(project: Path) -> set[str]:
    """Hold all Parquet files of a study, and the CSV files beside them, against the page.

    Returns:
        The documented files of which there was one.
    """
    seen: set[str] = set()
    documented = tables()
    for path in sorted((project / "results").rglob("*.parquet")):
        name = str(path.relative_to(project))
        schema = pl.read_parquet_schema(path)
        part = name.startswith("results/measures/")
        whole = f"results/tables/{path.name}" if part else name
        found = [table for table in documented if table.about(whole)]
        # What is adjusted over all parts, none has.
        adjusted = ADJUSTED if part and path.stem == "contrasts" else set()
        ways = [{c: t for c, t in one.columns.items() if c not in adjusted} for one in found]
        # Cells of several kinds of tasks have the columns of each.
        every = {column: words for way in reversed(ways) for column, words in way.items()}
        if len(ways) > 1:
            ways.append({column: every[column] for column in schema if column in every})
        assert any(matches(way, schema) for way in ways), f"{name}: {dict(schema)}"
        if name.startswith("results/tables/"):
            head = path.with_suffix(".csv").read_text(encoding="utf-8").partition("\n")[0]
            assert head.split(",") == list(schema), name
        files = [file for one in found for file in one.files]
        seen |= {file for file in files if Documented((file,), {}).about(whole)}
    (items,) = [
        table for table in documented if "resources/datasets/{dataset}.parquet" in table.files
    ]
    for path in sorted((project / "resources/datasets").glob("*.parquet")):
        schema = pl.read_parquet_schema(path)
        known = {name: items.columns[name] for name in schema if name in items.columns}
        assert list(known) == [name for name in items.columns if name in schema], path.name
        assert {"item_id", "case", "excluded"} <= known.keys()
        assert all(kind(schema[name]) == word for name, word in known.items()), path.name
        seen |= set(items.files)
    return seen
