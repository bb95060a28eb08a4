"""Reading and writing: atomic, checksummed, byte-identical for equal content."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import io
import json
import lzma
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .errors import InputError

if TYPE_CHECKING:
    import polars as pl

# Key of a table's metadata: SHA-256 of its pages, names of columns and other metadata. Parquet has
# checksums of pages, but polars neither writes nor checks them, and a changed bit may decompress.
CONTENT = "content_sha256"

# Rows of a table that are packed together, where it is written piece by piece.
ROWS = 2**16

# What reading a member of a damaged zip file raises: it may be encrypted, packed in an unknown way,
# or end too soon. Only bzip2 says so by an `OSError`, which is not of the disk.
DAMAGED = (
    *(zipfile.BadZipFile, RuntimeError, EOFError, struct.error),
    *(zlib.error, lzma.LZMAError, OSError),
)


def is_of_disk(error: Exception) -> bool:
    """Whether one of `DAMAGED` says that the disk, not the zip file, is at fault."""
    return isinstance(error, OSError) and error.errno is not None


def sources_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The sources of a model or a data set, in their order; only a data set has several."""
    source: list[Mapping[str, Any]] | Mapping[str, Any] = spec["source"]
    return [source] if isinstance(source, Mapping) else source


class Closing:
    """Something to be closed, also at the end of a `with` block."""

    def close(self) -> None:
        """Give back what it holds."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Enter a block at whose end it is closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """`value` as JSON whose text does not depend on the order of keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def damaged(path: Path, what: str) -> InputError:
    """The error for a file of the workflow that is not what was written."""
    return InputError(f"{path} is damaged ({what}); remove it and run snakemake again")


def check_sha256(path: Path, expected: str) -> None:
    """See that a file is what its manifest says.

    Raises:
        InputError: it is not.
    """
    found = sha256_file(path)
    if found != expected:
        raise damaged(path, f"expected sha256 {expected}, found {found}")


def read_json(path: Path) -> Any:
    """Content of a JSON file that the workflow wrote.

    Raises:
        InputError: it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, f"no JSON: {error}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name only where the block succeeds.

    The content reaches the disk before the name does, so that a crash leaves the
    old file or the new one, never a part. The part that a killed process left is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        # The lock ends with the process: a part without one has nobody who will finish it.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    # As mkstemp names them, and not those of a file whose name begins in the same way.
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        # What is locked or not ours to remove stays; so does everything where locks do not work.
        with suppress(OSError), open(part, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
            for folder in part.parent.glob(f"{glob.escape(part.name)}.*"):
                shutil.rmtree(folder)


def _umask() -> int:
    # mkstemp makes files private; what we publish follows the user's umask.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically, as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def made_from(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Parquet metadata that names the inputs of a table: role → sha256."""
    return {f"sha256.{role}": sha256_file(path) for role, path in sorted(inputs.items())}


def write_table(
    table: Any, path: Path, inputs: Mapping[str, Path], about: Mapping[str, str] | None = None
) -> None:
    """Write a polars table as Parquet, with the sha256 of the files that made it.

    `about` is further metadata.

    Raises:
        InputError: an input file is missing.
    """
    try:
        metadata = made_from(inputs) | dict(about or {})
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing; run snakemake to make it") from error
    # By way of the memory: polars does not say that a disk is full.
    content = table_bytes(table, metadata)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def table_bytes(table: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """A table as a Parquet file with its metadata and, under `CONTENT`, the sum of both."""
    plain = io.BytesIO()
    about = {key: value for key, value in metadata.items() if key != CONTENT}
    table.write_parquet(plain, compression="zstd", metadata=about)
    # The pages stand before the footer and are the same whatever it holds.
    about[CONTENT] = _content_sha256(plain.getvalue())
    result = io.BytesIO()
    table.write_parquet(result, compression="zstd", metadata=about)
    return result.getvalue()


def read_table(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A Parquet table that the workflow wrote, or some of its columns.

    Raises:
        InputError: it is damaged.
        MemoryError: there is no memory to read it.
    """
    import polars as pl  # noqa: PLC0415 - Snakemake loads this module at every start

    content = path.read_bytes()
    try:
        expected = pl.read_parquet_metadata(content).get(CONTENT)
        if expected is None or expected == _content_sha256(content):
            return pl.read_parquet(content, columns=columns)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # No threads, or no memory: nothing is wrong with the file.
        if any(f"(os error {number})" in str(error) for number in (errno.EAGAIN, errno.ENOMEM)):
            raise MemoryError(str(error)) from error
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise damaged(path, f"no Parquet file: {reason}") from error
    raise damaged(path, "its content is not what was written")


def scan_tables(paths: Sequence[Path], schema: Mapping[str, Any]) -> pl.LazyFrame:
    """Parquet tables that the workflow wrote, one behind the other, read when they are needed.

    Args:
        paths: of the tables.
        schema: columns of the whole; those that a table lacks are null there.

    Raises:
        InputError: one is damaged.
    """
    import polars as pl  # noqa: PLC0415 - as above

    for path in paths:
        check_table(path)
    empty = pl.LazyFrame(schema=schema)
    return pl.concat([empty, *(pl.scan_parquet(path) for path in paths)], how="diagonal")


def check_table(path: Path) -> None:
    """See that a Parquet table is what was written.

    Raises:
        InputError: it is not.
    """
    read_table(path, columns=[])


def write_tables(table: pl.LazyFrame, path: Path, inputs: Mapping[str, Path]) -> int:
    """Write a table that may not fit into memory, as Parquet and as CSV; its number of rows.

    Args:
        table: to be computed; its rows keep their order.
        path: of both files, without what their names end in.
        inputs: as of `write_table`.
    """
    import polars as pl  # noqa: PLC0415 - as above

    metadata = made_from(inputs)
    plain, result = io.BytesIO(), io.BytesIO()
    table.sink_parquet(plain, compression="zstd", metadata=metadata, row_group_size=ROWS)
    metadata[CONTENT] = _content_sha256(plain.getvalue())
    plain.close()
    table.sink_parquet(result, compression="zstd", metadata=metadata, row_group_size=ROWS)
    parquet = path.with_name(f"{path.name}.parquet")
    # By way of the memory: polars does not say that a disk is full.
    with atomic_path(parquet) as temporary:
        temporary.write_bytes(result.getbuffer())
    result.close()
    with atomic_path(path.with_name(f"{path.name}.csv")) as part, open(part, "wb") as file:
        pl.scan_parquet(parquet).sink_csv(file)
    return int(pl.scan_parquet(parquet).select(pl.len()).collect().item())


def _content_sha256(content: bytes) -> str:
    import polars as pl  # noqa: PLC0415 - as above

    about = pl.read_parquet_metadata(content) | {"columns": list(pl.read_parquet_schema(content))}
    about.pop(CONTENT, None)
    # The footer's length stands in the 4 bytes before the last 4.
    footer = int.from_bytes(content[-8:-4], "little")
    digest = hashlib.sha256(memoryview(content)[: -8 - footer])
    digest.update(canonical_json(about).encode())
    return digest.hexdigest()


def write_csv(table: Any, path: Path) -> None:
    """Write a polars table as CSV, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(table.write_csv(), encoding="utf-8")
