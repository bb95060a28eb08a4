"""Compare the results of a study before and after a change of the code, number by number.

    python benchmarks/compare_results.py OLD/results NEW/results

A table of the old results must stand in the new ones with its columns, rows and values, bit for
bit; what has another name is in `RENAMED`. New tables, columns and metrics, and rows about
something new (all but those of `ONLY`), do no harm. Answers are compared by their values, figures
and the summary by their bytes; a PDF holds parts of fonts, which another version of a library cuts
otherwise. Ends with status 1 where anything is otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

# Table and column before → column after.
RENAMED = {("interaction", "kind"): "origin"}
# Rows of a new table that an old one can have: column → value.
ONLY = {"against": "persona"}


def differences(name: str, old: pl.DataFrame, new: pl.DataFrame) -> Iterator[str]:
    """What of an old table is otherwise in the new one, in words."""
    new = new.filter(*(pl.col(c) == v for c, v in ONLY.items() if c in new.columns))
    if "metric" in old.columns:
        new = new.filter(pl.col("metric").is_in(old["metric"].unique().to_list()))
    old = old.rename({column: RENAMED.get((name, column), column) for column in old.columns})
    if lost := [column for column in old.columns if column not in new.columns]:
        yield f"lost {', '.join(lost)}"
    both = [column for column in old.columns if column in new.columns]
    if old.height != new.height:
        yield f"{old.height} rows before, {new.height} after"
        return
    for column in both:
        before, after = old[column], new[column]
        if before.null_count() == after.null_count() == old.height:
            continue
        if before.dtype != after.dtype:
            yield f"{column}: {before.dtype} before, {after.dtype} after"
        elif changed := int(before.ne_missing(after).sum()):
            most = (before - after).abs().max() if before.dtype.is_numeric() else None
            yield f"{column}: {changed} values" + (
                "" if most is None else f", by {most:.2g} at most"
            )


def compared(old: Path, new: Path) -> Iterator[tuple[str, list[str]]]:
    """What was compared, and what is otherwise."""
    for path in sorted((old / "tables").glob("*.parquet")):
        other = new / "tables" / path.name
        yield (
            f"table {path.stem}",
            [*differences(path.stem, pl.read_parquet(path), pl.read_parquet(other))]
            if other.is_file()
            else ["is missing"],
        )
    for path in sorted([*(old / "figures").glob("*"), old / "summary.md"]):
        other = new / path.relative_to(old)
        if not other.is_file():
            yield str(path.relative_to(old)), ["is missing"]
        else:
            same = path.read_bytes() == other.read_bytes()
            yield str(path.relative_to(old)), [] if same else ["has other bytes"]
    for path in sorted((old / "responses").rglob("*.parquet")):
        other = new / path.relative_to(old)
        if not other.is_file():
            yield str(path.relative_to(old)), ["is missing"]
        else:
            found = differences("responses", pl.read_parquet(path), pl.read_parquet(other))
            yield str(path.relative_to(old)), [*found]


def main() -> int:
    """Compare two folders."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path, help="results of the code before")
    parser.add_argument("new", type=Path, help="results of the code after")
    arguments = parser.parse_args()
    equal = wrong = 0
    for what, otherwise in compared(arguments.old, arguments.new):
        equal += not otherwise
        wrong += bool(otherwise)
        for text in otherwise:
            print(f"{what}: {text}")
    print(f"{equal} files are equal in all that both have, {wrong} are not")
    return int(wrong > 0 or not equal)


if __name__ == "__main__":
    sys.exit(main())
