"""Does an archive say what its own answers lead to? What is compared, and how."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from polars.testing import assert_series_equal

from ..errors import printable

log = logging.getLogger("persona_paradox")

T = TypeVar("T")

# Other processors and versions of the libraries may change the last bits of a sum.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
# Of one kind of thing that is compared.
MOST_LINES = 10

# What comes of a table of somebody else that is none.
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


class Findings:
    """What was compared, and what does not agree."""

    def __init__(self) -> None:
        self._compared: Counter[str] = Counter()
        self._differences: dict[str, list[str]] = {}
        self._unchecked: list[str] = []

    @property
    def n_differences(self) -> int:
        """How many things do not agree."""
        return sum(len(told) for told in self._differences.values())

    def agree(self, what: str, difference: str | None = None) -> None:
        """Count a comparison; without a difference, it agrees."""
        self._compared[what] += 1
        if difference is not None:
            self._differences.setdefault(what, []).append(printable(difference))

    def unchecked(self, what: str) -> None:
        """Note something that was not compared, with the reason."""
        what = printable(what)
        if what not in self._unchecked:
            self._unchecked.append(what)

    def report(self) -> None:
        """Log everything, differences last."""
        for what, n in self._compared.items():
            agreed = n - len(self._differences.get(what, []))
            log.info("%s: %d of %d agree", what, agreed, n)
        for what in self._unchecked:
            log.warning("not checked: %s", what)
        for what, told in self._differences.items():
            for difference in told[:MOST_LINES]:
                log.error("differs: %s", difference)
            if len(told) > MOST_LINES:
                log.error("and %d more of %s", len(told) - MOST_LINES, what)


def difference(
    name: str,
    theirs: Path,
    mine: Path,
    change: Callable[[pl.DataFrame], pl.DataFrame] = lambda table: table,
) -> str | None:
    """Where a file of an archive is not the one that was made of its answers; None where it is.

    Args:
        name: the file in the archive.
        theirs: the file of the archive, untrusted.
        mine: the same, made here: Parquet, CSV, or text.
        change: what an archive does to such a table.
    """
    if not theirs.is_file():
        return f"{name} is not in the archive"
    if mine.suffix not in (".parquet", ".csv"):
        return None if theirs.read_bytes() == mine.read_bytes() else f"{name} has another text"
    read: Callable[[Path], pl.DataFrame] = pl.read_parquet
    if mine.suffix == ".csv":
        read = _read_csv
    expected = change(read(mine))
    try:
        found = read(theirs)
    except UNREADABLE as error:
        return f"{name} cannot be read ({type(error).__name__})"
    if found.columns != expected.columns or found.height != expected.height:
        return (
            f"{name} has {found.height} rows of {found.width} columns, where the answers lead to "
            f"{expected.height} of {expected.width}, or other columns"
        )
    for column in expected.columns:
        try:
            assert_series_equal(
                found[column],
                expected[column],
                check_dtypes=mine.suffix == ".parquet",
                rel_tol=RELATIVE,
                abs_tol=ABSOLUTE,
            )
        except AssertionError:
            return f"{name}, column {column}{_row(found[column], expected[column])}"
    return None


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None)


def _row(found: pl.Series, expected: pl.Series) -> str:
    """The first row that differs, with both values, where one can be named."""
    if found.dtype != expected.dtype:
        return f" is {found.dtype}, not {expected.dtype}"
    for row, (one, other) in enumerate(zip(found, expected, strict=True), start=1):
        same = one == other or (
            isinstance(one, float)
            and isinstance(other, float)
            and bool(np.isclose(one, other, RELATIVE, ABSOLUTE, equal_nan=True))
        )
        if not same:
            return f", row {row}: {_shown(one)}, where the answers lead to {_shown(other)}"
    return ""


def _shown(value: Any) -> str:
    text = repr(value.to_list() if isinstance(value, pl.Series) else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def drawn(values: Sequence[T], size: int, seed: int) -> list[T]:
    """At most `size` of the values, drawn with the seed, in their own order."""
    order = np.random.default_rng(seed).permutation(len(values))[:size]
    return [values[i] for i in sorted(order)]
