"""Tables of many models and tasks are put together as they were measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from root import ROOT

from persona_paradox import files
from persona_paradox.errors import InputError
from persona_paradox.kinds import base, measuring
from persona_paradox.measures import cells, tabulation, wide

SCHEMA = {"model": pl.String, "value": pl.Float64, "more": pl.Int64}


def parts(folder: Path, rows: int = 10) -> list[Path]:
    """Three tables, of which one lacks a column."""
    generator = np.random.default_rng(5)
    paths = []
    for number in range(3):
        table = pl.DataFrame({"model": [f"m{number}"] * rows, "value": generator.random(rows)})
        if number:
            table = table.with_columns(more=pl.lit(number))
        paths.append(folder / f"{number}.parquet")
        files.write_table(table.cast({"more": pl.Int64} if number else {}), paths[-1], {})
    return paths


def test_tables_stand_one_behind_the_other(tmp_path: Path) -> None:
    paths = parts(tmp_path)
    n = files.write_tables(files.scan_tables(paths, SCHEMA), tmp_path / "whole", {})
    whole = files.read_table(tmp_path / "whole.parquet")
    assert n == whole.height == 30
    assert whole.schema == SCHEMA
    expected = pl.concat([pl.read_parquet(path) for path in paths], how="diagonal")
    assert whole.equals(expected.select(*SCHEMA))
    assert pl.read_csv(tmp_path / "whole.csv").equals(whole)
    assert files.write_tables(files.scan_tables([], SCHEMA), tmp_path / "none", {}) == 0
    assert files.read_table(tmp_path / "none.parquet").schema == SCHEMA


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    paths = parts(tmp_path)
    content = bytearray(paths[1].read_bytes())
    content[40] ^= 1
    paths[1].write_bytes(content)
    with pytest.raises(InputError, match=r"1\.parquet is damaged"):
        files.scan_tables(paths, SCHEMA)


WRITE = """
import sys
from pathlib import Path
import polars as pl
from persona_paradox import files
folder = Path(sys.argv[1])
schema = {"model": pl.String, "value": pl.Float64, "more": pl.Int64}
table = files.scan_tables(sorted(folder.glob("[0-9].parquet")), schema)
files.write_tables(table, folder / sys.argv[2], {})
"""


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    parts(tmp_path, rows=2 * files.ROWS // 3)
    for threads in ("1", "4"):
        env = os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONPATH": str(ROOT / "workflow")}
        command = [sys.executable, "-c", WRITE, str(tmp_path), f"by_{threads}"]
        subprocess.run(command, env=env, check=True)
    for end in ("parquet", "csv"):
        one, four = ((tmp_path / f"by_{n}.{end}").read_bytes() for n in ("1", "4"))
        assert one == four


def test_cells_have_the_columns_of_all_kinds_of_the_study() -> None:
    triage = measuring.load("triage")
    other = cells.Kind("other", False, triage.metrics[:2], ("n_more",), triage.answers, {})
    found = tabulation.schemas([other, triage])
    assert {*wide.schema(other.metrics, ("n_more",), labels=False)} <= {*found["cells"]}
    assert {*triage.schemas["cells"]} <= {*found["cells"]}
    assert "smooth_ece_top_label" not in other.schemas["cells"]
    assert {*base.tables("triage")} <= {*found}
    assert "confusion" not in tabulation.schemas([other])


def test_a_wide_row_is_made_of_long_ones() -> None:
    counted = dict.fromkeys(wide.COUNTED, 5) | {"backend": "test"}
    long = [
        counted | {"metric": m, "confidence": c, "n": n, "value": v, "low": 0.0, "high": 1.0}
        for m, c, n, v in (
            ("accuracy", None, 5, 0.4),
            ("accuracy", "top_label", 4, 0.5),
            ("mce", "top_label", 4, 0.6),
            ("brier", "verbalized", 3, 0.7),
        )
    ]
    row = wide.row(long, {"n_more": 2})
    assert (row["accuracy"], row["accuracy_top_label"]) == (0.4, 0.5)
    assert (row["n"], row["n_top_label"], row["n_more"]) == (5, 4, 2)
    assert not [name for name in row if name.startswith(("mce", "brier"))]
