"""Reading and writing: atomic, checksummed, byte-identical for equal content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import InputError


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


def read_json(path: Path) -> Any:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name only where the block succeeds.

    The content reaches the disk before the name does, so that a crash leaves the
    old file or the new one, never a part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
    with atomic_path(path) as temporary:
        table.write_parquet(temporary, compression="zstd", metadata=metadata)


def write_csv(table: Any, path: Path) -> None:
    """Write a polars table as CSV, atomically."""
    with atomic_path(path) as temporary:
        table.write_csv(temporary)
