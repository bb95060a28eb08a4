"""What every way to a file shares: an order, its content, trying again, and space on the disk."""

from __future__ import annotations

import difflib
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, TypeVar

from ..errors import InputError

log = logging.getLogger("persona_paradox")

RepoType = Literal["model", "dataset"]
T = TypeVar("T")

CHUNK = 1 << 20  # bytes that are read at a time
PROGRESS = 5.0  # seconds between two lines of progress
BACK_OFF = (1.0, 2.0)  # seconds before the second and the third attempt
ANSWER = 20.0  # the same for the hub's answer to a question
_LISTED = 12  # files that an error names


@dataclass(frozen=True)
class Order:
    """What to fetch, where to write it, and how to speak of it."""

    source: Mapping[str, Any]
    part: Path
    folder: Path
    config_file: str
    data_dir: str | None
    repo_type: RepoType

    def error(self, key: str, text: str) -> InputError:
        """What is wrong with a key of the source."""
        return InputError(f"{self.config_file}: key `source.{key}`: {text}")


@dataclass(frozen=True)
class Content:
    """What was written, and what else the manifest should say."""

    sha256: str
    size: int
    more: Mapping[str, Any]


def write_stream(stream: IO[bytes], order: Order, name: str, total: int | None) -> Content:
    """Write a stream of known or unknown length to the temporary file."""
    if total is not None:
        need_space(total, order.folder)
    digest = hashlib.sha256()
    size = 0
    told = time.monotonic()
    with open(order.part, "wb") as target:
        while chunk := stream.read(CHUNK):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if time.monotonic() - told >= PROGRESS:
                told = time.monotonic()
                log.info("%s: %s%s", name, amount(size), f" of {amount(total)}" if total else "")
    return Content(digest.hexdigest(), size, {})


def need_space(size: int, folder: Path) -> None:
    """See that a file of `size` bytes fits on the disk of a folder, which may be missing yet.

    Raises:
        InputError: it does not.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise InputError(
            f"the file needs {amount(size)}, {amount(free)} free on {folder}; free space and run "
            "again"
        )


def persist(
    action: Callable[[], T],
    may_recover: Callable[[Exception], bool],
    reason: Callable[[Any], str],
) -> T:
    """Result of an action that gets three attempts where its error may pass."""
    for pause in BACK_OFF:
        try:
            return action()
        except Exception as error:
            if not may_recover(error):
                raise
            log.info("the connection failed (%s); next attempt in %g s", reason(error), pause)
        time.sleep(pause)
    return action()


def busy(status: int) -> bool:
    """Whether a status of HTTP may pass."""
    return status in (408, 429) or status >= 500


def similar(name: str, names: Iterable[str]) -> str:
    """How to go on after `name` was not among `names`."""
    known = sorted(other for other in names if not other.endswith("/"))
    if not known:
        return "; correct the name"
    close = [other for other in known if PurePosixPath(other).name == PurePosixPath(name).name]
    close = close or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if not close:
        close = [
            other for other in known if PurePosixPath(other).suffix == PurePosixPath(name).suffix
        ]
    meant = f"; did you mean {' or '.join(close[:3])}?" if close else "; take one of these"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f", but {', '.join(known[:_LISTED])}{more}{meant}"


def amount(size: int) -> str:
    """A number of bytes in words."""
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} bytes"
