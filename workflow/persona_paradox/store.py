"""The response store: answers by their key, whoever asked for them.

An answer is a pure function of its key, so one that was computed once never needs to be
computed again. A store is a folder of segments: files of one answer per line, each written by
one job and by no other, so that jobs never wait for each other, on any file system. A line is

    <key> <SHA-256 of key and value, 16 digits> <value as JSON>

and is written in one call when the answer ends. Segments are never changed, so a job that
is killed leaves whole lines and at most one broken one; a broken line is as good as missing. The
answer is then computed anew and stored in the new job's segment.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import Closing

log = logging.getLogger("persona_paradox")

SUFFIX = ".answers"
# Stands first in every segment. Another version is another format: its answers are misses.
_NAME = b"persona-paradox answers "
HEADER = _NAME + b"1\n"
COMMAND = "python workflow/scripts/store.py"
_KEY, _CHECK = 64, 16


class Store(Closing):
    """The answers of one scope, a part of the store that is read together.

    Args:
        root: the folder of the store.
        scope: hexadecimal digits that answers which are looked up together have in common.
    """

    def __init__(self, root: Path, scope: str) -> None:
        self.folder = root / scope[:2] / scope
        self._segment: int | None = None

    def find(self, keys: set[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among `keys`; a damaged entry is reported and counts as missing."""
        found: dict[str, dict[str, Any]] = {}
        damaged: list[Damage] = []
        for path in segments(self.folder):
            lines = Segment(path)
            for key, value in lines:
                if key not in keys:
                    continue
                if found.setdefault(key, value) != value:
                    log.warning(
                        "store: %s has another answer to %s than the segments before it; "
                        "`snakemake results/audit/invariance.csv` shows what varies",
                        path,
                        key,
                    )
            damaged += lines.damaged
        if damaged:
            good = {key for path in segments(self.folder) for key, _ in Segment(path)}
            for damage in damaged:
                # Healed already where another segment has the same answer.
                if damage.key not in good:
                    log.warning("store: %s; it is not used (%s shrink removes it)", damage, COMMAND)
        return found

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Store an answer; it is safe from the end of this process when the call returns."""
        with self._named():
            if self._segment is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                path = self.folder / f"{uuid.uuid4().hex}{SUFFIX}"
                self._segment = os.open(path, flags, 0o666)
                _write(self._segment, HEADER)
            _write(self._segment, entry(key, value))

    def close(self) -> None:
        """Bring what was stored to the disk."""
        if self._segment is None:
            return
        segment, self._segment = self._segment, None
        # On a network a full disk may show only here.
        with self._named():
            try:
                os.fsync(segment)
            finally:
                os.close(segment)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from error


@dataclass(frozen=True)
class Damage:
    """What is wrong where; the key that the entry seems to have had, if any."""

    where: str
    what: str
    key: str | None = None

    def __str__(self) -> str:
        """Place and finding."""
        return f"{self.where} {self.what}"


class Segment:
    """Iterates over the good entries of a segment, as (key, value).

    Attributes:
        damaged: after the iteration, what else was found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: list[Damage] = []

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Read the file line by line."""
        try:
            file = open(self.path, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            # Shrunk away since the folder was listed; what it held is in another segment.
            return
        with file:
            for number, line in enumerate(file, start=1):
                if number == 1 and line.startswith(_NAME) and line != HEADER:
                    self.damaged.append(Damage(str(self.path), "has the format of another version"))
                    return
                if line == HEADER:
                    continue
                good = _read_entry(line)
                if good is not None:
                    yield good
                    continue
                whole = line.endswith(b"\n")
                self.damaged.append(
                    Damage(
                        f"{self.path}, line {number}",
                        "is damaged" if whole else "ends in the middle of an entry",
                        line[:_KEY].decode(errors="replace"),
                    )
                )


def _write(file: int, data: bytes) -> None:
    # A call may write a part, on a disk that is almost full.
    while data:
        data = data[os.write(file, data) :]


def segments(folder: Path) -> list[Path]:
    """The segments of a scope, sorted."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def entry(key: str, value: dict[str, Any]) -> bytes:
    """A line of a segment."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return _line(key.encode(), text.encode())


def _line(key: bytes, text: bytes) -> bytes:
    check = hashlib.sha256(key + b" " + text).hexdigest()[:_CHECK]
    return b"%s %s %s\n" % (key, check.encode(), text)


def _read_entry(line: bytes) -> tuple[str, dict[str, Any]] | None:
    key, text = line[:_KEY], line[_KEY + _CHECK + 2 : -1]
    if line != _line(key, text):
        return None
    value: dict[str, Any] = json.loads(text)
    return key.decode("ascii"), value


def shrink(root: Path, wanted: set[str]) -> dict[str, int]:
    """Keep only the answers whose keys are wanted, each once, one segment per scope.

    Meant for a store that no job writes to: what a job stores meanwhile may be lost.

    Returns:
        Counts: `kept`, `removed`, `damaged` entries.
    """
    counts = {"kept": 0, "removed": 0, "damaged": 0}
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir()):
        old = segments(folder)
        kept: dict[str, dict[str, Any]] = {}
        total = 0
        for path in old:
            lines = Segment(path)
            for key, value in lines:
                total += 1
                if key in wanted:
                    kept.setdefault(key, value)
            counts["damaged"] += len(lines.damaged)
        with Store(root, folder.name) as merged:
            for key in sorted(kept):
                merged.put(key, kept[key])
        counts["kept"] += len(kept)
        counts["removed"] += total - len(kept)
        # The new segment is on the disk: the old ones may go.
        for path in old:
            path.unlink(missing_ok=True)
    return counts
