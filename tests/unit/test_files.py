"""Files: what a killed process leaves behind, and what a damaged table may not pass for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from persona_paradox import files
from persona_paradox.archive import crate
from persona_paradox.data import sources, transfer
from persona_paradox.errors import InputError

# Leaves a part and a folder beside it, as a download that is killed does.
KILLED = """
import os, sys
from pathlib import Path
from persona_paradox.files import atomic_path
with atomic_path(Path(sys.argv[1])) as part:
    Path(f"{part}.wheel").mkdir()
    Path(f"{part}.wheel", "model.whl").write_text("half of it")
    os.kill(os.getpid(), 9)
"""


def test_the_part_of_a_killed_process_is_removed_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    command = [sys.executable, "-c", KILLED, str(path)]
    workflow = Path(__file__).resolve().parents[2] / "workflow"
    subprocess.run(command, cwd=workflow, check=False)
    other = tmp_path / ".table.parquet.more.abcdefgh.part"
    other.write_text("of another file")
    assert len(list(tmp_path.iterdir())) == 3
    with files.atomic_path(path) as at_work:
        files.write_text(path, "first")
        assert at_work.exists()
        at_work.write_text("second")
    assert path.read_text() == "second"
    assert {p.name for p in tmp_path.iterdir()} == {path.name, other.name}


def test_no_bit_of_a_table_can_change_what_is_read(tmp_path: Path) -> None:
    """Every byte in turn: the table is refused, or read as it was written."""
    path, source = tmp_path / "table.parquet", tmp_path / "source"
    source.write_text("x")
    table = pl.DataFrame(
        {
            "item_id": [f"case_{i % 7}" for i in range(40)],
            "label_logprob": [[-0.1 * i, -1.5 / (i + 1)] for i in range(40)],
            "correct": [i % 3 == 0 for i in range(40)],
            "level_error": [None if i % 5 == 0 else i - 20 for i in range(40)],
        }
    )
    files.write_table(table, path, {"source": source})
    content = path.read_bytes()
    assert files.read_table(path).equals(table)
    refused = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = files.read_table(path)
        except InputError:
            refused += 1
        else:
            assert found.equals(table), place
            assert found.schema == table.schema, place
    assert refused > len(content) / 2


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all"])
def test_what_is_no_table_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"table\.parquet is damaged \(no Parquet file: "):
        files.read_table(path)


def test_json_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"sha256": "ab')
    with pytest.raises(InputError, match=r"manifest\.json is damaged \(no JSON: .*; remove it"):
        files.read_json(path)


PACKED = {
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


@pytest.mark.parametrize("method", PACKED)
def test_no_changed_bit_of_a_zip_file_ends_in_a_traceback(tmp_path: Path, method: str) -> None:
    """Archives of studies, and wheels: every bit of the first bytes in turn."""
    path, target = tmp_path / "a.zip", tmp_path / "data.csv"
    with zipfile.ZipFile(path, "w", PACKED[method]) as made:
        made.writestr("a.csv", "a,b\n" * 100)
    whole = path.read_bytes()
    source = {"kind": "pypi", "package": "a", "version": "1", "member": "a.csv"}
    order = transfer.Order(source, target, tmp_path, "x.yaml", None, "model")
    refused = 0
    for bit in range(8 * 80):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        for act in (
            lambda bit=bit: crate.unpack(path, tmp_path / str(bit), 10**6),
            lambda: sources._member(order, path),
        ):
            try:
                act()
            except InputError:
                refused += 1
    assert refused > 300
